/** What somebody else's code says of a token must not carry the token on, into logs and reports. */

const MAX_CAUSES = 8

/** The same error, or one that says the same without the token, where it is anywhere in what it says. */
export function withoutToken(error: unknown, token: string | undefined): unknown {
  if (token === undefined || token === '' || !says(error, token, MAX_CAUSES)) return error
  const hidden = (text: string): string => text.replaceAll(token, '[token]')
  if (!(error instanceof Error)) return hidden(String(error))
  const { cause, message, stack } = error
  const shown = new Error(hidden(message), {
    ...(cause !== undefined && { cause: withoutToken(cause, token) }),
  })
  shown.name = error.name
  if (stack !== undefined) shown.stack = hidden(stack)
  return shown
}

function says(error: unknown, token: string, depth: number): boolean {
  if (!(error instanceof Error)) return String(error).includes(token)
  const { cause, message, stack = '' } = error
  if (message.includes(token) || stack.includes(token)) return true
  return cause !== undefined && depth > 0 && says(cause, token, depth - 1)
}

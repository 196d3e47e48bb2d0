/** Of a body that nobody asked for: bytes, and time for them to come. */
const MAX_BYTES = 64 * 1024
const MAX_MS = 1_000

/**
 * Takes the body of a request that was answered without it. Workerd may close a connection on which one
 * was left, and with it cut off the request that its client sends next.
 */
export async function takeUnread(request: Request): Promise<void> {
  const bytes = Number(request.headers.get('content-length') ?? 0)
  if (!request.body || request.bodyUsed || !(bytes > 0 && bytes <= MAX_BYTES)) return
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, MAX_MS)
  })
  const taken = request.arrayBuffer().then(
    () => {},
    () => {},
  )
  await Promise.race([taken, late])
  clearTimeout(timer)
}

/** What the page knows of the relay that serves it. */

const TOKEN = 'crosstown:relay-token'

/**
 * The relay of a page at `.../inspector/`, and the room in its query; never a token, which browsers and
 * servers would keep with the address.
 *
 * @example servedBy('http://127.0.0.1:8787/inspector/?room=42') // { url: 'http://127.0.0.1:8787', room: '42' }
 */
export function servedBy(
  href: string,
): { readonly url: string; readonly room?: string } | undefined {
  const { origin, pathname, protocol, searchParams } = new URL(href)
  const before = /^(.*)\/inspector\/$/.exec(pathname)?.[1]
  if (before === undefined || !/^https?:$/.test(protocol)) return undefined
  const room = searchParams.get('room')
  return { url: origin + before, ...(room && { room }) }
}

/** The token typed into this tab before; gone with the tab. */
export function keptToken(): string | undefined {
  try {
    return sessionStorage.getItem(TOKEN) ?? undefined
  } catch {
    return undefined
  }
}

export function keepToken(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(TOKEN)
    else sessionStorage.setItem(TOKEN, token)
  } catch {
    // Where a browser keeps nothing for this page, it is typed again after a reload.
  }
}

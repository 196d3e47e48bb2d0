/** Where the page meets others: the relay's address, and a room that is named in the page's. */

/** The room the services of `npm start` join. */
export const DEFAULT_ROOM = 'demo'

const RELAY_PORT = 8787

/** The room in a query (`?room=demo`), made valid; the default where there is none. */
export function roomFrom(query: string): string {
  const wanted = new URLSearchParams(query).get('room') ?? ''
  const room = wanted
    .trim()
    .replace(/[^A-Za-z0-9._~-]+/g, '-')
    .slice(0, 128)
  return /[A-Za-z0-9]/.test(room) ? room : DEFAULT_ROOM
}

const ADJECTIVES = ['amber', 'brisk', 'calm', 'early', 'green', 'quiet', 'sunny', 'warm']
const PLACES = ['alley', 'bridge', 'corner', 'harbour', 'market', 'square', 'terrace', 'yard']

/** A new room's name: readable, and not easily met by chance. */
export function randomRoom(): string {
  const [a = 0, b = 0, number = 0] = crypto.getRandomValues(new Uint16Array(3))
  return `${ADJECTIVES[a % ADJECTIVES.length]}-${PLACES[b % PLACES.length]}-${1000 + (number % 9000)}`
}

/** The same page in another room. */
export function roomLink(page: string, room: string): string {
  const url = new URL(page)
  url.searchParams.set('room', room)
  url.hash = ''
  return url.href
}

/** The relay as configured, or on the host this page came from. */
export function relayUrl({ protocol, hostname }: { protocol: string; hostname: string }): string {
  const scheme = protocol === 'https:' ? 'wss' : 'ws'
  return import.meta.env?.VITE_CROSSTOWN_RELAY ?? `${scheme}://${hostname}:${RELAY_PORT}`
}

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

/**
 * The bus of a query. `?device=b` gives a second device in the same browser: a bus of another name
 * has a log and a channel of its own, and meets the first one at the relay only.
 */
export function busNameFrom(query: string): string {
  const device = new URLSearchParams(query).get('device') ?? ''
  return /^[a-z0-9]{1,16}$/.test(device) ? `shop-${device}` : 'shop'
}

const ADJECTIVES = ['amber', 'brisk', 'calm', 'early', 'green', 'quiet', 'sunny', 'warm']
const PLACES = ['alley', 'bridge', 'corner', 'harbour', 'market', 'square', 'terrace', 'yard']

/** A new room's name: readable, and not easily met by chance. */
export function randomRoom(): string {
  const [a = 0, b = 0, number = 0] = crypto.getRandomValues(new Uint16Array(3))
  return `${ADJECTIVES[a % ADJECTIVES.length]}-${PLACES[b % PLACES.length]}-${1000 + (number % 9000)}`
}

/** The front of the shop in a room, to be opened anywhere: what is this device's is left out. */
export function roomLink(page: string, room: string): string {
  const url = new URL(page)
  url.searchParams.set('room', room)
  url.searchParams.delete('device')
  url.hash = ''
  return url.href
}

/** The relay as configured, or on the host this page came from. */
export function relayUrl({ protocol, hostname }: { protocol: string; hostname: string }): string {
  const scheme = protocol === 'https:' ? 'wss' : 'ws'
  return import.meta.env?.VITE_CROSSTOWN_RELAY ?? `${scheme}://${hostname}:${RELAY_PORT}`
}

/** Wires the relay's socket to the session that speaks over it; no logic of its own. */
import { type RelayLinkOptions, type RelaySocket, relaySocket } from './links/relay.ts'
import { Session } from './sync/session.ts'
import type { RelaySource } from './sync/sync.ts'

/** The `relay` of a bus; `pause` and `resume` are an offline switch. */
export interface RelayLink extends RelaySource, RelaySocket {}

/**
 * The user's other devices and the team's services, through a relay.
 *
 * @throws {BusError} invalid_options, invalid_room, invalid_pattern
 * @example
 * createBus({ name: 'shop', relay: relayLink({ url: 'wss://relay.example', room: '42', token }) })
 */
export function relayLink(options: RelayLinkOptions): RelayLink {
  const socket = relaySocket(options)
  return Object.assign(socket, {
    session: (start: Parameters<RelaySource['session']>[0]) =>
      new Session({ ...start, source: socket }),
  })
}

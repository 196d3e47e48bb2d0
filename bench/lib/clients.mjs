// Clients with all that a user's would have.
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import { io } from 'socket.io-client'

/**
 * A device in the one room of a relay.
 *
 * @param types what it reads; all where it is absent
 */
export function busIn(url, name, types) {
  const link = relayLink({ url, room: 'room', ...(types && { types }) })
  return createBus({ name, log: memoryLog(), relay: link })
}

/** A client of Socket.IO. */
export function clientOf(address) {
  return io(`http://${address}`, { transports: ['websocket'], forceNew: true })
}

export const connected = (client) =>
  client.connected || new Promise((resolve) => client.once('connect', resolve))

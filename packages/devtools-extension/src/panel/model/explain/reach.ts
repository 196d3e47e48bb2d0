/** Whether an event can come to a peer at all: by its scope, and by what its publisher is joined to. */
import type { Peer } from '../model.ts'
import type { Subject } from './subject.ts'

export type Reach =
  | { readonly over: 'self' | 'tabs' | 'relay' }
  /** Why not, in a sentence, and what to do. */
  | { readonly over: undefined; readonly why: string }

export function reachOf(subject: Subject, peer: Peer): Reach {
  const { row, publisher, publisherName, device } = subject
  const { scope } = row.event
  const { hello, name } = peer
  if (row.publisher === peer.id) return { over: 'self' }
  if (scope === 'context')
    return not(
      `It was published with scope 'context' and stays in ${publisherName}. Publish it with scope 'device' for the other tabs and workers, or with 'room' for all devices.`,
    )
  const bus = publisher?.hello.bus
  const sameDevice = device !== undefined && device === peer.device
  if (sameDevice && (bus === undefined || bus === hello.bus)) return { over: 'tabs' }
  const room = publisher?.hello.relay?.room
  const peerRoom = hello.relay?.room
  if (sameDevice || (isOneOrigin(publisher, peer) && bus !== hello.bus && room === undefined))
    return not(
      `${publisherName} has the bus named ‘${bus}’, ${name} the one named ‘${hello.bus}’: buses of different names do not hear each other without a room. Give createBus the same name.`,
    )
  if (scope === 'device')
    return not(
      `It was published with scope 'device' and stays on the device of ${publisherName}; ${name} is on another one. Publish it with scope 'room', which is the default.`,
    )
  if (peerRoom === undefined)
    return not(
      `${name} is on another device and is not joined to a relay: give its createBus a relayLink to the room${room === undefined ? '' : ` ‘${room}’`}.`,
    )
  if (publisher && room === undefined)
    return not(
      `${publisherName} is not joined to a relay, so the event stays on its device: give its createBus a relayLink to the room ‘${peerRoom}’.`,
    )
  if (room !== undefined && room !== peerRoom)
    return not(
      `${publisherName} is in the room ‘${room}’, ${name} in the room ‘${peerRoom}’: rooms do not hear each other. Give both relayLinks the same room.`,
    )
  return { over: 'relay' }
}

function not(why: string): Reach {
  return { over: undefined, why }
}

function isOneOrigin(one: Peer | undefined, other: Peer): boolean {
  const origin = originOf(one)
  return origin !== undefined && origin === originOf(other)
}

function originOf(peer: Peer | undefined): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(peer?.hello.url ?? '')?.[0]
}

/** Peers by device, in the order in which people look for them. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { Peer } from '../../model/model.ts'

export interface Device {
  readonly id: string
  readonly name: string
  /** The leader first, then by name; those that are gone last. */
  readonly peers: readonly Peer[]
}

/** Browsers first, then servers, then relays. */
export function devicesOf(peers: Iterable<Peer>): Device[] {
  const byDevice = new Map<string, Peer[]>()
  for (const peer of peers) {
    const of = byDevice.get(peer.device)
    if (of) of.push(peer)
    else byDevice.set(peer.device, [peer])
  }
  const names = new Map<string, number>()
  return [...byDevice]
    .map(([id, of]) => ({ id, peers: of.sort(order) }))
    .sort((a, b) => placeOf(a.peers) - placeOf(b.peers) || since(a.peers) - since(b.peers))
    .map(({ id, peers: of }) => {
      const kind = kindOf(of)
      const n = (names.get(kind) ?? 0) + 1
      names.set(kind, n)
      return { id, peers: of, name: n === 1 ? kind : `${kind} ${n}` }
    })
}

function order(a: Peer, b: Peer): number {
  const rank = ({ state, status }: Peer) => (state === 'gone' ? 2 : status.lead.self ? 0 : 1)
  return rank(a) - rank(b) || a.name.localeCompare(b.name, 'en', { numeric: true })
}

const since = (peers: readonly Peer[]) => Math.min(...peers.map((peer) => peer.since))

function placeOf(peers: readonly Peer[]): number {
  const kind = peers[0]?.hello.kind
  if (kind === 'relay') return 2
  return kind === 'node' || kind === 'deno' || kind === 'bun' ? 1 : 0
}

function kindOf(peers: readonly Peer[]): string {
  const place = placeOf(peers)
  if (place === 0) return 'Browser'
  if (place === 2) return 'Relay'
  return peers[0]?.hello.source ?? 'Server'
}

export interface RelayNode {
  /** The peer, where the relay itself is inspected. */
  readonly peer?: PeerId
  readonly name: string
  readonly key: string
}

/** Relays that are inspected, and those that inspected peers are told to use. */
export function relaysOf(peers: Iterable<Peer>): RelayNode[] {
  const all = [...peers]
  const inspected = all
    .filter(({ hello }) => hello.kind === 'relay')
    .map(({ id, name }): RelayNode => ({ key: id, peer: id, name }))
  const told = new Map<string, RelayNode>()
  for (const { hello, state } of all) {
    const { relay } = hello
    if (!relay || state === 'gone' || relayPeerOf(relay.room, all)) continue
    told.set(relay.room, { key: relay.room, name: `relay · ${relay.room}` })
  }
  return [...inspected, ...told.values()]
}

/** Which of the relays has a room. */
export function keyOfRelay(room: string, peers: Iterable<Peer>): string {
  return relayPeerOf(room, peers)?.id ?? room
}

/** A relay's peer is called by its room, and says it as the name of its bus. */
function relayPeerOf(room: string, peers: Iterable<Peer>): Peer | undefined {
  const relays = [...peers].filter(({ hello }) => hello.kind === 'relay')
  return relays.find(({ id, hello }) => id === `relay:${room}` || hello.bus === room)
}

/** An event with all that is known of it, put together once for every conclusion about it. */
import type { PeerId } from '@crosstown/bus/inspect'
import { isCaptured } from '../captured.ts'
import type { EventRow, Peer, Session, Step } from '../model.ts'

export interface Subject {
  readonly session: Session
  readonly row: EventRow
  readonly type: string
  /** `undefined` where the publisher is not inspected. */
  readonly publisher: Peer | undefined
  /** For people. */
  readonly publisherName: string
  /** The device it was published on, where that is known. */
  readonly device: string | undefined
  /** The newest moment anything was heard of, ms: conclusions are of then. */
  readonly now: number
  stepsAt(peer: PeerId): readonly Step[]
  /** Steps at relays. */
  readonly atRelay: readonly Step[]
  /** Refused for good. */
  readonly refused: Step | undefined
  /** When it was published was captured, and so what its publisher did with it. */
  readonly timed: boolean
  /** In the room's order. */
  readonly confirmed: boolean
  /** Sent towards the relay, or heard of there. */
  readonly sent: boolean
}

export function subjectOf(session: Session, id: string): Subject | undefined {
  const row = session.event(id)
  if (!row) return undefined
  const steps = session.steps(id)
  const byPeer = Map.groupBy(steps, ({ peer }) => peer)
  const publisher = session.peers.get(row.publisher)
  const isRelay = ({ peer }: Step): boolean => session.peers.get(peer)?.hello.kind === 'relay'
  const atRelay = steps.filter(isRelay)
  // What came over the channel between tabs was published on the same device.
  const witness = steps.find(({ is, origin }) => is === 'received' && origin === 'device')
  const confirmed = row.state === 'relayed' || steps.some(({ is }) => is === 'confirmed')
  return {
    session,
    row,
    type: row.event.type,
    publisher,
    publisherName: publisher?.name ?? (row.event.source || row.publisher),
    device: publisher?.device ?? (witness && session.peers.get(witness.peer)?.device),
    now: nowOf(session),
    stepsAt: (peer) => byPeer.get(peer) ?? [],
    atRelay,
    refused: steps.find(({ is, final }) => is === 'refused' && final === true),
    timed: steps.some(({ is, peer }) => is === 'published' && peer === row.publisher),
    confirmed,
    sent:
      confirmed ||
      atRelay.length > 0 ||
      steps.some(({ is, via }) => is === 'posted' && via === 'relay'),
  }
}

/** Whether records of a peer are lost that may have told what became of the event there. */
export function missedAt({ session, row }: Subject, peer: Peer): boolean {
  const missed = peer.missed.map(({ from, to }) => ({
    from: session.msOf(peer.id, from),
    to: session.msOf(peer.id, to),
  }))
  return !isCaptured({ missed }, row.ms)
}

export function nowOf(session: Session): number {
  let now = Number.NEGATIVE_INFINITY
  for (const { lastHeard } of session.peers.values()) now = Math.max(now, lastHeard)
  return now
}

/** Since when a peer, or whoever leads its device, has been without the relay; `undefined`: it is not. */
export function apartSince(session: Session, device: string | undefined): Apart | undefined {
  if (device === undefined) return undefined
  let leader: Peer | undefined
  for (const peer of session.peers.values()) {
    if (peer.device !== device || peer.hello.kind === 'relay' || peer.state === 'gone') continue
    if (peer.status.leader) leader = peer
  }
  if (!leader || leader.status.relay === 'online' || leader.status.relay === 'off') return undefined
  const pause = leader.pauses.findLast(({ why, to }) => why === 'relay' && to === undefined)
  return { leader, since: pause?.from }
}

export interface Apart {
  readonly leader: Peer
  readonly since: number | undefined
}

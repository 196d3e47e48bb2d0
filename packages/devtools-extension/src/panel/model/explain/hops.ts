/** The hops of an event: who had it from whom, over what, and where it went no further. */
import type { PeerId, Via } from '@crosstown/bus/inspect'
import type { EventRow, Session, Step } from '../model.ts'

export interface Hop {
  readonly from: PeerId
  readonly to: PeerId
  readonly sent: number
  readonly arrived: number
  readonly via: Via | 'self'
  readonly failed?: string
  /** When it was sent was not captured. */
  readonly untimed?: true
  /**
   * It was not sent before this. Contexts tell of what they did a moment after it: on a busy machine
   * others have it by then.
   */
  readonly earliest: number
}

interface Way {
  readonly session: Session
  readonly row: EventRow
  readonly steps: readonly Step[]
  /** Stands among the steps for a publishing that was not captured. */
  readonly guess: Step | undefined
  deviceOf(peer: PeerId): string | undefined
  isRelay(peer: PeerId): boolean
}

export function hopsOf(
  session: Session,
  row: EventRow,
  steps: readonly Step[],
  guess: Step | undefined,
): readonly Hop[] {
  const way: Way = {
    session,
    row,
    steps,
    guess,
    deviceOf: (peer) => session.peers.get(peer)?.device,
    isRelay: (peer) => session.peers.get(peer)?.hello.kind === 'relay',
  }
  const hops: Hop[] = []
  for (const step of steps) {
    if (step.is === 'received') {
      const hop = hopTo(way, step)
      if (hop && hop.from !== step.peer) hops.push(hop)
    } else {
      const hop = failureOf(way, step)
      if (hop) hops.push(hop)
    }
  }
  return hops
}

function hopTo(way: Way, step: Step): Hop | undefined {
  const { via = 'tabs', peer: to, ms: arrived } = step
  const sender = via === 'relay' ? overRelay(way, to) : within(way, step)
  if (!sender) return undefined
  const untimed = sender === way.guess
  return {
    from: sender.peer,
    to,
    sent: untimed ? arrived : sender.ms,
    arrived,
    via,
    earliest: untimed ? arrived : earliestOf(way, sender),
    ...(untimed && { untimed }),
  }
}

/** What is received of a room is passed on first, and only then given to those who are here. */
function earliestOf({ steps }: Way, { is, peer, ms }: Step): number {
  if (is === 'received') return Number.NEGATIVE_INFINITY
  if (is !== 'posted') return ms
  const published = steps.find((step) => step.is === 'published' && step.peer === peer)
  return published ? Math.min(ms, published.ms) : Number.NEGATIVE_INFINITY
}

/** Who of a device told its other contexts: its publisher there, or who had it from the relay. */
function within(way: Way, { peer: to, via, from, origin }: Step): Step | undefined {
  const { steps, row, deviceOf } = way
  const device = deviceOf(to)
  const there = steps.filter(({ peer }) => peer !== to && deviceOf(peer) === device)
  if (via === 'link')
    return (
      steps.findLast((step) => step.is === 'posted' && step.via === 'link' && step.peer !== to) ??
      firstAt(steps, row.publisher)
    )
  const sender =
    from !== undefined && steps.some(({ peer }) => peer === from)
      ? from
      : origin === 'device' || deviceOf(row.publisher) === device
        ? row.publisher
        : there.find(({ is, via }) => is === 'received' && via === 'relay')?.peer
  if (sender === undefined) return undefined
  const own = steps.filter(({ peer }) => peer === sender)
  return (
    own.find(({ is, via: over }) => is === 'posted' && over === 'tabs') ??
    own.find(({ is }) => is === 'published' || is === 'received') ??
    own[0]
  )
}

/** Who had the socket at the other end. */
function overRelay(way: Way, to: PeerId): Step | undefined {
  const { steps, row, session, isRelay } = way
  if (isRelay(to)) return sentUp(way)
  const device = session.peers.get(to)?.hello.device
  const atRelay = steps.filter(({ peer }) => isRelay(peer))
  return (
    atRelay.find(
      ({ is, to: posted }) => is === 'posted' && posted !== undefined && posted === device,
    ) ??
    atRelay.find(({ is }) => is === 'confirmed') ??
    atRelay.find(({ is }) => is === 'received') ??
    sentUp(way) ??
    firstAt(steps, row.publisher)
  )
}

/** Where it left its publisher's device. */
function sentUp({ steps, row, isRelay }: Way): Step | undefined {
  return (
    steps.findLast(({ is, via, peer }) => is === 'posted' && via === 'relay' && !isRelay(peer)) ??
    firstAt(steps, row.publisher)
  )
}

function firstAt(steps: readonly Step[], peer: PeerId): Step | undefined {
  return steps.find((step) => step.peer === peer)
}

/** Where it went no further. */
function failureOf(way: Way, step: Step): Hop | undefined {
  const { is, peer, ms, why, code, final, to: device } = step
  const self = { from: peer, to: peer, sent: ms, arrived: ms, earliest: ms, via: 'self' } as const
  if (is === 'refused') {
    const failed = `${final === true ? 'refused' : 'not taken now'} (${code})`
    const up = way.isRelay(peer) ? sentUp(way) : undefined
    // Its publisher repeats what the relay said.
    if (!up) return hasRelayRefusal(way) ? undefined : { ...self, failed }
    return {
      ...{ from: up.peer, to: peer, via: 'relay', failed },
      ...{ sent: up.ms, arrived: ms, earliest: earliestOf(way, up) },
    }
  }
  if (is !== 'dropped' || why === 'duplicate' || why === 'unwanted') return undefined
  const failed = DROPS[why ?? ''] ?? `dropped (${why ?? 'not said why'})`
  if (device === undefined) return { ...self, failed }
  const there = [...way.session.peers.values()].find(({ hello }) => hello.device === device)
  if (!there) return { ...self, failed }
  return { from: peer, to: there.id, sent: ms, arrived: ms, earliest: ms, via: 'relay', failed }
}

function hasRelayRefusal({ steps, isRelay }: Way): boolean {
  return steps.some(({ is, peer }) => is === 'refused' && isRelay(peer))
}

const DROPS: { readonly [why: string]: string } = {
  overflow: 'dropped: the buffer was full',
  offline: 'dropped: the relay was not there',
  no_right: 'not sent: no right to it',
  withdrawn: 'withdrawn: could not be written',
  closed: 'dropped: the bus was closed',
  fault: 'dropped by a fault set here',
}

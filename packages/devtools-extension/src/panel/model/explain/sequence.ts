/** Events as messages between lifelines, in the order of time. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { EventRow, Sequence, Session, Step } from '../model.ts'
import { type Hop, hopsOf } from './hops.ts'
import { lanesOf } from './lanes.ts'
import { duration } from './words.ts'

type Message = Sequence['messages'][number]

/** Events drawn at most; more is no picture. */
const MAX_EVENTS = 5_000

/** The way of some events, as far as it was captured; ids that are not known are left out. */
export function sequenceOf(session: Session, ids: readonly string[]): Sequence {
  const notes = new Set<string>()
  const known = [...new Set(ids)]
  const rows = known.slice(0, MAX_EVENTS).flatMap((id) => session.event(id) ?? [])
  if (known.length > MAX_EVENTS) notes.add(`Only the first ${MAX_EVENTS} events are drawn.`)
  const ways = rows.map((row) => {
    const told = session.steps(row.id)
    const guess = guessOf(row, told)
    const steps = guess ? [guess, ...told] : told
    return { row, steps, hops: hopsOf(session, row, steps, guess) }
  })
  const sources = new Map(rows.map(({ publisher, event }) => [publisher, event.source]))
  const lanes = lanesOf(
    session,
    ways.flatMap(({ steps, hops }) => [
      ...steps,
      ...hops.map(({ to, arrived }) => ({ peer: to, ms: arrived })),
    ]),
    sources,
  )
  const laneOf = new Map(lanes.map(({ peer }, lane) => [peer, lane]))
  const messages: Message[] = []
  const bars: Sequence['bars'][number][] = []
  for (const { row, steps, hops } of ways) {
    for (const hop of hops) {
      const message = messageOf(session, row, hop, laneOf, notes)
      if (message) messages.push(message)
    }
    for (const { is, sub, peer, ms, durationMs = 0 } of steps) {
      if (is !== 'handled' && !(is === 'failed' && sub !== undefined)) continue
      const lane = laneOf.get(peer) as number
      bars.push({
        event: row.id,
        type: row.event.type,
        lane,
        from: ms - durationMs,
        to: ms,
        failed: is === 'failed',
      })
    }
  }
  return {
    lanes,
    messages: messages.sort((a, b) => a.sent - b.sent || a.arrived - b.arrived),
    bars: bars.sort((a, b) => a.from - b.from),
    ...(notes.size > 0 && { notes: [...notes] }),
  }
}

/** The moment of publishing, where nobody captured it. */
function guessOf(row: EventRow, steps: readonly Step[]): Step | undefined {
  return steps.some(({ peer }) => peer === row.publisher)
    ? undefined
    : { ms: row.ms, peer: row.publisher, is: 'published' }
}

function messageOf(
  session: Session,
  { id, event }: EventRow,
  { from, to, sent, arrived, via, failed, untimed }: Hop,
  laneOf: ReadonlyMap<PeerId, number>,
  notes: Set<string>,
): Message | undefined {
  const [start, end] = [laneOf.get(from), laneOf.get(to)]
  if (start === undefined || end === undefined) return undefined
  const off = from === to || untimed ? 0 : session.uncertainty(from, to)
  const backwards = sent - arrived
  const names = `${nameOf(session, from)} and ${nameOf(session, to)}`
  if (backwards > off) {
    notes.add(
      `${event.type}: by the clocks of ${names} it arrived ${duration(backwards)} before it was sent, which is more than they are known to be off (± ${duration(off)}). Its way between them is not drawn: was a clock set?`,
    )
    return undefined
  }
  const ms = Math.max(0, -backwards)
  if (!Number.isFinite(off))
    notes.add(
      `Nothing says how far the clocks of ${names} are apart: times between them are a guess.`,
    )
  return {
    event: id,
    type: event.type,
    from: start,
    to: end,
    sent,
    arrived: Math.max(sent, arrived),
    via,
    ms,
    plusMinus: Number.isFinite(off) ? (isOneDevice(session, from, to) ? 0 : off) : ms,
    ...(failed !== undefined && { failed }),
    ...(untimed && { untimed }),
  }
}

function isOneDevice(session: Session, one: PeerId, other: PeerId): boolean {
  const device = session.peers.get(one)?.device
  return one === other || (device !== undefined && device === session.peers.get(other)?.device)
}

function nameOf(session: Session, peer: PeerId): string {
  return session.peers.get(peer)?.name ?? peer
}

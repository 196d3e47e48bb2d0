/** What of a log a replay gives, in either order. Headers are looked at, never data. */
import { BusError } from '../errors.ts'
import { type EventHeader, slotOf } from '../event.ts'
import type { LogState } from '../log/log.ts'
import type { ReadFrom } from '../types.ts'
import { parseBound } from './bound.ts'
import { endOffset, offsetOfPosition, startOffset } from './bounds.ts'
import { roomOrder } from './room-order.ts'
import { StreamCounts } from './stream-counts.ts'
import { eventsOf, type LoggedEvent, type ReadableLog, recordsFrom } from './walk.ts'

export interface Selection {
  readonly from: ReadFrom
  readonly to: ReadFrom
  readonly matches: (header: EventHeader) => boolean
}

/** Some of the events that were selected, in order. */
export interface Portion {
  readonly events: readonly LoggedEvent[]
  /** When they were written, milliseconds since 1970. */
  readonly time: number
  /** Whose clock says so. */
  readonly clock: 'log' | 'room'
  /** How far the log was read, of `total`. */
  readonly done: number
  readonly total: number
}

type Report = (error: BusError) => void

/** The events in the order of the device. @throws {BusError} invalid_options, not_found */
export async function* inDeviceOrder(
  log: ReadableLog,
  { from, to, matches }: Selection,
  hasRelay: boolean,
  report: Report,
): AsyncGenerator<Portion, void, void> {
  const { head, first, room } = await log.state(false)
  const ofHeader = ({ header }: LoggedEvent): boolean => matches(header)
  const start = await startOffset(log, from, ofHeader)
  const end = await endOffset(log, to, ofHeader)
  const begin = Math.max(first, slotOf(start).batch)
  const last = Math.min(head.batch, slotOf(end).batch)
  if (end < start || last < begin) return
  const total = last - begin + 1
  const wanted = (header: EventHeader, offset: number): boolean =>
    offset >= start && offset <= end && matches(header)
  const counts = hasRelay ? undefined : new StreamCounts(log)
  for await (const record of recordsFrom(log, begin, room.cuts, report, counts, wanted)) {
    const { batch, placement, revisions } = record
    if (batch.batch > last) return
    const events = eventsOf(batch, placement, room.cuts, wanted, revisions)
    yield { events, time: batch.time, clock: 'log', done: batch.batch - begin + 1, total }
    if (batch.batch === last) return
  }
}

/** The events in the order of the room. @throws {BusError} invalid_options, not_found */
export async function* inRoomOrder(
  log: ReadableLog,
  { from, to, matches }: Selection,
  report: Report,
): AsyncGenerator<Portion, void, void> {
  const state = await log.state(false)
  const total = state.head.batch - state.first + 1
  const begins = await edge(log, state, 'from', from, matches)
  const ends = await edge(log, state, 'to', to, matches)
  if (begins === 'never' || ends === 'at once') return
  let begun = begins === 'at once'
  let nth = 0
  for await (const portion of roomOrder(log, state, () => true, report)) {
    const events: LoggedEvent[] = []
    let ended = false
    for (const event of portion.events) {
      const matching = matches(event.header)
      const seen: Seen = { event, time: portion.time, nth: matching ? nth++ : -1 }
      begun ||= typeof begins === 'object' && begins.reached(seen)
      ended = typeof ends === 'object' && ends.reached(seen)
      // The one that a window ends with is in it, the first that was written too late is not.
      const inside = begun && !(ended && typeof ends === 'object' && !ends.inclusive)
      if (matching && inside) events.push(event)
      if (ended) break
    }
    const { time, part, read } = portion
    const clock = part === 'room' || part === 'gone' ? 'room' : 'log'
    yield { events, time, clock, done: read - state.first + 1, total }
    if (ended) return
  }
}

interface Seen {
  readonly event: LoggedEvent
  readonly time: number
  /** How many matched before it; -1 where it does not match itself. */
  readonly nth: number
}

/** Where a window in the room's order begins or ends: at the first event that reaches it. */
type Edge =
  | 'at once'
  | 'never'
  | { readonly reached: (seen: Seen) => boolean; readonly inclusive: boolean }

async function edge(
  log: ReadableLog,
  state: LogState,
  name: 'from' | 'to',
  given: ReadFrom,
  matches: Selection['matches'],
): Promise<Edge> {
  const bound = parseBound(given, name)
  if ('at' in bound) return bound.at === 'start' ? 'at once' : 'never'
  if ('time' in bound) {
    const reached =
      name === 'from'
        ? ({ time }: Seen) => time >= bound.time
        : ({ time }: Seen) => time > bound.time
    return { reached, inclusive: false }
  }
  if ('last' in bound) {
    if (bound.last === 0) return 'never'
    const nth = (await countMatching(log, state, matches)) - bound.last
    if (nth < 0) return 'at once'
    return { reached: (seen) => seen.nth === nth, inclusive: true }
  }
  const offset = 'offset' in bound ? bound.offset : await offsetOfPosition(log, bound.position)
  await assertInRoom(log, offset)
  return { reached: ({ event }) => event.offset === offset, inclusive: true }
}

/** In the room's order an event is the only measure: it has no numbers between them. */
async function assertInRoom(log: ReadableLog, offset: number): Promise<void> {
  const { batch } = slotOf(offset)
  const [record] = await log.read(batch, 1)
  const events = record?.batch === batch ? eventsOf(record) : []
  const event = events.find((one) => one.offset === offset)
  if (event && event.header.scope !== 'device') return
  throw new BusError('not_found', `offset ${offset} is that of no event of the room`, {
    stage: 'read',
  })
}

async function countMatching(
  log: ReadableLog,
  state: LogState,
  matches: Selection['matches'],
): Promise<number> {
  let count = 0
  for await (const { events } of roomOrder(log, state, matches, () => {})) count += events.length
  return count
}

/**
 * A log as durable consumers read it: from a place on, to the head it has. A place is a number that
 * ascends in the order of reading: the offset in the device's order; in the room's, the number of the
 * record that says where an event stands, and which of that record's it is.
 */
import { BusError } from '../errors.ts'
import { offsetOf, slotOf } from '../event.ts'
import { parsePosition, positionOf } from '../protocol/position.ts'
import type { ReadFrom } from '../types.ts'
import { parseBound } from './bound.ts'
import { BEHIND_ALL, startOffset } from './bounds.ts'
import { RoomWalk } from './room-order.ts'
import { StreamCounts } from './stream-counts.ts'
import {
  ALL,
  eventsOf,
  type LoggedEvent,
  type ReadableLog,
  recordsFrom,
  type Wanted,
} from './walk.ts'

export interface FeedOptions {
  /** The room's order, of what it has confirmed. */
  readonly confirmed: boolean
  readonly hasRelay: boolean
  /** Asked of each header. */
  readonly wanted: Wanted
  /** Told of records that cannot be read. */
  readonly report: (error: BusError) => void
}

export interface Fed {
  readonly at: number
  readonly event: LoggedEvent
}

/** Neighbouring events. */
export interface Portion {
  /** Number of the record they are read from. */
  readonly batch: number
  readonly events: readonly Fed[]
  /** The place from which reading goes on behind them. */
  readonly next: number
}

export async function* feed(
  log: ReadableLog,
  from: number,
  options: FeedOptions,
): AsyncGenerator<Portion, void, void> {
  if (options.confirmed) yield* confirmedFeed(log, from, options)
  else yield* deviceFeed(log, from, options)
}

async function* deviceFeed(
  log: ReadableLog,
  from: number,
  { hasRelay, wanted, report }: FeedOptions,
): AsyncGenerator<Portion, void, void> {
  const { cuts } = (await log.state(false)).room
  const counts = hasRelay ? undefined : new StreamCounts(log)
  for await (const record of recordsFrom(log, slotOf(from).batch, cuts, report, counts, wanted)) {
    const { batch, placement, revisions } = record
    const events = eventsOf(batch, placement, cuts, wanted, revisions)
      .filter(({ offset }) => offset >= from)
      .map((event) => ({ at: event.offset, event }))
    yield { batch: batch.batch, events, next: offsetOf(batch.batch + 1, 0) }
  }
}

async function* confirmedFeed(
  log: ReadableLog,
  from: number,
  { wanted, report }: FeedOptions,
): AsyncGenerator<Portion, void, void> {
  const state = await log.state(false)
  const walk = new RoomWalk(log, { wanted: ALL, report, through: slotOf(from).batch - 1 })
  let batch = 0
  let nth = 0
  for await (const { events, part, read } of walk.to(state)) {
    if (part !== 'room' && part !== 'gone') continue
    if (read !== batch) nth = 0
    batch = read
    const placed = events.map((event) => ({ at: offsetOf(read, nth++), event }))
    const fed = placed.filter(({ at, event }) => at >= from && wanted(event.header, event.offset))
    yield { batch, events: fed, next: offsetOf(read, nth) }
  }
  if (walk.through > batch) {
    yield { batch: walk.through, events: [], next: offsetOf(walk.through + 1, 0) }
  }
}

/**
 * The place at which a new consumer begins.
 *
 * @throws {BusError} invalid_options, not_found for a position that is not in this log
 */
export async function firstPlace(
  log: ReadableLog,
  from: ReadFrom,
  options: FeedOptions,
): Promise<number> {
  const bound = parseBound(from)
  const { first, head } = await log.state(false)
  const behind = offsetOf(head.batch + 1, 0)
  const oldest = first === 0 ? behind : offsetOf(first, 0)
  if (options.confirmed && 'position' in bound) return placeOf(log, bound.position, options)
  const start = await startOffset(log, from, ({ header, offset }) => options.wanted(header, offset))
  return start === BEHIND_ALL ? behind : Math.max(start, oldest)
}

async function placeOf(log: ReadableLog, position: string, options: FeedOptions): Promise<number> {
  const parsed = parsePosition(position)
  const named = parsed && positionOf(parsed.epoch, parsed.place, parsed.check)
  for await (const { events } of confirmedFeed(log, 0, { ...options, wanted: ALL })) {
    const found = events.find(({ event }) => event.position === named)
    if (named && found) return found.at
  }
  throw new BusError('not_found', `position ${position.slice(0, 80)} is not in this log`, {
    stage: 'read',
  })
}

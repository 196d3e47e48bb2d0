/** Where reading a log begins and ends, as offsets. */
import { BusError } from '../errors.ts'
import { offsetOf } from '../event.ts'
import type { StoredBatch } from '../log/log.ts'
import { checkOf, isCut, parsePosition, positionOf } from '../protocol/position.ts'
import type { ReadFrom } from '../types.ts'
import { parseBound } from './bound.ts'
import { eventsOf, type LoggedEvent, type ReadableLog } from './walk.ts'

/** Behind every event of a log. */
export const BEHIND_ALL: number = Number.MAX_SAFE_INTEGER
/** Before every event of a log. */
const BEFORE_ALL = -1

/** Records read at once. */
const CHUNK = 32

/**
 * The offset at which reading starts.
 *
 * @throws {BusError} invalid_options, not_found for a position that is not in this log
 */
export async function startOffset(
  log: ReadableLog,
  from: ReadFrom,
  matches: (event: LoggedEvent) => boolean,
): Promise<number> {
  const bound = parseBound(from)
  if ('at' in bound) return bound.at === 'start' ? 0 : BEHIND_ALL
  if ('offset' in bound) return bound.offset
  if ('position' in bound) return offsetOfPosition(log, bound.position)
  if ('time' in bound) {
    const first = await firstRecord(log, ({ time }) => time >= bound.time)
    return first === undefined ? BEHIND_ALL : offsetOf(first, 0)
  }
  const { offset } = await nthLast(log, bound.last, matches)
  return offset
}

/**
 * The offset of the last event that is read; -1 where there is none.
 *
 * @throws {BusError} invalid_options, not_found for a position that is not in this log
 */
export async function endOffset(
  log: ReadableLog,
  to: ReadFrom,
  matches: (event: LoggedEvent) => boolean,
): Promise<number> {
  const bound = parseBound(to, 'to')
  if ('at' in bound) return bound.at === 'start' ? BEFORE_ALL : BEHIND_ALL
  if ('offset' in bound) return bound.offset
  if ('position' in bound) return offsetOfPosition(log, bound.position)
  if ('time' in bound) {
    const after = await firstRecord(log, ({ time }) => time > bound.time)
    return after === undefined ? BEHIND_ALL : offsetOf(after, 0) - 1
  }
  const { offset, missing } = await nthLast(log, bound.last, matches)
  return missing > 0 ? BEFORE_ALL : offset
}

/** The offset of the event at a position. @throws {BusError} not_found */
export async function offsetOfPosition(log: ReadableLog, position: string): Promise<number> {
  const wanted = parsePosition(position)
  const { cuts } = (await log.state(false)).room
  // A cursor names the event at its place, and says more of the room than any event of the log does.
  const named = wanted && positionOf(wanted.epoch, wanted.place, wanted.check)
  for await (const batch of back(log)) {
    if (!wanted) break
    if (batch.kind !== 'room' || batch.epoch !== wanted.epoch) continue
    if (isCut(cuts, batch.batch, batch.epoch, wanted.place)) continue
    const other = eventsOf(batch).find((event) => event.position === named)
    if (other) return other.offset
    for (const run of batch.runs) {
      if ('events' in run) continue
      const held = 'own' in run ? run.own : run.held
      const index = held.indexes[wanted.place - run.place]
      if (index === undefined) continue
      const offset = offsetOf(held.batch, index)
      const [record] = await log.read(held.batch, 1)
      if (record?.batch !== held.batch) continue
      const event = eventsOf(record).find((one) => one.offset === offset)
      if (event && checkOf(event.header.id) === wanted.check) return offset
    }
  }
  throw new BusError('not_found', `position ${position.slice(0, 80)} is not in this log`, {
    stage: 'read',
  })
}

/** Records from the newest to the oldest. */
async function* back(log: ReadableLog): AsyncGenerator<StoredBatch, void, void> {
  let to = Number.MAX_SAFE_INTEGER
  while (true) {
    const batches = await log.readBack(to, CHUNK)
    yield* batches
    if (batches.length < CHUNK) return
    to = (batches.at(-1) as StoredBatch).batch - 1
  }
}

/** Number of the first record that is late enough, by halves: times never decrease in a log. */
async function firstRecord(
  log: ReadableLog,
  late: (batch: StoredBatch) => boolean,
): Promise<number | undefined> {
  const { first, head } = await log.state(false)
  let found: number | undefined
  let [low, high] = [first, head.batch]
  while (low <= high) {
    const middle = Math.floor((low + high) / 2)
    const batch = await readableFrom(log, middle, high)
    if (!batch || late(batch)) {
      if (batch) found = batch.batch
      high = middle - 1
    } else low = batch.batch + 1
  }
  return found
}

/** The first record from one number to another whose time can be read. */
async function readableFrom(
  log: ReadableLog,
  from: number,
  to: number,
): Promise<StoredBatch | undefined> {
  for (let next = from; next <= to; ) {
    const [batch] = await log.read(next, 1)
    if (!batch || batch.batch > to) return undefined
    if (!batch.damaged) return batch
    next = batch.batch + 1
  }
  return undefined
}

/** The event that so many match from, itself included; the oldest that matches where fewer do. */
async function nthLast(
  log: ReadableLog,
  count: number,
  matches: (event: LoggedEvent) => boolean,
): Promise<{ readonly offset: number; readonly missing: number }> {
  let missing = count
  let offset = BEHIND_ALL
  if (count === 0) return { offset, missing }
  for await (const batch of back(log)) {
    for (const event of eventsOf(batch).reverse()) {
      if (!matches(event)) continue
      offset = event.offset
      missing -= 1
      if (missing === 0) return { offset, missing }
    }
  }
  return { offset, missing }
}

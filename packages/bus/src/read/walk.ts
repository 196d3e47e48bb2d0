/**
 * Reading a log: records in, single events out, in the device's order, with offset and position.
 * Placeholders of own events are passed over: an own event stands where it was written.
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import { offsetOf, slotOf } from '../event.ts'
import type { Log, Placement, StoredBatch } from '../log/log.ts'
import { checkOf, parsePosition, positionOf } from '../protocol/position.ts'
import type { ReadFrom } from '../types.ts'

/** An event of the log with its place in it. */
export type LoggedEvent = Incoming & {
  readonly offset: number
  /** Whether another device published it. */
  readonly fromRoom: boolean
}

/** Records read at once. */
const CHUNK = 32

function placeOf(
  placement: Placement | undefined,
  index: number,
): { epoch: string; place: number } | undefined {
  for (const { epoch, place, indexes } of placement?.parts ?? []) {
    const nth = indexes.indexOf(index)
    if (nth >= 0) return { epoch, place: place + nth }
  }
  return undefined
}

/** The events of one record. `placement` is that of an own batch, once it is confirmed. */
export function eventsOf(batch: StoredBatch, placement?: Placement): LoggedEvent[] {
  if (batch.kind === 'own') {
    return batch.headers.map((header, index) => {
      const at = placeOf(placement, index)
      return {
        header,
        dataText: batch.data[index] as string,
        offset: offsetOf(batch.batch, index),
        fromRoom: false,
        ...(at && { position: positionOf(at.epoch, at.place, checkOf(header.id)) }),
      }
    })
  }
  const events: LoggedEvent[] = []
  let slot = 0
  for (const run of batch.runs) {
    if (!('events' in run)) {
      slot += 'own' in run ? run.own.indexes.length : run.held.indexes.length
      continue
    }
    for (let k = 0; k < run.events; k++) {
      const header = batch.headers[events.length] as LoggedEvent['header']
      events.push({
        header,
        dataText: batch.data[events.length] as string,
        offset: offsetOf(batch.batch, slot++),
        fromRoom: true,
        position: positionOf(batch.epoch, run.place + k, checkOf(header.id)),
      })
    }
  }
  return events
}

/**
 * All events of the log from an offset on, up to its head at the end of the walk. A record that
 * cannot be read is reported and passed over.
 */
export async function* walk(
  log: Log,
  from: number,
  report: (error: BusError) => void,
): AsyncGenerator<readonly LoggedEvent[], void, void> {
  let next = slotOf(from).batch
  while (true) {
    const batches = await log.read(next, CHUNK)
    for (const batch of batches) {
      if (batch.damaged) report(batch.damaged)
      const placement =
        batch.kind === 'own' && batch.roomEvents > 0 ? await log.placement(batch.batch) : undefined
      const events = eventsOf(batch, placement)
      yield batch.batch === slotOf(from).batch
        ? events.filter((event) => event.offset >= from)
        : events
    }
    if (batches.length < CHUNK) return
    next = (batches.at(-1) as StoredBatch).batch + 1
  }
}

/**
 * The offset at which reading starts.
 *
 * @throws {BusError} invalid_options, not_found for a position that is not in this log
 */
export async function startOffset(
  log: Log,
  from: ReadFrom,
  matches: (event: LoggedEvent) => boolean,
): Promise<number> {
  if (from === 'start') return 0
  if (from === 'now') return Number.MAX_SAFE_INTEGER
  if (typeof from === 'number' && Number.isSafeInteger(from) && from >= 0) return from
  if (from instanceof Date && !Number.isNaN(from.getTime()))
    return writtenSince(log, from.getTime())
  if (typeof from === 'string') return offsetOfPosition(log, from)
  if (
    typeof from === 'object' &&
    from !== null &&
    'last' in from &&
    Number.isSafeInteger(from.last) &&
    from.last >= 0
  ) {
    return lastEvents(log, from.last, matches)
  }
  throw new BusError(
    'invalid_options',
    "from must be 'start', 'now', an offset, a position, a Date or { last: number of events }",
    { stage: 'read' },
  )
}

/** Records from the newest to the oldest. */
async function* back(log: Log): AsyncGenerator<StoredBatch, void, void> {
  let to = Number.MAX_SAFE_INTEGER
  while (true) {
    const batches = await log.readBack(to, CHUNK)
    yield* batches
    if (batches.length < CHUNK) return
    to = (batches.at(-1) as StoredBatch).batch - 1
  }
}

async function writtenSince(log: Log, time: number): Promise<number> {
  let start = Number.MAX_SAFE_INTEGER
  for await (const batch of back(log)) {
    if (batch.time < time) break
    start = offsetOf(batch.batch, 0)
  }
  return start
}

async function lastEvents(
  log: Log,
  count: number,
  matches: (event: LoggedEvent) => boolean,
): Promise<number> {
  let left = count
  let start = Number.MAX_SAFE_INTEGER
  if (count === 0) return start
  for await (const batch of back(log)) {
    for (const event of eventsOf(batch).reverse()) {
      if (!matches(event)) continue
      start = event.offset
      left -= 1
      if (left === 0) return start
    }
  }
  return start
}

async function offsetOfPosition(log: Log, position: string): Promise<number> {
  const wanted = parsePosition(position)
  for await (const batch of back(log)) {
    if (!wanted) break
    if (batch.kind !== 'room' || batch.epoch !== wanted.epoch) continue
    const other = eventsOf(batch).find((event) => event.position === position)
    if (other) return other.offset
    for (const run of batch.runs) {
      if (!('own' in run)) continue
      const index = run.own.indexes[wanted.place - run.place]
      if (index === undefined) continue
      const [own] = await log.read(run.own.batch, 1)
      const id = own?.batch === run.own.batch ? own.headers[index]?.id : undefined
      if (id !== undefined && checkOf(id) === wanted.check) return offsetOf(run.own.batch, index)
    }
  }
  throw new BusError('not_found', `position ${position.slice(0, 80)} is not in this log`, {
    stage: 'read',
  })
}

/**
 * Reading a log: records in, single events out, in the device's order, with offset and position.
 * Placeholders of own events are passed over: an own event stands where it was written.
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import { offsetOf, slotOf } from '../event.ts'
import type { Log, Placement, StoredBatch, StoredOwnBatch, StoredRoomBatch } from '../log/log.ts'
import { type Cut, checkOf, isCut, parsePosition, positionOf } from '../protocol/position.ts'
import type { ReadFrom } from '../types.ts'

/** An event of the log with its place in it. */
export type LoggedEvent = Incoming & {
  readonly offset: number
  /** Whether another device published it. */
  readonly fromRoom: boolean
}

/** Records read at once. */
const CHUNK = 32

/**
 * The events of one record. `placement` says where the room has them; `cuts` which positions of
 * its own record are true no more.
 */
export function eventsOf(
  batch: StoredBatch,
  placement?: Placement,
  cuts: readonly Cut[] = [],
): LoggedEvent[] {
  const placed = positionsOf(placement)
  return batch.kind === 'own'
    ? ownEvents(batch, placed)
    : roomEvents(batch, placed, (place) => isCut(cuts, batch.batch, batch.epoch, place))
}

function ownEvents(batch: StoredOwnBatch, placed: Positions): LoggedEvent[] {
  return batch.headers.map((header, index) => ({
    header,
    dataText: batch.data[index] as string,
    offset: offsetOf(batch.batch, index),
    fromRoom: false,
    ...at(placed(index, header.id)),
  }))
}

function roomEvents(
  batch: StoredRoomBatch,
  placed: Positions,
  cut: (place: number) => boolean,
): LoggedEvent[] {
  const events: LoggedEvent[] = []
  let slot = 0
  for (const run of batch.runs) {
    if (!('events' in run)) {
      slot += ('own' in run ? run.own : run.held).indexes.length
      continue
    }
    for (let k = 0; k < run.events; k++, slot++) {
      const header = batch.headers[events.length] as LoggedEvent['header']
      const place = run.place + k
      const first = cut(place) ? undefined : positionOf(batch.epoch, place, checkOf(header.id))
      events.push({
        header,
        dataText: batch.data[events.length] as string,
        offset: offsetOf(batch.batch, slot),
        fromRoom: true,
        ...at(first ?? placed(slot, header.id)),
      })
    }
  }
  return events
}

/** Position of the event at a slot of the record, where a placement has it. */
type Positions = (slot: number, id: string) => string | undefined

function positionsOf(placement: Placement | undefined): Positions {
  if (!placement) return () => undefined
  return (slot, id) => {
    for (const { epoch, place, indexes } of placement.parts) {
      const nth = indexes.indexOf(slot)
      if (nth >= 0) return positionOf(epoch, place + nth, checkOf(id))
    }
    return undefined
  }
}

function at(position: string | undefined): { position: string } | undefined {
  return position === undefined ? undefined : { position }
}

/** The placement of a record that may have one: own ones of the room, and all after a cut. */
export async function placementOf(
  log: Log,
  batch: StoredBatch,
  cuts: readonly Cut[],
): Promise<Placement | undefined> {
  const mayBePlaced = batch.kind === 'own' ? batch.roomEvents > 0 : cuts.length > 0
  return mayBePlaced ? log.placement(batch.batch) : undefined
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
  const { cuts } = (await log.state(false)).room
  while (true) {
    const batches = await log.read(next, CHUNK)
    for (const batch of batches) {
      if (batch.damaged) report(batch.damaged)
      const events = eventsOf(batch, await placementOf(log, batch, cuts), cuts)
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

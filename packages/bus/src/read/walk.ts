/**
 * Reading a log: records in, single events out, in the device's order, with offset and position.
 * Placeholders of own events are passed over: an own event stands where it was written.
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import type { BusError } from '../errors.ts'
import { type EventHeader, offsetOf, slotOf } from '../event.ts'
import type { Log, Placement, StoredBatch, StoredOwnBatch, StoredRoomBatch } from '../log/log.ts'
import { type Cut, checkOf, isCut, positionOf } from '../protocol/position.ts'
import type { StreamCounts } from './stream-counts.ts'

/** An event of the log with its place in it. */
export type LoggedEvent = Incoming & {
  readonly offset: number
  /** Whether another device published it. */
  readonly fromRoom: boolean
}

/** What reading needs of a log. */
export type ReadableLog = Pick<Log, 'state' | 'read' | 'readBack' | 'placements' | 'countStreams'>

/** Whether an event is wanted, by its header: what is not is neither given nor looked at further. */
export type Wanted = (header: EventHeader, offset: number) => boolean

/** A record, and where the room has its events. */
export interface PlacedRecord {
  readonly batch: StoredBatch
  readonly placement: Placement | undefined
  /** Where the log itself counts streams: the revisions of its events, 0 for none. */
  readonly revisions?: readonly number[] | undefined
}

/** Records read at once. */
const CHUNK = 32

/** Whatever it is. */
export const ALL: Wanted = () => true

/**
 * The events of one record. `placement` says where the room has them; `cuts` which positions of
 * its own record are true no more; `revisions` are those of an own record, by index.
 */
export function eventsOf(
  batch: StoredBatch,
  placement?: Placement,
  cuts: readonly Cut[] = [],
  wanted: Wanted = ALL,
  revisions?: readonly number[],
): LoggedEvent[] {
  const placed = positionsOf(placement)
  return batch.kind === 'own'
    ? ownEvents(batch, placed, wanted, revisions)
    : roomEvents(batch, placed, (place) => isCut(cuts, batch.batch, batch.epoch, place), wanted)
}

function ownEvents(
  batch: StoredOwnBatch,
  placed: Positions,
  wanted: Wanted,
  revisions: readonly number[] | undefined,
): LoggedEvent[] {
  const events: LoggedEvent[] = []
  batch.headers.forEach((header, index) => {
    const offset = offsetOf(batch.batch, index)
    if (!wanted(header, offset)) return
    events.push({
      header,
      dataText: batch.data[index] as string,
      offset,
      fromRoom: false,
      ...placed(index, header.id),
      ...revised(revisions?.[index]),
    })
  })
  return events
}

function roomEvents(
  batch: StoredRoomBatch,
  placed: Positions,
  cut: (place: number) => boolean,
  wanted: Wanted,
): LoggedEvent[] {
  const events: LoggedEvent[] = []
  let slot = 0
  let next = 0
  for (const run of batch.runs) {
    if (!('events' in run)) {
      slot += ('own' in run ? run.own : run.held).indexes.length
      continue
    }
    for (let k = 0; k < run.events; k++, slot++, next++) {
      const header = batch.headers[next] as EventHeader
      const offset = offsetOf(batch.batch, slot)
      if (!wanted(header, offset)) continue
      const place = run.place + k
      const position = positionOf(batch.epoch, place, checkOf(header.id))
      const first = cut(place) ? undefined : { position, ...revised(header.revision) }
      events.push({
        header,
        dataText: batch.data[next] as string,
        offset,
        fromRoom: true,
        ...(first ?? placed(slot, header.id)),
      })
    }
  }
  return events
}

/** Where the room has the event at a slot of the record, as far as a placement says. */
type Positions = (slot: number, id: string) => Pick<Incoming, 'position' | 'revision'> | undefined

function positionsOf(placement: Placement | undefined): Positions {
  if (!placement) return () => undefined
  const places = new Map<number, readonly [epoch: string, place: number, revision?: number]>()
  for (const { epoch, place, indexes, revisions } of placement.parts) {
    indexes.forEach((index, nth) => {
      if (!places.has(index)) places.set(index, [epoch, place + nth, revisions?.[nth] ?? 0])
    })
  }
  return (slot, id) => {
    const found = places.get(slot)
    if (!found) return undefined
    const [epoch, place, revision] = found
    return { position: positionOf(epoch, place, checkOf(id)), ...revised(revision) }
  }
}

/** 0 stands for none. */
function revised(revision: number | undefined): { revision: number } | undefined {
  return revision ? { revision } : undefined
}

/** Whether a record may have a placement: own ones of the room, and all after a cut. */
function mayBePlaced(batch: StoredBatch, cuts: readonly Cut[]): boolean {
  return batch.kind === 'own' ? batch.roomEvents > 0 : cuts.length > 0
}

/** The placement of a record, where it may have one. */
export async function placementOf(
  log: Pick<Log, 'placement'>,
  batch: StoredBatch,
  cuts: readonly Cut[],
): Promise<Placement | undefined> {
  return mayBePlaced(batch, cuts) ? log.placement(batch.batch) : undefined
}

/** Some records from batch number `from` on, with their placements, and whether there are more. */
export async function readRecords(
  log: ReadableLog,
  from: number,
  cuts: readonly Cut[],
  counts?: StreamCounts,
  wanted: Wanted = ALL,
): Promise<{ readonly records: readonly PlacedRecord[]; readonly more: boolean }> {
  const batches = await log.read(from, CHUNK)
  const may = batches.filter((batch) => mayBePlaced(batch, cuts))
  const [first, last] = [may[0], may.at(-1)]
  const placements = first && last ? await log.placements(first.batch, last.batch) : []
  const found = new Map(placements.map((placement) => [placement.batch, placement]))
  const revisions = await counts?.revisionsIn(batches, wanted)
  return {
    records: batches.map((batch, i) => ({
      batch,
      placement: found.get(batch.batch),
      revisions: revisions?.[i],
    })),
    more: batches.length === CHUNK,
  }
}

/**
 * All records from batch number `from` on, up to the log's head at the end of the walk. One that
 * cannot be read is reported, and has no events.
 */
export async function* recordsFrom(
  log: ReadableLog,
  from: number,
  cuts: readonly Cut[],
  report: (error: BusError) => void,
  counts?: StreamCounts,
  wanted?: Wanted,
): AsyncGenerator<PlacedRecord, void, void> {
  for (let next = from; ; ) {
    const { records, more } = await readRecords(log, next, cuts, counts, wanted)
    for (const record of records) {
      if (record.batch.damaged) report(record.batch.damaged)
      yield record
      next = record.batch.batch + 1
    }
    if (!more) return
  }
}

/**
 * All events of the log from an offset on, up to its head at the end of the walk. A record that
 * cannot be read is reported and passed over.
 */
export async function* walk(
  log: ReadableLog,
  from: number,
  report: (error: BusError) => void,
  counts?: StreamCounts,
  wanted?: Wanted,
): AsyncGenerator<readonly LoggedEvent[], void, void> {
  const start = slotOf(from).batch
  const { cuts } = (await log.state(false)).room
  for await (const record of recordsFrom(log, start, cuts, report, counts, wanted)) {
    const { batch, placement, revisions } = record
    const events = eventsOf(batch, placement, cuts, ALL, revisions)
    yield batch.batch === start ? events.filter((event) => event.offset >= from) : events
  }
}

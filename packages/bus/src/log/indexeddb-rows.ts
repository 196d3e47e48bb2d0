/** The stores of a log's database and the rows in them. */
import type { DBSchema, IDBPDatabase, IDBPTransaction } from 'idb'
import { BATCH_SLOTS, type EventHeader } from '../event.ts'
import type { Platform } from '../platform.ts'
import { isCount, isIndex, isList, isObject } from '../protocol/checks.ts'
import type { DeadText } from './consumers.ts'
import type { OwnBatch, Placement, RoomBatch, StoredBatch, StoredRun, StreamPart } from './log.ts'
import { damaged, damagedRecord, readRecord, readTexts } from './record.ts'
import { emptyRoomState } from './room-state.ts'

/** Version of the database, for ever; what changes is the row `format` of `meta`. */
export const DATABASE_VERSION = 1
const FORMAT = 1

/** What a record holds of a batch beside its texts. */
interface BatchFields {
  time: number
  /** Own batches: how many events are for the room. */
  roomEvents?: number
  /** Room batches. */
  epoch?: string
  prev?: string
  position?: string
  runs?: readonly StoredRun[]
}

/** A record: a batch under its number, or several that were merged under that of the first. */
export interface BatchRow extends BatchFields {
  kind: 'own' | 'room'
  headers: string
  data: string
  types: readonly string[]
  ids: readonly (readonly [string, number])[]
  /** The batches, whose texts stand one after the other; `time` is that of the last. */
  merged?: readonly MergedPart[]
}

/** A row with its key. */
export type NumberedRow = BatchRow & { readonly batch: number }

export interface MergedPart extends BatchFields {
  batch: number
  /** How many of the headers are its. */
  events: number
}

/** Some streams of one batch, under [batch, a number]; the index finds a stream's rows in order. */
export interface StreamsRow {
  readonly streams: readonly string[]
  /** Each stream's events, in the order of `streams`. */
  readonly parts: readonly StreamPart[]
}

/**
 * A batch's streams are written into so many records, and into more only where one would hold
 * more than so many streams: each record costs a request, each stream beside the one that is read
 * costs reading.
 */
const STREAM_RECORDS = 16
const STREAMS_PER_RECORD = 8

export interface Schema extends DBSchema {
  batches: { key: number; value: BatchRow; indexes: { types: string; ids: [string, number] } }
  streams: { key: [number, number]; value: StreamsRow; indexes: { streams: string } }
  room: { key: number; value: Placement }
  meta: { key: string; value: unknown }
  consumers: { key: string; value: unknown }
  dead: { key: number; value: DeadText }
}

export type StoreName = 'batches' | 'streams' | 'room' | 'meta' | 'consumers' | 'dead'
export type ReadTransaction = IDBPTransaction<Schema, StoreName[], 'readonly'>
export type WriteTransaction = IDBPTransaction<Schema, StoreName[], 'readwrite'>

/** Makes the stores of version 1, with log id and device: born with the log, gone with it. */
export function createStores(
  database: IDBPDatabase<Schema>,
  done: Promise<void>,
  platform: Platform,
): void {
  const batches = database.createObjectStore('batches', { autoIncrement: true })
  batches.createIndex('types', 'types', { multiEntry: true })
  batches.createIndex('ids', 'ids', { multiEntry: true })
  const streams = database.createObjectStore('streams')
  streams.createIndex('streams', 'streams', { multiEntry: true })
  database.createObjectStore('room', { keyPath: 'batch' })
  database.createObjectStore('consumers')
  database.createObjectStore('dead', { autoIncrement: true })
  const meta = database.createObjectStore('meta')
  quiet(meta.put(FORMAT, 'format'))
  quiet(meta.put(platform.randomText(22), 'logId'))
  quiet(meta.put({ id: platform.randomText(22), secret: platform.randomText(43) }, 'device'))
  quiet(meta.put(emptyRoomState(), 'room'))
  quiet(done)
}

/**
 * The events of each stream once more, apart, so that reading one stream reads little else. Each
 * record costs a request, and requests are what a batch costs: many streams share a few records.
 */
export function addStreams(
  store: IDBObjectStore,
  batch: OwnBatch | RoomBatch,
  number: number,
): void {
  const streams = [...batch.streams.keys()]
  const size = Math.min(Math.ceil(streams.length / STREAM_RECORDS), STREAMS_PER_RECORD)
  for (let first = 0; first < streams.length; first += size) {
    const names = streams.slice(first, first + size)
    const parts = names.map((name) => batch.streams.get(name) as StreamPart)
    // No `add`: it would look the key up first, and no other batch has this number.
    store.put({ streams: names, parts } satisfies StreamsRow, [number, first])
  }
}

/** A request that fails aborts its transaction, and that is where the failure is told. */
export function quiet(request: Promise<unknown>): void {
  request.catch(() => {})
}

/** A row with its key, whatever else the store was given to hold. */
export function numbered(row: unknown, batch: number): NumberedRow {
  const { merged, ...rest } = { ...(row as BatchRow) }
  return isMerged(merged, batch) ? { ...rest, batch, merged } : { ...rest, batch }
}

function isMerged(merged: unknown, first: number): merged is readonly MergedPart[] {
  return (
    isList(merged, BATCH_SLOTS) &&
    merged.every((part) => isObject(part) && isCount(part['batch']) && isIndex(part['events'])) &&
    (merged[0] as MergedPart | undefined)?.batch === first
  )
}

/** What a row holds of each batch in it. */
export function partsOf(row: NumberedRow): readonly Omit<MergedPart, 'events'>[] {
  return row.merged ?? [row]
}

/** Number of the newest batch in a row. */
export function lastIn(row: NumberedRow): number {
  return row.merged?.at(-1)?.batch ?? row.batch
}

/** The batches of a row as the log gives them back, ascending. */
export function toBatches(row: NumberedRow): StoredBatch[] {
  const { batch, time, kind, merged } = row
  try {
    const { headers, data } = readTexts(row.headers, row.data, batch)
    if (!merged) return [readRecord(batch, time, () => toStored(kind, row, headers, data))]
    const events = merged.reduce((sum, part) => sum + part.events, 0)
    if (events !== headers.length) throw damaged(batch, 'its parts do not fit its events')
    let next = 0
    return merged.map((part) => {
      const first = next
      next += part.events
      return readRecord(part.batch, part.time, () =>
        toStored(kind, part, headers.slice(first, next), data.slice(first, next)),
      )
    })
  } catch (error) {
    return [damagedRecord(batch, time, error)]
  }
}

function toStored(
  kind: BatchRow['kind'],
  part: Omit<MergedPart, 'events'>,
  headers: readonly EventHeader[],
  data: readonly string[],
): StoredBatch {
  const { batch, time, roomEvents, epoch, prev, position, runs } = part as Required<MergedPart>
  if (kind === 'own') return { kind, batch, time, headers, data, roomEvents }
  return { kind, batch, time, epoch, prev, position, runs, headers, data }
}

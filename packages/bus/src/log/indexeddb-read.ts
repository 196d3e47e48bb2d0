/**
 * Reading records. A record may hold several batches that were merged, under the number of the
 * first: a batch that has no record of its own is in the last one before its number.
 */
import { BATCH_SLOTS, parseId } from '../event.ts'
import { isList } from '../protocol/checks.ts'
import {
  type NumberedRow,
  numbered,
  partsOf,
  type ReadTransaction,
  toBatches,
  type WriteTransaction,
} from './indexeddb-rows.ts'
import type { StoredBatch, StoredStream } from './log.ts'
import { indexOfId, mayHold, readStreamPart } from './record.ts'

/** Batches as they were read. */
export interface Read {
  readonly batches: StoredBatch[]
  /** Whether records were merged there: then few of them hold many batches. */
  readonly dense: boolean
}

/**
 * Batches from number `from` on, ascending, at most `limit`.
 *
 * @param dense whether records were merged where one read last. A wrong guess costs time only
 */
export async function readFrom(
  transaction: ReadTransaction,
  from: number,
  limit: number,
  dense: boolean,
): Promise<Read> {
  const rows = dense
    ? await denseRecords(transaction, from, limit)
    : await plainRecords(transaction, from, limit)
  const batches = rows.flatMap((row) => toBatches(row))
  const first = batches.findIndex(({ batch }) => batch >= from)
  return {
    batches: first < 0 ? [] : batches.slice(first, first + limit),
    dense: rows.some((row) => row.merged !== undefined),
  }
}

/** As many records as batches are asked for, and the one that `from` may be inside of. */
async function plainRecords(
  transaction: ReadTransaction,
  from: number,
  limit: number,
): Promise<NumberedRow[]> {
  const records = await recordsFrom(transaction, from, limit)
  if (records[0]?.batch === from) return records
  const key = await recordWith(transaction, from)
  if (key >= from) return records
  const before = numbered(await transaction.objectStore('batches').get(key), key)
  return before.merged ? [before, ...records] : records
}

/** As few records as have that many batches. */
async function denseRecords(
  transaction: ReadTransaction,
  from: number,
  limit: number,
): Promise<NumberedRow[]> {
  const store = transaction.objectStore('batches')
  const [before, after] = await Promise.all([
    store.openKeyCursor(IDBKeyRange.upperBound(from), 'prev'),
    store.getAllKeys(IDBKeyRange.lowerBound(from, true), limit),
  ])
  const keys = before ? [before.key, ...after] : after
  const records: NumberedRow[] = []
  let missing = limit
  for (let next = 0; next < keys.length && missing > 0; ) {
    const first = keys[next] as number
    // Enough, if all numbers up to the next record are batches in this one.
    const end = Math.max(first, from) + missing
    const start = next
    do next += 1
    while (next < keys.length && (keys[next] as number) < end)
    for (const record of await recordsFrom(transaction, first, next - start)) {
      records.push(record)
      missing -= partsOf(record).filter(({ batch }) => batch >= from).length
    }
  }
  return records
}

/** Batches up to number `to`, descending, at most `limit`. */
export async function readBack(
  transaction: ReadTransaction,
  to: number,
  limit: number,
): Promise<StoredBatch[]> {
  const found: StoredBatch[] = []
  const store = transaction.objectStore('batches')
  let cursor = await store.openCursor(IDBKeyRange.upperBound(to), 'prev')
  while (cursor && found.length < limit) {
    for (const batch of toBatches(numbered(cursor.value, cursor.key)).reverse()) {
      if (batch.batch <= to && found.length < limit) found.push(batch)
    }
    cursor = await cursor.continue()
  }
  return found
}

/** The batch that holds an event, and its index there. */
export async function findEvent(
  transaction: ReadTransaction,
  id: string,
): Promise<{ batch: StoredBatch; index: number } | undefined> {
  const [prefix, counter] = parseId(id)
  const ids = transaction.objectStore('batches').index('ids')
  const range = IDBKeyRange.bound([prefix, counter], [prefix, Number.MAX_VALUE])
  // Mostly the first has it; a publisher's numbers need not ascend where a room was restored.
  for (let cursor = await ids.openCursor(range); cursor; cursor = await cursor.continue()) {
    const row = numbered(cursor.value, cursor.primaryKey)
    if (!mayHold(row.headers, id)) continue
    for (const batch of toBatches(row)) {
      const index = indexOfId(batch, id)
      if (index >= 0) return { batch, index }
    }
  }
  return undefined
}

/** What the batches have of a stream, ascending: their copies stay apart when records are merged. */
export async function readStream(
  transaction: ReadTransaction,
  stream: string,
): Promise<StoredStream[]> {
  const index = transaction.objectStore('streams').index('streams')
  const [keys, rows] = await Promise.all([index.getAllKeys(stream), index.getAll(stream)])
  return rows.map(({ streams, parts }, i) => {
    // Found by its streams, so that these are a list; what is beside them may be anything.
    const part: unknown = isList(parts, BATCH_SLOTS) ? parts[streams.indexOf(stream)] : undefined
    return readStreamPart(part, (keys[i] as [number, number])[0])
  })
}

/** Number of the record that has a batch, or would have it. */
export async function recordWith(
  transaction: ReadTransaction | WriteTransaction,
  batch: number,
): Promise<number> {
  const store = transaction.objectStore('batches')
  const cursor = await store.openKeyCursor(IDBKeyRange.upperBound(batch), 'prev')
  return cursor?.key ?? batch
}

/** The first records from number `from` on. */
export async function recordsFrom(
  transaction: ReadTransaction | WriteTransaction,
  from: number,
  limit: number,
): Promise<NumberedRow[]> {
  const store = transaction.objectStore('batches')
  const range = IDBKeyRange.lowerBound(from)
  const [keys, rows] = await Promise.all([
    store.getAllKeys(range, limit),
    store.getAll(range, limit),
  ])
  return rows.map((row, i) => numbered(row, keys[i] as number))
}

/** Counting the events of streams in a log's database: see `stream-mark.ts`. */

import { BATCH_SLOTS } from '../event.ts'
import { isList, isObject } from '../protocol/checks.ts'
import {
  quiet,
  type ReadTransaction,
  type StreamsRow,
  type WriteTransaction,
} from './indexeddb-rows.ts'
import {
  markKey,
  readMark,
  type StreamEvents,
  type StreamMark,
  trimmedMark,
} from './stream-mark.ts'

/** Before and behind the keys of all marks. */
const MARKS = () => IDBKeyRange.bound(markKey(''), markKey('\uffff'))

/** Events of one stream in a row, of which only its streams are known to be what they must. */
function eventsIn({ streams, parts }: StreamsRow, stream: string): number {
  const part = isList(parts, BATCH_SLOTS) ? parts[streams.indexOf(stream)] : undefined
  const indexes: unknown = (part as { indexes?: unknown } | undefined)?.indexes
  return Array.isArray(indexes) ? indexes.length : 0
}

/**
 * How many events each stream has by now. `note` writes that down, so that nobody counts it again;
 * `through` is the number of the newest record.
 */
export async function countNow(
  transaction: WriteTransaction,
  streams: readonly string[],
): Promise<{ counts: ReadonlyMap<string, number>; note: (through: number) => void }> {
  const meta = transaction.objectStore('meta')
  const index = transaction.objectStore('streams').index('streams')
  const marks = new Map<string, StreamMark>()
  await Promise.all(
    [...new Set(streams)].map(async (stream) => {
      const [written, first] = await Promise.all([
        meta.get(markKey(stream)),
        index.openCursor(stream, 'prev'),
      ])
      const mark = readMark(written)
      let { count } = mark
      let cursor = first
      while (cursor && cursor.primaryKey[0] > mark.through) {
        count += eventsIn(cursor.value, stream)
        cursor = await cursor.continue()
      }
      marks.set(stream, { ...mark, count })
    }),
  )
  return {
    counts: new Map([...marks].map(([stream, { count }]) => [stream, count])),
    note: (through) => {
      for (const [stream, mark] of marks) quiet(meta.put({ ...mark, through }, markKey(stream)))
    },
  }
}

/** How many events each stream has before a record, trimmed ones included. */
export async function countBefore(
  transaction: ReadTransaction,
  streams: readonly string[],
  before: number,
): Promise<number[] | undefined> {
  const meta = transaction.objectStore('meta')
  const index = transaction.objectStore('streams').index('streams')
  const [oldest, noted] = await Promise.all([
    transaction.objectStore('batches').openKeyCursor(),
    meta.getAllKeys(MARKS(), 1),
  ])
  const first = oldest?.key ?? 0
  if (first > before) return undefined
  const fromStart = first === before
  if (fromStart && noted.length === 0) return streams.map(() => 0)
  return Promise.all(
    streams.map(async (stream) => {
      let count = readMark(await meta.get(markKey(stream))).trimmed
      let cursor = fromStart ? null : await index.openCursor(stream)
      while (cursor && cursor.primaryKey[0] < before) {
        count += eventsIn(cursor.value, stream)
        cursor = await cursor.continue()
      }
      return count
    }),
  )
}

/** Notes what goes with some records, the oldest first. */
export async function noteTrimmed(
  transaction: WriteTransaction,
  records: readonly { readonly batch: number; readonly last: number }[],
): Promise<void> {
  const store = transaction.objectStore('streams')
  const meta = transaction.objectStore('meta')
  const gone = new Map<string, StreamEvents[]>()
  for (const { batch: first, last } of records) {
    const range = IDBKeyRange.bound([first], [last, []])
    const [keys, rows] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
    for (const [i, row] of rows.entries()) {
      const batch = (keys[i] as [number, number])[0]
      // Not found by its streams: it may be anything.
      const { streams }: Partial<Record<keyof StreamsRow, unknown>> = isObject(row) ? row : {}
      for (const stream of isList(streams, BATCH_SLOTS) ? streams : []) {
        if (typeof stream !== 'string') continue
        const known = gone.get(stream) ?? []
        gone.set(stream, known)
        known.push({ batch, events: eventsIn(row, stream) })
      }
    }
  }
  await Promise.all(
    [...gone].map(async ([stream, events]) => {
      const mark = readMark(await meta.get(markKey(stream)))
      quiet(meta.put(trimmedMark(mark, events), markKey(stream)))
    }),
  )
}

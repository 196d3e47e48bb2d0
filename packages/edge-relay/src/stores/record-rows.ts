/** Records as rows of stores on other machines, and what goes from them to another table when they are trimmed. */
import { type Earlier, type EventHeader, idPairs, type Refusal } from '@crosstown/bus/protocol'
import type { IdRange, RoomRecord } from '../record.ts'

/** A record whose parts are texts and numbers; no text has U+0000, which PostgreSQL's cannot hold. */
export interface RecordRow {
  readonly place: number
  readonly count: number
  readonly time: number
  readonly bytes: number
  readonly device: string | null
  readonly batch: number | null
  readonly last_id: string
  readonly indexes: string | null
  readonly refused: string | null
  readonly earlier: string | null
  readonly headers: string
  readonly data: string
  readonly before: string
  readonly chain: string
}

export function rowOf(record: RoomRecord): RecordRow {
  const { place, count, time, bytes, device, batch, indexes, headers, refused, earlier } = record
  // Most batches are taken whole: their indexes 0, 1, 2... need no text.
  const plain = indexes.length === headers.length && indexes.every((index, i) => index === i)
  return {
    place,
    count,
    time,
    bytes,
    device: device ?? null,
    batch: batch ?? null,
    last_id: record.lastId,
    indexes: plain ? null : JSON.stringify(indexes),
    refused: refused ? JSON.stringify(refused) : null,
    earlier: earlier ? JSON.stringify(earlier) : null,
    headers: record.headerLines.join('\n'),
    data: stored(record.data.join('\n')),
    before: record.before,
    chain: record.chain,
  }
}

export function recordOf(row: RecordRow): RoomRecord {
  const { device, batch, indexes, refused, earlier, headers } = row
  // Headers are never empty lines, data may be: only the headers tell how many events there are.
  const headerLines = headers === '' ? [] : headers.split('\n')
  return {
    place: row.place,
    count: row.count,
    time: row.time,
    ...(device !== null && { device }),
    ...(batch !== null && { batch }),
    lastId: row.last_id,
    indexes:
      indexes === null ? headerLines.map((_, index) => index) : (JSON.parse(indexes) as number[]),
    ...(refused !== null && { refused: JSON.parse(refused) as Refusal[] }),
    ...(earlier !== null && { earlier: JSON.parse(earlier) as Earlier[] }),
    headers: headerLines.map((line) => JSON.parse(line) as EventHeader),
    headerLines,
    data: headerLines.length === 0 ? [] : given(row.data).split('\n'),
    bytes: row.bytes,
    before: row.before,
    chain: row.chain,
  }
}

/** The highest counter of each publisher in the record. */
export function pairsOf({ headers, place }: RoomRecord): {
  readonly prefix: string
  readonly counter: number
  readonly place: number
}[] {
  return idPairs(headers).map(([prefix, counter]) => ({ prefix, counter, place }))
}

/** Ids that were trimmed away, and the place of the record that had the newest of them. */
export interface TrimmedRange extends IdRange {
  readonly place: number
}

/** Ranges that overlap or touch become one, which is as new as the newest of them. */
export function joinedRanges(ranges: readonly TrimmedRange[]): TrimmedRange[] {
  const sorted = [...ranges].sort((a, b) => compare(a.prefix, b.prefix) || a.first - b.first)
  const joined: TrimmedRange[] = []
  for (const range of sorted) {
    const before = joined.at(-1)
    if (before && before.prefix === range.prefix && range.first <= before.last + 1) {
      joined[joined.length - 1] = {
        ...before,
        last: Math.max(before.last, range.last),
        place: Math.max(before.place, range.place),
      }
    } else joined.push(range)
  }
  return joined
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** Value text has no control characters; what a device sent that is none is to come back all the same. */
function stored(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\0\x01]/g, (character) => (character === '\0' ? '\x010' : '\x011'))
}

function given(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/\x01([01])/g, (_, which) => (which === '0' ? '\0' : '\x01'))
}

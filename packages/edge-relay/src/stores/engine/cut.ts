/** What a step of trimming takes out of a room. */
import { firstAfter, type Mark, type RoomRecord, rangesIn } from '../../record.ts'
import { pairsOf, type TrimmedRange } from '../record-rows.ts'

/** The records that go, and what is noted, or removed elsewhere, with them. */
export interface Cut {
  readonly newest: RoomRecord
  /** Where the kept history begins then. */
  readonly first: Mark
  /** Where each of them ended. */
  readonly marks: readonly Mark[]
  /** The highest counter of each publisher in each record. */
  readonly pairs: ReturnType<typeof pairsOf>
  readonly ranges: readonly TrimmedRange[]
  readonly events: number
  readonly bytes: number
}

/** `undefined` where none goes. */
export function cutOf(gone: readonly RoomRecord[]): Cut | undefined {
  const newest = gone.at(-1)
  if (!newest) return undefined
  return {
    newest,
    first: firstAfter(newest),
    marks: gone.map(firstAfter),
    pairs: gone.flatMap(pairsOf),
    ranges: gone.flatMap((record) =>
      rangesIn(record).map((range) => ({ ...range, place: record.place })),
    ),
    ...sizeOf(gone),
  }
}

/** Accepted events of records, and their bytes. */
export function sizeOf(records: readonly RoomRecord[]): {
  readonly events: number
  readonly bytes: number
} {
  return {
    events: records.reduce((sum, { headers }) => sum + headers.length, 0),
    bytes: records.reduce((sum, record) => sum + record.bytes, 0),
  }
}

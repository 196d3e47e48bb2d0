/** A step of trimming, inside one transaction. */
import { cutOf } from './engine/cut.ts'
import type { Sql } from './postgres-client.ts'
import { joinedRanges, type RecordRow, recordOf, type TrimmedRange } from './record-rows.ts'
import { type Keep, type ReadLimit, TRIMMED_MARKS, TRIMMED_RANGES } from './store.ts'

/** Rows of one step of trimming at most, whatever the step is. */
const TRIM_ROWS = 20_000

/** A room, as its table has it. */
export interface RoomRow {
  readonly id: number
  readonly epoch: string
  readonly version: number
  readonly place: number
  readonly check: string
  readonly chain: string
  readonly time: number
  readonly events: number
  readonly bytes: number
}

/** Removes the oldest records inside the open transaction; whether the room is still over `keep`. */
export async function trimStep(
  tx: Sql,
  room: RoomRow,
  keep: Keep,
  step: ReadLimit,
): Promise<boolean> {
  const { id } = room
  // What is over a limit is so up to some record, and the step ends somewhere: the first of the two.
  const rows = await tx<(RecordRow & { over: boolean; within: boolean })[]>`
    SELECT place, count, time, bytes, device, batch, last_id, indexes, refused, earlier, headers,
      '' AS data, before, chain,
      (${room.events} - events_before > ${keep.events} OR ${room.bytes} - bytes_before > ${keep.bytes}
        OR time < ${keep.since}) AS over,
      (number = 1 OR (events_before < ${step.events} AND bytes_before < ${step.bytes})) AS within
    FROM (
      SELECT *, row_number() OVER so_far AS number,
        sum(events) OVER so_far - events AS events_before, sum(bytes) OVER so_far - bytes AS bytes_before
      FROM (
        SELECT *, CASE WHEN headers = '' THEN 0 ELSE count END AS events
        FROM records WHERE room = ${id} ORDER BY place LIMIT ${TRIM_ROWS + 1}
      ) AS oldest WINDOW so_far AS (ORDER BY place ROWS UNBOUNDED PRECEDING)
    ) AS summed ORDER BY place`
  const most = rows.slice(0, TRIM_ROWS)
  const kept = most.findIndex(({ over, within }) => !over || !within)
  const gone = (kept < 0 ? most : most.slice(0, kept)).map(recordOf)
  const cut = cutOf(gone)
  if (!cut) return false
  const { newest, first, marks, pairs, ranges, events, bytes } = cut
  await tx`INSERT INTO trimmed_marks SELECT id, first_place, first_check, first_chain
    FROM rooms WHERE id = ${id} ON CONFLICT DO NOTHING`
  await tx`INSERT INTO trimmed_marks SELECT ${id}, given.*
    FROM json_to_recordset(${tx.json(marks as never)}::json) AS given (place bigint, "check" text, chain text)
    ON CONFLICT DO NOTHING`
  await tx`DELETE FROM ids USING json_to_recordset(${tx.json(pairs)}::json)
      AS given (prefix text, counter bigint, place bigint)
    WHERE ids.room = ${id} AND ids.prefix = given.prefix AND ids.counter = given.counter
      AND ids.place = given.place`
  await tx`DELETE FROM records WHERE room = ${id} AND place <= ${newest.place}`
  await noteTrimmed(tx, id, ranges)
  await tx`UPDATE rooms SET events = events - ${events}, bytes = bytes - ${bytes},
    first_place = ${first.place}, first_check = ${first.check}, first_chain = ${first.chain}
    WHERE id = ${id}`
  await tx`DELETE FROM trimmed_marks WHERE room = ${id} AND place <= (
    SELECT place FROM trimmed_marks WHERE room = ${id}
    ORDER BY place DESC LIMIT 1 OFFSET ${TRIMMED_MARKS})`
  const next = rows[gone.length]
  return next?.over === true
}

async function noteTrimmed(tx: Sql, room: number, ranges: readonly TrimmedRange[]): Promise<void> {
  if (ranges.length === 0) return
  const prefixes = [...new Set(ranges.map(({ prefix }) => prefix))]
  const known = await tx<TrimmedRange[]>`
    DELETE FROM trimmed_ids WHERE room = ${room} AND prefix = ANY (${prefixes})
    RETURNING prefix, first, last, place`
  const joined = joinedRanges([...known, ...ranges])
  await tx`INSERT INTO trimmed_ids SELECT ${room}, given.*
    FROM json_to_recordset(${tx.json(joined as never)}::json)
      AS given (prefix text, first bigint, last bigint, place bigint)`
  await tx`DELETE FROM trimmed_ids WHERE room = ${room} AND (prefix, first) IN (
    SELECT prefix, first FROM trimmed_ids WHERE room = ${room}
    ORDER BY place DESC OFFSET ${TRIMMED_RANGES})`
}

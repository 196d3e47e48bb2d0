/**
 * A step of trimming: what goes is read, and one statement removes it where the room still begins there.
 * No transaction of several: where the connection ends within one, the driver ends the process.
 */
import type { RoomRecord } from '../record.ts'
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
  readonly first_place: number
  readonly first_check: string
  readonly first_chain: string
}

/** Resolves whether the room is still over `keep`. */
export async function trimStep(
  sql: Sql,
  name: string,
  keep: Keep,
  step: ReadLimit,
): Promise<boolean> {
  const [room] = await sql<RoomRow[]>`SELECT * FROM rooms WHERE name = ${name}`
  if (!room) return false
  const { gone, over } = await oldest(sql, room, keep, step)
  const cut = cutOf(gone)
  if (!cut) return false
  const { newest, first, pairs, events, bytes } = cut
  const before = { place: room.first_place, check: room.first_check, chain: room.first_chain }
  const known = await knownRanges(sql, room.id, cut.ranges)
  const joined = joinedRanges([...known, ...cut.ranges])
  const starts = new Set(joined.map(startOf))
  const swallowed = known.filter((range) => !starts.has(startOf(range)))
  const cuts = await sql`
    WITH room AS (
      UPDATE rooms SET events = events - ${events}, bytes = bytes - ${bytes},
        first_place = ${first.place}, first_check = ${first.check}, first_chain = ${first.chain}
      WHERE id = ${room.id} AND name = ${name} AND first_place = ${room.first_place}
      RETURNING id
    ), put_marks AS (
      INSERT INTO trimmed_marks SELECT room.id, given.*
      FROM room, json_to_recordset(${sql.json([before, ...cut.marks] as never)}::json)
        AS given (place bigint, "check" text, chain text)
      ON CONFLICT DO NOTHING
    ), cut_ids AS (
      DELETE FROM ids USING room, json_to_recordset(${sql.json(pairs)}::json)
        AS given (prefix text, counter bigint, place bigint)
      WHERE ids.room = room.id AND ids.prefix = given.prefix AND ids.counter = given.counter
        AND ids.place = given.place
    ), cut_records AS (
      DELETE FROM records USING room WHERE room = room.id AND place <= ${newest.place}
    ), cut_ranges AS (
      DELETE FROM trimmed_ids USING room, json_to_recordset(${sql.json(swallowed as never)}::json)
        AS given (prefix text, first bigint)
      WHERE trimmed_ids.room = room.id AND trimmed_ids.prefix = given.prefix
        AND trimmed_ids.first = given.first
    ), put_ranges AS (
      INSERT INTO trimmed_ids SELECT room.id, given.*
      FROM room, json_to_recordset(${sql.json(joined as never)}::json)
        AS given (prefix text, first bigint, last bigint, place bigint)
      ON CONFLICT (room, prefix, first) DO UPDATE SET last = excluded.last, place = excluded.place
    )
    SELECT id FROM room`
  // Where another relay was first there may be more to do.
  if (cuts.length === 0) return true
  await forget(sql, room.id)
  return over
}

/** The records to remove in one step, and whether more are over the limits. */
async function oldest(
  sql: Sql,
  room: RoomRow,
  keep: Keep,
  step: ReadLimit,
): Promise<{ readonly gone: readonly RoomRecord[]; readonly over: boolean }> {
  // What is over a limit is so up to some record, and the step ends somewhere: the first of the two. No
  // more comes over than that, and the record behind it.
  const rows = await sql<(RecordRow & { over: boolean; within: boolean })[]>`
    SELECT * FROM (
      SELECT *, bool_and(over AND within) OVER (
        ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
      FROM (
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
            FROM records WHERE room = ${room.id} ORDER BY place LIMIT ${TRIM_ROWS + 1}
          ) AS oldest WINDOW so_far AS (ORDER BY place ROWS UNBOUNDED PRECEDING)
        ) AS summed
      ) AS judged
    ) AS asked WHERE coalesce(reached, true) ORDER BY place`
  const most = rows.slice(0, TRIM_ROWS)
  const kept = most.findIndex(({ over, within }) => !over || !within)
  const gone = (kept < 0 ? most : most.slice(0, kept)).map(recordOf)
  return { gone, over: rows[gone.length]?.over === true }
}

/** All ranges of those whose events are among these. */
async function knownRanges(
  sql: Sql,
  room: number,
  ranges: readonly TrimmedRange[],
): Promise<readonly TrimmedRange[]> {
  const prefixes = [...new Set(ranges.map(({ prefix }) => prefix))]
  if (prefixes.length === 0) return []
  return await sql<TrimmedRange[]>`
    SELECT prefix, first, last, place FROM trimmed_ids
    WHERE room = ${room} AND prefix = ANY (${prefixes})`
}

function startOf({ prefix, first }: TrimmedRange): string {
  return `${prefix}\n${first}`
}

/** What is remembered of trimmed history is bounded. */
async function forget(sql: Sql, room: number): Promise<void> {
  await sql`
    WITH marks AS (
      DELETE FROM trimmed_marks WHERE room = ${room} AND place <= (
        SELECT place FROM trimmed_marks WHERE room = ${room}
        ORDER BY place DESC LIMIT 1 OFFSET ${TRIMMED_MARKS})
    )
    DELETE FROM trimmed_ids WHERE room = ${room} AND (prefix, first) IN (
      SELECT prefix, first FROM trimmed_ids WHERE room = ${room}
      ORDER BY place DESC OFFSET ${TRIMMED_RANGES})`
}

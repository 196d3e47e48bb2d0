/** Rows and statements of the stores in SQLite. */
import { type Earlier, type EventHeader, idPairs, type Refusal } from '@crosstown/bus/protocol'
import {
  firstAfter,
  type IdRange,
  type Mark,
  type RoomRecord,
  rangesIn,
  UNTRIMMED,
} from '../record.ts'
import type { Row, Sql, SqlStatement } from './sql.ts'
import {
  type Append,
  DELETED_EPOCHS,
  DELETED_LOGS,
  type Keep,
  ON_DEMAND,
  type ReadLimit,
  TRIMMED_MARKS,
  TRIMMED_RANGES,
} from './store.ts'

/** All statements of the store, prepared once. */
export interface Statements {
  readonly room: SqlStatement
  readonly addRoom: SqlStatement
  readonly moveHead: SqlStatement
  readonly addRecord: SqlStatement
  readonly addPair: SqlStatement
  readonly putState: SqlStatement
  readonly dropState: SqlStatement
  readonly state: SqlStatement
  readonly value: SqlStatement
  readonly countState: SqlStatement
  readonly recordsFrom: SqlStatement
  readonly recordsByPair: SqlStatement
  readonly placeByTime: SqlStatement
  readonly first: SqlStatement
  readonly moveFirst: SqlStatement
  readonly oldest: SqlStatement
  readonly dropRecords: SqlStatement
  readonly dropPair: SqlStatement
  readonly shrink: SqlStatement
  readonly trimmedAt: SqlStatement
  readonly addMark: SqlStatement
  readonly forgetMarks: SqlStatement
  readonly trimmedFrom: SqlStatement
  readonly trimmedNear: SqlStatement
  readonly dropTrimmed: SqlStatement
  readonly noteTrimmed: SqlStatement
  readonly forgetTrimmed: SqlStatement
  readonly names: SqlStatement
  readonly takeName: SqlStatement
  readonly noteDeleted: SqlStatement
  readonly forgetDeleted: SqlStatement
  readonly forgetOldest: SqlStatement
  readonly wasDeleted: SqlStatement
  readonly nameless: SqlStatement
  readonly dropRoom: SqlStatement
  readonly purges: readonly Purge[]
}

/** How the rows of a table go that a deleted room left. */
interface Purge {
  readonly any: SqlStatement
  readonly some: SqlStatement
}

/** Before the number of a room whose log was deleted, in place of its name: no room can have it. */
const NAMELESS = '/'
/** `0` is what follows the slash. */
const IS_NAMELESS = `(name >= '${NAMELESS}' AND name < '0')`

/** The tables that have rows of a room, and what names one of these rows. */
const ROWS_OF_ROOMS: readonly (readonly [table: string, key: string])[] = [
  ['records', 'place'],
  ['ids', 'prefix, counter, place'],
  ['state', 'key'],
  ['trimmed_ids', 'prefix, first'],
  ['trimmed_marks', 'place'],
  ['firsts', 'room'],
]

/** Prepares the statements. */
export function statementsOf(database: Sql): Statements {
  return {
    room: database.prepare('SELECT * FROM rooms WHERE name = ?'),
    addRoom: database.prepare(
      `INSERT INTO rooms (name, epoch, version, place, "check", time, events, bytes)
       VALUES (?, ?, 0, 0, '0', 0, 0, 0) RETURNING id`,
    ),
    moveHead: database.prepare(
      `UPDATE rooms SET version = ?, place = ?, "check" = ?, chain = ?, time = ?, events = events + ?, bytes = bytes + ?
       WHERE id = ?`,
    ),
    addRecord: database.prepare(
      `INSERT INTO records (room, place, count, time, bytes, device, batch, last_id, indexes, refused, earlier, headers, data, before, chain)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    addPair: database.prepare('INSERT INTO ids (room, prefix, counter, place) VALUES (?, ?, ?, ?)'),
    putState: database.prepare('INSERT OR REPLACE INTO state (room, key, value) VALUES (?, ?, ?)'),
    dropState: database.prepare('DELETE FROM state WHERE room = ? AND key = ?'),
    state: database.prepare(
      `SELECT key, value FROM state WHERE room = ? ${ON_DEMAND.map(() => 'AND (key < ? OR key >= ?)').join(' ')}`,
    ),
    value: database.prepare('SELECT value FROM state WHERE room = ? AND key = ?'),
    countState: database.prepare(
      'SELECT count(*) AS count FROM state WHERE room = ? AND key GLOB ?',
    ),
    recordsFrom: database.prepare(
      `SELECT * FROM records WHERE room = ?1 AND place >= coalesce(
         (SELECT place FROM records WHERE room = ?1 AND place <= ?2 AND place + count > ?2
          ORDER BY place DESC LIMIT 1), ?2)
       ORDER BY place`,
    ),
    recordsByPair: database.prepare(
      `SELECT records.* FROM ids JOIN records ON records.room = ids.room AND records.place = ids.place
       WHERE ids.room = ? AND ids.prefix = ? AND ids.counter >= ? ORDER BY ids.counter, ids.place LIMIT ?`,
    ),
    placeByTime: database.prepare(
      'SELECT place FROM records WHERE room = ? AND time >= ? ORDER BY time, place LIMIT 1',
    ),
    first: database.prepare('SELECT place, "check", chain FROM firsts WHERE room = ?'),
    moveFirst: database.prepare(
      'INSERT OR REPLACE INTO firsts (room, place, "check", chain) VALUES (?, ?, ?, ?)',
    ),
    oldest: database.prepare('SELECT * FROM records WHERE room = ? ORDER BY place'),
    dropRecords: database.prepare('DELETE FROM records WHERE room = ? AND place <= ?'),
    dropPair: database.prepare(
      'DELETE FROM ids WHERE room = ? AND prefix = ? AND counter = ? AND place = ?',
    ),
    shrink: database.prepare(
      'UPDATE rooms SET events = events - ?, bytes = bytes - ? WHERE id = ?',
    ),
    trimmedAt: database.prepare(
      `SELECT place, "check", chain FROM trimmed_marks WHERE room = ? AND place <= ?
       ORDER BY place DESC LIMIT 1`,
    ),
    addMark: database.prepare(
      'INSERT OR IGNORE INTO trimmed_marks (room, place, "check", chain) VALUES (?, ?, ?, ?)',
    ),
    forgetMarks: database.prepare(
      `DELETE FROM trimmed_marks WHERE room = ?1 AND place <=
         (SELECT place FROM trimmed_marks WHERE room = ?1
          ORDER BY place DESC LIMIT 1 OFFSET ?2)`,
    ),
    trimmedFrom: database.prepare(
      'SELECT last FROM trimmed_ids WHERE room = ? AND prefix = ? AND first <= ? ORDER BY first DESC LIMIT 1',
    ),
    trimmedNear: database.prepare(
      `SELECT min(first) AS first, max(last) AS last FROM trimmed_ids
       WHERE room = ? AND prefix = ? AND first <= ? + 1 AND last >= ? - 1`,
    ),
    dropTrimmed: database.prepare(
      'DELETE FROM trimmed_ids WHERE room = ? AND prefix = ? AND first BETWEEN ? AND ?',
    ),
    noteTrimmed: database.prepare(
      'INSERT INTO trimmed_ids (room, prefix, first, last, place) VALUES (?, ?, ?, ?, ?)',
    ),
    forgetTrimmed: database.prepare(
      `DELETE FROM trimmed_ids WHERE room = ?1 AND (prefix, first) IN
         (SELECT prefix, first FROM trimmed_ids WHERE room = ?1
          ORDER BY place DESC LIMIT -1 OFFSET ?2)`,
    ),
    names: database.prepare(
      `SELECT name FROM rooms WHERE name > ? AND NOT ${IS_NAMELESS} ORDER BY name LIMIT ?`,
    ),
    takeName: database.prepare(
      `UPDATE rooms SET name = '${NAMELESS}' || id WHERE name = ? RETURNING epoch`,
    ),
    noteDeleted: database.prepare('INSERT OR REPLACE INTO deleted (name, epoch) VALUES (?, ?)'),
    forgetDeleted: database.prepare(
      `DELETE FROM deleted WHERE name = ?1 AND number NOT IN
         (SELECT number FROM deleted WHERE name = ?1 ORDER BY number DESC LIMIT ?2)`,
    ),
    // A new one has a number above all there are.
    forgetOldest: database.prepare(
      'DELETE FROM deleted WHERE number <= (SELECT max(number) FROM deleted) - ?',
    ),
    wasDeleted: database.prepare('SELECT 1 FROM deleted WHERE name = ? AND epoch = ?'),
    nameless: database.prepare(`SELECT id FROM rooms WHERE ${IS_NAMELESS} LIMIT 1`),
    dropRoom: database.prepare('DELETE FROM rooms WHERE id = ?'),
    purges: ROWS_OF_ROOMS.map(([table, key]) => ({
      any: database.prepare(`SELECT 1 FROM ${table} WHERE room = ? LIMIT 1`),
      some: database.prepare(
        `DELETE FROM ${table} WHERE room = ?1 AND (${key}) IN
           (SELECT ${key} FROM ${table} WHERE room = ?1 LIMIT ?2)`,
      ),
    })),
  }
}

/** Does one append inside the open transaction; `false` where the head is another. */
export function applyAppend(
  sql: Statements,
  room: string,
  { expected, head, records, state }: Append,
): boolean {
  const found = sql.room.get(room)
  if (
    found
      ? found['epoch'] !== expected.epoch || found['version'] !== expected.version
      : expected.version !== 0
  ) {
    return false
  }
  const id = found
    ? (found['id'] as number)
    : (sql.addRoom.get(room, expected.epoch)?.['id'] as number)
  let events = 0
  let bytes = 0
  for (const record of records) {
    events += record.headers.length
    bytes += record.bytes
    sql.addRecord.run(
      id,
      record.place,
      record.count,
      record.time,
      record.bytes,
      record.device ?? null,
      record.batch ?? null,
      record.lastId,
      indexesText(record),
      record.refused ? JSON.stringify(record.refused) : null,
      record.earlier ? JSON.stringify(record.earlier) : null,
      record.headerLines.join('\n'),
      record.data.join('\n'),
      record.before,
      record.chain,
    )
    for (const [prefix, counter] of idPairs(record.headers))
      sql.addPair.run(id, prefix, counter, record.place)
  }
  for (const [key, value] of state) {
    if (value === '') sql.dropState.run(id, key)
    else sql.putState.run(id, key, value)
  }
  sql.moveHead.run(head.version, head.place, head.check, head.chain, head.time, events, bytes, id)
  return true
}

/** Does one step of trimming inside the open transaction; whether the room is still over `keep`. */
export function applyTrim(sql: Statements, room: string, keep: Keep, step: ReadLimit): boolean {
  const found = sql.room.get(room)
  if (!found) return false
  const id = found['id'] as number
  let events = 0
  let bytes = 0
  let over = false
  let newest: RoomRecord | undefined
  let first: Mark | undefined
  const gone: { readonly range: IdRange; readonly place: number }[] = []
  for (const row of sql.oldest.iterate(id)) {
    over =
      (found['events'] as number) - events > keep.events ||
      (found['bytes'] as number) - bytes > keep.bytes ||
      (row['time'] as number) < keep.since
    if (!over || (newest && (events >= step.events || bytes >= step.bytes))) break
    over = false
    newest = recordOf(row)
    events += newest.headers.length
    bytes += newest.bytes
    for (const [prefix, counter] of idPairs(newest.headers))
      sql.dropPair.run(id, prefix, counter, newest.place)
    first = firstAfter(newest)
    sql.addMark.run(id, first.place, first.check, first.chain)
    for (const range of rangesIn(newest)) gone.push({ range, place: newest.place })
  }
  if (!newest || !first) return false
  const before = sql.first.get(id)
  const { place, check, chain } = before ? markOf(before) : UNTRIMMED
  sql.addMark.run(id, place, check, chain)
  sql.dropRecords.run(id, newest.place)
  sql.moveFirst.run(id, first.place, first.check, first.chain)
  sql.shrink.run(events, bytes, id)
  for (const { range, place } of gone) noteTrimmed(sql, id, range, place)
  sql.forgetMarks.run(id, TRIMMED_MARKS)
  sql.forgetTrimmed.run(id, TRIMMED_RANGES)
  return over
}

/**
 * Deletes a room inside the open transaction; whether there was one. Only its name goes at once, however
 * much it holds: without it there is no way to the rest, which {@link applyPurge} removes.
 */
export function applyDelete(sql: Statements, room: string): boolean {
  const found = sql.takeName.get(room)
  if (!found) return false
  sql.noteDeleted.run(room, found['epoch'] as string)
  sql.forgetDeleted.run(room, DELETED_EPOCHS)
  sql.forgetOldest.run(DELETED_LOGS)
  return true
}

/** Removes up to so many rows of one table and room; whether there may be more to remove. */
export function applyPurge(sql: Statements, rows: number): boolean {
  const id = sql.nameless.get()?.['id'] as number | undefined
  if (id === undefined) return false
  const purge = sql.purges.find(({ any }) => any.get(id))
  if (purge) purge.some.run(id, rows)
  else sql.dropRoom.run(id)
  return true
}

/** Ranges that overlap or touch become one. */
function noteTrimmed(sql: Statements, room: number, range: IdRange, place: number): void {
  const { prefix, first, last } = range
  const near = sql.trimmedNear.get(room, prefix, last, first)
  const from = Math.min(first, (near?.['first'] as number | null) ?? first)
  const to = Math.max(last, (near?.['last'] as number | null) ?? last)
  sql.dropTrimmed.run(room, prefix, from, to)
  sql.noteTrimmed.run(room, prefix, from, to, place)
}

/** The record in a row. */
export function recordOf(row: Row): RoomRecord {
  const headers = row['headers'] as string
  // Headers are never empty lines, data may be: only the headers tell how many events there are.
  const headerLines = headers === '' ? [] : headers.split('\n')
  const indexes = row['indexes'] as string | null
  const refused = row['refused'] as string | null
  const earlier = row['earlier'] as string | null
  return {
    place: row['place'] as number,
    count: row['count'] as number,
    time: row['time'] as number,
    ...(row['device'] !== null && { device: row['device'] as string }),
    ...(row['batch'] !== null && { batch: row['batch'] as number }),
    lastId: row['last_id'] as string,
    indexes:
      indexes === null ? headerLines.map((_, index) => index) : (JSON.parse(indexes) as number[]),
    ...(refused !== null && { refused: JSON.parse(refused) as Refusal[] }),
    ...(earlier !== null && { earlier: JSON.parse(earlier) as Earlier[] }),
    headers: headerLines.map((line) => JSON.parse(line) as EventHeader),
    headerLines,
    data: headerLines.length === 0 ? [] : (row['data'] as string).split('\n'),
    bytes: row['bytes'] as number,
    before: row['before'] as string,
    chain: row['chain'] as string,
  }
}

/** The place in a row. */
export function markOf(row: Row): Mark {
  return {
    place: row['place'] as number,
    check: row['check'] as string,
    chain: row['chain'] as string,
  }
}

/** Most batches are taken whole: their indexes 0, 1, 2... need no text. */
function indexesText({ indexes, headers }: RoomRecord): string | null {
  const plain = indexes.length === headers.length && indexes.every((index, i) => index === i)
  return plain ? null : JSON.stringify(indexes)
}

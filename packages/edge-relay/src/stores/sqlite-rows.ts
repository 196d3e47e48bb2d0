/** Tables and rows of the SQLite store. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import { type Earlier, type EventHeader, idPairs, type Refusal } from '@crosstown/bus/protocol'
import { firstAfter, type Mark, publishersIn, type RoomRecord } from '../record.ts'
import { type Append, type Keep, type ReadLimit, TRIMMED_PREFIXES } from './store.ts'

/** One row, by column. */
export type Row = Record<string, SQLOutputValue>

/**
 * The exclusive lock is taken first and kept: it is what makes a second process fail at its start
 * instead of somewhere in its work, and WAL needs no shared memory under it.
 */
const MODES = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  BEGIN IMMEDIATE;
`

const TABLES = `
  CREATE TABLE IF NOT EXISTS rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    version INTEGER NOT NULL,
    place INTEGER NOT NULL,
    "check" TEXT NOT NULL,
    chain TEXT NOT NULL DEFAULT '',
    time REAL NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS records (
    room INTEGER NOT NULL,
    place INTEGER NOT NULL,
    count INTEGER NOT NULL,
    time REAL NOT NULL,
    bytes INTEGER NOT NULL,
    device TEXT,
    batch INTEGER,
    last_id TEXT NOT NULL,
    indexes TEXT,
    refused TEXT,
    earlier TEXT,
    headers TEXT NOT NULL,
    data TEXT NOT NULL,
    before TEXT NOT NULL DEFAULT '',
    chain TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (room, place)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS ids (
    room INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    counter INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (room, prefix, counter, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS state (
    room INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (room, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS firsts (
    room INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    "check" TEXT NOT NULL,
    chain TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE TABLE IF NOT EXISTS trimmed (
    room INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    counter INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (room, prefix)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS trimmed_by_place ON trimmed (room, place);
  CREATE INDEX IF NOT EXISTS records_by_time ON records (room, time, place);
`

/**
 * Format 1 had no chains, and no places of what came before. Chains cannot be had of what was trimmed, and reading all the rest would
 * make the first start as long as the file: such rooms begin theirs with what they take next.
 */
const FROM_FORMAT_1 = `
  ALTER TABLE rooms ADD COLUMN chain TEXT NOT NULL DEFAULT '';
  ALTER TABLE records ADD COLUMN earlier TEXT;
  ALTER TABLE records ADD COLUMN before TEXT NOT NULL DEFAULT '';
  ALTER TABLE records ADD COLUMN chain TEXT NOT NULL DEFAULT '';
  ALTER TABLE firsts ADD COLUMN chain TEXT NOT NULL DEFAULT '';
`

/** Takes the file for this process, and makes in it what is missing. */
export function prepareFile(database: DatabaseSync): void {
  database.exec(MODES)
  const format = database.prepare('PRAGMA user_version').get()?.['user_version']
  if (format === 1) database.exec(FROM_FORMAT_1)
  database.exec(`${TABLES} PRAGMA user_version = 2; COMMIT;`)
}

/** All statements of the store, prepared once. */
export interface Statements {
  readonly room: StatementSync
  readonly addRoom: StatementSync
  readonly moveHead: StatementSync
  readonly addRecord: StatementSync
  readonly addPair: StatementSync
  readonly putState: StatementSync
  readonly state: StatementSync
  readonly value: StatementSync
  readonly countState: StatementSync
  readonly recordsFrom: StatementSync
  readonly recordsByPair: StatementSync
  readonly placeByTime: StatementSync
  readonly first: StatementSync
  readonly moveFirst: StatementSync
  readonly oldest: StatementSync
  readonly dropRecords: StatementSync
  readonly dropPair: StatementSync
  readonly shrink: StatementSync
  readonly trimmedTo: StatementSync
  readonly noteTrimmed: StatementSync
  readonly forgetTrimmed: StatementSync
  readonly names: StatementSync
}

/** Prepares the statements. */
export function statementsOf(database: DatabaseSync): Statements {
  return {
    room: database.prepare('SELECT * FROM rooms WHERE name = ?'),
    addRoom: database.prepare(
      `INSERT INTO rooms (name, epoch, version, place, "check", time, events, bytes)
       VALUES (?, ?, 0, 0, '0', 0, 0, 0)`,
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
    state: database.prepare(
      'SELECT key, value FROM state WHERE room = ? AND (key < ? OR key >= ?)',
    ),
    value: database.prepare('SELECT value FROM state WHERE room = ? AND key = ?'),
    countState: database.prepare(
      'SELECT count(*) AS count FROM state WHERE room = ? AND key GLOB ?',
    ),
    recordsFrom: database.prepare(
      `SELECT * FROM records WHERE room = :room AND place >= coalesce(
         (SELECT place FROM records WHERE room = :room AND place <= :next AND place + count > :next
          ORDER BY place DESC LIMIT 1), :next)
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
    trimmedTo: database.prepare('SELECT counter FROM trimmed WHERE room = ? AND prefix = ?'),
    noteTrimmed: database.prepare(
      `INSERT INTO trimmed (room, prefix, counter, place) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET counter = max(counter, excluded.counter), place = excluded.place`,
    ),
    forgetTrimmed: database.prepare(
      `DELETE FROM trimmed WHERE room = :room AND prefix IN
         (SELECT prefix FROM trimmed WHERE room = :room ORDER BY place DESC LIMIT -1 OFFSET :most)`,
    ),
    names: database.prepare('SELECT name FROM rooms WHERE name > ? ORDER BY name LIMIT ?'),
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
    : Number(sql.addRoom.run(room, expected.epoch).lastInsertRowid)
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
  for (const [key, value] of state) sql.putState.run(id, key, value)
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
  const publishers = new Map<string, { counter: number; place: number }>()
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
    for (const [prefix, counter] of publishersIn(newest)) {
      const before = publishers.get(prefix)?.counter ?? 0
      publishers.set(prefix, { counter: Math.max(before, counter), place: newest.place })
    }
  }
  if (!newest) return false
  const first = firstAfter(newest)
  sql.dropRecords.run(id, newest.place)
  sql.moveFirst.run(id, first.place, first.check, first.chain)
  sql.shrink.run(events, bytes, id)
  for (const [prefix, { counter, place }] of publishers)
    sql.noteTrimmed.run(id, prefix, counter, place)
  sql.forgetTrimmed.run({ room: id, most: TRIMMED_PREFIXES })
  return over
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

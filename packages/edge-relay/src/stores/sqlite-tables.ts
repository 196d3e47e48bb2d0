/** The tables of the SQLite store, and how those of former formats become them. */
import type { DatabaseSync } from 'node:sqlite'

/** Other processes may read meanwhile; that none of them is a relay is held by {@link LOCK}. */
const MODES = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  BEGIN IMMEDIATE;
`

/**
 * Taken first, of a file of its own, and kept: it is what makes a second relay fail at its start instead of
 * somewhere in its work.
 */
export const LOCK = `
  PRAGMA locking_mode = EXCLUSIVE;
  BEGIN EXCLUSIVE;
`

/** A text of lines as an array of JSON: in what is quoted no other character is one that ends a line. */
const LINES_OF_DATA = `'[' || replace(replace(replace(json_quote(records.data),
  '\\\\', char(1)), '\\n', '","'), char(1), '\\\\') || ']'`

/** What of the tables is for others to read, one row an event; the others change with versions. */
const VIEW = `
  DROP VIEW IF EXISTS events;
  CREATE VIEW events AS
    SELECT rooms.name AS room,
           records.place + line.key AS place,
           line.value ->> 'id' AS id,
           line.value ->> 'type' AS type,
           line.value ->> 'stream' AS stream,
           line.value ->> 'revision' AS revision,
           line.value ->> 'correlationId' AS correlation_id,
           strftime('%Y-%m-%dT%H:%M:%fZ', records.time / 1000, 'unixepoch') AS written_at,
           coalesce(line.value ->> 'encoding', 'json') AS encoding,
           line.value AS header,
           json_extract(${LINES_OF_DATA}, '$[' || line.key || ']') AS data
    FROM rooms JOIN records ON records.room = rooms.id,
      json_each('[' || replace(records.headers, char(10), ',') || ']') AS line
    WHERE NOT (rooms.name >= '/' AND rooms.name < '0') AND records.headers <> '';
`

/** What is made where it is missing. */
export const TABLES = `
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
  CREATE TABLE IF NOT EXISTS trimmed_marks (
    room INTEGER NOT NULL,
    place INTEGER NOT NULL,
    "check" TEXT NOT NULL,
    chain TEXT NOT NULL,
    PRIMARY KEY (room, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS trimmed_ids (
    room INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (room, prefix, first)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS deleted (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    epoch TEXT NOT NULL,
    UNIQUE (name, epoch)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS trimmed_ids_by_place ON trimmed_ids (room, place);
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

/**
 * Format 2 remembered how far each publisher was trimmed, and not what of it had been in the room: it
 * is taken to have been all.
 */
const FROM_FORMAT_2 = `
  CREATE TABLE IF NOT EXISTS trimmed (room, prefix, counter, place);
  INSERT INTO trimmed_ids (room, prefix, first, last, place)
    SELECT room, prefix, 1, counter, place FROM trimmed;
  DROP TABLE trimmed;
`

/** Makes in the file what is missing. */
export function prepareFile(database: DatabaseSync): void {
  database.exec(MODES)
  const format = database.prepare('PRAGMA user_version').get()?.['user_version']
  if (format === 1) database.exec(FROM_FORMAT_1)
  database.exec(TABLES)
  if (format === 2) database.exec(FROM_FORMAT_2)
  database.exec(VIEW)
  database.exec('PRAGMA user_version = 3; COMMIT;')
}

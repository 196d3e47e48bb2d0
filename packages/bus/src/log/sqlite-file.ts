/** SQLite files as logs use them: one connection for each file and process, and typed errors. */
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BusError } from '../errors.ts'

const TABLES = `
  CREATE TABLE IF NOT EXISTS crosstown_batches (
    log TEXT NOT NULL, batch INTEGER NOT NULL, kind TEXT NOT NULL, time INTEGER NOT NULL,
    headers TEXT NOT NULL, data TEXT NOT NULL, types TEXT NOT NULL, room_events INTEGER NOT NULL,
    epoch TEXT, prev TEXT, position TEXT, runs TEXT,
    PRIMARY KEY (log, batch)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS crosstown_ids (
    log TEXT NOT NULL, prefix TEXT NOT NULL, counter INTEGER NOT NULL, batch INTEGER NOT NULL,
    PRIMARY KEY (log, prefix, counter, batch)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS crosstown_streams (
    log TEXT NOT NULL, stream TEXT NOT NULL, batch INTEGER NOT NULL, indexes TEXT NOT NULL,
    PRIMARY KEY (log, stream, batch)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS crosstown_room (
    log TEXT NOT NULL, batch INTEGER NOT NULL, placement TEXT NOT NULL,
    PRIMARY KEY (log, batch)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS crosstown_meta (
    log TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (log, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS crosstown_snapshots (
    log TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (log, name));
  CREATE TABLE IF NOT EXISTS crosstown_consumers (
    log TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (log, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS crosstown_dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, log TEXT NOT NULL, consumer TEXT NOT NULL,
    text TEXT NOT NULL);`

/** One name for a file, however its path is written. */
export function filePath(path: string): string {
  return path === ':memory:' ? path : resolve(path)
}

/** Open files of this process: buses that share one share its connection and its lock. */
const OPEN_FILES = new Map<string, { database: DatabaseSync; users: number }>()

/** The connection to a file, made and set up where this process has none. */
export function acquire(path: string, durability: 'relaxed' | 'strict'): DatabaseSync {
  const known = path === ':memory:' ? undefined : OPEN_FILES.get(path)
  if (known) {
    known.users += 1
    return known.database
  }
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    // Exclusive keeps other processes out for as long as this one lives; a crash frees it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec(`PRAGMA synchronous = ${durability === 'strict' ? 'FULL' : 'NORMAL'}`)
    database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT`)
  } catch (error) {
    database?.close()
    throw sqliteError(error, path)
  }
  if (path !== ':memory:') OPEN_FILES.set(path, { database, users: 1 })
  return database
}

/** Gives the connection back; the last one closes it. */
export function release(path: string, database: DatabaseSync): void {
  const known = OPEN_FILES.get(path)
  if (known?.database === database && --known.users > 0) return
  if (known?.database === database) OPEN_FILES.delete(path)
  database.close()
}

/** What SQLite says, as one of our codes. */
export function sqliteError(error: unknown, path: string): BusError {
  const code = (error as { errcode?: number }).errcode
  const BUSY = 5
  const LOCKED = 6
  const FULL = 13
  if (code === BUSY || code === LOCKED) {
    return new BusError(
      'log_in_use',
      `${path} is open in another process: give each process a file of its own`,
      {
        stage: 'log',
        cause: error,
      },
    )
  }
  if (code === FULL)
    return new BusError('quota_exceeded', 'the disk is full', { stage: 'log', cause: error })
  const opening = code === undefined || code === 14 || code === 26
  return new BusError(
    opening ? 'log_unavailable' : 'log_failed',
    `SQLite: ${error instanceof Error ? error.message : 'unknown reason'} (${path})`,
    { stage: 'log', cause: error },
  )
}

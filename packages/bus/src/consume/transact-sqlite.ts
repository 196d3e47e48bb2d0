/** Transactions of a user's SQLite database, through `node:sqlite` or what is like it. */
import type { SqliteDatabase } from '../types.ts'
import type { Transactions, UserRow } from './consume.ts'

const TABLE = `CREATE TABLE IF NOT EXISTS crosstown_cursors (
  log TEXT NOT NULL, consumer TEXT NOT NULL, generation INTEGER NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (log, consumer)) WITHOUT ROWID`

/** A connection has one transaction at a time, whoever consumes. */
const BUSY = new WeakMap<object, Promise<unknown>>()

export function sqliteTransactions(db: SqliteDatabase): Transactions {
  return {
    run(key, work, signal) {
      const before = BUSY.get(db) ?? Promise.resolve()
      const run = before.then(() => transaction(db, key, work, signal))
      BUSY.set(
        db,
        run.catch(() => {}),
      )
      return run
    },
  }
}

async function transaction(
  db: SqliteDatabase,
  key: readonly [string, string],
  work: (tx: unknown, row: UserRow | undefined) => Promise<UserRow | undefined>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec(TABLE)
    const find = 'SELECT generation, state FROM crosstown_cursors WHERE log = ? AND consumer = ?'
    const row = await work(db, db.prepare(find).get(...key) as UserRow | undefined)
    if (row && !signal?.aborted) {
      db.prepare('INSERT OR REPLACE INTO crosstown_cursors VALUES (?, ?, ?, ?)').run(
        ...key,
        row.generation,
        row.state,
      )
      db.exec('COMMIT')
      return true
    }
  } catch (error) {
    rollBack(db)
    throw error
  }
  rollBack(db)
  return false
}

function rollBack(db: SqliteDatabase): void {
  try {
    db.exec('ROLLBACK')
  } catch {
    // SQLite rolled it back itself.
  }
}

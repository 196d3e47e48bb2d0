/**
 * Rooms in one SQLite file, for one relay, while others may read: WAL, every commit synced to disk. Appends and deletions
 * that come within one turn of the event loop, of whatever rooms, share one transaction and so one sync.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { BusError, type Durability } from '@crosstown/bus/protocol'
import { closedError, SqlStore, storeError } from './sql-store.ts'
import { applyAppend, applyDelete, type Statements, statementsOf } from './sqlite-rows.ts'
import { LOCK, prepareFile } from './sqlite-tables.ts'
import type { Append, Store } from './store.ts'

/** How long opening waits for a process that is just letting go of the file. */
const OPEN_TIMEOUT_MS = 1_000

interface Pending {
  readonly what: 'append' | 'delete'
  /** Inside the transaction. */
  readonly run: () => boolean
  readonly resolve: (done: boolean) => void
  readonly reject: (error: unknown) => void
}

/**
 * A store in one SQLite file, made with its folder where it is missing.
 *
 * @throws {BusError} log_in_use where another process has the file open, log_unavailable where it
 * cannot be read and written, log_damaged where it is not a database
 * @example
 * const relay = createRelay({ store: sqliteStore('./events.db') })
 */
export function sqliteStore(path: string): Store {
  const file = resolve(path)
  let lock: DatabaseSync | undefined
  let database: DatabaseSync | undefined
  try {
    makeFolder(dirname(file))
    lock = new DatabaseSync(`${file}-lock`, { timeout: OPEN_TIMEOUT_MS })
    lock.exec(LOCK)
    database = new DatabaseSync(file, { timeout: OPEN_TIMEOUT_MS })
    prepareFile(database)
    return new SqliteStore(database, lock, statementsOf(database))
  } catch (error) {
    database?.close()
    lock?.close()
    throw openError(file, error)
  }
}

class SqliteStore extends SqlStore {
  readonly engine = 'sqlite'
  readonly durability: Durability = 'disk'
  readonly exclusive = true
  readonly #database: DatabaseSync
  /** Held for as long as it is open. */
  readonly #lock: DatabaseSync
  #pending: Pending[] = []

  constructor(database: DatabaseSync, lock: DatabaseSync, sql: Statements) {
    super(sql)
    this.#lock = lock
    this.#database = database
  }

  append(room: string, append: Append): Promise<boolean> {
    return this.#soon('append', () => applyAppend(this.sql, room, append))
  }

  override delete(room: string): Promise<boolean> {
    return this.#soon('delete', () => applyDelete(this.sql, room))
  }

  #soon(what: Pending['what'], run: () => boolean): Promise<boolean> {
    if (this.closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.#pending.push({ what, run, resolve, reject })
      if (this.#pending.length === 1) setImmediate(() => this.#flush())
    })
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.#flush()
    this.#database.close()
    this.#lock.close()
  }

  #flush(): void {
    const pending = this.#pending.splice(0)
    if (!this.#write(pending) && pending.length > 1) {
      // What one room cannot write must not keep the others from writing.
      for (const one of pending) this.#write([one])
    }
  }

  /** Writes them in one transaction, and answers; a single one is answered also where it failed. */
  #write(pending: readonly Pending[]): boolean {
    let done: boolean[]
    try {
      done = this.transaction(() => pending.map(({ run }) => run()))
    } catch (error) {
      const [first] = pending
      if (first && pending.length === 1) first.reject(storeError(first.what, error))
      return false
    }
    for (const [i, { resolve }] of pending.entries()) resolve(done[i] as boolean)
    return true
  }

  protected override transaction<T>(run: () => T): T {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const result = run()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      // A failed COMMIT, or a full disk, may have rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

/** Not by `recursive: true`: where a system answers ENOENT to every mkdir, Node tries for ever. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}

/** Primary result codes of SQLite. */
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

function openError(file: string, cause: unknown): BusError {
  const code = (cause as { errcode?: SQLOutputValue } | undefined)?.errcode
  const primary = typeof code === 'number' ? code & 0xff : undefined
  const details = { stage: 'log', cause } as const
  if (primary === SQLITE_BUSY) {
    return new BusError(
      'log_in_use',
      `${file} is open in another process; one relay at a time can use it`,
      details,
    )
  }
  if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB) {
    return new BusError(
      'log_damaged',
      `${file} is not a database of a relay: ${messageOf(cause)}`,
      details,
    )
  }
  return new BusError(
    'log_unavailable',
    `cannot open ${file}: ${messageOf(cause)}; give a path this process may read and write`,
    details,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

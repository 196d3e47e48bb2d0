/**
 * Rooms in one SQLite file, for one process: WAL, every commit synced to disk. Appends that come
 * within one turn of the event loop, of whatever rooms, share one transaction and so one sync.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { BusError, type Durability, isBusError, parseId } from '@crosstown/bus/protocol'
import { type Mark, type RoomFirst, type RoomHead, type RoomRecord, UNTRIMMED } from '../record.ts'
import { STREAM_KEY } from '../revisions.ts'
import {
  applyAppend,
  applyTrim,
  markOf,
  type Row,
  recordOf,
  type Statements,
  statementsOf,
} from './sqlite-rows.ts'
import { prepareFile } from './sqlite-tables.ts'
import {
  type Append,
  DEVICE_KEY,
  FIND_CANDIDATES,
  type Found,
  type Keep,
  type LoadedRoom,
  type ReadLimit,
  type RoomStats,
  type Store,
} from './store.ts'

/** How long opening waits for a process that is just letting go of the file. */
const OPEN_TIMEOUT_MS = 1_000

/** Behind all keys of streams: `0` is what follows the slash. */
const BEHIND_STREAMS = `${STREAM_KEY.slice(0, -1)}0`

interface Pending {
  readonly room: string
  readonly append: Append
  readonly resolve: (appended: boolean) => void
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
  return new SqliteStore(path)
}

class SqliteStore implements Store {
  readonly durability: Durability = 'disk'
  readonly #database: DatabaseSync
  readonly #sql: Statements
  #pending: Pending[] = []
  #closed = false

  constructor(path: string) {
    const file = resolve(path)
    let database: DatabaseSync | undefined
    try {
      makeFolder(dirname(file))
      database = new DatabaseSync(file, { timeout: OPEN_TIMEOUT_MS })
      prepareFile(database)
      this.#sql = statementsOf(database)
    } catch (error) {
      database?.close()
      throw openError(file, error)
    }
    this.#database = database
  }

  async load(room: string): Promise<LoadedRoom | undefined> {
    return this.#do('load', () => {
      const row = this.#sql.room.get(room)
      if (!row) return undefined
      const state = this.#sql.state.all(row['id'] as number, STREAM_KEY, BEHIND_STREAMS)
      return {
        head: headOf(row),
        state: state.map(({ key, value }) => [key as string, value as string] as const),
      }
    })
  }

  async state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#do('read', () => {
      const id = this.#id(room)
      return keys.map((key) =>
        id === undefined ? undefined : (this.#sql.value.get(id, key)?.['value'] as string),
      )
    })
  }

  async head(room: string): Promise<RoomHead | undefined> {
    return this.#do('read', () => {
      const row = this.#sql.room.get(room)
      return row && headOf(row)
    })
  }

  append(room: string, append: Append): Promise<boolean> {
    if (this.#closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.#pending.push({ room, append, resolve, reject })
      if (this.#pending.length === 1) setImmediate(() => this.#flush())
    })
  }

  async read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.#do('read', () => {
      const id = this.#id(room)
      if (id === undefined) return []
      const found: RoomRecord[] = []
      let events = 0
      let bytes = 0
      for (const row of this.#sql.recordsFrom.iterate({ room: id, next: after + 1 })) {
        events += row['count'] as number
        bytes += row['bytes'] as number
        if (found.length > 0 && (events > limit.events || bytes > limit.bytes)) break
        found.push(recordOf(row))
      }
      return found
    })
  }

  async first(room: string): Promise<RoomFirst> {
    return this.#do('read', () => {
      const id = this.#id(room)
      const row = id === undefined ? undefined : this.#sql.first.get(id)
      return row ? markOf(row) : UNTRIMMED
    })
  }

  async trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.#do('read', () => {
      const id = this.#id(room)
      const row = id === undefined ? undefined : this.#sql.trimmedAt.get(id, place)
      return row && markOf(row)
    })
  }

  async find(room: string, id: string): Promise<Found | undefined> {
    return this.#do('read', () => {
      const roomId = this.#id(room)
      if (roomId === undefined) return undefined
      const [prefix, counter] = parseId(id)
      for (const row of this.#sql.recordsByPair.iterate(roomId, prefix, counter, FIND_CANDIDATES)) {
        const record = recordOf(row)
        const index = record.headers.findIndex((header) => header.id === id)
        if (index >= 0) return { record, index }
      }
      return undefined
    })
  }

  async wasTrimmed(room: string, id: string): Promise<boolean> {
    return this.#do('read', () => {
      const roomId = this.#id(room)
      if (roomId === undefined) return false
      const [prefix, counter] = parseId(id)
      const row = this.#sql.trimmedFrom.get(roomId, prefix, counter)
      return row !== undefined && counter <= (row['last'] as number)
    })
  }

  async findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#do('read', () => {
      const id = this.#id(room)
      return id === undefined
        ? undefined
        : (this.#sql.placeByTime.get(id, time)?.['place'] as number | undefined)
    })
  }

  async stats(room: string): Promise<RoomStats | undefined> {
    return this.#do('read', () => {
      const row = this.#sql.room.get(room)
      if (!row) return undefined
      const devices = this.#sql.countState.get(row['id'] as number, `${DEVICE_KEY}*`)?.[
        'count'
      ] as number
      return {
        head: headOf(row),
        events: row['events'] as number,
        bytes: row['bytes'] as number,
        devices,
      }
    })
  }

  async trim(room: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    return this.#do('trim', () => this.#transaction(() => applyTrim(this.#sql, room, keep, step)))
  }

  async rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.#do('read', () =>
      this.#sql.names.all(after, limit).map(({ name }) => name as string),
    )
  }

  signal(): void {
    // One process only: there is nobody else to tell.
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#flush()
    this.#database.close()
  }

  #id(room: string): number | undefined {
    return this.#sql.room.get(room)?.['id'] as number | undefined
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
    let appended: boolean[]
    try {
      appended = this.#transaction(() =>
        pending.map(({ room, append }) => applyAppend(this.#sql, room, append)),
      )
    } catch (error) {
      if (pending.length === 1) pending[0]?.reject(storeError('append', error))
      return false
    }
    for (const [i, { resolve }] of pending.entries()) resolve(appended[i] as boolean)
    return true
  }

  #transaction<T>(run: () => T): T {
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

  #do<T>(what: string, run: () => T): T {
    if (this.#closed) throw closedError()
    try {
      return run()
    } catch (error) {
      throw isBusError(error) ? error : storeError(what, error)
    }
  }
}

/** Not by `recursive: true`: where a system answers ENOENT to every mkdir, Node tries for ever. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}

function headOf(row: Row): RoomHead {
  return {
    epoch: row['epoch'] as string,
    version: row['version'] as number,
    ...markOf(row),
    time: row['time'] as number,
  }
}

function closedError(): BusError {
  return new BusError('unavailable', 'the SQLite store is closed', { stage: 'log' })
}

function storeError(what: string, cause: unknown): BusError {
  return new BusError('unavailable', `the SQLite store cannot ${what}: ${messageOf(cause)}`, {
    stage: 'log',
    cause,
  })
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

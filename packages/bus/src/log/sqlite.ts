/**
 * The log in a SQLite file, through `node:sqlite` (Node 22.13 and later, Deno, Bun). One process
 * at a time has a file open.
 *
 * @example
 * import { sqliteLog } from '@crosstown/bus/log/sqlite'
 * const bus = createBus({ name: 'orders', log: sqliteLog('./orders.db') })
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { BusError, isBusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { BatchRef, Term } from '../protocol/frames.ts'
import type {
  Log,
  LogSource,
  LogState,
  OwnBatch,
  Placement,
  RoomBatch,
  RoomState,
  StoredBatch,
  StoredRun,
  WelcomeUpdate,
} from './log.ts'
import { indexOfId, placementsOf, readRecord, readTexts } from './record.ts'
import {
  afterRoomBatch,
  afterTerm,
  afterWelcome,
  assertFollows,
  assertTerm,
  emptyRoomState,
} from './room-state.ts'
import { acquire, filePath, release, sqliteError } from './sqlite-file.ts'

export interface SqliteLogOptions {
  /** `relaxed` survives the end of the process, `strict` a power cut as well. @default 'strict' */
  readonly durability?: 'relaxed' | 'strict'
}

/**
 * Keeps the log in a SQLite file; one file holds the logs of any number of buses of one process.
 *
 * @param path of the file, made where it does not exist; `:memory:` for none
 */
export function sqliteLog(path: string, options: SqliteLogOptions = {}): LogSource {
  if (typeof path !== 'string' || path === '') {
    throw new BusError('invalid_options', 'sqliteLog: give the path of a file, or :memory:')
  }
  const { durability = 'strict' } = options
  return {
    kind: 'disk',
    required: true,
    available: () => true,
    create: (name, room, platform) =>
      new SqliteLog(filePath(path), `${name}:${room}`, platform, durability),
  }
}

const FORMAT = 1

interface Row {
  batch: number
  kind: 'own' | 'room'
  time: number
  headers: string
  data: string
  room_events: number
  last_id: string | null
  epoch: string | null
  prev: string | null
  position: string | null
  runs: string | null
}

class SqliteLog implements Log {
  readonly kind = 'disk'
  readonly shared = false
  readonly #path: string
  readonly #log: string
  readonly #platform: Platform
  readonly #durability: 'relaxed' | 'strict'
  #database: DatabaseSync | undefined
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, log: string, platform: Platform, durability: 'relaxed' | 'strict') {
    this.#path = path
    this.#log = log
    this.#platform = platform
    this.#durability = durability
  }

  async open(outbox?: boolean): Promise<LogState> {
    if (!this.#database) {
      this.#database = acquire(this.#path, this.#durability)
      this.#write(() => {
        if (this.#meta('logId') !== undefined) return
        this.#setMeta('format', FORMAT)
        this.#setMeta('logId', this.#platform.randomText(22))
        this.#setMeta('device', {
          id: this.#platform.randomText(22),
          secret: this.#platform.randomText(43),
        })
        this.#setMeta('room', emptyRoomState())
        this.#setMeta('last', 0)
      })
    }
    return this.state(outbox)
  }

  async append(batch: OwnBatch, begun?: () => void): Promise<number> {
    const number = this.#write(() => {
      const next = this.#nextNumber()
      this.#insert(next, batch, 'own')
      return next
    })
    begun?.()
    return number
  }

  async appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    return this.#write(() => {
      const state = this.#meta('room') as RoomState
      assertFollows(state, batch, term)
      if (batch.runs.length === 0) {
        this.#setMeta('room', afterRoomBatch(state, batch, undefined, 0))
        return 0
      }
      const number = this.#nextNumber()
      this.#insert(number, batch, 'room')
      let confirmed: BatchRef | undefined
      for (const placement of placementsOf(batch, number)) {
        this.#run(
          'INSERT OR REPLACE INTO crosstown_room (log, batch, placement) VALUES (?, ?, ?)',
          [placement.batch, JSON.stringify(placement)],
        )
        const own = this.#row(placement.batch)
        if (own?.last_id) confirmed = { batch: placement.batch, id: own.last_id }
      }
      this.#setMeta('room', afterRoomBatch(state, batch, confirmed, 0))
      return number
    })
  }

  async takeTerm(nonce: string): Promise<Term> {
    return this.#write(() => {
      const { state, term } = afterTerm(this.#meta('room') as RoomState, nonce)
      this.#setMeta('room', state)
      return term
    })
  }

  async welcomed(update: WelcomeUpdate): Promise<void> {
    this.#write(() => {
      const state = this.#meta('room') as RoomState
      assertTerm(state, update.term)
      this.#setMeta('room', afterWelcome(state, update))
    })
  }

  async state(outbox = true): Promise<LogState> {
    const room = this.#meta('room') as RoomState
    const head = this.#get(
      'SELECT batch, time FROM crosstown_batches WHERE log = ? ORDER BY batch DESC LIMIT 1',
      [],
    )
    const pending =
      outbox &&
      this.#get(
        'SELECT coalesce(sum(room_events), 0) AS sum FROM crosstown_batches WHERE log = ? AND batch > ?',
        [room.confirmed?.batch ?? 0],
      )
    return {
      logId: this.#meta('logId') as string,
      device: this.#meta('device') as LogState['device'],
      head: { batch: (head?.['batch'] as number) ?? 0, time: (head?.['time'] as number) ?? 0 },
      room: { ...room, pending: pending ? (pending['sum'] as number) : 0 },
    }
  }

  async read(from: number, limit: number): Promise<StoredBatch[]> {
    const rows = this.#statement(
      'SELECT * FROM crosstown_batches WHERE log = ? AND batch >= ? ORDER BY batch LIMIT ?',
    ).all(this.#log, from, limit)
    return (rows as unknown as Row[]).map(toStored)
  }

  async readBack(to: number, limit: number): Promise<StoredBatch[]> {
    const rows = this.#statement(
      'SELECT * FROM crosstown_batches WHERE log = ? AND batch <= ? ORDER BY batch DESC LIMIT ?',
    ).all(this.#log, Math.min(to, Number.MAX_SAFE_INTEGER), limit)
    return (rows as unknown as Row[]).map(toStored)
  }

  async find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    const [prefix, counter] = parseId(id)
    const found = this.#get(
      'SELECT batch FROM crosstown_ids WHERE log = ? AND prefix = ? AND counter >= ? ORDER BY counter LIMIT 1',
      [prefix, counter],
    )
    const row = found && this.#row(found['batch'] as number)
    if (!row) return undefined
    const batch = toStored(row)
    const index = indexOfId(batch, id)
    return index < 0 ? undefined : { batch, index }
  }

  async placement(batch: number): Promise<Placement | undefined> {
    const row = this.#get('SELECT placement FROM crosstown_room WHERE log = ? AND batch = ?', [
      batch,
    ])
    return row && (JSON.parse(row['placement'] as string) as Placement)
  }

  async close(): Promise<void> {
    if (!this.#database) return
    this.#statements.clear()
    release(this.#path, this.#database)
    this.#database = undefined
  }

  #open(): DatabaseSync {
    if (!this.#database) throw new BusError('closed', 'the log is not open', { stage: 'log' })
    return this.#database
  }

  #write<T>(run: () => T): T {
    const database = this.#open()
    try {
      database.exec('BEGIN IMMEDIATE')
      const result = run()
      database.exec('COMMIT')
      return result
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw isBusError(error) ? error : sqliteError(error, this.#path)
    }
  }

  /** Kept in `meta` rather than derived from rows, so that no number is ever used twice. */
  #nextNumber(): number {
    const number = (this.#meta('last') as number) + 1
    this.#setMeta('last', number)
    return number
  }

  #insert(number: number, batch: OwnBatch | RoomBatch, kind: 'own' | 'room'): void {
    const own = kind === 'own' ? (batch as OwnBatch) : undefined
    const room = kind === 'room' ? (batch as RoomBatch) : undefined
    this.#run(
      'INSERT INTO crosstown_batches (log, batch, kind, time, headers, data, types, room_events, last_id, epoch, prev, position, runs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [
        number,
        kind,
        batch.time,
        batch.headers,
        batch.data,
        JSON.stringify(batch.types),
        own?.roomEvents ?? 0,
        own?.lastRoomId ?? null,
        room?.epoch ?? null,
        room?.prev ?? null,
        room?.position ?? null,
        room ? JSON.stringify(room.runs) : null,
      ],
    )
    for (const [prefix, counter] of batch.ids) {
      this.#run(
        'INSERT OR IGNORE INTO crosstown_ids (log, prefix, counter, batch) VALUES (?, ?, ?, ?)',
        [prefix, counter, number],
      )
    }
    for (const [stream, { indexes }] of batch.streams) {
      this.#run('INSERT INTO crosstown_streams (log, stream, batch, indexes) VALUES (?, ?, ?, ?)', [
        stream,
        number,
        JSON.stringify(indexes),
      ])
    }
  }

  #row(batch: number): Row | undefined {
    return this.#get('SELECT * FROM crosstown_batches WHERE log = ? AND batch = ?', [
      batch,
    ]) as unknown as Row
  }

  #meta(key: string): unknown {
    const row = this.#get('SELECT value FROM crosstown_meta WHERE log = ? AND key = ?', [key])
    return row === undefined ? undefined : JSON.parse(row['value'] as string)
  }

  #setMeta(key: string, value: unknown): void {
    this.#run('INSERT OR REPLACE INTO crosstown_meta (log, key, value) VALUES (?, ?, ?)', [
      key,
      JSON.stringify(value),
    ])
  }

  #get(sql: string, values: (string | number)[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(this.#log, ...values) as Record<string, unknown> | undefined
  }

  #run(sql: string, values: (string | number | null)[]): void {
    this.#statement(sql).run(this.#log, ...values)
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const prepared = this.#open().prepare(sql)
    this.#statements.set(sql, prepared)
    return prepared
  }
}

function toStored(row: Row): StoredBatch {
  return readRecord(row.batch, row.time, () => parse(row))
}

function parse(row: Row): StoredBatch {
  const { headers, data } = readTexts(row.headers, row.data, row.batch)
  if (row.kind === 'own') {
    return {
      kind: 'own',
      batch: row.batch,
      time: row.time,
      headers,
      data,
      roomEvents: row.room_events,
    }
  }
  return {
    kind: 'room',
    batch: row.batch,
    time: row.time,
    epoch: row.epoch as string,
    prev: row.prev as string,
    position: row.position as string,
    runs: JSON.parse(row.runs as string) as StoredRun[],
    headers,
    data,
  }
}

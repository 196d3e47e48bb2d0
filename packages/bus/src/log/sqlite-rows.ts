/** The rows of one log in a SQLite file: statements, transactions, and the end of them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { BusError, isBusError } from '../errors.ts'
import { type ConsumerRow, type ConsumerWrite, type DeadRow, deadTooMany } from './consumers.ts'
import type { OwnBatch, Placement, RoomBatch, StoredBatch, StoredRun } from './log.ts'
import { readPlacementText } from './placement.ts'
import { readRecord, readTexts } from './record.ts'
import { MAX_SNAPSHOTS } from './retention.ts'
import { acquire, release, sqliteError } from './sqlite-file.ts'
import type { StreamEvents } from './stream-mark.ts'

/** A row of `crosstown_batches`. */
export interface Row {
  readonly batch: number
  readonly kind: 'own' | 'room'
  readonly time: number
  readonly headers: string
  readonly data: string
  readonly room_events: number
  readonly epoch: string | null
  readonly prev: string | null
  readonly position: string | null
  readonly runs: string | null
}

/** Tables with rows of a log. */
/** Of a row of `streams`, which may be damaged. */
const EVENTS = 'CASE WHEN json_valid(indexes) THEN json_array_length(indexes) ELSE 0 END'

const TABLES = [
  'batches',
  'ids',
  'streams',
  'room',
  'meta',
  'snapshots',
  'consumers',
  'dead',
] as const

/** Open logs of this process, by connection and name: who clears one tells the others. */
const USERS = new Map<DatabaseSync, Set<SqliteRows>>()

export class SqliteRows {
  readonly #path: string
  readonly #log: string
  readonly #durability: 'relaxed' | 'strict'
  #database: DatabaseSync | undefined
  #gone: BusError | undefined
  #lost: ((error: BusError) => void) | undefined
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, log: string, durability: 'relaxed' | 'strict') {
    this.#path = path
    this.#log = log
    this.#durability = durability
  }

  /** Opens the file; `make` runs in a transaction. @throws {BusError} log_in_use, log_unavailable */
  open(make: () => void): void {
    if (this.#gone) throw this.#gone
    if (this.#database) return
    const database = acquire(this.#path, this.#durability)
    this.#database = database
    const users = USERS.get(database) ?? new Set()
    USERS.set(database, users.add(this))
    this.write(make)
  }

  watch(lost: (error: BusError) => void): void {
    this.#lost = lost
    if (this.#gone) lost(this.#gone)
  }

  /** Removes all rows of this log, for all who have it open. */
  clear(): void {
    const database = this.#open()
    this.write(() => {
      for (const table of TABLES) this.#run(`DELETE FROM crosstown_${table} WHERE log = ?`, [])
    })
    this.#lost = undefined
    for (const user of USERS.get(database) ?? []) if (user.#log === this.#log) user.#cleared()
  }

  #cleared(): void {
    this.#gone = new BusError('log_cleared', 'the log was cleared', { stage: 'log' })
    this.close()
    this.#lost?.(this.#gone)
  }

  close(): void {
    const database = this.#database
    if (!database) return
    this.#database = undefined
    this.#statements.clear()
    const users = USERS.get(database)
    users?.delete(this)
    if (users?.size === 0) USERS.delete(database)
    release(this.#path, database)
  }

  #open(): DatabaseSync {
    if (this.#gone) throw this.#gone
    if (!this.#database) throw new BusError('closed', 'the log is not open', { stage: 'log' })
    return this.#database
  }

  write<T>(run: () => T): T {
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

  /** Writes a record under the next number, and returns that. */
  insert(batch: OwnBatch | RoomBatch, kind: 'own' | 'room'): number {
    // Kept in `meta` rather than derived from rows, so that no number is ever used twice.
    const number = (this.meta('last') as number) + 1
    this.setMeta('last', number)
    const own = kind === 'own' ? (batch as OwnBatch) : undefined
    const room = kind === 'room' ? (batch as RoomBatch) : undefined
    this.#run(
      'INSERT INTO crosstown_batches (log, batch, kind, time, headers, data, types, room_events, epoch, prev, position, runs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [
        number,
        kind,
        batch.time,
        batch.headers,
        batch.data,
        JSON.stringify(batch.types),
        own?.roomEvents ?? 0,
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
    return number
  }

  /** Removes records and what belongs to them, each table in one go: not all know batches by key. */
  remove(batches: readonly number[]): void {
    for (const table of ['batches', 'ids', 'streams', 'room']) {
      this.#run(
        `DELETE FROM crosstown_${table} WHERE log = ? AND batch IN (SELECT value FROM json_each(?))`,
        [JSON.stringify(batches)],
      )
    }
  }

  row(batch: number): Row | undefined {
    return this.#get('SELECT * FROM crosstown_batches WHERE log = ? AND batch = ?', [
      batch,
    ]) as unknown as Row
  }

  /** Number and time of the newest or oldest record; 0 where there is none. */
  edge(which: 'newest' | 'oldest'): { batch: number; time: number } {
    const order = which === 'newest' ? 'DESC' : 'ASC'
    const row = this.#get(
      `SELECT batch, time FROM crosstown_batches WHERE log = ? ORDER BY batch ${order} LIMIT 1`,
      [],
    )
    return { batch: (row?.['batch'] as number) ?? 0, time: (row?.['time'] as number) ?? 0 }
  }

  from(batch: number, limit: number): Row[] {
    return this.#all<Row>(
      'SELECT * FROM crosstown_batches WHERE log = ? AND batch >= ? ORDER BY batch LIMIT ?',
      [Math.min(batch, Number.MAX_SAFE_INTEGER), limit],
    )
  }

  back(batch: number, limit: number): Row[] {
    return this.#all<Row>(
      'SELECT * FROM crosstown_batches WHERE log = ? AND batch <= ? ORDER BY batch DESC LIMIT ?',
      [Math.min(batch, Number.MAX_SAFE_INTEGER), limit],
    )
  }

  /** Records with an id of the prefix whose counter is this or a higher one. */
  *mayHold(prefix: string, counter: number): Generator<Row, void, void> {
    const found = this.#all<{ batch: number }>(
      'SELECT batch FROM crosstown_ids WHERE log = ? AND prefix = ? AND counter >= ? ORDER BY counter',
      [prefix, counter],
    )
    for (const { batch } of found) {
      const row = this.row(batch)
      if (row) yield row
    }
  }

  /** Records with events of a stream. */
  withStream(stream: string): Row[] {
    return this.#all<Row>(
      `SELECT * FROM crosstown_batches WHERE log = ?1
       AND batch IN (SELECT batch FROM crosstown_streams WHERE log = ?1 AND stream = ?2) ORDER BY batch`,
      [stream],
    )
  }

  /** Events of a stream in the own records between two numbers. */
  countStream(stream: string, after: number, before: number): number {
    const row = this.#get(
      `SELECT coalesce(sum(${EVENTS}), 0) AS events FROM crosstown_streams
       WHERE log = ? AND stream = ? AND batch > ? AND batch < ?`,
      [stream, after, Math.min(before, Number.MAX_SAFE_INTEGER)],
    )
    return row?.['events'] as number
  }

  /** What these records have of each stream, in order. */
  streamsIn(batches: readonly number[]): Map<string, StreamEvents[]> {
    const found = new Map<string, StreamEvents[]>()
    for (const { stream, batch, events } of this.#all<StreamEvents & { stream: string }>(
      `SELECT stream, batch, ${EVENTS} AS events FROM crosstown_streams
       WHERE log = ? AND batch IN (SELECT value FROM json_each(?)) ORDER BY stream, batch`,
      [JSON.stringify(batches)],
    )) {
      const known = found.get(stream)
      if (known) known.push({ batch, events })
      else found.set(stream, [{ batch, events }])
    }
    return found
  }

  highest(prefix: string): number {
    const row = this.#get(
      'SELECT max(counter) AS highest FROM crosstown_ids WHERE log = ? AND prefix = ?',
      [prefix],
    )
    return (row?.['highest'] as number | null) ?? 0
  }

  /** Own records after number `after` with events for the room. */
  outbox(after: number): { events: number; bytes: number; placement: Placement | undefined }[] {
    return this.#all<{ batch: number; events: number; bytes: number; placement: string | null }>(
      `SELECT b.batch, b.room_events AS events, length(b.headers) + length(b.data) AS bytes, r.placement
       FROM crosstown_batches b LEFT JOIN crosstown_room r ON r.log = b.log AND r.batch = b.batch
       WHERE b.log = ? AND b.batch > ? AND b.room_events > 0`,
      [after],
    ).map(({ batch, events, bytes, placement }) => ({
      events,
      bytes,
      placement: placement === null ? undefined : readPlacementText(placement, batch),
    }))
  }

  placement(batch: number): Placement | undefined {
    const row = this.#get('SELECT placement FROM crosstown_room WHERE log = ? AND batch = ?', [
      batch,
    ])
    return row && readPlacementText(row['placement'], batch)
  }

  placements(from: number, to: number): Placement[] {
    return this.#all<{ batch: number; placement: unknown }>(
      'SELECT batch, placement FROM crosstown_room WHERE log = ? AND batch BETWEEN ? AND ? ORDER BY batch',
      [from, Math.min(to, Number.MAX_SAFE_INTEGER)],
    ).map(({ batch, placement }) => readPlacementText(placement, batch))
  }

  setPlacement(placement: Placement): void {
    this.#run('INSERT OR REPLACE INTO crosstown_room (log, batch, placement) VALUES (?, ?, ?)', [
      placement.batch,
      JSON.stringify(placement),
    ])
  }

  meta(key: string): unknown {
    const row = this.#get('SELECT value FROM crosstown_meta WHERE log = ? AND key = ?', [key])
    return row === undefined ? undefined : JSON.parse(row['value'] as string)
  }

  setMeta(key: string, value: unknown): void {
    this.#run('INSERT OR REPLACE INTO crosstown_meta (log, key, value) VALUES (?, ?, ?)', [
      key,
      JSON.stringify(value),
    ])
  }

  snapshot(name: string): string | undefined {
    const row = this.#get('SELECT text FROM crosstown_snapshots WHERE log = ? AND name = ?', [name])
    return row?.['text'] as string | undefined
  }

  /** What is written gets the highest row id, so that these tell which was kept longest ago. */
  keepSnapshot(name: string, text: string): void {
    this.#run('INSERT OR REPLACE INTO crosstown_snapshots (log, name, text) VALUES (?, ?, ?)', [
      name,
      text,
    ])
    this.#run(
      `DELETE FROM crosstown_snapshots WHERE log = ?1 AND rowid NOT IN
       (SELECT rowid FROM crosstown_snapshots WHERE log = ?1 ORDER BY rowid DESC LIMIT ?2)`,
      [MAX_SNAPSHOTS],
    )
  }

  consumers(): ConsumerRow[] {
    return this.#all<ConsumerRow>(
      'SELECT name, generation, state FROM crosstown_consumers WHERE log = ? ORDER BY name',
      [],
    ).map((row) => ({ ...row }))
  }

  consumer(name: string): ConsumerRow | undefined {
    const row = this.#get(
      'SELECT name, generation, state FROM crosstown_consumers WHERE log = ? AND name = ?',
      [name],
    )
    return row && ({ ...row } as unknown as ConsumerRow)
  }

  writeConsumer({
    name,
    generation,
    state,
    expected,
    dead = [],
  }: ConsumerWrite): number | undefined {
    if ((this.consumer(name)?.generation ?? 0) !== expected) return undefined
    this.#run(
      'INSERT OR REPLACE INTO crosstown_consumers (log, name, generation, state) VALUES (?, ?, ?, ?)',
      [name, generation, state],
    )
    if (dead.length === 0) return 0
    for (const { consumer, text } of dead) {
      this.#run('INSERT INTO crosstown_dead (log, consumer, text) VALUES (?, ?, ?)', [
        consumer,
        text,
      ])
    }
    const sizes = this.#all<{ id: number; size: number }>(
      'SELECT id, length(text) AS size FROM crosstown_dead WHERE log = ? ORDER BY id',
      [],
    )
    const gone = deadTooMany(sizes.map(({ size }) => size))
    for (const { id } of sizes.slice(0, gone)) this.#removeDead(id)
    return gone
  }

  removeConsumer(name: string): void {
    this.#run('DELETE FROM crosstown_consumers WHERE log = ? AND name = ?', [name])
  }

  deadLetters(): DeadRow[] {
    return this.#all<DeadRow>(
      'SELECT id, consumer, text FROM crosstown_dead WHERE log = ? ORDER BY id',
      [],
    ).map((row) => ({ ...row }))
  }

  changeDead(changes: ReadonlyMap<number, string | undefined>): number[] {
    const known = new Set(this.deadLetters().map(({ id }) => id))
    const changed = [...changes].filter(([id]) => known.has(id))
    for (const [id, text] of changed) {
      if (text === undefined) this.#removeDead(id)
      else {
        this.#run('UPDATE crosstown_dead SET text = ?2 WHERE log = ?1 AND id = ?3', [text, id])
      }
    }
    return changed.map(([id]) => id)
  }

  #removeDead(id: number): void {
    this.#run('DELETE FROM crosstown_dead WHERE log = ? AND id = ?', [id])
  }

  #all<T>(sql: string, values: (string | number)[]): T[] {
    return this.#statement(sql).all(this.#log, ...values) as unknown as T[]
  }

  #get(sql: string, values: (string | number)[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(this.#log, ...values) as Record<string, unknown> | undefined
  }

  #run(sql: string, values: (string | number | null)[]): void {
    this.#statement(sql).run(this.#log, ...values)
  }

  #statement(sql: string): StatementSync {
    const database = this.#open()
    const known = this.#statements.get(sql)
    if (known) return known
    const prepared = database.prepare(sql)
    this.#statements.set(sql, prepared)
    return prepared
  }
}

export function toStored(row: Row): StoredBatch {
  return readRecord(row.batch, row.time, () => parse(row))
}

function parse(row: Row): StoredBatch {
  const { batch, kind, time, room_events, epoch, prev, position, runs } = row
  const { headers, data } = readTexts(row.headers, row.data, batch)
  if (kind === 'own') return { kind, batch, time, headers, data, roomEvents: room_events }
  return {
    kind,
    batch,
    time,
    epoch: epoch as string,
    prev: prev as string,
    position: position as string,
    runs: JSON.parse(runs as string) as StoredRun[],
    headers,
    data,
  }
}

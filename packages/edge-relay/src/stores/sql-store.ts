/** A store in the tables of a SQLite, but for how it writes: that differs with who has the SQLite. */
import { BusError, type Durability, isBusError, parseId } from '@crosstown/bus/protocol'
import { type Mark, type RoomFirst, type RoomHead, type RoomRecord, UNTRIMMED } from '../record.ts'
import type { Row } from './sql.ts'
import {
  applyDelete,
  applyPurge,
  applyTrim,
  markOf,
  recordOf,
  type Statements,
} from './sqlite-rows.ts'
import {
  type Append,
  DEVICE_KEY,
  FIND_CANDIDATES,
  type Found,
  type Keep,
  type LoadedRoom,
  ON_DEMAND,
  type ReadLimit,
  type RoomStats,
  type Store,
} from './store.ts'

/** From each prefix to behind all of its keys: `0` is what follows the slash. */
const LEFT_OUT: readonly string[] = ON_DEMAND.flatMap((key) => [key, `${key.slice(0, -1)}0`])

/** What all stores in SQLite do alike. */
export abstract class SqlStore implements Store {
  abstract readonly durability: Durability
  protected readonly sql: Statements
  protected closed = false

  constructor(sql: Statements) {
    this.sql = sql
  }

  abstract append(room: string, append: Append): Promise<boolean>

  abstract close(): Promise<void>

  /** All or none of what `run` writes. */
  protected abstract transaction<T>(run: () => T): T

  async load(room: string): Promise<LoadedRoom | undefined> {
    return this.tried('load', () => {
      const row = this.sql.room.get(room)
      if (!row) return undefined
      const state = this.sql.state.all(row['id'] as number, ...LEFT_OUT)
      return {
        head: headOf(row),
        state: state.map(({ key, value }) => [key as string, value as string] as const),
      }
    })
  }

  async state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.tried('read', () => {
      const id = this.#id(room)
      return keys.map((key) =>
        id === undefined ? undefined : (this.sql.value.get(id, key)?.['value'] as string),
      )
    })
  }

  async head(room: string): Promise<RoomHead | undefined> {
    return this.tried('read', () => {
      const row = this.sql.room.get(room)
      return row && headOf(row)
    })
  }

  async read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.tried('read', () => {
      const id = this.#id(room)
      if (id === undefined) return []
      const found: RoomRecord[] = []
      let events = 0
      let bytes = 0
      for (const row of this.sql.recordsFrom.iterate(id, after + 1)) {
        events += row['count'] as number
        bytes += row['bytes'] as number
        if (found.length > 0 && (events > limit.events || bytes > limit.bytes)) break
        found.push(recordOf(row))
      }
      return found
    })
  }

  async first(room: string): Promise<RoomFirst> {
    return this.tried('read', () => {
      const id = this.#id(room)
      const row = id === undefined ? undefined : this.sql.first.get(id)
      return row ? markOf(row) : UNTRIMMED
    })
  }

  async trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.tried('read', () => {
      const id = this.#id(room)
      const row = id === undefined ? undefined : this.sql.trimmedAt.get(id, place)
      return row && markOf(row)
    })
  }

  async find(room: string, id: string): Promise<Found | undefined> {
    return this.tried('read', () => {
      const roomId = this.#id(room)
      if (roomId === undefined) return undefined
      const [prefix, counter] = parseId(id)
      for (const row of this.sql.recordsByPair.iterate(roomId, prefix, counter, FIND_CANDIDATES)) {
        const record = recordOf(row)
        const index = record.headers.findIndex((header) => header.id === id)
        if (index >= 0) return { record, index }
      }
      return undefined
    })
  }

  async wasTrimmed(room: string, id: string): Promise<boolean> {
    return this.tried('read', () => {
      const roomId = this.#id(room)
      if (roomId === undefined) return false
      const [prefix, counter] = parseId(id)
      const row = this.sql.trimmedFrom.get(roomId, prefix, counter)
      return row !== undefined && counter <= (row['last'] as number)
    })
  }

  async findByTime(room: string, time: number): Promise<number | undefined> {
    return this.tried('read', () => {
      const id = this.#id(room)
      return id === undefined
        ? undefined
        : (this.sql.placeByTime.get(id, time)?.['place'] as number | undefined)
    })
  }

  async stats(room: string): Promise<RoomStats | undefined> {
    return this.tried('read', () => {
      const row = this.sql.room.get(room)
      if (!row) return undefined
      const devices = this.sql.countState.get(row['id'] as number, `${DEVICE_KEY}*`)?.[
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
    return this.tried('trim', () => this.transaction(() => applyTrim(this.sql, room, keep, step)))
  }

  async delete(room: string): Promise<boolean> {
    return this.tried('delete', () => this.transaction(() => applyDelete(this.sql, room)))
  }

  async wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.tried('read', () => this.sql.wasDeleted.get(room, epoch) !== undefined)
  }

  async purge(step: ReadLimit): Promise<boolean> {
    return this.tried('delete', () => this.transaction(() => applyPurge(this.sql, step.events)))
  }

  async rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.tried('read', () =>
      this.sql.names.all(after, limit).map(({ name }) => name as string),
    )
  }

  signal(): void {
    // One process only: there is nobody else to tell.
  }

  #id(room: string): number | undefined {
    return this.sql.room.get(room)?.['id'] as number | undefined
  }

  protected tried<T>(what: string, run: () => T): T {
    if (this.closed) throw closedError()
    try {
      return run()
    } catch (error) {
      throw isBusError(error) ? error : storeError(what, error)
    }
  }
}

function headOf(row: Row): RoomHead {
  return {
    epoch: row['epoch'] as string,
    version: row['version'] as number,
    ...markOf(row),
    time: row['time'] as number,
  }
}

export function closedError(): BusError {
  return new BusError('unavailable', 'the store is closed', { stage: 'log' })
}

export function storeError(what: string, cause: unknown): BusError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new BusError('unavailable', `the store cannot ${what}: ${why}`, { stage: 'log', cause })
}

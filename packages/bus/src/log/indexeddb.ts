/**
 * The log in IndexedDB, shared by all contexts of an origin. IndexedDB costs per request and per
 * transaction, not per byte: a batch is one record, written by one `add` and a `commit`, and
 * nothing is read on the way. The database's own key generator gives the numbers.
 */
import { type IDBPDatabase, openDB, unwrap } from 'idb'
import { BusError, isBusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { BatchRef, Term } from '../protocol/frames.ts'
import {
  addStreams,
  type BatchRow,
  createStores,
  DATABASE_VERSION,
  quiet,
  type Schema,
  toStored,
} from './indexeddb-rows.ts'
import type {
  Log,
  LogSource,
  LogState,
  OwnBatch,
  Placement,
  RoomBatch,
  RoomState,
  StoredBatch,
  WelcomeUpdate,
} from './log.ts'
import { indexOfId, placementsOf } from './record.ts'
import { afterRoomBatch, afterTerm, afterWelcome, assertFollows, assertTerm } from './room-state.ts'

export interface IndexedDbLogOptions {
  /** Refuse to run without it, instead of falling back to memory. @default false */
  readonly required?: boolean
  /**
   * `relaxed` survives the end of the browser, `strict` a power cut as well, for the price of a
   * disk flush each batch. @default 'relaxed'
   */
  readonly durability?: 'relaxed' | 'strict'
}

/**
 * Keeps the log in the origin's IndexedDB, in the database `crosstown:<name>:<room>`.
 *
 * @example createBus({ name: 'shop', log: indexedDbLog({ required: true }) })
 */
export function indexedDbLog(options: IndexedDbLogOptions = {}): LogSource {
  const { required = false, durability = 'relaxed' } = options
  if (durability !== 'relaxed' && durability !== 'strict') {
    throw new BusError('invalid_options', "indexedDbLog: durability must be 'relaxed' or 'strict'")
  }
  return {
    kind: 'disk',
    required,
    available: (platform) => platform.indexedDB !== undefined,
    create: (name, room, platform) =>
      new IndexedDbLog(`crosstown:${name}:${room}`, platform, durability),
  }
}

class IndexedDbLog implements Log {
  readonly kind = 'disk'
  readonly shared = true
  readonly #name: string
  readonly #platform: Platform
  readonly #durability: 'relaxed' | 'strict'
  #opening: Promise<IDBPDatabase<Schema>> | undefined
  #database: IDBPDatabase<Schema> | undefined
  /** The same database without wrappers, for the one path that is hot. */
  #raw: IDBDatabase | undefined
  #gone: BusError | undefined
  readonly #running = new Set<Promise<unknown>>()

  constructor(name: string, platform: Platform, durability: 'relaxed' | 'strict') {
    this.#name = name
    this.#platform = platform
    this.#durability = durability
  }

  async open(outbox?: boolean): Promise<LogState> {
    const platform = this.#platform
    this.#opening ??= openDB<Schema>(this.#name, DATABASE_VERSION, {
      upgrade: (database, _from, _to, transaction) =>
        createStores(database, transaction.done, platform),
      // Somebody clears the log or deletes the database: an open connection would block them.
      blocking: () => this.#lose('log_cleared', 'the log was cleared by another context'),
      terminated: () => this.#lose('log_lost', 'the browser closed the connection to the log'),
    })
    try {
      this.#database = await this.#opening
    } catch (cause) {
      throw new BusError('log_unavailable', `IndexedDB did not open: ${nameOf(cause)}`, {
        stage: 'log',
        cause,
      })
    }
    this.#raw = unwrap(this.#database) as IDBDatabase
    return this.state(outbox)
  }

  #lose(code: 'log_cleared' | 'log_lost', message: string): void {
    this.#gone = new BusError(code, message, { stage: 'log' })
    this.#database?.close()
  }

  append(batch: OwnBatch, begun?: () => void): Promise<number> {
    const write = new Promise<number>((resolve, reject) => {
      const transaction = this.#transaction(
        batch.streams.size > 0 ? ['batches', 'streams'] : ['batches'],
      )
      let number = 0
      transaction.oncomplete = () => resolve(number)
      transaction.onabort = () => reject(writeError(transaction.error))
      // Transactions are served in the order in which they were made: others may hear of it now.
      begun?.()
      const row: BatchRow = {
        kind: 'own',
        time: batch.time,
        headers: batch.headers,
        data: batch.data,
        types: batch.types,
        ids: batch.ids,
        roomEvents: batch.roomEvents,
        ...(batch.lastRoomId === undefined ? undefined : { lastId: batch.lastRoomId }),
      }
      const added = transaction.objectStore('batches').add(row)
      added.onsuccess = () => {
        number = added.result as number
        if (batch.streams.size === 0) return
        addStreams(transaction.objectStore('streams'), batch, number)
        transaction.commit()
      }
      if (batch.streams.size === 0) transaction.commit()
    })
    return this.#track(write)
  }

  async appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    const stores = ['batches', 'streams', 'room', 'meta'] as const
    const transaction = this.#open().transaction(stores, 'readwrite', {
      durability: this.#durability,
    })
    const write = async (): Promise<number> => {
      const meta = transaction.objectStore('meta')
      const state = (await meta.get('room')) as RoomState
      assertFollows(state, batch, term)
      if (batch.runs.length === 0) {
        quiet(meta.put(afterRoomBatch(state, batch, undefined, 0), 'room'))
        return 0
      }
      const number = await transaction.objectStore('batches').add({
        kind: 'room',
        time: batch.time,
        headers: batch.headers,
        data: batch.data,
        types: batch.types,
        ids: batch.ids,
        epoch: batch.epoch,
        prev: batch.prev,
        position: batch.position,
        runs: batch.runs,
      })
      addStreams(unwrap(transaction).objectStore('streams'), batch, number)
      let confirmed: BatchRef | undefined
      for (const placement of placementsOf(batch, number)) {
        quiet(transaction.objectStore('room').put(placement))
        const own = await transaction.objectStore('batches').get(placement.batch)
        if (own?.lastId !== undefined) confirmed = { batch: placement.batch, id: own.lastId }
      }
      quiet(meta.put(afterRoomBatch(state, batch, confirmed, 0), 'room'))
      return number
    }
    return this.#track(this.#settle(transaction, write()))
  }

  async takeTerm(nonce: string): Promise<Term> {
    return this.#changeRoom((state) => {
      const next = afterTerm(state, nonce)
      return { state: next.state, result: next.term }
    })
  }

  async welcomed(update: WelcomeUpdate): Promise<void> {
    return this.#changeRoom((state) => {
      assertTerm(state, update.term)
      return { state: afterWelcome(state, update), result: undefined }
    })
  }

  async #changeRoom<T>(change: (state: RoomState) => { state: RoomState; result: T }): Promise<T> {
    const transaction = this.#open().transaction('meta', 'readwrite', {
      durability: this.#durability,
    })
    const write = async (): Promise<T> => {
      const { state, result } = change((await transaction.store.get('room')) as RoomState)
      quiet(transaction.store.put(state, 'room'))
      return result
    }
    return this.#track(this.#settle(transaction, write()))
  }

  /** The result of a write once it is committed; one that throws rolls everything back. */
  async #settle<T>(
    transaction: { done: Promise<void>; abort(): void; error: DOMException | null },
    write: Promise<T>,
  ): Promise<T> {
    const done = transaction.done.then(
      () => undefined,
      (error: unknown) => error ?? transaction.error,
    )
    try {
      const result = await write
      const failure = await done
      if (failure !== undefined) throw failure
      return result
    } catch (error) {
      try {
        transaction.abort()
      } catch {
        // It has ended by itself already: what failed in it has rolled it back.
      }
      await done
      throw isBusError(error) ? error : writeError(error)
    }
  }

  async state(outbox = true): Promise<LogState> {
    const transaction = this.#open().transaction(['batches', 'meta'], 'readonly')
    const meta = transaction.objectStore('meta')
    const [logId, device, room] = await Promise.all([
      meta.get('logId'),
      meta.get('device'),
      meta.get('room'),
    ])
    const newest = await transaction.objectStore('batches').openCursor(null, 'prev')
    const state = room as RoomState
    let pending = 0
    const unconfirmed = IDBKeyRange.lowerBound(state.confirmed?.batch ?? 0, true)
    let cursor = outbox ? await transaction.objectStore('batches').openCursor(unconfirmed) : null
    while (cursor) {
      pending += cursor.value.roomEvents ?? 0
      cursor = await cursor.continue()
    }
    return {
      logId: logId as string,
      device: device as LogState['device'],
      head: { batch: newest?.key ?? 0, time: newest?.value.time ?? 0 },
      room: { ...state, pending },
    }
  }

  async read(from: number, limit: number): Promise<StoredBatch[]> {
    const range = IDBKeyRange.lowerBound(from)
    const store = this.#open().transaction('batches', 'readonly').store
    const [keys, rows] = await Promise.all([
      store.getAllKeys(range, limit),
      store.getAll(range, limit),
    ])
    return rows.map((row, i) => toStored(row, keys[i] as number))
  }

  async readBack(to: number, limit: number): Promise<StoredBatch[]> {
    const found: StoredBatch[] = []
    const store = this.#open().transaction('batches', 'readonly').store
    let cursor = await store.openCursor(IDBKeyRange.upperBound(to), 'prev')
    while (cursor && found.length < limit) {
      found.push(toStored(cursor.value, cursor.key))
      cursor = await cursor.continue()
    }
    return found
  }

  async find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    const [prefix, counter] = parseId(id)
    const index = this.#open().transaction('batches', 'readonly').store.index('ids')
    const cursor = await index.openCursor(
      IDBKeyRange.bound([prefix, counter], [prefix, Number.MAX_VALUE]),
    )
    if (!cursor) return undefined
    const batch = toStored(cursor.value, cursor.primaryKey)
    const at = indexOfId(batch, id)
    return at < 0 ? undefined : { batch, index: at }
  }

  async placement(batch: number): Promise<Placement | undefined> {
    return this.#open().get('room', batch)
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#running])
    this.#gone ??= new BusError('closed', 'the log was closed', { stage: 'log' })
    const database = await this.#opening?.catch(() => undefined)
    database?.close()
  }

  #open(): IDBPDatabase<Schema> {
    if (this.#gone) throw this.#gone
    if (!this.#database)
      throw new BusError('log_unavailable', 'the log is not open yet', { stage: 'log' })
    return this.#database
  }

  #transaction(stores: string[]): IDBTransaction {
    this.#open()
    try {
      return (this.#raw as IDBDatabase).transaction(stores, 'readwrite', {
        durability: this.#durability,
      })
    } catch (cause) {
      // Safari and browsers that evict close the connection without telling.
      this.#lose('log_lost', 'the connection to the log was lost')
      throw new BusError('log_lost', 'the connection to the log was lost', { stage: 'log', cause })
    }
  }

  #track<T>(write: Promise<T>): Promise<T> {
    this.#running.add(write)
    const forget = () => this.#running.delete(write)
    write.then(forget, forget)
    return write
  }
}

function writeError(error: unknown): BusError {
  const quota = nameOf(error) === 'QuotaExceededError'
  return new BusError(
    quota ? 'quota_exceeded' : 'log_failed',
    quota
      ? 'the browser gives this site no more room: free some, or ask with navigator.storage.persist()'
      : `the log rolled the batch back: ${nameOf(error)}`,
    { stage: 'log', cause: error },
  )
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : 'unknown reason'
}

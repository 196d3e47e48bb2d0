/**
 * The connection to a log's database, and its end: a database can be deleted, or its connection
 * closed by the browser, at any moment. Whoever uses it then hears one error, and nothing hangs.
 */
import { deleteDB, type IDBPDatabase, openDB, unwrap } from 'idb'
import { BusError, isBusError } from '../errors.ts'
import type { Platform } from '../platform.ts'
import {
  createStores,
  DATABASE_VERSION,
  quiet,
  type ReadTransaction,
  type Schema,
  type StoreName,
  type WriteTransaction,
} from './indexeddb-rows.ts'

export type Durability = 'relaxed' | 'strict'

/**
 * How long opening or deleting may wait for others, who can be frozen and not let go: past it, the
 * caller is told, and can go on in memory.
 */
const PATIENCE_MS = 10_000

/** Wait before it is opened once more, doubled each time, and how often that is done. */
const AGAIN_MS = 50
const MAX_AGAIN = 6

interface Running {
  readonly write: Promise<unknown>
  readonly reject: (error: BusError) => void
}

export class Connection {
  readonly #name: string
  readonly #platform: Platform
  readonly #durability: Durability
  #opening: Promise<void> | undefined
  #database: IDBPDatabase<Schema> | undefined
  /** The same database without wrappers, for the one path that is hot. */
  #raw: IDBDatabase | undefined
  #gone: BusError | undefined
  #lost: ((error: BusError) => void) | undefined
  readonly #running = new Set<Running>()
  /** Transactions that go on only when something they asked for has come. */
  readonly #waiting = new Set<{ abort(): void }>()
  /** Those of them that were rolled back because this context was about to stand still. */
  readonly #halted = new WeakSet<object>()
  /** Set while it does, or is about to. */
  #stands: PromiseWithResolvers<void> | undefined

  constructor(name: string, platform: Platform, durability: Durability) {
    this.#name = name
    this.#platform = platform
    this.#durability = durability
  }

  /** @throws {BusError} log_unavailable */
  open(): Promise<void> {
    this.#opening ??= this.#connect().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #connect(): Promise<void> {
    const opening = this.#openDatabase()
    let database: IDBPDatabase<Schema>
    try {
      database = await this.#patiently(opening, 'opened')
    } catch (cause) {
      // What is opened after all must not block others.
      opening.then((late) => late.close()).catch(() => {})
      if (isBusError(cause)) throw cause
      throw new BusError('log_unavailable', `IndexedDB did not open: ${nameOf(cause)}`, {
        stage: 'log',
        cause,
      })
    }
    if (this.#gone) {
      database.close()
      throw this.#gone
    }
    this.#database = database
    this.#raw = unwrap(database) as IDBDatabase
  }

  /** The browser cuts off who opens while it deletes the site's data, but not who comes after it. */
  async #openDatabase(): Promise<IDBPDatabase<Schema>> {
    for (let failures = 0; ; failures++) {
      try {
        return await openDB<Schema>(this.#name, DATABASE_VERSION, {
          upgrade: (database, _from, _to, transaction) =>
            createStores(database, transaction.done, this.#platform),
          // An open connection would block whoever deletes the database, or upgrades it.
          blocking: (_version, next) =>
            next === null
              ? this.#lose('log_cleared', 'the log was cleared by another context')
              : this.#lose('log_lost', 'a later version of this software took the log over'),
          terminated: () => this.#lose('log_lost', 'the browser closed the connection to the log'),
        })
      } catch (error) {
        const cutOff = nameOf(error) === 'AbortError' && failures < MAX_AGAIN
        if (!cutOff || this.#gone) throw error
        const ms = AGAIN_MS * 2 ** failures
        await new Promise<void>((resolve) => this.#platform.timer(ms, resolve))
      }
    }
  }

  async #patiently<T>(request: Promise<T>, done: 'opened' | 'deleted'): Promise<T> {
    let cancel = () => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#platform.timer(PATIENCE_MS, () =>
        reject(
          new BusError(
            'log_unavailable',
            `IndexedDB could not be ${done} within ${PATIENCE_MS / 1_000} s: another context holds it, or deletes it and waits`,
            { stage: 'log' },
          ),
        ),
      )
    })
    try {
      return await Promise.race([request, late])
    } finally {
      cancel()
    }
  }

  watch(lost: (error: BusError) => void): void {
    this.#lost = lost
    if (this.#gone && this.#gone.code !== 'closed') lost(this.#gone)
  }

  #lose(code: 'log_cleared' | 'log_lost', message: string, cause?: unknown): BusError {
    if (this.#gone) return this.#gone
    const gone = new BusError(code, message, { stage: 'log', cause })
    this.#gone = gone
    this.#database?.close()
    for (const { reject } of this.#running) reject(gone)
    this.#lost?.(gone)
    return gone
  }

  async read<T>(
    stores: StoreName[],
    run: (transaction: ReadTransaction) => Promise<T>,
  ): Promise<T> {
    while (true) {
      if (this.#stands) await this.#stands.promise
      const transaction = this.#begin((database) => database.transaction(stores, 'readonly'))
      this.#waiting.add(transaction)
      // Whoever waits for what is read hears of it.
      quiet(transaction.done)
      try {
        return await run(transaction)
      } catch (error) {
        // Reading does no harm twice: it is done again when the page moves.
        if (!this.#halted.has(transaction)) throw this.failure(error)
      } finally {
        this.#waiting.delete(transaction)
      }
    }
  }

  /** A transaction without wrappers; `waits` if it goes on only when something has come. */
  rawWrite(stores: StoreName[], waits: boolean): IDBTransaction {
    if (waits && this.#stands) throw standsStill()
    const raw = this.#raw as IDBDatabase
    const transaction = this.#begin(() =>
      raw.transaction(stores, 'readwrite', { durability: this.#durability }),
    )
    if (waits) {
      this.#waiting.add(transaction)
      const done = (): unknown => this.#waiting.delete(transaction)
      transaction.addEventListener('complete', done)
      transaction.addEventListener('abort', done)
    }
    return transaction
  }

  /**
   * Rolls back what waits, and lets nothing begin that would: while its context stands still, it
   * would keep all others waiting. The returned function ends that.
   */
  halt(): () => void {
    const stands = Promise.withResolvers<void>()
    this.#stands ??= stands
    for (const transaction of this.#waiting) {
      this.#halted.add(transaction)
      aborted(transaction)
    }
    return () => {
      this.#stands?.resolve()
      this.#stands = undefined
    }
  }

  #begin<T>(make: (database: IDBPDatabase<Schema>) => T): T {
    if (this.#gone) throw this.#gone
    if (!this.#database)
      throw new BusError('log_unavailable', 'the log is not open yet', { stage: 'log' })
    try {
      return make(this.#database)
    } catch (cause) {
      // Safari and browsers that evict close the connection without telling.
      throw this.#lose('log_lost', 'the connection to the log was lost', cause)
    }
  }

  /** A write that is waited for at the end, and that ends with the log. */
  track<T>(write: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const running: Running = { write, reject }
      this.#running.add(running)
      write.then(
        (result) => {
          this.#running.delete(running)
          resolve(result)
        },
        (error: unknown) => {
          this.#running.delete(running)
          reject(error)
        },
      )
    })
  }

  /** The result of a write once it is committed; one that throws rolls everything back. */
  async write<T>(
    stores: StoreName[],
    run: (transaction: WriteTransaction) => Promise<T>,
  ): Promise<T> {
    if (this.#stands) await this.#stands.promise
    const transaction = this.#begin((database) =>
      database.transaction(stores, 'readwrite', { durability: this.#durability }),
    )
    this.#waiting.add(transaction)
    const settled = this.#settle(transaction, run(transaction))
    return this.track(settled.finally(() => this.#waiting.delete(transaction)))
  }

  async #settle<T>(transaction: WriteTransaction, write: Promise<T>): Promise<T> {
    const ended = transaction.done.then(
      () => undefined,
      () => ({ error: transaction.error }),
    )
    let result: T
    try {
      result = await write
    } catch (error) {
      const ours = aborted(transaction)
      const failed = await ended
      // A request that was cut off does not know what its transaction failed of.
      throw this.failure(ours ? error : (failed?.error ?? error), transaction)
    }
    const failed = await ended
    if (failed) throw this.failure(failed.error, transaction)
    return result
  }

  /** Why a transaction failed that nobody here rolled back on purpose. */
  failure(error: unknown, transaction?: object): BusError {
    if (isBusError(error)) return error
    if (transaction && this.#halted.has(transaction)) return standsStill()
    if (nameOf(error) === 'QuotaExceededError') {
      return new BusError(
        'quota_exceeded',
        'the browser gives this site no more room: free some, or ask with navigator.storage.persist()',
        { stage: 'log', cause: error },
      )
    }
    // The browser ends all transactions of a connection that it closes, and says so after that.
    if (error === null || nameOf(error) === 'AbortError' || saysClosing(error)) {
      return this.#lose('log_lost', 'the connection to the log was lost', error)
    }
    return new BusError('log_failed', `the database could not do it: ${nameOf(error)}`, {
      stage: 'log',
      cause: error,
    })
  }

  /** Deletes the database; resolves when it is gone. @throws {BusError} log_unavailable */
  async clear(): Promise<void> {
    if (this.#gone) throw this.#gone
    this.#lost = undefined
    this.#lose('log_cleared', 'the log was cleared')
    await this.#patiently(deleteDB(this.#name), 'deleted')
  }

  async close(): Promise<void> {
    const running = Promise.allSettled([...this.#running].map(({ write }) => write))
    this.#gone ??= new BusError('closed', 'the log was closed', { stage: 'log' })
    // In this task: a page on its way into the back/forward cache may not get another. Transactions
    // that were begun are finished all the same.
    this.#database?.close()
    this.#stands?.resolve()
    await running
    await this.#opening?.catch(() => {})
    this.#database?.close()
  }
}

function standsStill(): BusError {
  const what = 'the write was rolled back: its page was about to stand still'
  return new BusError('log_lost', what, { stage: 'log' })
}

/** Whether there was something to roll back still. */
function aborted(transaction: { abort(): void }): boolean {
  try {
    transaction.abort()
    return true
  } catch {
    return false
  }
}

/**
 * "Connection is closing because of …" in Chromium where site data is deleted, "Connection to Indexed
 * Database server lost …" in Safari: no code tells it from other unknown errors.
 */
function saysClosing(error: unknown): boolean {
  return (
    error instanceof DOMException &&
    error.name === 'UnknownError' &&
    error.message.startsWith('Connection ')
  )
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : 'unknown reason'
}

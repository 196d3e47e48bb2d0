/**
 * The cursor of a consumer in the user's own database, compared and set in the transaction in which
 * the handler writes: both are there, or neither is.
 */
import { BusError } from '../errors.ts'
import type { DeadText } from '../log/consumers.ts'
import type { Log } from '../log/log.ts'
import type { Transact } from '../types.ts'
import type { Transactions, UserRow } from './consume.ts'
import { type Kept, readKept } from './cursor.ts'
import { type CursorStore, LogCursor } from './log-cursor.ts'
import { indexedDbTransactions } from './transact-indexeddb.ts'
import { sqliteTransactions } from './transact-sqlite.ts'

/** Another context has the turn. */
export const FENCED: unique symbol = Symbol('fenced')

export class TransactCursor implements CursorStore {
  readonly #log: Log
  readonly #name: string
  readonly #inLog: LogCursor
  readonly #transactions: Transactions
  #key: readonly [logId: string, consumer: string] = ['', '']
  #generation = 0

  constructor(log: Log, name: string, transactions: Transactions) {
    this.#log = log
    this.#name = name
    this.#inLog = new LogCursor(log, name)
    this.#transactions = transactions
  }

  async take(begin: () => Promise<Kept>): Promise<Kept> {
    const { logId } = await this.#log.state(false)
    this.#key = [logId, this.#name]
    let kept: Kept | undefined
    // The log has a copy: for its dead letters, and for whoever asks how far the consumer is.
    const copy = await this.#inLog.take(begin)
    const begun = await begin()
    await this.#transactions.run(this.#key, async (_, row) => {
      kept = (row && readKept(row.state)) ?? begun
      this.#generation = (row?.generation ?? 0) + 1
      return this.#row(kept)
    })
    return kept ?? copy
  }

  async write(kept: Kept, dead: readonly DeadText[]): Promise<number | undefined> {
    // First: an event is a dead letter twice rather than never.
    const dropped = dead.length === 0 ? 0 : await this.#inLog.write(kept, dead)
    if (dropped === undefined) return undefined
    try {
      await this.#run(async () => kept)
    } catch (error) {
      if (error === FENCED) return undefined
      throw error
    }
    return dropped
  }

  /**
   * Runs the handler's part. What it gives is where the consumer stands then.
   *
   * @throws FENCED, and what `work` throws
   */
  handle(work: (tx: unknown) => Promise<Kept | undefined>, signal: AbortSignal): Promise<boolean> {
    return this.#run(work, signal)
  }

  #run(work: (tx: unknown) => Promise<Kept | undefined>, signal?: AbortSignal): Promise<boolean> {
    return this.#transactions.run(
      this.#key,
      async (tx, row) => {
        if (row?.generation !== this.#generation) throw FENCED
        const kept = await work(tx)
        return kept && this.#row(kept)
      },
      signal,
    )
  }

  #row(kept: Kept): UserRow {
    return { generation: this.#generation, state: JSON.stringify(kept) }
  }
}

/** @throws {BusError} invalid_options */
export function transactionsOf(transact: Transact): Transactions {
  const { db, stores } = (transact ?? {}) as { db?: object; stores?: unknown }
  if (typeof db === 'object' && db !== null) {
    if ('objectStoreNames' in db) return indexedDbTransactions(db as IDBDatabase, stores)
    if ('exec' in db && 'prepare' in db) return sqliteTransactions(db as never)
  }
  const what = 'transact: { db, stores } with an IDBDatabase, or { db } with a DatabaseSync'
  throw new BusError('invalid_options', `subscribe: ${what}`, { stage: 'consume' })
}

/** A ledger of payments in a SQLite database: many events a transaction, each of them once. */
import { DatabaseSync } from 'node:sqlite'
import type { Unsubscribe } from '@crosstown/bus'
import type { CatalogueBus, CatalogueEvent } from '../catalogue/catalogue.ts'

type Payment = CatalogueEvent<'payment.authorized' | 'payment.refunded'>

export class Ledger implements Disposable {
  readonly #database: DatabaseSync
  readonly #insert

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(`CREATE TABLE IF NOT EXISTS entries
      (event_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, cents INTEGER NOT NULL) STRICT`)
    // The event's id is the key: the same event again changes nothing, whoever brings it.
    this.#insert = this.#database.prepare(
      'INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING',
    )
  }

  /** All of them or none: a list that failed is given again as a whole. */
  add(payments: readonly Payment[]): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const { id, type, data } of payments)
        this.#insert.run(id, data.orderId, type === 'payment.refunded' ? -data.amount : data.amount)
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  get balance(): number {
    const row = this.#database.prepare('SELECT coalesce(sum(cents), 0) AS cents FROM entries').get()
    return row?.['cents'] as number
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

/** Reads from the beginning each time it starts: what the ledger has, it ignores. */
export const keepLedger = (bus: CatalogueBus, ledger: Ledger): Unsubscribe =>
  bus.subscribe(['payment.authorized', 'payment.refunded'], (payments) => ledger.add(payments), {
    from: 'start',
    batch: { size: 500, ms: 20 },
    retry: { attempts: 5 },
  })

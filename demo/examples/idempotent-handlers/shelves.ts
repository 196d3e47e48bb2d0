/** Shelves in a SQLite database: to take something off them again would be once too often. */
import { DatabaseSync } from 'node:sqlite'
import type { Unsubscribe } from '@crosstown/bus'
import type { CatalogueBus } from '../catalogue/catalogue.ts'

export function openShelves(path: string): DatabaseSync {
  const db = new DatabaseSync(path)
  db.exec(`CREATE TABLE IF NOT EXISTS shelves
    (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL CHECK (quantity >= 0)) STRICT`)
  return db
}

/**
 * With `transact`, what the handler writes and how far the consumer is are one transaction: both are
 * there or neither is, wherever the process dies. What throws is rolled back, comes again and, where it
 * never succeeds, is a dead letter.
 */
export const takeFromShelves = (bus: CatalogueBus, db: DatabaseSync): Unsubscribe =>
  bus.subscribe(
    'order.created',
    ({ data }, { tx }) => {
      const take = tx.prepare('UPDATE shelves SET quantity = quantity - ? WHERE sku = ?')
      for (const { sku, quantity } of data.items) {
        if (take.run(quantity, sku).changes === 0) throw new Error(`there is no ${sku}`)
      }
    },
    { durable: 'shelves', transact: { db }, maxDeliver: 3, backoff: [50] },
  )

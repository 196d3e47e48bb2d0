/**
 * The log of one room in the SQLite of its Durable Object. Nothing leaves a Durable Object before what
 * it wrote is on the disks of several machines (its output gate), so that an append may resolve at once:
 * who hears of it hears of what is kept.
 */
import type { Durability } from '@crosstown/bus/protocol'
import type { Row, Sql, SqlValue } from './sql.ts'
import { closedError, SqlStore } from './sql-store.ts'
import { applyAppend, statementsOf } from './sqlite-rows.ts'
import { TABLES } from './sqlite-tables.ts'
import type { Append, Store } from './store.ts'

/** Of `ctx.storage`, what is used here. */
export interface DurableObjectStorageLike {
  readonly sql: {
    exec(query: string, ...values: SqlValue[]): Iterable<Row>
  }
  transactionSync<T>(run: () => T): T
}

/**
 * A store in the SQLite of a Durable Object (`new_sqlite_classes`).
 *
 * @example
 * createRelay({ store: durableObjectStore(ctx.storage) })
 */
export function durableObjectStore(storage: DurableObjectStorageLike): Store {
  storage.transactionSync(() => {
    storage.sql.exec(TABLES)
  })
  return new DurableObjectStore(storage)
}

class DurableObjectStore extends SqlStore {
  readonly engine = 'durable-object'
  readonly durability: Durability = 'disk'
  readonly exclusive = true
  readonly #storage: DurableObjectStorageLike

  constructor(storage: DurableObjectStorageLike) {
    super(statementsOf(sqlOf(storage)))
    this.#storage = storage
  }

  async append(room: string, append: Append): Promise<boolean> {
    if (this.closed) throw closedError()
    return this.tried('append', () => this.transaction(() => applyAppend(this.sql, room, append)))
  }

  async close(): Promise<void> {
    this.closed = true
  }

  protected override transaction<T>(run: () => T): T {
    return this.#storage.transactionSync(run)
  }
}

/** Statements are prepared, and kept, by the Durable Object itself, by their text. */
function sqlOf({ sql }: DurableObjectStorageLike): Sql {
  return {
    prepare: (text) => ({
      get(...values) {
        for (const row of sql.exec(text, ...values)) return row
        return undefined
      },
      all: (...values) => [...sql.exec(text, ...values)],
      iterate: (...values) => sql.exec(text, ...values),
      run(...values) {
        sql.exec(text, ...values)
      },
    }),
  }
}

/** Transactions of a user's IndexedDB database. */
import { unwrap } from 'idb'
import { BusError } from '../errors.ts'
import type { Transactions, UserRow } from './consume.ts'
import { CURSORS } from './cursor-store.ts'

export function indexedDbTransactions(given: IDBDatabase, stores: unknown): Transactions {
  // What the `idb` package wrapped gives promises instead of requests.
  const db = (unwrap(given as never) as unknown as IDBDatabase | undefined) ?? given
  const names = Array.isArray(stores) ? stores : []
  const missing = [...names, CURSORS].find((name) => !db.objectStoreNames.contains(name))
  if (names.length === 0 || missing !== undefined) {
    const what =
      missing === CURSORS
        ? 'call createCursorStore(db) in the upgrade of your database'
        : missing === undefined
          ? 'stores: the names of those that the handler writes'
          : `stores: the database has no ${String(missing).slice(0, 80)}`
    throw new BusError('invalid_options', `subscribe: transact: ${what}`, { stage: 'consume' })
  }
  return {
    run: ([logId, consumer], work, signal) =>
      new Promise((resolve, reject) => {
        const tx = db.transaction([...new Set([...names, CURSORS])], 'readwrite')
        const cursors = tx.objectStore(CURSORS)
        const key = [logId, consumer]
        let over = false
        let done: { readonly row?: UserRow | undefined; readonly error?: unknown } | undefined
        const abort = (): void => {
          if (over) return
          try {
            tx.abort()
          } catch {
            // It is being committed: that is what became of it.
          }
        }
        const end = (): void => {
          over = true
          signal?.removeEventListener('abort', abort)
        }
        signal?.addEventListener('abort', abort, { once: true })
        tx.oncomplete = () => {
          end()
          resolve(true)
        }
        tx.onabort = () => {
          end()
          const error = done?.error ?? tx.error
          if (error) reject(error)
          else resolve(false)
        }
        const found = cursors.get(key)
        found.onsuccess = () => {
          work(tx, readRow(found.result)).then(
            (row) => (done = { row }),
            (error) => (done = { error }),
          )
          stay()
        }
        /**
         * A transaction ends by itself when nothing is asked of it: it must not, with half of what
         * the handler writes, while that waits for something else.
         */
        const stay = (): void => {
          if (over) return
          if (!done) cursors.get(key).onsuccess = stay
          else if (done.row) {
            cursors.put(done.row, key)
            tx.commit()
          } else abort()
        }
        if (signal?.aborted) abort()
      }),
  }
}

function readRow(row: unknown): UserRow | undefined {
  const { generation, state } = (row ?? {}) as Partial<UserRow>
  return typeof generation === 'number' && typeof state === 'string'
    ? { generation, state }
    : undefined
}

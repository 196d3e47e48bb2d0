/** The store with the cursors of consumers in a user's IndexedDB database, by [log id, consumer]. */
export const CURSORS = 'crosstown_cursors'

/**
 * Makes the store in which `transact` keeps cursors; call it in the upgrade of your database.
 *
 * @example
 * request.onupgradeneeded = () => createCursorStore(request.result)
 */
export function createCursorStore(db: IDBDatabase): void {
  if (!db.objectStoreNames.contains(CURSORS)) db.createObjectStore(CURSORS)
}

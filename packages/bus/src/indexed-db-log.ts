/** Wires the log in IndexedDB to the part with what it rarely does; no logic of its own. */
import { type IndexedDbLogOptions, indexedDbLogWith } from './log/indexeddb.ts'
import type { LogSource } from './log/log.ts'
import { lazyParts } from './parts.ts'

/**
 * Keeps the log in the browser's IndexedDB.
 *
 * @throws {BusError} invalid_options
 * @example createBus({ name: 'shop', log: indexedDbLog({ required: true }) })
 */
export function indexedDbLog(options: IndexedDbLogOptions = {}): LogSource {
  return indexedDbLogWith(lazyParts.rare, options)
}

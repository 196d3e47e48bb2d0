/**
 * The same as `@crosstown/bus`, with all its parts in one piece: where nothing can be loaded later, as
 * in a service worker that is no bundle, or should be, as in an application that works offline.
 *
 * @example
 * import { createBus } from '@crosstown/bus/all'
 */
import { type createBus as create, createBusOn } from './bus.ts'
import type { indexedDbLog as lateLog } from './indexed-db-log.ts'
import { indexedDbLogWith } from './log/indexeddb.ts'
import type { AnyBusOptions } from './options.ts'
import { allParts } from './parts/all.ts'
import { runtimePlatform } from './platform.ts'

export * from './index.ts'
export { memoryLog } from './log/memory.ts'

/** As of `@crosstown/bus`. */
export const indexedDbLog: typeof lateLog = (options) => indexedDbLogWith(allParts.rare, options)

/** As of `@crosstown/bus`. */
export const createBus: typeof create = ((options: AnyBusOptions) =>
  createBusOn(options, runtimePlatform(), undefined, allParts)) as never

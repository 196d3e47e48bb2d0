'use client'

/**
 * React bindings: the bus of a tree of components, and its events, read models and status as their
 * state. They render on a server without opening anything, and stand StrictMode, concurrent
 * rendering and Fast Refresh.
 *
 * @example
 * import { BusProvider, useBus, useBusStatus, useProjection } from '@crosstown/bus/react'
 */
export {
  BusProvider,
  type BusProviderProps,
  type Register,
  type RegisteredEvents,
  type RegisteredInput,
  useBus,
} from './context.ts'
export { useEvent } from './use-event.ts'
export { useBusStatus, usePresence } from './use-observable.ts'
export { useProjection } from './use-projection.ts'

/** What the bus shows of itself, as state of a component. */
import { useCallback, useSyncExternalStore } from 'react'
import type { PresenceMember, StatusSnapshot } from '../types.ts'
import { useBus } from './context.ts'

/** What is needed of an `Observable`. */
export interface Source<Snapshot> {
  get(): Snapshot
  subscribe(callback: () => void): () => void
}

/** The snapshot, and again when it changes; `first` is what server and hydration render. */
export function useObservable<Snapshot>(source: Source<Snapshot>, first: () => Snapshot): Snapshot {
  const subscribe = useCallback((changed: () => void) => source.subscribe(changed), [source])
  const get = useCallback(() => source.get(), [source])
  return useSyncExternalStore(subscribe, get, first)
}

/**
 * A bus that nobody has used yet, as a server and a page that takes over its markup both see it:
 * what is true of the page alone would not be what the server wrote.
 */
function unused(relay: 'off' | 'connecting'): () => StatusSnapshot {
  const snapshot: StatusSnapshot = Object.freeze({
    relay,
    rtt: undefined,
    leader: false,
    log: Object.freeze({ kind: 'none', state: 'closed', bytes: 0 }),
    outbox: Object.freeze({ pending: 0, refused: 0 }),
    lastError: undefined,
  })
  return () => snapshot
}

const unusedAlone: () => StatusSnapshot = /* @__PURE__ */ unused('off')
const unusedWithRelay: () => StatusSnapshot = /* @__PURE__ */ unused('connecting')

/**
 * The status of the bus: connection, log, outbox, last error. Showing it counts as use of the bus,
 * which then opens its log and connects. On a server, and while hydrating: that of an unused bus.
 *
 * @throws {BusError} invalid_options where there is no provider
 * @example
 * const { relay, outbox } = useBusStatus()
 * return <p>{relay === 'online' ? 'Saved' : `${outbox.pending} waiting`}</p>
 */
export function useBusStatus(): StatusSnapshot {
  const { status } = useBus()
  const { relay } = status.get()
  return useObservable(status, relay === 'off' ? unusedAlone : unusedWithRelay)
}

const nobody: readonly PresenceMember[] = /* @__PURE__ */ Object.freeze([])

/**
 * Who is here: this context, the others of the device, then those of the room. Showing it counts as
 * use of the bus. On a server, and while hydrating: nobody.
 *
 * @throws {BusError} invalid_options where there is no provider
 * @example
 * const here = usePresence()
 * return <p>{new Set(here.map(({ device }) => device)).size} devices</p>
 */
export function usePresence(): readonly PresenceMember[] {
  return useObservable(useBus().presence, () => nobody)
}

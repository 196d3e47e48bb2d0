/** A value that is replaced as a whole, and who wants to know. */
import { useCallback, useSyncExternalStore } from 'react'

export interface Store<Value> {
  get(): Value
  set(value: Value): void
  update(change: (value: Value) => Value): void
  subscribe(changed: () => void): () => void
}

export function createStore<Value>(value: Value): Store<Value> {
  const listeners = new Set<() => void>()
  const store: Store<Value> = {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const changed of [...listeners]) changed()
    },
    update: (change) => store.set(change(value)),
    subscribe(changed) {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
  }
  return store
}

export function useStore<Value>(store: Pick<Store<Value>, 'get' | 'subscribe'>): Value {
  return useSyncExternalStore(store.subscribe, store.get)
}

interface Versioned {
  readonly version: number
  subscribe(changed: () => void): () => void
}

/** Renders again when a session or a filtered list has changed; its version. */
export function useVersion(of: Versioned): number {
  return useSyncExternalStore(
    useCallback((changed) => of.subscribe(changed), [of]),
    () => of.version,
  )
}

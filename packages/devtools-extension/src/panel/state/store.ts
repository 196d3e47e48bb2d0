/** A value that is replaced as a whole, and who wants to know. */
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react'

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

/** Rest after a rendering, in times of what it took: the rest of the time is for taking in. */
const REST = 2

/**
 * The same for what takes long to show, of two at once: changes are shown at once as long as that is
 * quick, and seldom enough where it is not.
 */
export function usePacedVersion(one: Versioned, other: Versioned): number {
  const pace = useRef({ begun: 0, rested: 0 })
  useEffect(() => {
    const now = performance.now()
    if (pace.current.begun > 0) pace.current.rested = now + (now - pace.current.begun) * REST
    pace.current.begun = 0
  })
  return useSyncExternalStore(
    useCallback(
      (changed) => {
        let timer: ReturnType<typeof setTimeout> | undefined
        function show(): void {
          timer = undefined
          pace.current.begun = performance.now()
          changed()
        }
        function hear(): void {
          const wait = pace.current.rested - performance.now()
          if (timer !== undefined) return
          if (wait <= 0) show()
          else timer = setTimeout(show, wait)
        }
        const ends = [one.subscribe(hear), other.subscribe(hear)]
        return () => {
          for (const end of ends) end()
          clearTimeout(timer)
        }
      },
      [one, other],
    ),
    // Both only grow.
    () => one.version + other.version,
  )
}

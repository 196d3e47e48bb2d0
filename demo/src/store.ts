/** A value outside React that components read with `useStore`. */
import { useSyncExternalStore } from 'react'

export interface Store<T> {
  get(): T
  set(value: T): void
  subscribe(callback: () => void): () => void
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial
  const callbacks = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const callback of callbacks) callback()
    },
    subscribe(callback) {
      callbacks.add(callback)
      return () => callbacks.delete(callback)
    },
  }
}

export function useStore<T>({ subscribe, get }: Pick<Store<T>, 'subscribe' | 'get'>): T {
  return useSyncExternalStore(subscribe, get, get)
}

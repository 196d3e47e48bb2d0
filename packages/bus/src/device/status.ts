/** The bus's state as people see it: one snapshot, replaced when something changes. */
import type { Observable, Status, StatusSnapshot, Unsubscribe } from '../types.ts'

/** A value with subscribers; `get` returns the same object until something changed. */
export class Store<T extends object> implements Observable<T> {
  #snapshot: T
  readonly #callbacks = new Set<(snapshot: T) => void>()
  readonly #failed: (error: unknown) => void

  constructor(snapshot: T, failed: (error: unknown) => void) {
    this.#snapshot = Object.freeze(snapshot)
    this.#failed = failed
  }

  get(): T {
    return this.#snapshot
  }

  update(change: Partial<T>): void {
    const entries = Object.entries(change) as [keyof T, T[keyof T]][]
    // A part that says the same stays the same object, for those who watch only that.
    const changed = entries.filter(([key, value]) => !same(this.#snapshot[key], value))
    if (changed.length === 0) return
    this.#snapshot = Object.freeze({ ...this.#snapshot, ...Object.fromEntries(changed) } as T)
    for (const callback of [...this.#callbacks]) {
      if (this.#callbacks.has(callback)) this.#call(callback)
    }
  }

  subscribe(callback: (snapshot: T) => void): Unsubscribe {
    // A function of its own, so that subscribing one callback twice makes two subscriptions.
    const own = (snapshot: T) => callback(snapshot)
    this.#callbacks.add(own)
    this.#call(own)
    return unsubscriber(() => this.#callbacks.delete(own))
  }

  #call(callback: (snapshot: T) => void): void {
    try {
      callback(this.#snapshot)
    } catch (error) {
      this.#failed(error)
    }
  }
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Error || b instanceof Error) return false
  const [ours, theirs] = [Object.entries(a), Object.entries(b)]
  return (
    ours.length === theirs.length &&
    ours.every(([key, value]) => Object.is(value, (b as Record<string, unknown>)[key]))
  )
}

/** A function that ends something, usable with `using`. */
export function unsubscriber(end: () => void): Unsubscribe {
  const off = () => end()
  return Object.assign(off, { [Symbol.dispose]: off })
}

/** A store for others to look at; who subscribes uses the bus. */
export function observed<T extends object>(store: Observable<T>, use: () => void): Observable<T> {
  return {
    get: () => store.get(),
    subscribe(callback) {
      use()
      return store.subscribe(callback)
    },
  }
}

/** One part of a store; called back only when that part changes. */
export function part<T extends object, Key extends keyof T>(
  store: Store<T>,
  key: Key,
  use: () => void,
): Observable<T[Key]> {
  return {
    get: () => store.get()[key],
    subscribe(callback) {
      use()
      let last: T[Key] | undefined
      return store.subscribe((snapshot) => {
        if (snapshot[key] === last) return
        last = snapshot[key]
        callback(last)
      })
    },
  }
}

/**
 * The store under the names of `bus.status`. Who asks for the state of connection or leadership,
 * or subscribes, uses the bus: without `use` a bus that only shows its state would never get one.
 */
export function statusOf(store: Store<StatusSnapshot>, use: () => void): Status {
  return {
    get relay() {
      use()
      return store.get().relay
    },
    get rtt() {
      return store.get().rtt
    },
    get leader() {
      use()
      return store.get().leader
    },
    get log() {
      return store.get().log
    },
    get outbox() {
      return store.get().outbox
    },
    get lastError() {
      return store.get().lastError
    },
    get: () => store.get(),
    subscribe(callback) {
      use()
      return store.subscribe(callback)
    },
  }
}

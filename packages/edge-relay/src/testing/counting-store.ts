/** A real store, and how often each of its methods was called, by room. */
import type { Store } from '../stores/store.ts'

export class CountingStore {
  readonly store: Store
  readonly #calls = new Map<string, number>()

  constructor(store: Store) {
    this.store = new Proxy(store, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown => {
          const name = `${String(key)} ${String(args[0])}`
          this.#calls.set(name, (this.#calls.get(name) ?? 0) + 1)
          return value.apply(target, args)
        }
      },
    })
  }

  /** Since it was last reset. */
  count(method: keyof Store, room: string): number {
    return this.#calls.get(`${method} ${room}`) ?? 0
  }

  /** All methods that were called about a room, and how often. */
  of(room: string): Record<string, number> {
    const end = ` ${room}`
    return Object.fromEntries(
      [...this.#calls].flatMap(([name, count]) =>
        name.endsWith(end) ? [[name.slice(0, -end.length), count]] : [],
      ),
    )
  }

  reset(): void {
    this.#calls.clear()
  }
}

/** A cache that forgets what events say has changed, wherever it was changed. */
import type { Matched, PatternOf, Patterns } from '@crosstown/bus'
import type { Catalogue, CatalogueBus } from '../catalogue/catalogue.ts'

export interface CacheOptions<Pattern extends PatternOf<Catalogue>, Value> {
  /** The events after which something may be another. */
  readonly changedBy: Patterns<Pattern>
  /** What an event changed; `undefined` for everything. */
  readonly keyOf: (event: Matched<Catalogue, Pattern>) => string | undefined
  readonly load: (key: string) => Promise<Value>
}

export interface Cache<Value> extends Disposable {
  /** What was loaded and has not changed since; loads it where there is none. */
  get(key: string): Promise<Value>
  clear(): void
}

export function cached<const Pattern extends PatternOf<Catalogue>, Value>(
  bus: CatalogueBus,
  { changedBy, keyOf, load }: CacheOptions<Pattern, Value>,
): Cache<Value> {
  // Promises rather than values: who asks while something is loaded waits for the same load, and a
  // load that began before a change is forgotten with it, so that an old answer is never kept.
  const entries = new Map<string, Promise<Value>>()

  const off = bus.subscribe(changedBy, (event) => {
    const key = keyOf(event)
    if (key === undefined) entries.clear()
    else entries.delete(key)
  })

  function get(key: string): Promise<Value> {
    const known = entries.get(key)
    if (known) return known
    const loading = load(key)
    entries.set(key, loading)
    // A failure is nothing to keep; whoever waits hears of it.
    loading.catch(() => entries.get(key) === loading && entries.delete(key))
    return loading
  }

  return { get, clear: () => entries.clear(), [Symbol.dispose]: off }
}

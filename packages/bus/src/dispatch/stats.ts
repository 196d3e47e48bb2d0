/** Counts of what was published and handled, by type and subscription. */
import type { BusStats, HandlingCounts, SubscriptionStats, TypeCounts } from '../types.ts'

export type Tally = { -readonly [Key in keyof HandlingCounts]: HandlingCounts[Key] }
export type TypeTally = { -readonly [Key in keyof TypeCounts]: TypeCounts[Key] }

/** Types that are counted apart; those beyond are counted as one. */
const MAX_TYPES = 1_000
const MAX_SUBSCRIPTIONS = 1_000
const OTHER_TYPES = '*'

/** Upper bounds of a histogram's buckets, in ms; above the last there is one more. */
const BOUNDS: readonly number[] = [
  0.1, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
]
/** Calls that are all timed; of those beyond, one in so many is, and counts for them. */
const ALL_TIMED = 128
const SAMPLE = 512

export function newTally(): Tally {
  return { handled: 0, failed: 0, retried: 0, dead: 0, dropped: 0 }
}

/** A subscription, as far as it is counted. */
export interface Counted {
  readonly order: number
  readonly patterns: readonly string[]
  readonly kind: SubscriptionStats['kind']
  readonly calls: number
  readonly tally: Tally
  readonly times: Histogram
  readonly queue: { readonly waiting: number; readonly running: number } | undefined
}

export class Histogram {
  readonly #counts: number[] = new Array(BOUNDS.length + 1).fill(0)
  #sum = 0

  add(ms: number, calls = 1): void {
    let bucket = 0
    while (ms > (BOUNDS[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1
    this.#counts[bucket] = (this.#counts[bucket] as number) + calls
    this.#sum += ms * calls
  }

  snapshot(): SubscriptionStats['ms'] {
    return { bounds: BOUNDS, counts: [...this.#counts], sum: this.#sum }
  }
}

/** How many calls the next one stands for in the histogram; 0 where it is not timed. */
export function timedCalls(calls: number): number {
  if (calls <= ALL_TIMED) return 1
  return calls % SAMPLE === 0 ? SAMPLE : 0
}

export class Stats {
  readonly #types = new Map<string, TypeTally>()

  of(type: string): TypeTally {
    return this.#types.get(type) ?? this.#add(type)
  }

  #add(type: string): TypeTally {
    if (this.#types.size >= MAX_TYPES && type !== OTHER_TYPES) return this.of(OTHER_TYPES)
    const tally = { published: 0, received: 0, ...newTally() }
    this.#types.set(type, tally)
    return tally
  }

  snapshot(
    subscriptions: Iterable<Counted>,
    queued: number,
  ): Omit<BusStats, 'consumers' | 'groups'> {
    const total: TypeTally = { published: 0, received: 0, ...newTally() }
    for (const tally of this.#types.values()) {
      for (const key of Object.keys(total) as (keyof TypeTally)[]) total[key] += tally[key]
    }
    return {
      ...total,
      queued,
      // Not one by one: a type may be named `__proto__`.
      types: Object.fromEntries([...this.#types].map(([type, tally]) => [type, { ...tally }])),
      subscriptions: [...subscriptions].slice(-MAX_SUBSCRIPTIONS).map(subscriptionStats),
    }
  }
}

function subscriptionStats(subscription: Counted): SubscriptionStats {
  const { order: id, patterns, kind, calls, tally, times, queue } = subscription
  const running = queue?.running ?? 0
  return {
    id,
    patterns,
    kind,
    calls,
    ...tally,
    waiting: queue?.waiting ?? 0,
    running,
    ms: times.snapshot(),
  }
}

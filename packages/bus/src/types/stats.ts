/** What was published and handled. */
import type { ConsumerStats, GroupStats } from '../consume/types.ts'

/** What became of the events that handlers were to have. */
export interface HandlingCounts {
  /** Events handled. */
  readonly handled: number
  /** Attempts that failed. */
  readonly failed: number
  /** Calls for an event that was given to the handler before. */
  readonly retried: number
  /** Events given up: no attempt was left. */
  readonly dead: number
  /** Events lost because a buffer was full. */
  readonly dropped: number
}

export interface TypeCounts extends HandlingCounts {
  /** Events of this context that were handed on. */
  readonly published: number
  /** Events of other contexts. */
  readonly received: number
}

export interface SubscriptionStats extends HandlingCounts {
  /** Its number within the bus, from 1. */
  readonly id: number
  readonly patterns: readonly string[]
  readonly kind: 'handler' | 'once' | 'loop' | 'view'
  /** How often the handler was called. */
  readonly calls: number
  /** Events that wait in its queue. */
  readonly waiting: number
  /** Calls that run, of a handler with options. */
  readonly running: number
  /**
   * How long calls took, in milliseconds: `counts[i]` took at most `bounds[i]`, the last more. Of a
   * plain handler the first 128 calls are timed, then one in 512, which counts for all of them.
   */
  readonly ms: {
    readonly bounds: readonly number[]
    readonly counts: readonly number[]
    readonly sum: number
  }
}

/** Counts since the bus was made. */
export interface BusStats extends TypeCounts {
  /** Events that wait for the log. */
  readonly queued: number
  /** By event type; types beyond the first 1,000 are counted together under `*`. */
  readonly types: { readonly [type: string]: TypeCounts }
  /** The subscriptions, the newest 1,000. */
  readonly subscriptions: readonly SubscriptionStats[]
  /** The durable consumers that were subscribed here. */
  readonly consumers: readonly ConsumerStats[]
  /** The subscriptions with `group`. */
  readonly groups: readonly GroupStats[]
}

/** Who takes events in, and how far each is: what the panel shows of consumers, groups and handlers. */
import type { HandlingCounts } from '../types.ts'

/** A durable consumer of a device. */
export interface ConsumerInfo {
  readonly name: string
  readonly patterns: readonly string[]
  /**
   * `here`: this context consumes; `elsewhere`: another context of the device does; `idle`: none;
   * `needs_upgrade`: it stopped before an event that it cannot read.
   */
  readonly state: 'here' | 'elsewhere' | 'idle' | 'needs_upgrade'
  /** Everything up to this offset is settled. */
  readonly floor: number
  /** Events under way, and those that wait to be given again. */
  readonly pending: number
  /** Events of the log that it was not given yet. */
  readonly lag?: number
  readonly redelivered: number
  readonly dead: number
}

/** A group of a room: as the relay knows it, or as far as a member does. */
export interface GroupInfo {
  readonly name: string
  readonly patterns?: readonly string[]
  /** Devices that take part, with what each has leased. Only the relay knows all. */
  readonly members: readonly { readonly device: string; readonly leases: number }[]
  /** Events leased, and those that wait to be leased again. */
  readonly pending: number
  readonly lag?: number
  /** Of a member: what it was given that had been given before. */
  readonly redelivered?: number
  readonly dead: number
}

/** A handler with options. */
export interface HandlerInfo {
  readonly sub: number
  readonly patterns: readonly string[]
  /** Events that wait for their turn, and calls that run. */
  readonly waiting: number
  readonly running: number
  /** Calls that may run at once; absent where there is no limit. */
  readonly concurrency?: number
  /** Whether calls go through a `policy`. */
  readonly policy?: true
  /** Of the policy's breaker, where it says so. */
  readonly breaker?: 'closed' | 'open' | 'half_open' | 'isolated'
  readonly handled: number
  readonly failed: number
  readonly retried: number
  readonly dead: number
  readonly dropped: number
}

/** An event that a consumer, or a group, gave up. */
export interface DeadLetterInfo {
  readonly id: string
  /** Its event, and the type of that; empty where it cannot be read any more. */
  readonly event: string
  readonly type: string
  /** The durable consumer, or with `group` the group. */
  readonly consumer: string
  readonly group?: true
  /** `failed`, `lapsed`, `crashed`, `terminated`, `unreadable`. */
  readonly reason: string
  /** What the handler threw last, or said. */
  readonly detail?: string
  readonly attempts: number
  /** When it was given up, ms since 1970. */
  readonly at: number
}

export interface Consuming {
  readonly consumers: readonly ConsumerInfo[]
  readonly groups: readonly GroupInfo[]
  readonly handlers: readonly HandlerInfo[]
}

/** A live subscription, as far as its handling is asked for. */
export interface AskedHandler {
  readonly order: number
  readonly patterns: readonly string[]
  readonly tally: HandlingCounts
  readonly queue:
    | {
        readonly waiting: number
        readonly running: number
        readonly handling: { readonly concurrency: number; readonly policy: object | undefined }
      }
    | undefined
}

/** What a bus has beside its handlers, for who is asked. */
export interface AskedConsumers {
  /** Durable consumers and groups. */
  consuming(): Promise<Pick<Consuming, 'consumers' | 'groups'>>
  /** The newest first; `total` of all there are. */
  dead(limit: number): Promise<{ letters: readonly DeadLetterInfo[]; total: number }>
  /** How many of these letters are not dead any more, or not there any more. */
  redrive(letters: readonly string[]): Promise<number>
  discard(letters: readonly string[]): Promise<number>
}

const MAX_HANDLERS = 1_000
const BREAKERS = ['closed', 'open', 'half_open', 'isolated'] as const

/** Handlers with options, the newest last. */
export function handlersOf(subscriptions: Iterable<AskedHandler>): HandlerInfo[] {
  const handlers: HandlerInfo[] = []
  for (const { order: sub, patterns, queue, tally } of subscriptions) {
    if (!queue) continue
    const { waiting, running, handling } = queue
    const { concurrency, policy } = handling
    handlers.push({
      sub,
      patterns,
      waiting,
      running,
      concurrency: limitOf(concurrency),
      policy: policy ? true : undefined,
      breaker: policy && breakerOf(policy),
      ...tally,
    } as HandlerInfo)
  }
  return handlers.slice(-MAX_HANDLERS)
}

export function limitOf(concurrency: number | undefined): number | undefined {
  return concurrency === Number.POSITIVE_INFINITY ? undefined : concurrency
}

/** As the policies of cockatiel say it, also those within others. */
function breakerOf(policy: object, depth = 0): HandlerInfo['breaker'] {
  const { state, wrapped } = policy as { state?: unknown; wrapped?: unknown }
  if (typeof state === 'number') return BREAKERS[state]
  if (!Array.isArray(wrapped) || depth > 8) return undefined
  for (const inner of wrapped) {
    const found = typeof inner === 'object' && inner !== null && breakerOf(inner, depth + 1)
    if (found) return found
  }
  return undefined
}

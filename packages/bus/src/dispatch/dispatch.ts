import type { Settle } from '../consume/types.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { TypeTally } from './stats.ts'

/** From where an event came to this context. */
export type Origin = 'self' | 'device' | 'room'

/** An event of another context: decoded only where a handler looks. */
export interface Incoming {
  readonly header: EventHeader
  readonly dataText: string
  readonly offset?: number
  readonly position?: string
  /** As far as it holds: what a header says may be that of a room that is no more. */
  readonly revision?: number
}

/** An event for one subscription, with where it came from. */
export interface Delivery {
  readonly event: BusEvent
  readonly origin: Origin
  readonly replaying: boolean
  /** The counts of its type, where they were looked up already. */
  readonly tally?: TypeTally
}

/** Who published an event, as far as he waits for its handlers; his ticket. */
export interface Waits {
  /** Gathers the promises of handlers, where he waits for them to settle. */
  readonly handled: Promise<unknown>[] | undefined
  /** Makes him wait until a handler's buffer has room. */
  hold?(room: Promise<void>): void
}

/** Handlers that make publishers wait where they have no room. */
export interface Blocking {
  /** How many there are. */
  readonly blocking: number
  /** Whether one of them hears this type. @throws {BusError} buffer_overflow: it has too much already */
  waits(type: string): boolean
}

/** Looks at what a subscription is about to get; true where it is held back, or known already. */
export type Intercept = (delivery: Delivery) => boolean

/** The dispatcher, as other stages see it. */
export interface Dispatch {
  /** An own event, by reference. */
  own(event: BusEvent, waits?: Waits): void
  /** An event of another context. */
  incoming(incoming: Incoming, origin: Origin): void
  /** An event from before this device joined its room: for those who asked for the past. */
  past(incoming: Incoming): void
}

/** A subscription as its owner sees it. */
export interface Subscribed {
  readonly ended: boolean
  intercept: Intercept | undefined
  /** Whether an event type is one of the subscription's. */
  matches(type: string): boolean
  /** Calls the handler, whatever the subscription is waiting for. */
  call(delivery: Delivery): void
  /** Resolves when its handler can take more; `undefined` where it can. */
  room(): Promise<void> | undefined
  /** An event that it had already was not given to it again. */
  known(id: string): void
  end(): void
}

/** What is told of the calls of a handler, for who counts and reports it. */
export interface Calling {
  readonly retried: (deliveries: readonly Delivery[], attempt: number) => void
  readonly failed: (deliveries: readonly Delivery[]) => void
  readonly handled: (deliveries: readonly Delivery[], ms: number) => void
  /** It is not given to the handler any more. */
  readonly gaveUp: (deliveries: readonly Delivery[], error: unknown, ms: number) => void
}

/** A subscription that a consumer gives its events, when it is time for them. */
export interface Given {
  /** Its number within the bus. */
  readonly order: number
  readonly patterns: readonly string[]
  readonly told: Calling
  matches(type: string): boolean
  /** Whether its filter wants the event. What the filter throws is thrown. */
  wants(event: BusEvent): boolean
  /** Calls the handler once, through what is around it; what it throws is thrown. */
  call(
    delivery: Delivery,
    attempt: number,
    settle: Settle & { readonly tx?: unknown },
    signal: () => AbortSignal,
  ): unknown
  /** Aborted when it ends. */
  signal(): AbortSignal
  end(): void
}

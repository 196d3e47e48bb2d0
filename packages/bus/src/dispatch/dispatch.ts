import type { BusEvent, EventHeader } from '../event.ts'

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
}

/** Looks at what a subscription is about to get; true where it is held back, or known already. */
export type Intercept = (delivery: Delivery) => boolean

/** The dispatcher, as other stages see it. */
export interface Dispatch {
  /** An own event, by reference. `handled` gathers the handlers' promises where somebody waits. */
  own(event: BusEvent, handled?: Promise<unknown>[]): void
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
  /** An event that it had already was not given to it again. */
  known(id: string): void
  end(): void
}

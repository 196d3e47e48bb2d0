/** What the application puts around publishing and handling. */
import type { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { HandlerContext } from './handling.ts'
import type { PublishOptions } from './publishing.ts'

/** What is published, as a middleware sees it before it is checked. */
export type PublishedDraft = { readonly type: string; readonly data: unknown } & PublishOptions

/**
 * Stands around publishing and handling. The first that is used is the outermost. A middleware that
 * does not call `next` swallows the event.
 */
export interface Middleware<Event = BusEvent> {
  /**
   * Around each event published here. What `next` is given is published, the event as it is where that
   * is nothing. To keep the order of calls, call `next` before the first `await`.
   */
  readonly publish?:
    | ((event: PublishedDraft, next: (event?: PublishedDraft) => Promise<Event>) => unknown)
    | undefined
  /**
   * Around each call of a handler; with `batch`, around all that becomes of one event. `next` gives what
   * the handler returned.
   */
  readonly handle?:
    | ((event: Event, next: (event?: Event) => unknown, context: MiddlewareContext) => unknown)
    | undefined
}

export interface MiddlewareContext extends Omit<HandlerContext<object>, 'publish'> {
  /** Number of the subscription within the bus. */
  readonly subscription: number
  /** Aborted when the subscription ends; `signal` may be that of one call. */
  readonly ended: AbortSignal
}

/** What the bus gives to a middleware that asks. */
export interface MiddlewareTools {
  /** Milliseconds of a clock that never goes back. */
  now(): number
  report(error: BusError): void
}

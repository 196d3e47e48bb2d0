/**
 * Hands events to the live subscriptions of this context. In come own events and those of other
 * contexts, each once; out go calls of handlers, in the order of subscription. One handler that
 * throws never stops the next.
 */
import type { decodeValue } from '../codec/codec.ts'
import { BusError, type ErrorContext } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { TapHolder, TappedSubscription } from '../inspect/tap.ts'
import type { ReadTypes } from '../schema/schema.ts'
import type { Delivery, Dispatch, Incoming, Intercept, Origin } from './dispatch.ts'
import { type Subscription, Subscriptions } from './subscriptions.ts'

export interface HandlerContextLike {
  readonly origin: Origin
  readonly signal: AbortSignal
  readonly attempt: number
  readonly replaying: boolean
}

export interface LiveSubscription extends Subscription, Omit<TappedSubscription, 'order'> {
  readonly handler: (event: BusEvent, context: HandlerContextLike) => unknown
  readonly where: ((event: BusEvent) => boolean) | undefined
  readonly signal: () => AbortSignal
  /** Once true, the handler is not called any more, not even for the event at hand. */
  readonly ended: boolean
  /** Set for a subscription that began in the log. */
  intercept: Intercept | undefined
}

export interface DispatcherOptions {
  readonly decode: typeof decodeValue
  /** What makes events current, where types have versions. */
  readonly types?: ReadTypes | undefined
  readonly taps: TapHolder
  readonly report: (error: BusError, context: ErrorContext) => void
  /** Makes what a handler gets beside the event. */
  readonly context: (
    event: BusEvent,
    subscription: LiveSubscription,
    delivery: Delivery,
  ) => HandlerContextLike
}

export class Dispatcher implements Dispatch {
  readonly #options: DispatcherOptions
  readonly subscriptions: Subscriptions<LiveSubscription>

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { types } = options
    this.subscriptions = new Subscriptions(types && ((type) => types.hears(type)))
  }

  /** An own event, by reference. `handled` gathers the handlers' promises where somebody waits. */
  own(event: BusEvent, handled?: Promise<unknown>[]): void {
    const matching = this.subscriptions.of(event.type)
    this.#options.taps.tap?.matched(event.id, matching)
    if (matching.length === 0) return
    const delivery: Delivery = { event, origin: 'self', replaying: false }
    for (let i = 0; i < matching.length; i++) {
      this.deliver(matching[i] as LiveSubscription, delivery, handled)
    }
  }

  /** An event of another context. */
  incoming(incoming: Incoming, origin: Origin): void {
    const matching = this.subscriptions.of(incoming.header.type)
    this.#options.taps.tap?.matched(incoming.header.id, matching)
    if (matching.length === 0) return
    const event = this.open(incoming)
    if (!event) return
    const delivery: Delivery = { event, origin, replaying: false }
    for (let i = 0; i < matching.length; i++)
      this.deliver(matching[i] as LiveSubscription, delivery)
  }

  past(incoming: Incoming): void {
    const matching = this.subscriptions.of(incoming.header.type).filter((one) => one.intercept)
    const event = matching.length === 0 ? undefined : this.open(incoming)
    if (!event) return
    const delivery: Delivery = { event, origin: 'room', replaying: true }
    for (const subscription of matching) this.deliver(subscription, delivery)
  }

  /**
   * Decodes an event and makes it current; reports and drops one whose text is damaged, or that is
   * not what its type says.
   */
  open(incoming: Incoming): BusEvent | undefined {
    const { header } = incoming
    const { decode, types } = this.#options
    try {
      if (types?.admits(header) === false) return undefined
      const data = decode(incoming.dataText, header.encoding, header)
      const event = eventOf(header, data, incoming)
      return types ? types.current(event) : event
    } catch (error) {
      this.#options.report(error as BusError, {
        stage: (error as BusError).stage ?? 'codec',
        eventId: header.id,
        eventType: header.type,
      })
      return undefined
    }
  }

  /** Gives an event of the log to its subscriptions, or to one, once more; how many were called. */
  again(incoming: Incoming, isFor: (subscription: LiveSubscription) => boolean): number {
    const matching = this.subscriptions.of(incoming.header.type).filter(isFor)
    const event = matching.length === 0 ? undefined : this.open(incoming)
    if (!event) return 0
    for (const one of matching) this.call(one, { event, origin: 'device', replaying: true })
    return matching.length
  }

  deliver(subscription: LiveSubscription, delivery: Delivery, handled?: Promise<unknown>[]): void {
    if (!subscription.intercept?.(delivery)) this.call(subscription, delivery, handled)
  }

  /** Calls the handler, whatever the subscription is waiting for. */
  call(subscription: LiveSubscription, delivery: Delivery, handled?: Promise<unknown>[]): void {
    const { event } = delivery
    const { tap } = this.#options.taps
    if (subscription.ended) {
      tap?.filtered(subscription, event.id, 'ended')
      return
    }
    let began = 0
    try {
      if (subscription.where && !subscription.where(event)) {
        tap?.filtered(subscription, event.id, 'where')
        return
      }
      subscription.calls += 1
      if (tap) began = tap.now()
      const result = subscription.handler(
        event,
        this.#options.context(event, subscription, delivery),
      )
      if (isThenable(result)) this.#watch(result, subscription, event, began, handled)
      else tap?.handled(subscription, event.id, began)
    } catch (error) {
      this.#failed(error, subscription, event, began)
      if (handled) {
        const failed = Promise.reject(error)
        // Whoever waits looks at it only after the commit; until then it is not unhandled.
        failed.catch(() => {})
        handled.push(failed)
      }
    }
  }

  #watch(
    result: PromiseLike<unknown>,
    subscription: LiveSubscription,
    event: BusEvent,
    began: number,
    handled?: Promise<unknown>[],
  ): void {
    const settled = Promise.resolve(result)
    handled?.push(settled)
    const failed = (error: unknown): void => this.#failed(error, subscription, event, began)
    const { taps } = this.#options
    if (taps.tap) settled.then(() => taps.tap?.handled(subscription, event.id, began), failed)
    else settled.catch(failed)
  }

  #failed(error: unknown, subscription: LiveSubscription, event: BusEvent, began: number): void {
    subscription.failures += 1
    this.#options.taps.tap?.failed(subscription, event.id, began, error)
    this.#options.report(
      new BusError('handler_failed', `a handler of ${event.type} failed on event ${event.id}`, {
        stage: 'dispatch',
        eventType: event.type,
        eventId: event.id,
        cause: error,
      }),
      { stage: 'dispatch', eventId: event.id, eventType: event.type },
    )
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/** The event behind a header, with the defaults that a header leaves out. */
export function eventOf(
  header: EventHeader,
  data: unknown,
  { offset, position, revision }: Pick<Incoming, 'offset' | 'position' | 'revision'> = {},
): BusEvent {
  const event: { -readonly [Key in keyof BusEvent]: BusEvent[Key] } = {
    id: header.id,
    type: header.type,
    data,
    source: header.source,
    time: header.time,
    scope: header.scope ?? 'room',
    version: header.version ?? 1,
    correlationId: header.correlationId ?? header.id,
  }
  if (header.stream !== undefined) event.stream = header.stream
  if (revision !== undefined) event.revision = revision
  if (header.causationId !== undefined) event.causationId = header.causationId
  if (header.traceparent !== undefined) event.traceparent = header.traceparent
  if (header.metadata !== undefined) event.metadata = header.metadata
  if (offset !== undefined) event.offset = offset
  if (position !== undefined) event.position = position
  return event
}

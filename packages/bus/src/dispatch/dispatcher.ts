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
import type {
  Blocking,
  Delivery,
  Dispatch,
  Incoming,
  Intercept,
  Origin,
  Waits,
} from './dispatch.ts'
import { Outcomes } from './outcomes.ts'
import type { HandlerQueue } from './queue.ts'
import { type Counted, Stats, timedCalls } from './stats.ts'
import { type Subscription, Subscriptions } from './subscriptions.ts'

export interface HandlerContextLike {
  readonly origin: Origin
  readonly signal: AbortSignal
  readonly attempt: number
  readonly replaying: boolean
  ack(): void
  nak(delayMs?: number): void
  term(reason?: string): void
  inProgress(): void
}

export interface LiveSubscription
  extends Subscription,
    Omit<Counted, 'order' | 'calls'>,
    Omit<TappedSubscription, 'order'> {
  readonly handler: (event: BusEvent, context: HandlerContextLike) => unknown
  readonly where: ((event: BusEvent) => boolean) | undefined
  readonly signal: () => AbortSignal
  /** Once true, the handler is not called any more, not even for the event at hand. */
  readonly ended: boolean
  /** Set for a subscription that began in the log. */
  intercept: Intercept | undefined
  /** What its events go through where it has options. */
  readonly queue: HandlerQueue | undefined
}

/** Calls a handler through what the application put around it. */
export type Around = (
  event: BusEvent,
  context: HandlerContextLike,
  call: (event: BusEvent) => unknown,
) => unknown

export interface DispatcherOptions {
  readonly decode: typeof decodeValue
  /** What makes events current, where types have versions. */
  readonly types?: ReadTypes | undefined
  readonly taps: TapHolder
  readonly report: (error: BusError, context: ErrorContext) => void
  /** Milliseconds of the clock that the tap has, too. */
  readonly now: () => number
  /** Makes what a handler gets beside the event. */
  readonly context: (subscription: LiveSubscription, delivery: Delivery) => HandlerContextLike
}

export class Dispatcher implements Dispatch, Blocking {
  readonly #options: DispatcherOptions
  readonly subscriptions: Subscriptions<LiveSubscription>
  readonly stats: Stats = new Stats()
  readonly outcomes: Outcomes
  /** What is around every handler, where something is. */
  around: Around | undefined
  blocking = 0

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { types } = options
    this.outcomes = new Outcomes({ ...options, stats: this.stats })
    this.subscriptions = new Subscriptions(types && ((type) => types.hears(type)), this.stats)
  }

  /** An own event, by reference. */
  own(event: BusEvent, waits?: Waits): void {
    const { matching, tally } = this.subscriptions.entry(event.type)
    tally.published += 1
    this.#options.taps.tap?.matched(event.id, matching)
    if (matching.length === 0) return
    const delivery: Delivery = { event, origin: 'self', replaying: false, tally }
    for (let i = 0; i < matching.length; i++) {
      this.deliver(matching[i] as LiveSubscription, delivery, waits)
    }
  }

  /** An event of another context. */
  incoming(incoming: Incoming, origin: Origin): void {
    const { matching, tally } = this.subscriptions.entry(incoming.header.type)
    tally.received += 1
    this.#options.taps.tap?.matched(incoming.header.id, matching)
    if (matching.length === 0) return
    const event = this.open(incoming)
    if (!event) return
    const delivery: Delivery = { event, origin, replaying: false, tally }
    for (let i = 0; i < matching.length; i++)
      this.deliver(matching[i] as LiveSubscription, delivery)
  }

  waits(type: string): boolean {
    const queues = this.subscriptions.of(type).flatMap(({ queue }) => (queue?.blocks ? queue : []))
    if (!queues.some((queue) => queue.isFull)) return queues.length > 0
    const what = 'too many events wait for a handler already: await publish'
    throw new BusError('buffer_overflow', what, { stage: 'dispatch', eventType: type })
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

  deliver(subscription: LiveSubscription, delivery: Delivery, waits?: Waits): void {
    if (!subscription.intercept?.(delivery)) this.call(subscription, delivery, waits)
  }

  /** Calls the handler, whatever the subscription is waiting for. */
  call(subscription: LiveSubscription, delivery: Delivery, waits?: Waits): void {
    const { event } = delivery
    const { tap } = this.#options.taps
    if (subscription.ended) {
      tap?.filtered(subscription, event.id, 'ended')
      return
    }
    let began = 0
    let timed = 0
    try {
      if (subscription.where && !subscription.where(event)) {
        tap?.filtered(subscription, event.id, 'where')
        return
      }
      if (subscription.queue) {
        this.#enqueue(subscription, subscription.queue, delivery, waits)
        return
      }
      subscription.calls += 1
      timed = timedCalls(subscription.calls)
      if (tap || timed > 0) began = this.#options.now()
      const context = this.#options.context(subscription, delivery)
      const result = this.around
        ? this.handle(subscription, event, context)
        : subscription.handler(event, context)
      if (isThenable(result)) this.#watch(result, subscription, delivery, began, timed, waits)
      else if (tap || timed > 0) this.outcomes.handled(subscription, delivery, began, timed)
      else {
        // What `outcomes.handled` comes to for nearly all calls there are.
        subscription.tally.handled += 1
        ;(delivery.tally ?? this.stats.of(event.type)).handled += 1
      }
    } catch (error) {
      this.outcomes.failed(error, subscription, delivery, began, timed)
      if (waits?.handled) {
        const failed = Promise.reject(error)
        // Whoever waits looks at it only after the commit; until then it is not unhandled.
        failed.catch(() => {})
        waits.handled.push(failed)
      }
    }
  }

  /** Calls the handler through what is around it. A method of its own: closures cost where they are made. */
  handle(subscription: LiveSubscription, event: BusEvent, context: HandlerContextLike): unknown {
    const { handler, kind } = subscription
    if (!this.around || kind !== 'handler') return handler(event, context)
    return this.around(event, context, (changed) => handler(changed, context))
  }

  #watch(
    result: PromiseLike<unknown>,
    subscription: LiveSubscription,
    delivery: Delivery,
    began: number,
    timed: number,
    waits?: Waits,
  ): void {
    const settled = Promise.resolve(result)
    waits?.handled?.push(settled)
    settled.then(
      () => this.outcomes.handled(subscription, delivery, began, timed),
      (error: unknown) => this.outcomes.failed(error, subscription, delivery, began, timed),
    )
  }

  #enqueue(
    subscription: LiveSubscription,
    queue: HandlerQueue,
    delivery: Delivery,
    waits: Waits | undefined,
  ): void {
    const { around } = this
    if (!queue.batches || !around) {
      queue.take(delivery, waits)
      return
    }
    let taken = false
    let own: unknown
    const outcome = new Promise((resolve) => {
      const context = this.#options.context(subscription, delivery)
      const take = (event: BusEvent): unknown => {
        taken = true
        const handled: Promise<unknown>[] = []
        const hold = waits?.hold && ((room: Promise<void>) => waits.hold?.(room))
        queue.take({ ...delivery, event }, { handled, ...(hold && { hold }) })
        handled[0]?.catch((error: unknown) => (own = error))
        return handled[0]
      }
      resolve(around(delivery.event, context, take))
    })
    waits?.handled?.push(outcome)
    const { outcomes } = this
    // What was taken is counted by its queue, which tells of what the handler threw.
    outcome.then(
      () => taken || outcomes.handled(subscription, delivery, 0, 0),
      (error: unknown) => {
        if (!taken) outcomes.failed(error, subscription, delivery, 0, 0)
        else if (error !== own) outcomes.report(error, [delivery])
      },
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

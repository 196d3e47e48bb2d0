/** Subscriptions as their callers make them, and what a handler gets beside the event. */
import type { Settle } from '../consume/types.ts'
import type { BusEvent } from '../event.ts'
import type { TapHolder, TappedSubscription } from '../inspect/tap.ts'
import type { Platform } from '../platform.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import type { HandlerOptions, PublishOptions, ResponderContext } from '../types.ts'
import type { Calls } from './attempts.ts'
import type { Delivery, Given, Origin, Subscribed } from './dispatch.ts'
import type { Dispatcher, HandlerContextLike, LiveSubscription } from './dispatcher.ts'
import { handlingOf } from './options.ts'
import { HandlerQueue } from './queue.ts'
import { Histogram, newTally } from './stats.ts'

/** With `batch`, what is called `event` is a list of them. */
export type AnyHandler = (event: BusEvent, context: HandlerContextLike) => unknown

const NO_OPTIONS: HandlerOptions = {}

export type PublishInternal = (
  type: string,
  data?: unknown,
  options?: PublishOptions,
) => Promise<BusEvent>

/** A subscription that can be ended. */
export interface OwnedSubscription extends LiveSubscription {
  ended: boolean
  queue: HandlerQueue | undefined
}

export class Handlers {
  readonly #controllers = new WeakMap<LiveSubscription, AbortController>()
  readonly #queues = new Set<HandlerQueue>()
  readonly #taps: TapHolder
  readonly #platform: Pick<Platform, 'monotonic' | 'random' | 'timer'>
  /** Set once the bus is made. */
  publish: PublishInternal = () => Promise.reject(new Error('the bus is not made yet'))

  constructor(taps: TapHolder, platform: Pick<Platform, 'monotonic' | 'random' | 'timer'>) {
    this.#taps = taps
    this.#platform = platform
  }

  subscription(
    patterns: readonly string[],
    handler: AnyHandler,
    where: ((event: BusEvent) => boolean) | undefined,
    kind: TappedSubscription['kind'] = 'handler',
  ): OwnedSubscription {
    const subscription: OwnedSubscription = {
      patterns,
      handler,
      where,
      kind,
      since: this.#platform.monotonic(),
      site: undefined,
      calls: 0,
      failures: 0,
      order: 0,
      ended: false,
      intercept: undefined,
      tally: newTally(),
      times: new Histogram(),
      queue: undefined,
      signal: () => this.#controller(subscription).signal,
    }
    return subscription
  }

  /** Adds a live subscription to the dispatcher. @throws {BusError} invalid_pattern, invalid_options */
  attach(
    dispatcher: Dispatcher,
    patterns: unknown,
    handler: AnyHandler,
    where: ((event: BusEvent) => boolean) | undefined,
    kind?: TappedSubscription['kind'],
    options: HandlerOptions = NO_OPTIONS,
  ): Subscribed {
    const handling = handlingOf(options)
    const subscription = this.subscription(parsePatterns(patterns), handler, where, kind)
    if (handling) {
      const { signal } = subscription
      const call = this.#caller(dispatcher, subscription, handling.batch)
      const told = dispatcher.outcomes.told(subscription)
      const platform = this.#platform
      const queues = this.#queues
      subscription.queue = new HandlerQueue({ ...told, call, signal, handling, platform, queues })
      if (subscription.queue.blocks) dispatcher.blocking += 1
    }
    const { subscriptions } = dispatcher
    const matches = typeMatcher(subscription.patterns)
    subscriptions.add(subscription)
    this.#taps.tap?.subscribed(subscription)
    return {
      get ended() {
        return subscription.ended
      },
      get intercept() {
        return subscription.intercept
      },
      set intercept(intercept) {
        subscription.intercept = intercept
      },
      matches: (type) => subscriptions.hears(type) && matches(type),
      call: (delivery) => dispatcher.call(subscription, delivery),
      room: () => subscription.queue?.room(),
      known: (id) => this.#taps.tap?.filtered(subscription, id, 'known'),
      end: () => {
        if (!subscription.ended) {
          this.#taps.tap?.unsubscribed(subscription)
          if (subscription.queue?.blocks) dispatcher.blocking -= 1
        }
        subscriptions.remove(subscription)
        this.end(subscription)
      },
    }
  }

  /** Adds a subscription that a consumer gives its events. @throws {BusError} invalid_pattern */
  give(
    dispatcher: Dispatcher,
    patterns: unknown,
    handler: AnyHandler,
    where: ((event: BusEvent) => boolean) | undefined,
  ): Given {
    const subscription = this.subscription(parsePatterns(patterns), handler, where)
    const { subscriptions } = dispatcher
    const matches = typeMatcher(subscription.patterns)
    subscriptions.add(subscription, false)
    this.#taps.tap?.subscribed(subscription)
    return {
      order: subscription.order,
      patterns: subscription.patterns,
      told: dispatcher.outcomes.told(subscription),
      matches: (type) => subscriptions.hears(type) && matches(type),
      wants: (event) => where?.(event) ?? true,
      call: (delivery, attempt, settle, signal) => {
        subscription.calls += 1
        const context = new SettlingContext(subscription, delivery, this, attempt, signal)
        context.settle = settle
        return dispatcher.handle(subscription, delivery.event, context)
      },
      signal: subscription.signal,
      end: () => {
        if (!subscription.ended) this.#taps.tap?.unsubscribed(subscription)
        subscriptions.remove(subscription)
        this.end(subscription)
      },
    }
  }

  /** What a queue calls. */
  #caller(dispatcher: Dispatcher, subscription: OwnedSubscription, batch: boolean): Calls['call'] {
    return (deliveries, attempt, signal) => {
      subscription.calls += 1
      const { handler } = subscription
      const delivery = deliveries[0] as Delivery
      const { event } = delivery
      const context = new AttemptContext(subscription, delivery, this, attempt, signal)
      if (batch) {
        const events = deliveries.map((one) => one.event)
        return handler(events as unknown as BusEvent, context)
      }
      return dispatcher.handle(subscription, event, context)
    }
  }

  context(subscription: LiveSubscription, delivery: Delivery): HandlerContextLike {
    return new Context(subscription, delivery, this)
  }

  /** What a responder gets beside the event that is asked with. */
  responding(event: BusEvent, origin: Origin, signal: AbortSignal): ResponderContext<object> {
    return {
      origin,
      signal,
      publish: (type: string, data?: unknown, options?: PublishOptions) =>
        this.publish(type, data, answering(event, options)),
    } as ResponderContext<object>
  }

  end(subscription: OwnedSubscription): void {
    subscription.ended = true
    subscription.queue?.end()
    this.#controllers.get(subscription)?.abort()
  }

  /** Made only when a handler looks at it: most never do. */
  #controller(subscription: OwnedSubscription): AbortController {
    const known = this.#controllers.get(subscription)
    if (known) return known
    const controller = new AbortController()
    if (subscription.ended) controller.abort()
    this.#controllers.set(subscription, controller)
    return controller
  }
}

/** Made for each call: it keeps what it was made of, and says the rest when it is asked. */
class Context implements HandlerContextLike {
  readonly #subscription: LiveSubscription
  readonly #delivery: Delivery
  readonly #handlers: Handlers

  constructor(subscription: LiveSubscription, delivery: Delivery, handlers: Handlers) {
    this.#subscription = subscription
    this.#delivery = delivery
    this.#handlers = handlers
  }

  get origin(): Origin {
    return this.#delivery.origin
  }

  get replaying(): boolean {
    return this.#delivery.replaying
  }

  get attempt(): number {
    return 1
  }

  get signal(): AbortSignal {
    return this.ended
  }

  get ended(): AbortSignal {
    return this.#subscription.signal()
  }

  get subscription(): number {
    return this.#subscription.order
  }

  ack(): void {}

  nak(_delayMs?: number): void {}

  term(_reason?: string): void {}

  inProgress(): void {}

  /** Bound, since handlers take it out: `(event, { publish }) => ...`. */
  get publish(): PublishInternal {
    return (type, data, options) =>
      this.#handlers.publish(type, data, answering(this.#delivery.event, options))
  }
}

/** Options of an answer to an event: what it carries on of it. */
function answering(event: BusEvent, options: PublishOptions = {}): PublishOptions {
  const { id, correlationId, traceparent, metadata } = event
  const merged =
    metadata && options.metadata
      ? { ...metadata, ...options.metadata }
      : (options.metadata ?? metadata)
  return {
    ...options,
    correlationId: options.correlationId ?? correlationId,
    causationId: options.causationId ?? id,
    traceparent: options.traceparent ?? traceparent,
    metadata: merged,
  }
}

/** Of a handler with options: it may be called again, and have a signal of its own. */
class AttemptContext extends Context {
  readonly #attempt: number
  readonly #signal: (() => AbortSignal) | undefined
  #made: AbortSignal | undefined

  constructor(
    subscription: LiveSubscription,
    delivery: Delivery,
    handlers: Handlers,
    attempt: number,
    signal: (() => AbortSignal) | undefined,
  ) {
    super(subscription, delivery, handlers)
    this.#attempt = attempt
    this.#signal = signal
  }

  override get attempt(): number {
    return this.#attempt
  }

  override get signal(): AbortSignal {
    // One for all who ask: a listener has to be taken from what it was given to.
    this.#made ??= this.#signal?.() ?? super.signal
    return this.#made
  }
}

/** Of a handler that settles its events. */
class SettlingContext extends AttemptContext {
  settle: (Settle & { readonly tx?: unknown }) | undefined

  get tx(): unknown {
    return this.settle?.tx
  }

  override ack(): void {
    this.settle?.ack()
  }

  override nak(delayMs?: number): void {
    this.settle?.nak(delayMs)
  }

  override term(reason?: string): void {
    this.settle?.term(reason)
  }

  override inProgress(): void {
    this.settle?.inProgress()
  }
}

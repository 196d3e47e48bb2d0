/** Subscriptions as their callers make them, and what a handler gets beside the event. */
import type { BusEvent } from '../event.ts'
import type { TapHolder, TappedSubscription } from '../inspect/tap.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import type { PublishOptions } from '../types.ts'
import type { Delivery, Origin, Subscribed } from './dispatch.ts'
import type { Dispatcher, HandlerContextLike, LiveSubscription } from './dispatcher.ts'

export type AnyHandler = (event: BusEvent, context: HandlerContextLike) => unknown

export type PublishInternal = (
  type: string,
  data?: unknown,
  options?: PublishOptions,
) => Promise<BusEvent>

/** A subscription that can be ended. */
export interface OwnedSubscription extends LiveSubscription {
  ended: boolean
}

export class Handlers {
  readonly #controllers = new WeakMap<LiveSubscription, AbortController>()
  readonly #taps: TapHolder
  readonly #now: () => number
  /** Set once the bus is made. */
  publish: PublishInternal = () => Promise.reject(new Error('the bus is not made yet'))

  constructor(taps: TapHolder = { tap: undefined }, now: () => number = () => 0) {
    this.#taps = taps
    this.#now = now
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
      since: this.#now(),
      site: undefined,
      calls: 0,
      failures: 0,
      order: 0,
      ended: false,
      intercept: undefined,
      signal: () => this.#controller(subscription).signal,
    }
    return subscription
  }

  /** Adds a live subscription to the dispatcher. @throws {BusError} invalid_pattern */
  attach(
    dispatcher: Dispatcher,
    patterns: unknown,
    handler: AnyHandler,
    where: ((event: BusEvent) => boolean) | undefined,
    kind?: TappedSubscription['kind'],
  ): Subscribed {
    const subscription = this.subscription(parsePatterns(patterns), handler, where, kind)
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
      known: (id) => this.#taps.tap?.filtered(subscription, id, 'known'),
      end: () => {
        if (!subscription.ended) this.#taps.tap?.unsubscribed(subscription)
        subscriptions.remove(subscription)
        this.end(subscription)
      },
    }
  }

  context(event: BusEvent, subscription: LiveSubscription, delivery: Delivery): HandlerContextLike {
    return new Context(event, subscription, delivery, this)
  }

  end(subscription: OwnedSubscription): void {
    subscription.ended = true
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

class Context implements HandlerContextLike {
  readonly #event: BusEvent
  readonly #subscription: LiveSubscription
  readonly #handlers: Handlers
  readonly origin: Origin
  readonly replaying: boolean
  readonly attempt = 1

  constructor(
    event: BusEvent,
    subscription: LiveSubscription,
    delivery: Delivery,
    handlers: Handlers,
  ) {
    this.#event = event
    this.#subscription = subscription
    this.#handlers = handlers
    this.origin = delivery.origin
    this.replaying = delivery.replaying
  }

  get signal(): AbortSignal {
    return this.#subscription.signal()
  }

  publish(type: string, data?: unknown, options: PublishOptions = {}): Promise<BusEvent> {
    const { id, correlationId, traceparent, metadata } = this.#event
    const merged =
      metadata && options.metadata
        ? { ...metadata, ...options.metadata }
        : (options.metadata ?? metadata)
    return this.#handlers.publish(type, data, {
      ...options,
      correlationId: options.correlationId ?? correlationId,
      causationId: options.causationId ?? id,
      traceparent: options.traceparent ?? traceparent,
      metadata: merged,
    })
  }
}

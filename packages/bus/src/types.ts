/**
 * The public shapes, types only: the bus itself, and all it takes and gives.
 */
import type { DeadLetters } from './consume/types.ts'
import type { BusEvent } from './event.ts'
import type { ReplyOf, RequestOptions } from './request/request.ts'
import type {
  BatchHandler,
  BatchOptions,
  DurableOptions,
  GroupOptions,
  Handler,
  ResponderContext,
  SubscribeOptions,
  Transact,
  TransactContext,
  TransactOptions,
} from './types/handling.ts'
import type { Middleware, MiddlewareTools } from './types/middleware.ts'
import type {
  EventOf,
  Matched,
  PatternOf,
  Patterns,
  SystemEvents,
  TypeOf,
} from './types/patterns.ts'
import type {
  BatchEntry,
  PublishArguments,
  PublishErrorOptions,
  PublishOptions,
  Until,
} from './types/publishing.ts'
import type {
  EventsOptions,
  OnceOptions,
  Projection,
  ProjectOptions,
  ReplayOptions,
} from './types/reading.ts'
import type { BusStats } from './types/stats.ts'
import type {
  LeaderSnapshot,
  Observable,
  Outbox,
  PresenceMember,
  Status,
  Unsubscribe,
} from './types/status.ts'

export type * from './types/handling.ts'
export type * from './types/middleware.ts'
export type * from './types/patterns.ts'
export type * from './types/publishing.ts'
export type * from './types/reading.ts'
export type * from './types/stats.ts'
export type * from './types/status.ts'

/**
 * The bus. `Events` are what handlers see, `Input` what `publish` takes; they differ only where a
 * schema transforms.
 */
export interface Bus<Events extends object, Input extends object = Events> {
  readonly name: string
  readonly source: string
  /** Asking for `relay` or `leader`, and subscribing, count as use of the bus; `get()` does not. */
  readonly status: Status
  /**
   * Who leads this device. Subscribing counts as use of the bus; `get()` does not.
   *
   * @example bus.leader.subscribe(({ self }) => console.log(self ? 'this tab leads' : 'not this tab'))
   */
  readonly leader: Observable<LeaderSnapshot>
  /**
   * Who is here: this context first, then the others of this device, then those of other devices in
   * the room, ordered by `device` and `id`. A context that is closed, stands still, or died, leaves at
   * once; where there are no Web Locks, one that died after about three minutes. While the relay is away only this device is seen.
   * docs/presence.md says more.
   * Subscribing counts as use of the bus; `get()` does not. Empty once the bus is closed.
   *
   * @example bus.presence.subscribe((members) => badge.show(members.length))
   */
  readonly presence: Observable<readonly PresenceMember[]>
  /**
   * Own events on their way to the room; empty without a relay. Subscribing counts as use.
   *
   * @example bus.outbox.subscribe(({ pending }) => badge.show(pending))
   */
  readonly outbox: Outbox<Events>
  /**
   * What durable consumers of this device gave up.
   *
   * @example for (const { event, reason } of await bus.deadLetters.list()) console.log(event?.type, reason)
   * @example await bus.deadLetters.redrive({ consumer: 'mail' })
   */
  readonly deadLetters: DeadLetters

  /**
   * Publishes one event. Data is checked and encoded before this returns, so changing the object
   * afterwards changes nothing anywhere else; the same object goes to this context's handlers.
   *
   * @throws {BusError} as a rejection: invalid_type, invalid_data, too_large, invalid_options,
   *   schema_failed, unreachable, closed, log_failed, quota_exceeded, aborted, conflict
   * @example await bus.publish('order.created', { id: 7 }, { stream: 'order-7', until: 'relayed' })
   * @example await bus.publish('order.paid', {}, { stream: 'order-7', expectedRevision: 3 })
   */
  publish<Type extends TypeOf<Input>>(
    type: Type,
    ...rest: PublishArguments<Input[Type], PublishOptions>
  ): Promise<EventOf<Events, Type & TypeOf<Events>>>

  /**
   * Publishes several events, all or none in the log and in the room. At most 1,000 events and
   * 512 KiB of headers and data.
   */
  publishBatch(
    entries: readonly BatchEntry<Input>[],
    options?: {
      readonly until?: Until | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<EventOf<Events, TypeOf<Events>>[]>

  /**
   * Calls `handler` for each matching event, this context's own included. Handlers start in
   * order and run concurrently, unless `options` say otherwise; what they throw goes to `onError`.
   *
   * @throws {BusError} invalid_pattern, invalid_options, unreachable, closed
   * @example
   * const off = bus.subscribe('cart.*', (event) => render(event.type, event.data))
   * @example
   * bus.subscribe('order.placed', charge, { concurrency: 4, timeout: 5_000, retry: { attempts: 5 } })
   * @example
   * bus.subscribe('page.**', (events) => send(events), { batch: { size: 100, ms: 1_000 } })
   * @example
   * bus.subscribe('order.*', (event) => mail(event.data), { durable: 'mail', orderBy: 'stream' })
   */
  subscribe<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    handler: BatchHandler<Matched<Events, Pattern>>,
    options: BatchOptions<Matched<Events, Pattern>>,
  ): Unsubscribe
  subscribe<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    handler: Handler<Events, Matched<Events, Pattern>>,
    options: DurableOptions<Matched<Events, Pattern>> & { readonly transact?: undefined },
  ): Unsubscribe
  subscribe<const Pattern extends PatternOf<Events>, Given extends Transact>(
    pattern: Patterns<Pattern>,
    handler: (event: Matched<Events, Pattern>, context: TransactContext<Events, Given>) => unknown,
    options: TransactOptions<Matched<Events, Pattern>, Given>,
  ): Unsubscribe
  subscribe<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    handler: Handler<Events, Matched<Events, Pattern>>,
    options: GroupOptions<Matched<Events, Pattern>>,
  ): Unsubscribe
  subscribe<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    handler: Handler<Events, Matched<Events, Pattern>>,
    options?: SubscribeOptions<Matched<Events, Pattern>>,
  ): Unsubscribe

  /** The next matching event. @throws {BusError} aborted, closed */
  once<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    options?: OnceOptions<Matched<Events, Pattern>>,
  ): Promise<Matched<Events, Pattern>>

  /**
   * Matching events as an async iterator; leaving the loop unsubscribes.
   *
   * @example
   * for await (const event of bus.events('cart.*', { from: 'start' })) console.log(event.type)
   */
  events<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    options?: EventsOptions<Matched<Events, Pattern>>,
  ): AsyncIterableIterator<Matched<Events, Pattern>> & AsyncDisposable

  /**
   * Events of the log, one after the other, up to the newest there is when reading begins, which it
   * does at the first step of the loop. Leaving the loop ends it; so does `signal`, without an error.
   *
   * @throws {BusError} invalid_options, invalid_pattern, unreachable, closed; in the loop also
   *   not_found for a position that is not in this log, log_cleared, log_failed
   * @example
   * for await (const event of bus.replay({ pattern: 'cart.*', from: new Date('2026-01-01') }))
   *   console.log(event.offset, event.type)
   */
  replay<const Pattern extends PatternOf<Events> = '**'>(
    options?: ReplayOptions<Pattern>,
  ): AsyncIterableIterator<Matched<Events, Pattern>> & AsyncDisposable

  /**
   * The events of a stream that are in the log, all at once. With a relay: those the room has, in its
   * order, then those that wait for it, without those it refused. Without one: in the order of the log.
   *
   * @param options.fromRevision leaves out what has a lower revision, and, with a relay, what the
   *   room lost; what waits for it has no revision, and stays. @default 1
   * @throws {BusError} invalid_options, unreachable, closed, log_failed
   * @example
   * for (const event of await bus.loadStream('order-7')) order = apply(order, event)
   */
  loadStream(
    stream: string,
    options?: { readonly fromRevision?: number | undefined },
  ): Promise<EventOf<Events, TypeOf<Events>>[]>

  /**
   * A read model: `reducer` folds the matching events of the log, beginning with `initial`, and what
   * comes is folded on. With a relay, it is the room's confirmed events in the room's order, then own
   * pending ones, folded anew as they are confirmed or refused, so that every device reaches the same
   * state; without one, the order of the log. Once it is ready, own events are in it when `publish` resolves.
   *
   * `reducer` must be pure: it must change neither state nor event, and give the same state where
   * nothing changes. What it throws goes to `onError`, and the event is passed over. States are kept
   * as snapshots only where they are what `data` may be. The view ends with the bus.
   *
   * @throws {BusError} invalid_pattern, invalid_options, unreachable (a bus without a log), closed
   * @example
   * const count = bus.project('cart.item_added', (state) => state + 1, 0, { key: 'count' })
   * count.subscribe((state) => badge.show(state))
   */
  project<const Pattern extends PatternOf<Events>, State>(
    pattern: Patterns<Pattern>,
    reducer: (state: State, event: Matched<Events, Pattern>) => State,
    initial: State,
    options?: ProjectOptions,
  ): Projection<State>

  /** The event with this id, from the log; `undefined` where it is not there. */
  get(id: string): Promise<EventOf<Events, TypeOf<Events>> | undefined>

  /**
   * Puts a middleware around publishing and handling; it applies to what is published and handled
   * from now on.
   *
   * @throws {BusError} invalid_options
   * @example
   * bus.use({ handle: (event, next) => (event.metadata?.tenantId === tenant ? next() : undefined) })
   * @example
   * bus.use(openTelemetry(api))
   */
  use(
    middleware:
      | Middleware<EventOf<Events, TypeOf<Events>>>
      | ((tools: MiddlewareTools) => Middleware),
  ): Unsubscribe

  /**
   * Tells the contexts of this device, and its log, of an error of the application: an event `$error`,
   * which never leaves the device. Resolves and rejects as `publish` does.
   *
   * @example
   * bus.subscribe('order.*', (event) => ship(event).catch((error) => bus.publishError(error, { event })))
   */
  publishError(
    error: unknown,
    options?: PublishErrorOptions,
  ): Promise<BusEvent<'$error', SystemEvents['$error']>>

  /**
   * Asks whoever responds to this type, here or in another context, and with a relay in the whole room:
   * one context of each device is asked, and the first reply is it. The event goes into no log, and no
   * subscription hears it. docs/delivery.md says more.
   *
   * @throws {BusError} as a rejection: no_responder, timeout, aborted, responder_failed, too_many,
   *   forbidden, rate_limited, closed, and what `publish` says of type, data and options
   * @example
   * const { cents } = await bus.request('price.of', { sku: 'A1' }, { timeout: 1_000 })
   */
  request<Type extends TypeOf<Input>>(
    type: Type,
    ...rest: PublishArguments<Input[Type], RequestOptions>
  ): Promise<ReplyOf<Events[Type & TypeOf<Events>]>>

  /**
   * Replies to requests of a type with what `responder` gives. Of the contexts of a device one is asked;
   * where that goes away before it replied, the next one is. A context has one responder for a type.
   *
   * @throws {BusError} invalid_type, invalid_options, too_many, closed
   * @example
   * const off = bus.respond('price.of', async ({ data }, { signal }) => prices.find(data.sku, { signal }))
   */
  respond<Type extends TypeOf<Events>>(
    type: Type,
    responder: (
      event: EventOf<Events, Type>,
      context: ResponderContext<Events>,
    ) => ReplyOf<Events[Type]> | PromiseLike<ReplyOf<Events[Type]>>,
  ): Unsubscribe

  /**
   * Milliseconds of a round trip to the relay, whichever context holds the connection.
   *
   * @throws {BusError} unreachable (no relay), unavailable (offline), timeout, aborted, closed
   * @example console.log(`${await bus.ping()} ms`)
   */
  ping(options?: Pick<RequestOptions, 'timeout' | 'signal'>): Promise<number>

  /**
   * What was published and handled here so far, by type and by subscription.
   *
   * @example
   * const { failed, subscriptions } = bus.stats()
   */
  stats(): BusStats

  /** Whether a live subscription of this context matches the type. */
  hasSubscribers(type: string): boolean

  /**
   * Waits until everything published here before reached the level, or was rejected.
   * @default { until: 'logged' }
   */
  flush(options?: {
    readonly until?: 'accepted' | 'logged' | 'relayed' | undefined
    readonly signal?: AbortSignal | undefined
  }): Promise<void>

  /**
   * Deletes this device's log, for all its contexts: what is not committed yet rejects with
   * `log_cleared`, what the relay did not get is lost. Every context goes on with an empty log, as
   * a new device, which any user may join a room with. Resolves when the new log is open here.
   *
   * @throws {BusError} log_unavailable, log_failed, closed
   */
  clear(): Promise<void>

  /**
   * Ends all subscriptions, waits for what is being written, gives up leadership and closes log
   * and links.
   *
   * @param options.timeout milliseconds to wait at most. @default 5000
   */
  close(options?: { readonly timeout?: number | undefined }): Promise<void>

  [Symbol.asyncDispose](): Promise<void>
}

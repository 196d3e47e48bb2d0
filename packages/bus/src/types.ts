/**
 * The public shapes, types only: event maps, patterns, and the bus itself.
 */
import type {
  ConsumerStats,
  DeadLetters,
  GroupStats,
  Settle,
  SettleOptions,
} from './consume/types.ts'
import type { BusError, BusErrorCode } from './errors.ts'
import type { BusEvent, Metadata, Scope } from './event.ts'
import type { GapReason } from './protocol/frames.ts'
import type { ReplyOf, RequestOptions } from './request/request.ts'

/** A type or an interface whose keys are event types and whose values are their data. */
export type TypeOf<Events extends object> = keyof Events & string

/** What Crosstown itself publishes; heard by patterns that begin with `$` only. */
export interface SystemEvents {
  /** The relay refused an event of this device for good. */
  readonly '$event.refused': {
    readonly id: string
    readonly type: string
    readonly code: BusErrorCode
    readonly offset: number
    /** With `conflict`: the revision that its stream has in the room, 0 for none. */
    readonly currentRevision?: number
  }
  /** Dead letters of these durable consumers are to be given again. */
  readonly '$consumer.redriven': { readonly consumers: readonly string[] }
  /** Something failed on this device: `bus.publishError`. */
  readonly $error: {
    readonly name: string
    readonly message: string
    readonly code?: string
    readonly stack?: string
    /** What it was about. */
    readonly event?: { readonly id: string; readonly type: string }
    /** Its causes, from the nearest on. */
    readonly causes?: readonly { readonly name: string; readonly message: string }[]
  }
}

/** The event or events of the given types, discriminated by `type`. */
export type EventOf<Events extends object, Type extends string> = Type extends keyof SystemEvents
  ? BusEvent<Type, SystemEvents[Type]>
  : Type extends TypeOf<Events>
    ? BusEvent<Type, Events[Type]>
    : never

type SegmentPatterns<Type extends string> = Type extends `${infer Head}.${infer Rest}`
  ? `${Head | '*'}.${SegmentPatterns<Rest> | '**'}`
  : Type | '*'

/** Every pattern that matches at least one type of the map. */
export type PatternOf<Events extends object> =
  // Outside the condition, so that they are patterns of a map not known yet, too.
  | '*'
  | '**'
  | keyof SystemEvents
  | (string extends TypeOf<Events> ? string : SegmentPatterns<TypeOf<Events>>)

type Matches<Type extends string, Pattern extends string> = Pattern extends '**'
  ? true
  : Pattern extends `${infer PatternHead}.${infer PatternRest}`
    ? Type extends `${infer Head}.${infer Rest}`
      ? PatternHead extends '*' | Head
        ? Matches<Rest, PatternRest>
        : false
      : false
    : Type extends `${string}.${string}`
      ? false
      : Pattern extends '*' | Type
        ? true
        : false

/** The types of the map that a pattern matches. */
export type Matching<Events extends object, Pattern extends string> = Pattern extends '*' | '**'
  ? TypeOf<Events>
  : Pattern extends keyof SystemEvents
    ? Pattern
    : Pattern extends TypeOf<Events>
      ? // Of a map that is open, a pattern is no type of its own.
        string extends TypeOf<Events>
        ? Pattern extends `${string}*${string}`
          ? string
          : Pattern
        : Pattern
      : string extends TypeOf<Events>
        ? string
        : TypeOf<Events> extends infer Type extends string
          ? Type extends string
            ? Matches<Type, Pattern> extends true
              ? Type
              : never
            : never
          : never

/** The events a pattern stands for. */
export type Matched<Events extends object, Pattern extends string> = EventOf<
  Events,
  Matching<Events, Pattern>
>

/** Patterns, wherever they are taken: one or a list. */
export type Patterns<Pattern extends string> = Pattern | readonly Pattern[]

/**
 * When `publish` resolves. `accepted`: checked, encoded and queued. `logged`: committed to this
 * device's log. `relayed`: confirmed in the room's stream. `handled`: logged, and the live
 * handlers of this context settled.
 */
export type Until = 'accepted' | 'logged' | 'relayed' | 'handled'

/**
 * What an event expects of its stream when it is appended. `any`: nothing. `none`: that it never had
 * an event. `exists`: that it had one. A number: that its newest event has this revision; 0 is as
 * `none`.
 */
export type ExpectedRevision = 'any' | 'none' | 'exists' | number

/** What can be said of an event beside its type and data. */
export type EventOptions = CommonEventOptions &
  (
    | {
        /** The aggregate it belongs to: 1 to 256 characters. */
        readonly stream: string
        /**
         * Appends only where the stream is as expected, else rejects with `conflict` and the
         * stream's `currentRevision`. With a relay the room decides, when it gets the event, and
         * `until` is by default `relayed`; what the device holds counts, own events that wait
         * included, so that an event can build on one that is not confirmed. Without a relay the
         * log of the device decides, and handlers hear the event when it has. Needs a log in this
         * context, and with a relay scope `room`.
         *
         * @default 'any'
         */
        readonly expectedRevision?: ExpectedRevision | undefined
      }
    | { readonly stream?: string | undefined; readonly expectedRevision?: undefined }
  )

interface CommonEventOptions {
  /** Id of the conversation's first event. @default the event's own id */
  readonly correlationId?: string | undefined
  /** Id of the event this one answers. */
  readonly causationId?: string | undefined
  /** W3C trace context. */
  readonly traceparent?: string | undefined
  /** Flat facts: strings, finite numbers, booleans. */
  readonly metadata?: Metadata | undefined
  /** How far it goes. @default 'room': as far as there are links */
  readonly scope?: Scope | undefined
  /**
   * Whether it goes into the log. Without, it is best effort: no order promise, dropped rather
   * than queued. Events of scope `context` never go into the log, which the device shares.
   * @default true, and false for scope 'context'
   */
  readonly persist?: boolean | undefined
  /** Version of the schema, from 1. @default that of the type in `events`, 1 where it has none */
  readonly version?: number | undefined
}

export type PublishOptions = EventOptions & {
  /**
   * @default 'logged', or 'accepted' where nothing is logged; with a relay and an
   *   `expectedRevision`, 'relayed'
   */
  readonly until?: Until | undefined
  /** Ends the waiting, never the event. */
  readonly signal?: AbortSignal | undefined
}

/** One entry of `publishBatch`. */
export type BatchEntry<Events extends object> =
  TypeOf<Events> extends infer Type extends TypeOf<Events>
    ? Type extends string
      ? { readonly type: Type } & (undefined extends Events[Type]
          ? { readonly data?: Events[Type] }
          : Events[Type] extends void
            ? { readonly data?: undefined }
            : { readonly data: Events[Type] }) &
          EventOptions
      : never
    : never

/** `data` may be left out exactly where the map says `void`, `undefined` or `unknown`. */
export type PublishArguments<Data, Options> =
  // Outside the condition, so that it is taken for data not known yet, too.
  | [data: Data, options?: Options | undefined]
  | (void extends Data ? [] : undefined extends Data ? [] : never)

/** Where reading starts: with the event at that offset or position, or written at that time or later. */
export type ReadFrom = 'start' | 'now' | number | string | Date | { readonly last: number }

/** Which events of the log are replayed, in which order, and how fast. */
export interface ReplayOptions<Pattern extends string> {
  /** Begins with what it names, or with the first event written then or later. @default 'start' */
  readonly from?: ReadFrom | undefined
  /**
   * Ends with what it names, or with the last event written then or before. `{ last: n }` is the
   * n-th from the end of those that match. @default 'now'
   */
  readonly to?: ReadFrom | undefined
  /** @default '**' */
  readonly pattern?: Patterns<Pattern> | undefined
  /** Only events of this stream. */
  readonly stream?: string | undefined
  /** Only events of this conversation, the one that began it included. */
  readonly correlationId?: string | undefined
  /** Ends after so many events. @default Infinity */
  readonly limit?: number | undefined
  /**
   * `device`: as this log has them. `room`: as the room has them, the same on every device, then own
   * ones that it has not confirmed; without those it refused, and those of scope `device`. Without a
   * relay the two are one. In the room's order, times are the relay's, and an offset must be that of
   * an event.
   * @default 'device'
   */
  readonly order?: 'device' | 'room' | undefined
  /**
   * `original` pauses between events as long as there was between their writing, a number divides
   * the pauses. @default 'instant'
   */
  readonly speed?: 'instant' | 'original' | number | undefined
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined
  /** Told about a hundred times at most, last of all when the replay is done. */
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined
}

/** How far a replay is. */
export interface ReplayProgress {
  /** How much of the log was read, of `total`, in a unit of its own; equal when the replay is done. */
  readonly done: number
  readonly total: number
  /** Events given so far. */
  readonly events: number
}

export interface ProjectOptions {
  /**
   * Names the snapshot that the log keeps of the view, 1 to 256 characters; one key with other
   * patterns names another snapshot. Without it nothing is kept, and each view is folded anew.
   */
  readonly key?: string | undefined
  /** Of reducer and state, from 1: a snapshot of another version is not used. @default 1 */
  readonly version?: number | undefined
}

/** A read model: a state folded from the events of the log, which follows them. */
export interface Projection<State> extends Observable<State>, Disposable {
  /** The state: `initial` until the log was read; the same reference until it changes. */
  get(): State
  /**
   * Resolves when everything that was in the log at the call of `project` is folded. Rejects when
   * the log cannot be read, which `onError` hears of, too.
   */
  readonly ready: Promise<void>
  /** Ends it; the state stays as it is. */
  close(): void
}

/**
 * What a handler gets beside the event. A live handler gets an event once, whatever it says of it:
 * `ack`, `nak`, `term` and `inProgress` do nothing there, so that one handler may be used for both.
 */
export interface HandlerContext<Events extends object> extends Settle {
  /** From where the event came: this context, another one of the device, or another device. */
  readonly origin: 'self' | 'device' | 'room'
  /** Aborted when the subscription ends or the bus closes. */
  readonly signal: AbortSignal
  /** How often this handler has been given the event, from 1. */
  readonly attempt: number
  /** Whether the event comes from the log rather than live. */
  readonly replaying: boolean
  /** Publishes an answer: correlation, causation, trace and metadata of the event are carried on. */
  publish<Type extends TypeOf<Events>>(
    type: Type,
    ...rest: PublishArguments<Events[Type], PublishOptions>
  ): Promise<EventOf<Events, Type>>
}

/** What a responder gets beside the event that is asked with. */
export interface ResponderContext<Events extends object>
  extends Pick<HandlerContext<Events>, 'origin' | 'publish'> {
  /** Aborted when nobody waits for the reply any more, or the bus closes. */
  readonly signal: AbortSignal
}

export type Handler<Events extends object, Event> = (
  event: Event,
  context: HandlerContext<Events>,
) => unknown

/** A handler of several events at a time: `batch`. */
export type BatchHandler<Event> = (
  events: readonly Event[],
  context: Pick<HandlerContext<object>, 'signal' | 'attempt'>,
) => unknown

/** Which events, from where, and until when. */
export interface ListenOptions<Event> {
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
  /** Starts with events of the log, this one included, then goes on live. @default 'now' */
  readonly from?: ReadFrom | undefined
  /** Only events for which this returns true. */
  readonly where?: ((event: Event) => boolean) | undefined
}

/**
 * Milliseconds before a handler is called again: at random from 0 to `base`, doubled with each
 * attempt, at most `max` (30,000); a number is a `base`. Or a function that says it, given how many
 * attempts there were.
 */
export type Backoff =
  | number
  | { readonly base?: number | undefined; readonly max?: number | undefined }
  | ((attempt: number) => number)

/** What calls a handler for us: a circuit breaker, a bulkhead, as those of Cockatiel. */
export interface Policy {
  execute<T>(
    run: (context?: { readonly signal?: AbortSignal }) => PromiseLike<T> | T,
    signal?: AbortSignal,
  ): PromiseLike<T>
}

/** How a live handler is called. Without any of it: at once, in order, as often as events come. */
export interface HandlerOptions {
  /**
   * Calls that may run at once; what comes meanwhile waits in order.
   * @default Infinity, and 1 with `buffer`, `overflow` or `batch`
   */
  readonly concurrency?: number | undefined
  /** Events that may wait. @default 1000, or `batch.size` where that is more */
  readonly buffer?: number | undefined
  /**
   * What happens when the buffer is full. `block`: `publish` of such an event in this context resolves
   * when there is room for it. The others lose an event, the oldest that waits or the new one, and
   * report `buffer_overflow` once, until there is room again; with `error` each one.
   * docs/delivery.md says what becomes of events of other contexts.
   * @default 'block'
   */
  readonly overflow?: 'block' | 'drop-oldest' | 'drop-newest' | 'error' | undefined
  /** Milliseconds after which a call has failed with `timeout`, and its `ctx.signal` is aborted. */
  readonly timeout?: number | undefined
  /** Calls the handler again where it fails, `attempts` times in all. @default { backoff: 100 } */
  readonly retry?: { readonly attempts: number; readonly backoff?: Backoff | undefined } | undefined
  /** Calls the handler in its place, once for each attempt; while it is an open breaker they fail with `circuit_open`. */
  readonly policy?: Policy | undefined
}

export interface SubscribeOptions<Event> extends ListenOptions<Event>, HandlerOptions {}

/** Options of a handler that takes several events at a time. */
export interface BatchOptions<Event> extends SubscribeOptions<Event> {
  /** A list has `size` events, or those that came within `ms` milliseconds of its first. */
  readonly batch: { readonly size: number; readonly ms: number }
}

/** A SQLite database as `node:sqlite` has it: a `DatabaseSync`. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): {
    get(...values: (string | number)[]): unknown
    run(...values: (string | number)[]): unknown
  }
}

/** The database in which a handler writes, in one transaction with how far its consumer is. */
export type Transact =
  | {
      /** One with the store that `createCursorStore` makes. */
      readonly db: IDBDatabase
      /** Those that the handler reads and writes. */
      readonly stores: readonly string[]
    }
  | { readonly db: SqliteDatabase }

/** What a handler gets with `transact`. */
export type TransactContext<
  Events extends object,
  Given extends Transact,
> = HandlerContext<Events> & {
  /**
   * The open transaction. Of IndexedDB, only its requests may be awaited; anything else makes the next
   * one throw, and the transaction is rolled back. Of SQLite, the database itself, between `BEGIN` and
   * `COMMIT`: while an asynchronous handler waits, what others write through it belongs to it.
   */
  readonly tx: Given extends { readonly stores: unknown } ? IDBTransaction : Given['db']
}

/** Options of a durable consumer. */
export interface DurableOptions<Event> extends Omit<ListenOptions<Event>, 'from'>, SettleOptions {
  /**
   * Its name, 1 to 256 characters: of all contexts of the device that subscribe with it, one at a time
   * gets the events, each at least once. How far it is is kept in the log.
   */
  readonly durable: string
  /**
   * Where a consumer begins that the log does not know yet; then it goes on where it was. With
   * `confirmed`, no offset and no `last`.
   * @default 'start': the oldest event that the log has
   */
  readonly from?: ReadFrom | undefined
  /** Only events that the room has confirmed, in its order. Needs a relay. @default false */
  readonly confirmed?: boolean | undefined
  /** Calls the handler in its place. What it keeps from being called is given again by `backoff`, and not counted. */
  readonly policy?: Policy | undefined
}

/**
 * A durable consumer whose handler writes to a database of yours, together with how far it is: each
 * event has its effect there once. One event at a time.
 */
export interface TransactOptions<Event, Given extends Transact> extends DurableOptions<Event> {
  readonly transact: Given
}

/** Options of a handler that shares its events with the other members of a group. */
export interface GroupOptions<Event> extends ListenOptions<Event>, SettleOptions {
  /**
   * Name of the group, 1 to 256 characters. Its members, in whatever contexts and devices of the room,
   * share the events of the room that match their patterns: each is leased to one of them by the relay,
   * and to another one where that one does not settle it in time, gives it back or goes. Needs a relay.
   *
   * All members of a group should have the same patterns and options: those of whoever joined last hold.
   * An event that the `where` of the member it was leased to does not want counts as handled.
   *
   * `from` says where a group begins that does not exist yet. @default 'start'
   */
  readonly group: string
  /** Calls the handler in its place; while it is an open breaker, events wait here. */
  readonly policy?: Policy | undefined
}

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

export interface PublishErrorOptions {
  /** The event that was being dealt with: its correlation, trace and metadata are carried on. */
  readonly event?: BusEvent | undefined
  readonly metadata?: Metadata | undefined
  readonly signal?: AbortSignal | undefined
}

export interface OnceOptions<Event> {
  readonly where?: ((event: Event) => boolean) | undefined
  /** Ends the waiting: the promise rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined
}

export interface EventsOptions<Event> extends ListenOptions<Event> {
  /** Events kept while the loop is busy. @default 1000 */
  readonly buffer?: number | undefined
  /**
   * What happens when the buffer is full. `error` ends the loop with `buffer_overflow`; the others
   * report through `onError` once, until there is room again.
   * @default 'error'
   */
  readonly overflow?: 'drop-oldest' | 'drop-newest' | 'error' | undefined
}

/** Ends a subscription; also `using off = bus.subscribe(...)`. */
export interface Unsubscribe extends Disposable {
  (): void
}

/** A value that changes: `get` returns the same snapshot until it does. */
export interface Observable<Snapshot> {
  get(): Snapshot
  /** Calls back at once and after each change. */
  subscribe(callback: (snapshot: Snapshot) => void): Unsubscribe
}

export type RelayState = 'off' | 'connecting' | 'online' | 'offline' | 'refused'

export interface StatusSnapshot {
  /**
   * `refused`: the relay will not have this device until something is changed; see `lastError`.
   * What the leader says it is; `offline` in a context without a log when nobody leads any more.
   */
  readonly relay: RelayState
  /** Round trip to the relay in milliseconds, where measured. */
  readonly rtt: number | undefined
  /** Whether this context leads its device. */
  readonly leader: boolean
  readonly log: {
    /** How durable `logged` is here. */
    readonly kind: 'disk' | 'memory' | 'none'
    readonly state: 'closed' | 'opening' | 'open'
    /** Bytes of headers and data written by this context. */
    readonly bytes: number
  }
  readonly outbox: OutboxSnapshot
  readonly lastError: BusError | undefined
}

/** Who leads the device: of its contexts the leader alone holds the connection to the relay. */
export interface LeaderSnapshot {
  /** Whether this context leads. */
  readonly self: boolean
  /** Whether some context of the device is known to lead, this one included. */
  readonly present: boolean
}

/** A context that is there: a bus in a page, a worker, a process. */
export interface PresenceMember {
  /** The prefix of its event ids; another one after each reload. */
  readonly id: string
  /** The same for all contexts of a device. It names the device, and gives no power over it. */
  readonly device: string
  /** Option `source` of its bus. */
  readonly source: string
  /** `process`: Node, Deno, Bun. */
  readonly kind: 'page' | 'worker' | 'service-worker' | 'process'
  /** Whether it is this context, another one of this device, or of another device in the room. */
  readonly origin: 'self' | 'device' | 'room'
  /** Whether it leads its device. */
  readonly leader: boolean
  /** Of another device: whom its token belongs to, where the relay asks for tokens. */
  readonly subject?: string
}

/** What this device has for the room. */
export interface OutboxSnapshot {
  /** Events that the room has not confirmed. */
  readonly pending: number
  /** Events that the relay refused for good since the leader began. */
  readonly refused: number
}

/** Own events on their way to the room. */
export interface Outbox<Events extends object> extends Observable<OutboxSnapshot> {
  /**
   * The events that the room has not confirmed, from the log, oldest first.
   *
   * @example for await (const event of bus.outbox.pending()) console.log(event.type, event.time)
   */
  pending(): AsyncIterableIterator<EventOf<Events, TypeOf<Events>>>
  /** The events that the relay refused for good, and why, as far back as the log goes. */
  refused(): AsyncIterableIterator<{
    readonly event: EventOf<Events, TypeOf<Events>>
    readonly code: BusErrorCode
    /** With `conflict`: the revision that its stream had in the room, 0 for none. */
    readonly currentRevision: number | undefined
  }>
}

export type Status = StatusSnapshot & Observable<StatusSnapshot>

/** A hole in what this device could read of the room. */
export interface Gap {
  /**
   * `trimmed`: the relay does not keep it any more. `restored`: the relay was put back from an older
   * copy; what other devices had sent since comes again once they are back. `new_epoch`: the room was
   * made anew. `rights_changed`: what the old rights hid, the new ones do not bring back.
   */
  readonly reason: GapReason | 'rights_changed'
  /** The position from which the room's stream goes on. */
  readonly from: string
  /** The position up to which this device had the room before. */
  readonly lost?: string
}

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

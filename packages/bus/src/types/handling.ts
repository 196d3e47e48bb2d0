/** Handlers: what they are given, and how they are called. */
import type { Settle, SettleOptions } from '../consume/types.ts'
import type { EventOf, TypeOf } from './patterns.ts'
import type { PublishArguments, PublishOptions } from './publishing.ts'
import type { ListenOptions, ReadFrom } from './reading.ts'

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

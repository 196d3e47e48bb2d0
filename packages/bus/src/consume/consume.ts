/** What durable consumers know of the rest of the bus; types only. */
import type { Given, Incoming } from '../dispatch/dispatch.ts'
import type { BusError } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { Log } from '../log/log.ts'
import type { Part } from '../part.ts'
import type { Platform } from '../platform.ts'
import type { Policy, ReadFrom, Transact } from '../types.ts'
import type { Settling } from './options.ts'
import type { ConsumerStats, DeadReason } from './types.ts'

/** An event of the log. */
export type Logged = Incoming & { readonly offset: number; readonly fromRoom: boolean }

/** Neighbouring events, as `feed` of read/ gives them. */
export interface Portion {
  readonly batch: number
  readonly events: readonly { readonly at: number; readonly event: Logged }[]
  readonly next: number
}

export interface FeedOptions {
  readonly confirmed: boolean
  readonly wanted: (header: EventHeader) => boolean
}

/** A turn that was asked for. */
export interface AskedTurn {
  /** Lets go; at once, without waiting for what is being written, where the context stands still. */
  release(atOnce?: boolean): Promise<void>
}

/** Why a turn ended. */
export type Ending =
  /** It was let go of. */
  | 'released'
  /** The log went. */
  | 'lost'
  /** Another context has the turn. */
  | 'fenced'
  /** There is an event of a version that this context does not know. */
  | 'needs_upgrade'

/** A consumer while it has its turn. */
export interface Turn {
  readonly counts: Pick<ConsumerStats, 'floor' | 'pending' | 'lag' | 'redelivered' | 'dead'>
  /** Whether it stands somewhere. */
  readonly began: boolean
  /** Consumes until the signal ends it, or something else does. */
  run(signal: AbortSignal): Promise<Ending>
  wake(head?: number): void
  redriven(): void
}

/** What a consumer needs once it has its turn. */
export interface Consuming {
  readonly Holding: new (options: TurnOptions, log: Log) => Turn
  readonly feed: Feed
  readonly firstPlace: FirstPlace
  /** @throws {BusError} invalid_options */
  readonly transactionsOf: (transact: Transact) => Transactions
}

export type Feed = (
  log: Log,
  from: number,
  options: FeedOptions & Reading,
) => AsyncIterable<Portion>
export type FirstPlace = (
  log: Log,
  from: ReadFrom,
  options: FeedOptions & Reading,
) => Promise<number>

/** Of the bus that reads. */
interface Reading {
  readonly hasRelay: boolean
  readonly report: (error: BusError) => void
}

/** What all consumers of a bus have. */
export interface ConsumeOptions {
  readonly part: Part<Consuming>
  readonly platform: Platform
  /** Of the ids that this context gives. */
  readonly prefix: string
  readonly hasRelay: boolean
  /** Opens the log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  /** Takes a turn at what has this name; `lead` runs in it, `over` is told of one that ended by itself. */
  readonly takeTurn: (
    log: Log,
    name: string,
    lead: (signal: AbortSignal) => Promise<void>,
    over: () => void,
  ) => AskedTurn
  /** Decodes an event; `undefined` for one that is damaged and was reported. */
  readonly decode: (event: Incoming) => BusEvent | undefined
  /** Whether an event is of a newer version of its type than this context knows. */
  readonly isNewer: ((header: EventHeader) => boolean) | undefined
  /** Calls back where dead letters of these consumers are to be given again, on whatever context. */
  readonly onRedriven: (heard: (consumers: readonly string[]) => void) => () => void
  readonly report: (error: BusError) => void
}

/** Where a consumer stands, in the user's database. */
export interface UserRow {
  readonly generation: number
  readonly state: string
}

/** Transactions of the user's database. */
export interface Transactions {
  /**
   * Runs `work` in a transaction, given the row that is there. Commits with the row that it gives, and
   * rolls back where it gives none, throws, or the signal is aborted.
   *
   * @returns whether it was committed
   */
  run(
    key: readonly [logId: string, consumer: string],
    work: (tx: unknown, row: UserRow | undefined) => Promise<UserRow | undefined>,
    signal?: AbortSignal,
  ): Promise<boolean>
}

/** One durable consumer, as it was subscribed here. */
export interface ConsumerOptions extends ConsumeOptions {
  readonly name: string
  readonly given: Given
  readonly settling: Settling
  readonly confirmed: boolean
  readonly from: ReadFrom
  readonly filtered: boolean
  readonly policy: Policy | undefined
  readonly transact: Transact | undefined
}

/** The same, in its turn. */
export interface TurnOptions extends Omit<ConsumerOptions, 'transact'> {
  readonly feed: Feed
  readonly firstPlace: FirstPlace
  readonly transactions: Transactions | undefined
}

/** A dead letter as it is written: the event with it, since the log lets go of it some day. */
export interface LetterText {
  readonly reason: DeadReason
  readonly detail?: string | undefined
  readonly attempts: number
  readonly time: number
  readonly event: Logged
  /** It is to be given again. */
  readonly redriven?: true
}

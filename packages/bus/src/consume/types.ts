/**
 * The public shapes of consumers that settle each event, durable ones and groups; types only.
 */
import type { BusEvent } from '../event.ts'

/** How events are given again, as in NATS JetStream; the same for durable consumers and groups. */
export interface SettleOptions {
  /**
   * How often an event is given at most, the first time included; then it is a dead letter. `Infinity`
   * for no limit: an event that never succeeds then stands in the way of its stream for ever.
   * @default 10
   */
  readonly maxDeliver?: number | undefined
  /**
   * Milliseconds in which a delivery has to be settled; `ctx.inProgress()` begins them anew. Then
   * `ctx.signal` is aborted, and the event is given again.
   * @default 30_000
   */
  readonly ackWait?: number | undefined
  /**
   * Milliseconds for each delivery: the n-th has so long to be settled, instead of `ackWait`, and is
   * given again so long after its handler threw. The last one repeats.
   * @default none: `ackWait`, and 1 s, 5 s, 30 s, 2 and 10 minutes after a handler threw
   */
  readonly backoff?: readonly number[] | undefined
  /** Events that may be given and not settled; what comes meanwhile waits. @default 1000 */
  readonly maxAckPending?: number | undefined
  /**
   * `stream`: the events of a stream are given one after the other, the next when the one before is
   * settled, while those of other streams go on. Events without a stream wait for none.
   */
  readonly orderBy?: 'stream' | undefined
  /** Calls that may run at once. @default 1, and 10 with `orderBy` */
  readonly concurrency?: number | undefined
}

/** What a handler says of the event it was given. */
export interface Settle {
  /** The event is handled, whatever the handler does then. Returning says the same. */
  ack(): void
  /** It is not: gives it again, after so many milliseconds. @default 0 */
  nak(delayMs?: number): void
  /** It never will be: makes a dead letter of it. */
  term(reason?: string): void
  /** More time is needed: the wait for a word about it begins anew. */
  inProgress(): void
}

/** A durable consumer that was subscribed in this context. */
export interface ConsumerStats {
  readonly name: string
  /** Number of its subscription within the bus. */
  readonly subscription: number
  /**
   * `running`: this context consumes. `waiting`: for its turn, while another context does, or for the
   * log. `needs_upgrade`: the next event is of a version that this context does not know. The counts
   * are those of its last turn where it is not `running`.
   */
  readonly state: 'running' | 'waiting' | 'needs_upgrade' | 'ended'
  /** Offset below which all is settled; with `confirmed` a place in the room's order. */
  readonly floor: number
  /** Events that were read and are not settled. */
  readonly pending: number
  /** The same, and the batches of the log that were not read yet: events that wait, at least. */
  readonly lag: number
  /** Deliveries beyond the first of an event, since there is the consumer. */
  readonly redelivered: number
  /** Events given up since then. */
  readonly dead: number
}

/** Why an event is a dead letter. */
export type DeadReason =
  /** It was given `maxDeliver` times: the handler threw, or said `nak`. */
  | 'failed'
  /** The same, and the last time nothing was said of it in time. */
  | 'lapsed'
  /** The same, and the last time its context died with it. */
  | 'crashed'
  /** The handler said `term`. */
  | 'terminated'
  /** It could not be decoded, or made what its type says; `onError` was told why. */
  | 'unreadable'

/** An event that a consumer gave up. */
export interface DeadLetter {
  /** Its number in this log. */
  readonly id: number
  /** Name of the durable consumer. */
  readonly consumer: string
  readonly reason: DeadReason
  /** What the handler threw last, or gave to `term`; at most 1,000 characters. */
  readonly detail?: string
  /** How often the event was given. */
  readonly attempts: number
  /** When it was given up, milliseconds since 1970. */
  readonly time: number
  /** `undefined` where it cannot be read any more. */
  readonly event: BusEvent | undefined
}

/** Some dead letters: by number, or all that fulfil what is given. */
export type LetterFilter =
  | number
  | readonly number[]
  | {
      readonly consumer?: string | undefined
      readonly type?: string | undefined
      readonly reason?: DeadReason | undefined
    }

/**
 * The events that durable consumers of this device gave up. The log keeps each with its event, the
 * newest 1,000 and 8 Mi characters of them.
 */
export interface DeadLetters {
  /** The oldest first. @throws {BusError} unreachable (no log), log_failed */
  list(which?: LetterFilter): Promise<DeadLetter[]>
  /**
   * Gives them to their consumers once more, `maxDeliver` times at most, in whatever context these
   * are. Those that are handled are dead letters no more. At least once, also with `transact`; not in
   * the order of their streams.
   *
   * @returns how many there were
   * @throws {BusError} unreachable (no log), invalid_options, log_failed
   */
  redrive(which: LetterFilter): Promise<number>
  /** Forgets them. @returns how many there were */
  discard(which: LetterFilter): Promise<number>
}

/** What a member of a group did with what it was leased. */
export interface GroupCounts {
  /** Events leased, each time one was. */
  readonly leased: number
  /** Of these, such as had been leased before. */
  readonly again: number
  readonly acked: number
  /** Given back to be handled again: the handler threw, or said `nak`. */
  readonly naked: number
  readonly terminated: number
  /** Given back because the handler had no time for them; no attempt. */
  readonly released: number
  /** Leases that ended before the relay heard what became of the event. */
  readonly lapsed: number
}

/** `away`: the relay is not there. `refused`: the relay will not have it as a member. */
export type GroupState = 'away' | 'joining' | 'member' | 'refused'

/** A subscription of this context with `group`. */
export interface GroupStats extends GroupCounts {
  readonly group: string
  /** Its name among the members of the device. */
  readonly member: string
  readonly state: GroupState
  /** Events that wait for their turn here. */
  readonly waiting: number
  readonly running: number
  /** Events of which the relay does not know yet what became. */
  readonly unsettled: number
}

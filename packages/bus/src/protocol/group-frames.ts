/**
 * Frames of groups: members of a room, on whatever device, that share its events, each of which the
 * relay leases to one of them. docs/protocol.md describes them under "Groups".
 */
import type { BusErrorCode } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { From } from './position.ts'

/** What one member can hold at most. */
export const MAX_GROUP_CREDIT = 1_000
/** Settlements in one `settle` frame at most. */
export const MAX_SETTLEMENTS = 1_000
/** Characters of a reason at most. */
export const MAX_REASON_LENGTH = 1_000
/** Times in one `backoff` at most. */
export const MAX_BACKOFF = 100

/** How a group leases. Who joined last decides; what is left out has its default. */
export interface GroupOptions {
  /** Patterns of the types of the events that are leased. */
  readonly types: readonly string[]
  /** Milliseconds after which a lease that was not settled lapses. @default 30_000 */
  readonly ackWait?: number
  /** The same for the first lease of an event, the second...; the last one is for all that follow. */
  readonly backoff?: readonly number[]
  /** Times that an event is leased before it is a dead letter. @default 10 */
  readonly maxDeliver?: number
  /** Events that may be leased, or wait to be leased again, at once. @default 1_000 */
  readonly maxAckPending?: number
  /** Of each stream one event at a time, in the order of the room. @default in no order */
  readonly orderBy?: 'stream'
}

/** What a member joins with. */
export interface GroupJoin extends GroupOptions {
  /** Where a group begins that does not exist yet. @default 'now' */
  readonly from?: From
  /** Events this member can hold at once. */
  readonly credit: number
  /** The leases that it holds, where it was a member before; what else it was leased it never got. */
  readonly holds?: readonly LeaseRef[]
}

/** A member joins a group, joins it anew, or leaves it. */
export interface GroupFrame {
  readonly frame: 'group'
  readonly group: string
  /** Tells the members of this device apart. */
  readonly member: string
  /** Absent: it leaves, and what it holds goes to others. */
  readonly join?: GroupJoin
}

/** The answer to a join; with a code: the member is none, or is none any more. */
export interface GroupedFrame {
  readonly frame: 'grouped'
  readonly group: string
  readonly member: string
  /** What holds of the group now. */
  readonly options?: Required<Omit<GroupOptions, 'backoff' | 'orderBy'>> &
    Pick<GroupOptions, 'backoff' | 'orderBy'>
  /** Leases of the member that ended: of what it says it holds, and of what is still on its way to it. */
  readonly lapsed?: readonly LeaseRef[]
  readonly code?: BusErrorCode
  readonly message?: string
  /** When to join again, where that may help. */
  readonly retryAfterMs?: number
}

/** A lease: the place of its event, and a number that no other lease of that event in the group has. */
export type LeaseRef = readonly [place: number, generation: number]

/**
 * How an event is leased: which time, from 1; when the relay wrote it, in milliseconds since 1970; and
 * in how many milliseconds the lease lapses.
 */
export type Lease = readonly [
  place: number,
  generation: number,
  attempt: number,
  time: number,
  waitMs: number,
]

/** Events for one member, and nobody else as long as it holds the leases. */
export interface LeaseFrame {
  readonly frame: 'lease'
  readonly group: string
  readonly member: string
  /** One for each event. */
  readonly leases: readonly Lease[]
  readonly events: readonly EventHeader[]
}

/**
 * What becomes of an event: done; to be leased again, after a time; never to be leased again; still
 * being worked on; or not begun, and given back as if it had not been leased.
 */
export type SettleOutcome = 'ack' | 'nak' | 'term' | 'progress' | 'release'

/** The delay is that of a `nak`; the reason is kept with a dead letter. */
export type Settlement = readonly [
  place: number,
  generation: number,
  outcome: SettleOutcome,
  delayMs?: number,
  reason?: string,
]

/** A member says what became of events that it was leased. */
export interface SettleFrame {
  readonly frame: 'settle'
  readonly group: string
  readonly member: string
  /** Chosen by the device, and named by the answer. */
  readonly number: number
  readonly settlements: readonly Settlement[]
}

/** The settlements are committed; with a code none of them is. */
export interface SettledFrame {
  readonly frame: 'settled'
  readonly group: string
  readonly member: string
  readonly number: number
  /** Those that came too late: the lease had ended, and the event is, or will be, somebody else's. */
  readonly lapsed?: readonly LeaseRef[]
  readonly code?: BusErrorCode
  readonly retryAfterMs?: number
}

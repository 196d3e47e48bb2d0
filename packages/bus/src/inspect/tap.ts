/**
 * The tap as the other stages see it: where each of them says what it did. Nobody attached, `tap` is
 * `undefined`, and a stage pays one branch for it.
 */
import type { Batch, Entry } from '../batch/batch.ts'
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import type { BusError, BusErrorCode } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { Gap } from '../types.ts'
import type { InspectRecord, PeerStatus, SubscriptionInfo, Via } from './frames.ts'

/** Lets a text on its way go, or not, or later. */
export type Gate = (way: 'tabs' | 'relay', text: string, go: (text: string) => void) => void

/** Handed to the stages of one bus; `tap` comes and goes with its inspectors. */
export interface TapHolder {
  tap: Tap | undefined
  /** What the last welcome allowed, while this context is connected. */
  rights?: PeerStatus['rights'] | undefined
  /** The connection to the relay, of the context that leads. */
  relay?: { reconnect(): void } | undefined
  /** What goes over a link goes through here while an inspector has a fault in force. */
  gate?: Gate | undefined
}

/** A live subscription, as far as an inspector is told of it. */
export interface TappedSubscription {
  /** Its number. */
  readonly order: number
  readonly patterns: readonly string[]
  readonly where: unknown
  readonly kind: SubscriptionInfo['kind']
  /** Made at, by the monotonic clock. */
  readonly since: number
  /** Where it was made, as far as it is known. */
  site: string | undefined
  calls: number
  failures: number
  /** Where it has options: what its events wait in. */
  readonly queue?: { readonly handling: { readonly concurrency: number } } | undefined
}

/** A projection, as far as an inspector is told of it. */
export interface TappedView {
  readonly number: number
  readonly patterns: readonly string[]
  readonly key: string | undefined
  readonly version: number
}

/** Where the room has events of an own batch; the session's `Confirmation`. */
export interface Placed {
  readonly batch: number
  readonly epoch: string
  readonly place: number
  readonly indexes: readonly number[]
  readonly refused: readonly (readonly [index: number, code: BusErrorCode, revision?: number])[]
}

export type DropReason = Extract<InspectRecord, { is: 'dropped' }>['why']
export type LifeState = Extract<InspectRecord, { is: 'life' }>['state']

/** MUST NOT throw, and MUST NOT change what it is given. Times are monotonic milliseconds. */
export interface Tap {
  now(): number
  /** A batch is handed on; its commit begins in this task. */
  published(batch: Batch): void
  /** Events of a bus that encodes nothing. */
  passed(events: readonly BusEvent[]): void
  committed(batch: Batch, number: number): void
  /** A batch turned out not to be committed. */
  withdrawn(batch: Batch, error: BusError): void
  /** Handed to a link, as so many characters. */
  posted(via: Via, entries: readonly Entry[], bytes: number): void
  /** The same, of headers as JSON text; `via` is `undefined` where nobody was there to take it. */
  told(headers: string, bytes: number, via?: Via): void
  /**
   * Events of an own batch were handed to the relay link. `headers` is their JSON text, `indexes` says
   * which of the batch they are, where it is not all.
   */
  sent(batch: number, headers: string, bytes: number, indexes?: readonly number[]): void
  /** The relay could not take a sent batch now. */
  rejected(batch: number, code: BusErrorCode): void
  confirmed(placed: Placed): void
  received(via: Via, origin: Origin | 'past', incoming: Incoming, from?: string): void
  matched(id: string, subscriptions: readonly TappedSubscription[]): void
  /** `began` is 0 where nobody was attached then. */
  handled(subscription: TappedSubscription, id: string, began: number): void
  failed(subscription: TappedSubscription, id: string, began: number, error: unknown): void
  filtered(subscription: TappedSubscription, id: string, why: 'where' | 'ended' | 'known'): void
  /** The handler is called again, for the so-manieth time. */
  retried(subscription: TappedSubscription, id: string, attempt: number): void
  dropped(ids: readonly string[], why: DropReason, subscription?: TappedSubscription): void
  gap(gap: Gap): void
  subscribed(subscription: TappedSubscription): void
  unsubscribed(subscription: TappedSubscription): void
  viewed(view: TappedView): void
  error(error: BusError): void
  life(state: LifeState): void
}

/**
 * The way to the taps of this context, and of the others of its origin, for who brings an inspector
 * from somewhere else: the bridge of the relay link.
 */
export interface Inspection {
  /** A frame of an inspector; to all taps of the origin. Anything else is passed over. */
  receive(text: string): void
  /** Calls back with the frames of all taps of the origin, until the returned function is called. */
  onFrame(listener: (text: string) => void): () => void
}

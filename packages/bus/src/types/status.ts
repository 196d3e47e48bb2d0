/** How a bus stands: its relay, its leader, its log, its outbox, and who is there. */
import type { BusError, BusErrorCode } from '../errors.ts'
import type { GapReason } from '../protocol/frames.ts'
import type { EventOf, TypeOf } from './patterns.ts'

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

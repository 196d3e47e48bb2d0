/**
 * Frames of protocol version 1, between a device's leader and a relay. A frame is text: one line
 * of JSON with the frame and all event headers, then one line of encoded data for each event, in
 * order. docs/protocol.md describes them for other languages; its examples are read by a test.
 */
import type { BusErrorCode } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type {
  GroupedFrame,
  GroupFrame,
  LeaseFrame,
  SettledFrame,
  SettleFrame,
} from './group-frames.ts'
import type { From } from './position.ts'

export * from './group-frames.ts'
export type { From } from './position.ts'

export const PROTOCOL_VERSION = 1
/** The WebSocket subprotocol of version 1. */
export const SUBPROTOCOL = 'crosstown.v1'
/** UTF-8 bytes of one frame at most. */
export const MAX_FRAME_BYTES: number = 1024 * 1024
/** Characters of the text in one `inspect` frame at most. */
export const MAX_INSPECT_LENGTH: number = 256 * 1024

/** Whether a text can name a room; `.` and `..` would change the path of a URL. */
export function isRoom(room: unknown): room is string {
  return typeof room === 'string' && /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/.test(room)
}

/** A leadership of a device: a number that only grows, and a nonce that tells clones apart. */
export type Term = readonly [number: number, nonce: string]

/** A batch of a device, named by number and by the id of its last event. */
export interface BatchRef {
  readonly batch: number
  readonly id: string
}

/** What a token allows: patterns of event types. */
export interface Rights {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/** What the relay promises of a confirmed event: gone with the process, or synced to disk. */
export type Durability = 'memory' | 'disk'

/** First frame of a connection: what the device holds. */
export interface HelloFrame {
  readonly frame: 'hello'
  readonly version: 1
  readonly token?: string
  readonly log: string
  /** The subject this log was first welcomed as; absent in a new log. */
  readonly subject?: string
  readonly device: { readonly id: string; readonly secret: string }
  /** The last term that was welcomed and all taken since, the newest last; at least one. */
  readonly terms: readonly Term[]
  /** The last own batch this device knows to be confirmed. */
  readonly confirmed?: BatchRef
  /** First and last batch number of the outbox. */
  readonly outbox?: { readonly first: number; readonly last: number }
  /** The position up to which this log has the room; absent in a new log. */
  readonly cursor?: string
  /** Up to 32 positions before the cursor, at doubling distance. */
  readonly older?: readonly string[]
  readonly from?: From
  /** Patterns of what the device wants to read; everything its token allows, if absent. */
  readonly types?: readonly string[]
}

/** Why a stream does not go on where the device's log ends. */
export type GapReason = 'unknown_position' | 'trimmed' | 'new_epoch' | 'restored'

/** Answer to `hello`: what the relay has of this device, and where the stream goes on. */
export interface WelcomeFrame {
  readonly frame: 'welcome'
  readonly version: 1
  readonly subject: string
  readonly rights: Rights
  /** The last batch taken from this device. */
  readonly taken?: BatchRef
  /**
   * The last leader term taken from this device before this `hello`. Where the device does not know
   * it, and its number is not below that of the first of `hello.terms`, the device is a copy.
   */
  readonly term?: Term
  readonly epoch: string
  /** The position of the room's newest place. */
  readonly head: string
  /** The position behind which the kept history begins: the newest one that was trimmed away. */
  readonly first: string
  /** The position from which the stream goes on: the newest one of `hello` that was recognised. */
  readonly from: string
  /** Whether `from` is where the device's log ends, so that nothing is missing between. */
  readonly recovered: boolean
  /** Why not. */
  readonly reason?: GapReason
  /** With `restored`: up to where the room had what the device has; absent where that is `from`. */
  readonly common?: string
  readonly limits: {
    readonly frameBytes: number
    readonly batchEvents: number
    readonly heartbeatMs: number
    /** UTF-8 bytes after which the device says what it took; absent where it need not. */
    readonly creditBytes?: number
  }
  readonly durability: Durability
  /** How long the token still is good for, in milliseconds; absent where it does not end. */
  readonly expiresInMs?: number
  /** It leases events to members of groups; a relay that does not knows nothing of them. */
  readonly groups?: true
}

/** A fresh token, before the last one ends: of the same subject, and with the same rights. */
export interface TokenFrame {
  readonly frame: 'token'
  readonly token: string
}

/** The fresh token is in force. */
export interface RenewedFrame {
  readonly frame: 'renewed'
  /** As in `welcome`. */
  readonly expiresInMs?: number
}

/** One original batch's room-scoped events. */
export interface PublishFrame {
  readonly frame: 'publish'
  readonly batch: number
  /** The last batch sent before this one that had room-scoped events; absent at a chain's start. */
  readonly prev?: number
  readonly term: Term
  /** Indexes of the events in the device's record; absent where they are 0, 1, 2... */
  readonly indexes?: readonly number[]
  readonly events: readonly EventHeader[]
}

/** The batch is committed; `refused` lists what was refused for good, by index of the record. */
export interface AckFrame {
  readonly frame: 'ack'
  readonly batch: number
  readonly refused?: readonly Refusal[]
}

/** An event of a batch that the room had before: its index, its place, and its revision, if it has one. */
export type Earlier = readonly [index: number, place: number, revision?: number]

/** An event refused for good; with `conflict`, the stream's revision then, 0 where it has no event. */
export type Refusal = readonly [index: number, code: BusErrorCode, revision?: number]

/** The batch was not taken, and nothing after it will be: send again from `expected`. */
export interface RejectFrame {
  readonly frame: 'reject'
  readonly batch: number
  readonly code: BusErrorCode
  /** The last batch taken, after which the sender goes on; absent where none was. */
  readonly taken?: number
  /** The last leader term taken from this device, where the sender's was stale. */
  readonly term?: Term
  readonly retryAfterMs: number
}

/** Neighbouring places of the room: events of others, or own ones by their indexes. */
export type Run = EventRun | OwnRun

export interface EventRun {
  readonly place: number
  readonly events: readonly EventHeader[]
  /** When the relay wrote them, in milliseconds since 1970; never decreases within a room. */
  readonly time: number
}

export interface OwnRun {
  readonly place: number
  readonly own: {
    readonly batch: number
    readonly indexes: readonly number[]
    /** Of the events in `indexes`, 0 where one has no stream; absent where none has. */
    readonly revisions?: readonly number[]
    readonly refused?: readonly Refusal[]
    /** What the room had before, brought by a copy of this device: none of it is in this run. */
    readonly earlier?: readonly Earlier[]
  }
  readonly time: number
}

/** Everything this connection may read between `prev`, exclusive, and `position`, inclusive. */
export interface StreamFrame {
  readonly frame: 'stream'
  readonly prev: string
  readonly position: string
  readonly runs: readonly Run[]
}

/** Unpersisted events: best effort, in no log, without position. */
export interface CastFrame {
  readonly frame: 'cast'
  readonly events: readonly EventHeader[]
}

/** Asks whoever responds for a reply. In no log. */
export interface RequestFrame {
  readonly frame: 'request'
  /** The one event that is asked with. */
  readonly events: readonly EventHeader[]
  /** Milliseconds for which the reply is waited for. */
  readonly timeoutMs: number
  /** From a device: milliseconds to wait for somebody who responds, where nobody does. @default 0 */
  readonly waitMs?: number
  /** From the relay: who asks, named as in `presence`. */
  readonly device?: string
}

/** The reply, its value text in the line below, which is empty where there is none. */
export interface ReplyFrame {
  readonly frame: 'reply'
  /** Of the event that was asked with. */
  readonly id: string
  /** From a device: who asked. */
  readonly device?: string
  readonly encoding?: 'devalue'
  readonly code?: BusErrorCode
  readonly message?: string
}

/** Nobody waits for the reply any more. */
export interface CancelFrame {
  readonly frame: 'cancel'
  /** Of the event that was asked with. */
  readonly id: string
  /** From the relay: who asked. */
  readonly device?: string
}

/** A context that is there. */
export interface Present {
  /** The prefix of its event ids. */
  readonly id: string
  readonly kind: 'page' | 'worker' | 'service-worker' | 'process'
  readonly source: string
  /** Whether it leads its device. */
  readonly leader?: true
}

/** The contexts of a device that are there; none where it left. */
export interface PresentDevice {
  /** A hash of the device's id; a device does not name itself to the relay. */
  readonly device?: string
  /** Whom its token belongs to, where the relay asks for one. */
  readonly subject?: string
  readonly members: readonly Present[]
  /** From the device: the types of requests that one of its contexts responds to. */
  readonly responds?: readonly string[]
}

/** Who is there: from a device its own contexts, from a relay those of the others. In no log. */
export interface PresenceFrame {
  readonly frame: 'presence'
  /** From the relay: this and what follows is all there is, not what changed. */
  readonly whole?: true
  readonly devices: readonly PresentDevice[]
}

/** What the device took since `welcome`, so that a relay may know what is still on its way. */
export interface CreditFrame {
  readonly frame: 'credit'
  /** UTF-8 bytes of all frames since `welcome`, but for heartbeats. */
  readonly bytes: number
}

/** Asks for a heartbeat. */
export interface PingFrame {
  readonly frame: 'ping'
}

/** Proof of life, with the position of the room's newest place. */
export interface HeartbeatFrame {
  readonly frame: 'heartbeat'
  readonly head: string
}

/** The relay will close: reconnect after `afterMs` and a random part of `jitterMs`. */
export interface GoawayFrame {
  readonly frame: 'goaway'
  readonly afterMs: number
  readonly jitterMs: number
}

/** Why the connection is about to be closed. */
export interface ErrorFrame {
  readonly frame: 'error'
  readonly code: BusErrorCode
  readonly message: string
}

/**
 * What an inspector of the room says to the taps of a device, or they to it: one frame of
 * `@crosstown/bus/inspect`, as its text. Best effort; sent to a relay only while one is attached.
 */
export interface InspectionFrame {
  readonly frame: 'inspect'
  /** At most {@link MAX_INSPECT_LENGTH} characters. */
  readonly text: string
}

/** Frames of groups, both ways. */
export type GroupFrames = GroupFrame | GroupedFrame | LeaseFrame | SettleFrame | SettledFrame
export type ClientFrame =
  | HelloFrame
  | TokenFrame
  | PublishFrame
  | CastFrame
  | RequestFrame
  | ReplyFrame
  | CancelFrame
  | PresenceFrame
  | InspectionFrame
  | GroupFrame
  | SettleFrame
  | CreditFrame
  | PingFrame
export type RelayFrame =
  | WelcomeFrame
  | RenewedFrame
  | AckFrame
  | RejectFrame
  | StreamFrame
  | CastFrame
  | RequestFrame
  | ReplyFrame
  | CancelFrame
  | PresenceFrame
  | InspectionFrame
  | GroupedFrame
  | LeaseFrame
  | SettledFrame
  | HeartbeatFrame
  | GoawayFrame
  | ErrorFrame
export type Frame = ClientFrame | RelayFrame

/** Names that version 1 keeps for later: a receiver that does not know them ignores them. */
export const RESERVED_FRAMES: ReadonlySet<string> = new Set(['notice', 'rights'])

/** A frame as it arrived: the frame, and one value text for each event in it. */
export interface Decoded<F> {
  readonly frame: F
  readonly data: readonly string[]
}

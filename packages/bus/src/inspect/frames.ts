/**
 * What a tap and an inspector say to each other: text, one JSON object a frame. The same texts go
 * over the origin's inspect channel, an extension's ports and the relay's inspect socket, and into
 * session files. Neither side trusts the other: whoever reads a frame checks it.
 */
import type { BusErrorCode, Stage } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { Gap, LeaderSnapshot, StatusSnapshot } from '../types.ts'
import type { Consuming, DeadLetterInfo } from './consuming.ts'

/** Grows when a frame of an older side would be misread; both sides say theirs. */
export const INSPECT_VERSION = 2
/** The BroadcastChannel of an origin on which its buses answer inspectors. */
export const INSPECT_CHANNEL = 'crosstown:inspect'
/** WebSocket subprotocol of `GET /rooms/:room/inspect` on a relay. */
export const INSPECT_SUBPROTOCOL = 'crosstown.inspect.v1'
/** Session storage key that a page's taps look at when they start: `'1'` while it is inspected. */
export const INSPECTED_KEY = 'crosstown:inspected'

/**
 * Events by id, packed: those with a counter as `[prefix, first, count]` runs, which own events
 * mostly are, others as they are.
 */
export type Ids = readonly (string | readonly [prefix: string, first: number, count: number])[]

/**
 * A peer's name for itself: the prefix of its event ids; `relay:<room>:<nonce>` for a relay, another
 * one each time it is started, as its clock and its numbers are.
 */
export type PeerId = string

/** Who a peer is. Sent when it starts, when an inspector attaches, and when something of it changed. */
export interface HelloFrame {
  readonly inspect: number
  readonly frame: 'hello'
  readonly peer: PeerId
  /** Version of the package, for people. */
  readonly library: string
  /** Name of the bus. */
  readonly bus: string
  readonly source: string
  readonly kind: 'page' | 'iframe' | 'worker' | 'service-worker' | 'node' | 'deno' | 'bun' | 'relay'
  /** Of the page or script, without query and fragment; absent on servers. */
  readonly url?: string
  readonly title?: string
  /** Log id, where it has one open; peers of one log are one device. */
  readonly log?: string
  /** The name by which the room knows the device. */
  readonly device?: string
  /** The relay it is told to use. */
  readonly relay?: { readonly url: string; readonly room: string }
  /** Wall clock and monotonic clock, read together, in ms: all `at` are of the monotonic one. */
  readonly now: readonly [wall: number, monotonic: number]
  /** Number of the next record, and of the oldest one still in the ring. */
  readonly next: number
  readonly oldest: number
  readonly status: PeerStatus
  /** The last 1,000 that were made. */
  readonly subscriptions: readonly SubscriptionInfo[]
  readonly views: readonly ViewInfo[]
}

/** A peer's state as its status shows it; of a relay only what applies. */
export interface PeerStatus extends Omit<StatusSnapshot, 'lastError' | 'log'> {
  readonly log: StatusSnapshot['log']
  readonly lead: LeaderSnapshot
  readonly error?: { readonly code: BusErrorCode; readonly message: string }
  /** What it may do in the room, where it is connected and was told. */
  readonly rights?: { readonly publish: readonly string[]; readonly subscribe: readonly string[] }
  /** Events that wait in the pipeline. */
  readonly queued: number
}

export interface SubscriptionInfo {
  /** Number of the subscription within its peer, from 1. */
  readonly sub: number
  readonly patterns: readonly string[]
  readonly kind: 'handler' | 'once' | 'loop' | 'view'
  /** Whether it has a `where`. */
  readonly where?: true
  /** When it began, by the peer's monotonic clock. */
  readonly at: number
  /** Where it was made: `file:line:column`, where the runtime says. */
  readonly site?: string
  readonly calls: number
  readonly failures: number
  /** Calls that may run at once, where events wait for their turn. */
  readonly concurrency?: number
}

/** A projection of the peer. */
export interface ViewInfo {
  readonly view: number
  readonly patterns: readonly string[]
  readonly key?: string
  readonly version: number
}

/** Records of one peer, in order: `first` is the number of the first of them. */
export interface BatchFrame {
  readonly inspect: number
  readonly frame: 'batch'
  readonly peer: PeerId
  readonly first: number
  /** Records before `first` that were overwritten before they could be sent. */
  readonly dropped?: { readonly count: number; readonly from: number; readonly to: number }
  readonly records: readonly InspectRecord[]
}

/** The peer goes: closed, or its page is put away. */
export interface ByeFrame {
  readonly inspect: number
  readonly frame: 'bye'
  readonly peer: PeerId
  readonly reason: 'closed' | 'pagehide'
}

/** Answer to an `ask`. */
export interface AnswerFrame {
  readonly inspect: number
  readonly frame: 'answer'
  readonly peer: PeerId
  readonly session: string
  readonly id: number
  /** More of the same answer follows. */
  readonly more?: true
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

/** The tap cannot speak with this inspector: which side is the older one says `inspect`. */
export interface MismatchFrame {
  readonly inspect: number
  readonly frame: 'mismatch'
  readonly peer: PeerId
  readonly library: string
}

export type TapFrame = HelloFrame | BatchFrame | ByeFrame | AnswerFrame | MismatchFrame

/**
 * Begins, or goes on: every peer that hears it answers with `hello`, and sends what it has from
 * `resume[peer]` on (from the oldest in its ring where that is absent), as far as `credit` allows.
 */
export interface AttachFrame {
  readonly inspect: number
  readonly frame: 'attach'
  /** A name of the inspector's, new for each panel that opens. */
  readonly session: string
  readonly to?: PeerId
  /** Batch frames that each peer may send before it is granted more. */
  readonly credit: number
  readonly resume?: { readonly [peer: PeerId]: number }
}

/** So many batch frames more; also the sign of life without which a tap is idle again after 60 s. */
export interface GrantFrame {
  readonly inspect: number
  readonly frame: 'grant'
  readonly session: string
  readonly to?: PeerId
  readonly credit: number
}

/** The inspector goes; a tap without any is idle at once, and forgets its ring. */
export interface DetachFrame {
  readonly inspect: number
  readonly frame: 'detach'
  readonly session: string
}

/** A question or a command for one peer, answered by `answer` with the same `id`. */
export interface AskFrame {
  readonly inspect: number
  readonly frame: 'ask'
  readonly session: string
  readonly to: PeerId
  readonly id: number
  readonly ask: Ask
}

export type InspectorFrame = AttachFrame | GrantFrame | DetachFrame | AskFrame
export type InspectFrame = TapFrame | InspectorFrame

/** All questions; `Answers` has what each is answered with. */
export type Ask =
  /** The data of an event, opened `depth` levels below `path`. @default depth 2, 100 children a node */
  | {
      readonly what: 'payload'
      readonly event: string
      readonly path?: readonly (string | number)[]
      readonly depth?: number
      readonly from?: number
    }
  /** The whole data of an event as value text, redacted as payloads are: to copy it, or into a file. */
  | { readonly what: 'text'; readonly event: string }
  /** Headers of events that the inspector has only the ids of, from the ring or the log. */
  | { readonly what: 'headers'; readonly ids: Ids }
  /** Ids of events, newest first, of which the data fulfil all terms; in parts (`more`). */
  | { readonly what: 'search'; readonly terms: readonly DataTerm[]; readonly limit: number }
  /**
   * The same for what comes from now on, in place of what the session watched for before: told by
   * `found` records, until the session ends, or watches for nothing.
   */
  | { readonly what: 'watch'; readonly terms: readonly DataTerm[] }
  | { readonly what: 'store' }
  /** A page of the log: headers and offsets, from an offset on. */
  | { readonly what: 'log'; readonly from?: number; readonly limit: number }
  /** A view's state as a tree, now or as it was after the event at an offset. */
  | {
      readonly what: 'view'
      readonly view: number
      readonly at?: number
      readonly path?: readonly (string | number)[]
    }
  /** Shows the application its views as they were at an offset, or (absent) lets them go on. */
  | { readonly what: 'travel'; readonly at?: number }
  /** Publishes through this peer. `data` is value text; the event's metadata has `inspector: true`. */
  | {
      readonly what: 'publish'
      readonly type: string
      readonly data?: string
      readonly encoding?: 'devalue'
      readonly options?: {
        readonly stream?: string
        readonly scope?: 'context' | 'device' | 'room'
        readonly persist?: boolean
        readonly correlationId?: string
        readonly causationId?: string
      }
    }
  /** Gives events of the log to the peer's live subscriptions once more, marked as replayed. */
  | {
      readonly what: 'replay'
      readonly from: number
      readonly to: number
      readonly patterns?: readonly string[]
      /** Only to this subscription. */
      readonly sub?: number
    }
  /** Cuts, delays or doubles what goes over a link; ends by itself. Absent: what is in force. */
  | { readonly what: 'fault'; readonly set?: Fault | null }
  /** Durable consumers, groups, and handlers with options: how far each is. */
  | { readonly what: 'consumers' }
  /** Events that consumers gave up, the newest first. */
  | { readonly what: 'dead'; readonly limit: number }
  /** Gives dead letters to their consumers again. */
  | { readonly what: 'redrive'; readonly letters: readonly string[] }
  /** Forgets dead letters. */
  | { readonly what: 'discard'; readonly letters: readonly string[] }

export interface Answers {
  readonly payload: Tree
  /** `text` is absent where the data is `undefined`; `redacted`: how many values were left out. */
  readonly text: {
    readonly text?: string
    readonly encoding?: 'devalue'
    readonly redacted?: number
  }
  readonly headers: { readonly events: readonly InspectedEvent[]; readonly missing: Ids }
  readonly search: { readonly ids: readonly string[]; readonly searched: number }
  readonly watch: Record<string, never>
  readonly store: StoreInfo
  readonly log: {
    readonly events: readonly (InspectedEvent & { readonly offset: number })[]
    readonly next?: number
  }
  readonly view: { readonly tree: Tree; readonly at?: number }
  readonly travel: { readonly at?: number; readonly views: number }
  readonly publish: { readonly id: string }
  readonly replay: { readonly events: number; readonly calls: number }
  readonly fault: { readonly fault: Fault | null }
  readonly consumers: Consuming
  readonly dead: { readonly letters: readonly DeadLetterInfo[]; readonly total: number }
  readonly redrive: { readonly letters: number }
  readonly discard: { readonly letters: number }
}

export interface Fault {
  readonly link: 'tabs' | 'relay'
  readonly do: 'drop' | 'delay' | 'duplicate' | 'cut'
  readonly patterns?: readonly string[]
  readonly delayMs?: number
  /** 0 to 1. @default 1 */
  readonly share?: number
  /** Ends after so many ms; at most ten minutes. */
  readonly forMs: number
}

/** `data.a.b:42` of a query. */
export interface DataTerm {
  readonly path: readonly string[]
  readonly op: ':' | '=' | '>' | '>=' | '<' | '<='
  readonly value: string
  readonly not?: true
}

/** A value opened a few levels: what is below is asked for by path. */
export interface Tree {
  readonly type:
    | 'null'
    | 'undefined'
    | 'boolean'
    | 'number'
    | 'bigint'
    | 'string'
    | 'date'
    | 'regexp'
    | 'url'
    | 'array'
    | 'object'
    | 'map'
    | 'set'
    | 'arraybuffer'
    | 'view'
    | 'redacted'
    | 'cycle'
    | 'missing'
  /** One line for people, at most 120 characters. */
  readonly preview: string
  /** Children there are; more than `children` has where `depth` or the limit ended. */
  readonly size?: number
  readonly children?: readonly (readonly [key: string | number, child: Tree])[]
  /** UTF-8 bytes of the whole value text; on the root only. */
  readonly bytes?: number
  readonly encoding?: 'json' | 'devalue'
}

/** The log of a device as a peer sees it. */
export interface StoreInfo {
  readonly kind: 'disk' | 'memory' | 'none'
  readonly log?: string
  readonly head: number
  readonly first: number
  readonly events: number
  readonly bytes: number
  readonly limits: { readonly events: number; readonly bytes: number; readonly days: number }
  readonly outbox: { readonly pending: number; readonly bytes: number; readonly refused: number }
  readonly room?: {
    readonly cursor?: string
    readonly epoch?: string
    readonly confirmed?: number
    readonly subject?: string
    readonly gaps: readonly Gap[]
  }
  readonly snapshots: readonly {
    readonly key: string
    readonly bytes: number
    readonly offset?: number
  }[]
  /** Of the origin: `navigator.storage.estimate()`, and whether it is kept (`persisted()`). */
  readonly quota?: { readonly usage: number; readonly quota: number; readonly persisted: boolean }
}

/** An event's envelope, as its header has it, with what a header leaves out. */
export interface InspectedEvent extends Omit<EventHeader, 'scope'> {
  readonly scope?: 'context' | 'device'
  /** UTF-8 bytes of header and data. */
  readonly bytes: number
  /** Absent for an event that goes into the log. */
  readonly persist?: false
  readonly offset?: number
  readonly position?: string
}

/**
 * Envelopes of several events by column, each column named as the field is: a list has a value for each
 * event, `null` where one is without it; what is no list all of them have.
 */
export type EventColumns = { readonly ids: Ids } & {
  readonly [Key in Exclude<keyof InspectedEvent, 'id'>]:
    | InspectedEvent[Key]
    | readonly (InspectedEvent[Key] | null)[]
}

export type Via = 'tabs' | 'relay' | 'log' | 'link'

/** What happened at one stage of a peer, to a batch where it was one. `at`: monotonic ms, to the µs. */
export type InspectRecord = { readonly at: number } & (
  | { readonly is: 'published'; readonly events: readonly InspectedEvent[] | EventColumns }
  | { readonly is: 'committed'; readonly batch: number; readonly ids: Ids; readonly ms: number }
  /** Handed to a link. `to` a device: of a relay. */
  | {
      readonly is: 'posted'
      readonly via: Via
      readonly ids: Ids
      readonly bytes: number
      readonly to?: string
    }
  | {
      readonly is: 'confirmed'
      readonly ids: Ids
      readonly epoch?: string
      readonly place?: number
    }
  | {
      readonly is: 'received'
      readonly via: Via
      readonly origin: 'device' | 'room' | 'past'
      readonly ids: Ids
      /** With headers where they came from outside of what an inspector of this origin hears. */
      readonly events?: readonly InspectedEvent[]
      readonly from?: string
    }
  /** Which subscriptions an event has here; none is told too. */
  | { readonly is: 'matched'; readonly ids: Ids; readonly subs: readonly number[] }
  /** A handler returned or settled; `ms` by id. */
  | {
      readonly is: 'handled'
      readonly sub: number
      readonly ids: Ids
      readonly ms: readonly number[]
    }
  | {
      readonly is: 'failed'
      readonly sub?: number
      readonly ids: Ids
      readonly stage: Stage
      readonly code: BusErrorCode
      readonly message: string
      readonly ms?: number
    }
  | { readonly is: 'retried'; readonly sub?: number; readonly ids: Ids; readonly attempt: number }
  | {
      readonly is: 'refused'
      readonly ids: Ids
      readonly code: BusErrorCode
      readonly final: boolean
    }
  | {
      readonly is: 'dropped'
      readonly ids: Ids
      readonly count: number
      readonly sub?: number
      readonly why:
        | 'overflow'
        | 'offline'
        | 'no_right'
        | 'withdrawn'
        | 'closed'
        | 'fault'
        | 'duplicate'
        /** Of a relay: the device asks for other types only. */
        | 'unwanted'
      /** Of a relay: the device that did not get it. */
      readonly to?: string
    }
  | {
      readonly is: 'filtered'
      readonly sub: number
      readonly ids: Ids
      readonly why: 'where' | 'ended' | 'known'
    }
  /** `device`: of a relay, whose stream has it. */
  | { readonly is: 'gap'; readonly gap: Gap; readonly device?: string }
  | { readonly is: 'leader'; readonly lead: LeaderSnapshot; readonly term?: number }
  | { readonly is: 'status'; readonly status: PeerStatus }
  | { readonly is: 'subscribed'; readonly subscription: SubscriptionInfo }
  | { readonly is: 'unsubscribed'; readonly sub: number }
  | { readonly is: 'viewed'; readonly view: ViewInfo }
  | {
      readonly is: 'error'
      readonly code: BusErrorCode
      readonly stage: Stage
      readonly message: string
      readonly event?: string
      readonly type?: string
      /** Of a relay: the device whose connection it was. */
      readonly device?: string
    }
  | { readonly is: 'life'; readonly state: 'visible' | 'hidden' | 'frozen' | 'resumed' | 'cleared' }
  /** What `session` watches for; through a relay with what that put before its name, and a dot. */
  | { readonly is: 'found'; readonly ids: Ids; readonly session?: string }
  /** Of a relay: a device came or went, with what it may read and publish. */
  | {
      readonly is: 'device'
      readonly device: string
      readonly online: boolean
      readonly subject?: string
      readonly rights?: {
        readonly publish: readonly string[]
        readonly subscribe: readonly string[]
      }
      /** Bytes that wait for its socket. */
      readonly queued?: number
    }
)

const OWN = /^\{"inspect":\d+,"frame":"(?:hello|batch|bye|answer|mismatch)"/

/** Whether a text is a frame of a tap: all of them begin so. */
export function isTapFrame(text: string): boolean {
  return OWN.test(text)
}

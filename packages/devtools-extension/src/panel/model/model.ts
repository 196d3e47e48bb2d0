/**
 * What the panel knows, as its views see it. Interfaces only: the store, the query engine and what is
 * concluded from records implement them, views import nothing else of the model but functions named
 * in `index.ts`. All times are `ms` since 1970 on the inspector's own clock, with fractions, made of
 * peers' clocks by `skew`.
 */
import type {
  Answers,
  Ask,
  HelloFrame,
  InspectedEvent,
  PeerId,
  PeerStatus,
  SubscriptionInfo,
  Via,
  ViewInfo,
} from '@crosstown/bus/inspect'
import type { InspectSource, SourceState } from '../../sources/source.ts'

/** Everything captured; one object for the panel's life, changed in place. */
export interface Session {
  /** Grows with every change; a snapshot for `useSyncExternalStore`. */
  readonly version: number
  /** Called after changes, at most once an animation frame (or 16 ms). */
  subscribe(changed: () => void): () => void
  /** Rows in the order in which they were first heard of, the oldest first. */
  readonly rows: Rows
  readonly peers: ReadonlyMap<PeerId, Peer>
  readonly sources: readonly SourceInfo[]
  /** `undefined` where it was never heard of, or was overwritten. */
  event(id: string): EventRow | undefined
  /** Everything that happened to an event, in the order of `ms`. */
  steps(id: string): readonly Step[]
  /** Events that name this one as their cause, the oldest first. */
  effects(id: string): readonly EventRow[]
  /** Events of a conversation, the oldest first. */
  conversation(correlationId: string): readonly EventRow[]
  /** Capture: off, records are not taken (taps keep their ring until it is full). */
  readonly recording: boolean
  /** Rows captured in all, and given up since to stay within the limit. */
  readonly captured: number
  readonly forgotten: number
  /** Rows kept at most. @default 100_000 */
  readonly limit: number
  /** Types of the events there are, and how many of each. */
  readonly types: ReadonlyMap<string, number>
  /** Events of a type, the newest first; without a scan of all rows. */
  ofType(type: string): Iterable<EventRow>
  /** How far a time at one peer may be off against one at another, ms; Infinity where unknown. */
  uncertainty(one: PeerId, other: PeerId): number
  /** A time by a peer's monotonic clock, as of subscriptions, in ms; NaN of an unknown peer. */
  msOf(peer: PeerId, at: number): number
  /** Frames that could not be read, and the first few reasons. */
  readonly malformed: { readonly count: number; readonly reasons: readonly string[] }
}

/** A list that grows at its end and may lose its start; rows keep their `row` numbers. */
export interface Rows {
  /** Number of the oldest row there is, and of the next one. */
  readonly first: number
  readonly next: number
  at(row: number): Row | undefined
}

export type Row = EventRow | NoteRow

export interface EventRow {
  readonly row: number
  readonly kind: 'event'
  readonly id: string
  readonly event: InspectedEvent
  /** When it was published; of an event whose publisher is not inspected, when first heard of. */
  readonly ms: number
  readonly publisher: PeerId
  /** `out`: published by the inspected page's device here; `in`: came from elsewhere. */
  readonly direction: 'out' | 'in'
  /** Peers that got it to a handler, and those that should; see `ledger`. */
  readonly delivered: number
  readonly expected: number
  /** Peers that may have got it: what became of it there was not captured. */
  readonly unknown: number
  /** The longest handler so far, ms; absent until one ended. */
  readonly duration?: number
  /** From `published` to the last first-handling, ms. */
  readonly latency?: number
  /** `unknown`: its publisher was not captured then, and nobody else tells how far it is. */
  readonly state: 'unknown' | 'pending' | 'logged' | 'relayed' | 'refused' | 'failed' | 'cast'
  readonly failures: number
  /** Of deliveries: dropped, filtered or otherwise not made. */
  readonly drops: number
}

/** Something that is no event: a gap, lost records, an error, a leader or connection change, a mark. */
export interface NoteRow {
  readonly row: number
  readonly kind: 'gap' | 'lost' | 'error' | 'leader' | 'connection' | 'peer' | 'life' | 'mark'
  readonly ms: number
  readonly peer?: PeerId
  readonly text: string
  readonly severity: 'info' | 'warning' | 'error'
  /** An event it is about. */
  readonly event?: string
}

/** One thing that happened to an event at one peer. */
export interface Step {
  readonly ms: number
  readonly peer: PeerId
  readonly is:
    | 'published'
    | 'committed'
    | 'posted'
    | 'confirmed'
    | 'received'
    | 'matched'
    | 'handled'
    | 'failed'
    | 'retried'
    | 'refused'
    | 'dropped'
    | 'filtered'
  readonly via?: Via
  readonly sub?: number
  /** Of `matched`: the subscriptions it has there; none is told too. */
  readonly subs?: readonly number[]
  /** Of `received`: whether it came from the device, from the room, or was read later. */
  readonly origin?: 'device' | 'room' | 'past'
  readonly durationMs?: number
  readonly detail?: string
  readonly why?: string
  readonly code?: string
  readonly to?: string
  readonly from?: string
  /** Of `failed`: where in the bus. */
  readonly stage?: string
  /** Of `refused`: whether for good. */
  readonly final?: boolean
  /** Bytes posted, attempt, events dropped, place in the room, or offset in the log. */
  readonly number?: number
}

export interface PeerSubscription extends SubscriptionInfo {
  readonly ended?: number
  /** Of its breaker: `open` from a call refused with `circuit_open` until one is handled. */
  readonly circuit?: 'open' | 'closed'
}

export interface Peer {
  readonly id: PeerId
  readonly hello: HelloFrame
  /** Short and unique, for rows: `tab 1`, `service worker`, `orders (node)`, `relay`. */
  readonly name: string
  readonly status: PeerStatus
  readonly subscriptions: ReadonlyMap<number, PeerSubscription>
  readonly views: ReadonlyMap<number, ViewInfo>
  /** Peers of one device share it; a relay is its own. */
  readonly device: string
  readonly state: 'live' | 'silent' | 'gone' | 'mismatch'
  /** The state in words, where it needs some: of a mismatch, which side to upgrade. */
  readonly detail?: string
  /** Times in which it was gone and came back, ms. */
  readonly away: readonly { readonly from: number; readonly to: number }[]
  /** Times, ms, without the relay, or frozen by the browser; `to` is absent while it lasts. */
  readonly pauses: readonly Pause[]
  readonly sources: readonly string[]
  readonly since: number
  /** By its own clock, from when on it has been captured; what happened there before is not known. */
  readonly firstAt?: number
  readonly lastHeard: number
  readonly goneAt?: number
  /** It went without a word: its device lost the relay, through which it was heard. */
  readonly cut?: true
  /** Its clock minus the inspector's, and how sure that is, ms. */
  readonly skew: { readonly ms: number; readonly uncertainty: number }
  /** Events published, received and handled, a second, over the last five. */
  readonly rate: { readonly published: number; readonly received: number; readonly handled: number }
  /** Records lost to the ring. */
  readonly lost: number
  /** By its own clock, what of it is lost between two records. */
  readonly missed: readonly { readonly from: number; readonly to: number }[]
}

export interface Pause {
  readonly why: 'relay' | 'frozen'
  readonly from: number
  readonly to?: number
}

export interface SourceInfo {
  readonly label: string
  readonly kind: 'extension' | 'page' | 'relay' | 'file'
  readonly state: SourceState
  readonly detail?: string
}

/** Speaks with taps over the sources that are open. */
export interface Hub {
  readonly session: Session
  ask<What extends Ask['what']>(
    peer: PeerId,
    ask: Extract<Ask, { what: What }>,
    options?: { signal?: AbortSignal; onPart?: (part: Answers[What]) => void },
  ): Promise<Answers[What]>
  /** One source more, while the panel is open: a relay that was typed in, a file. */
  add(source: InspectSource): void
  /** Closes a source; what it told stays. */
  remove(source: InspectSource): void
  setRecording(on: boolean): void
  /** Forgets all rows. */
  clear(): void
  mark(text: string): void
  close(): void
}

// ---- queries (panel/model/query) ------------------------------------------------------------

export interface Query {
  readonly text: string
  readonly terms: readonly QueryTerm[]
  /** What cannot be understood: shown under the filter, the rest of the terms is in force. */
  readonly faults: readonly {
    readonly from: number
    readonly to: number
    readonly message: string
  }[]
}

export interface QueryTerm {
  readonly key: string
  readonly value: string
  readonly not: boolean
  readonly from: number
  readonly to: number
}

export interface Completion {
  readonly from: number
  readonly to: number
  readonly options: readonly {
    readonly insert: string
    readonly label: string
    readonly detail?: string
  }[]
}

/** The rows that a query lets through; follows the session. */
export interface Filtered {
  readonly version: number
  subscribe(changed: () => void): () => void
  readonly query: Query
  setQuery(text: string): void
  /** Rows let through, by position in the list. */
  readonly length: number
  at(index: number): Row | undefined
  /** Where a row stands in the list; -1 where it is not let through. */
  indexOf(row: number): number
  /** 1 when all rows were looked at. */
  readonly progress: number
  close(): void
}

/** The minimap: `buckets` equal slices of the captured time. */
export interface Minimap {
  readonly from: number
  readonly to: number
  readonly buckets: readonly {
    readonly events: number
    readonly matching: number
    readonly errors: number
    readonly gaps: number
  }[]
}

// ---- conclusions (panel/model/explain) -----------------------------------------------------

/** One line of the delivery ledger: a peer that got the event, should have got it, or could have. */
export interface LedgerEntry {
  readonly peer: PeerId
  readonly name: string
  readonly outcome:
    | 'handled'
    | 'received'
    | 'failed'
    | 'filtered'
    | 'dropped'
    | 'late'
    | 'duplicate'
    | 'waiting'
    | 'missing'
    | 'not_subscribed'
    | 'offline'
    | 'no_right'
    | 'wrong_scope'
    | 'too_late'
    | 'refused'
    | 'unknown'
  /** In words, with names, times and what to do: never only a code. */
  readonly why: string
  readonly expected: boolean
  readonly via?: Via
  /** From `published`, ms. */
  readonly after?: number
  readonly durationMs?: number
  readonly subs: readonly number[]
}

export interface Explanation {
  /** One sentence. */
  readonly headline: string
  readonly findings: readonly {
    readonly severity: 'ok' | 'hint' | 'problem'
    readonly text: string
    /** Events, peers, types or subscriptions to go to. */
    readonly links: readonly {
      readonly to: 'event' | 'peer' | 'type' | 'subscription'
      readonly id: string
      readonly label: string
    }[]
  }[]
}

/** A sequence diagram of some events: lifelines, and messages in the order of `ms`. */
export interface Sequence {
  readonly lanes: readonly {
    readonly peer: PeerId
    readonly name: string
    readonly group: string
  }[]
  readonly messages: readonly {
    readonly event: string
    readonly type: string
    readonly from: number
    readonly to: number
    readonly sent: number
    readonly arrived: number
    readonly via: Via | 'self'
    /** Latency of the hop, ms; its error where clocks of two devices are compared. */
    readonly ms: number
    readonly plusMinus: number
    readonly failed?: string
    /** When it was sent is not known, as nobody captured it: `sent` is when it arrived. */
    readonly untimed?: true
  }[]
  /** What cannot be drawn, or is doubtful, in words. */
  readonly notes?: readonly string[]
  /** Handlers that ran: bars on their lane. */
  readonly bars: readonly {
    readonly event: string
    readonly type: string
    readonly lane: number
    readonly from: number
    readonly to: number
    readonly failed: boolean
  }[]
}

/** A tree of causes and effects. */
export interface CausalNode {
  readonly id: string
  /** Absent where only its id is known. */
  readonly event?: EventRow
  readonly publisher?: string
  /** From its cause, ms. */
  readonly after?: number
  readonly children: readonly CausalNode[]
  /** Whether it lies on the way to the event that came last. */
  readonly critical: boolean
  /** Effects left out here, because the tree is too large. */
  readonly more?: number
}

/**
 * The interface of a device's log, and the records in it. One contract suite
 * (testing/log-contract.ts) holds for every implementation.
 */
import type { BusError } from '../errors.ts'
import type { EventHeader, Scope } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { BatchRef, Refusal, Run, StreamFrame, Term } from '../protocol/frames.ts'

/** A batch published on this device, ready to be written: encoded once, never opened again. */
export interface OwnBatch {
  /** When it is written, milliseconds since 1970, never before an earlier record's. */
  readonly time: number
  readonly count: number
  /** The headers as JSON text: `[{...},{...}]`. */
  readonly headers: string
  /** The value texts, joined by newlines. */
  readonly data: string
  readonly types: readonly string[]
  /** Highest counter of each id prefix. */
  readonly ids: readonly (readonly [prefix: string, counter: number])[]
  readonly streams: ReadonlyMap<string, StreamPart>
  /** How many events are for the room; 0 keeps the batch out of the outbox. */
  readonly roomEvents: number
  readonly lastId: string
  /** Id of the last event for the room: by it the relay knows the batch. */
  readonly lastRoomId?: string
}

/** A batch's events of one stream, copied, so that reading the stream reads nothing else. */
export interface StreamPart {
  /** Their indexes in the record. */
  readonly indexes: readonly number[]
  readonly headers: string
  readonly data: string
}

/** A batch of the room's stream; own events are runs without headers and data. */
export interface RoomBatch {
  readonly time: number
  readonly epoch: string
  readonly prev: string
  readonly position: string
  readonly runs: readonly StoredRun[]
  /** Headers and value texts of the events of others, in order. */
  readonly headers: string
  readonly data: string
  /** Slots: events of others and placeholders of own ones. */
  readonly count: number
  readonly types: readonly string[]
  readonly ids: readonly (readonly [prefix: string, counter: number])[]
  readonly streams: ReadonlyMap<string, StreamPart>
}

/** A run of a stream frame whose headers went into the record's own text. */
export type StoredRun =
  | { readonly place: number; readonly time: number; readonly events: number }
  | Extract<Run, { own: unknown }>

/** A record as it is read back. */
export type StoredBatch = StoredOwnBatch | StoredRoomBatch

export interface StoredOwnBatch {
  readonly kind: 'own'
  readonly batch: number
  readonly time: number
  readonly headers: readonly EventHeader[]
  readonly data: readonly string[]
  readonly roomEvents: number
  /** Why the record cannot be read; it then stands here without events, of whatever kind it was. */
  readonly damaged?: BusError
}

export interface StoredRoomBatch {
  readonly kind: 'room'
  readonly batch: number
  readonly time: number
  readonly epoch: string
  readonly prev: string
  readonly position: string
  readonly runs: readonly StoredRun[]
  readonly headers: readonly EventHeader[]
  readonly data: readonly string[]
  readonly damaged?: never
}

/** Where the room placed an own batch: the `room` row of it. */
export interface Placement {
  readonly batch: number
  /** The record of the room's stream that says so. */
  readonly record: number
  readonly epoch: string
  readonly place: number
  readonly indexes: readonly number[]
  readonly refused?: readonly Refusal[]
}

/** What a log knows of itself when it is opened. */
export interface LogState {
  /** Born with the log, gone with it. */
  readonly logId: string
  readonly device: { readonly id: string; readonly secret: string }
  /** Number and time of the newest record; 0 where there is none. */
  readonly head: { readonly batch: number; readonly time: number }
  readonly room: RoomState
}

/** How far the log is with its room. */
export interface RoomState {
  /** Position up to which the room is in this log; absent before the first welcome. */
  readonly cursor?: string
  /** Some earlier positions, newest first. */
  readonly older: readonly string[]
  /** Place of the room's head at the first welcome: up to it, events only fill the log. */
  readonly liveAfter: number
  readonly subject?: string
  /** The last own batch that was confirmed. */
  readonly confirmed?: BatchRef
  /** Terms taken since the last one that was welcomed. */
  readonly terms: readonly Term[]
  /** The highest term number ever seen. */
  readonly term: number
  /** Events for the room in own batches after the confirmed one. */
  readonly pending: number
}

/** What `welcome` changes, written in one transaction. */
export interface WelcomeUpdate {
  readonly term: Term
  readonly cursor: string
  readonly liveAfter: number
  readonly subject: string
}

/**
 * A device's ordered, durable record.
 *
 * `open` MUST be called first and resolve before anything else is called. `append` MUST have
 * its place in the order of writes when it calls `begun`, so that whoever posts then cannot be
 * overtaken by another context's effect; its promise MUST resolve only after the commit, and MUST
 * reject when the transaction aborts. Numbers MUST be given by the log itself, ascending, and
 * MUST NOT be reused, not even after `clear`. Nothing MUST read or decode the value texts.
 */
export interface Log {
  /** How durable a commit is. */
  readonly kind: 'disk' | 'memory'
  /** Whether contexts that share no memory share this log, so that leading it needs a Web Lock. */
  readonly shared: boolean
  /**
   * Reads the state, and makes log id and device where the log is new.
   *
   * @param outbox whether what is pending is counted, which reads all that is not confirmed
   */
  open(outbox?: boolean): Promise<LogState>
  /**
   * Commits an own batch; its number. Calls `begun` before it returns, as soon as no write that
   * begins later, in whatever context, can be committed before this one.
   *
   * @throws {BusError} log_failed, quota_exceeded, log_lost
   */
  append(batch: OwnBatch, begun?: () => void): Promise<number>
  /**
   * Commits a batch of the room together with the cursor and the placements in it, only if the
   * cursor equals `batch.prev` and the newest term is `term`; its number. One without runs moves
   * the cursor alone and has no record: its number is 0.
   *
   * @throws {BusError} stale_cursor, stale_term, log_failed, quota_exceeded, log_lost
   */
  appendRoom(batch: RoomBatch, term: Term): Promise<number>
  /** Takes the next term: one above the highest ever seen. Resolves when it is committed. */
  takeTerm(nonce: string): Promise<Term>
  /** Commits what a welcome told. @throws {BusError} stale_term */
  welcomed(update: WelcomeUpdate): Promise<void>
  /** State as it is now; `outbox` as in `open`. @default true */
  state(outbox?: boolean): Promise<LogState>
  /** Records from batch number `from` on, ascending, at most `limit`. */
  read(from: number, limit: number): Promise<StoredBatch[]>
  /** Records up to batch number `to`, descending, at most `limit`. */
  readBack(to: number, limit: number): Promise<StoredBatch[]>
  /** The record that holds the event, and its index there. */
  find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined>
  /** Where the room placed an own batch, once it is confirmed. */
  placement(batch: number): Promise<Placement | undefined>
  /** Waits for running writes, then closes. Nothing may be called after it. */
  close(): Promise<void>
}

/** Makes a log when a bus is first used. */
export interface LogSource {
  /** Whether this runtime has what the log needs. */
  available(platform: Platform): boolean
  /** Without it, a bus falls back to memory where the log is not available or does not open. */
  readonly required: boolean
  readonly kind: 'disk' | 'memory'
  create(name: string, room: string, platform: Platform): Log
}

/** What the pipeline gives to a record. */
export interface Encoded {
  readonly event: {
    readonly id: string
    readonly type: string
    readonly stream?: string
    readonly scope?: Scope
  }
  readonly headerText: string
  readonly dataText: string
}

/**
 * Makes records and writes them, with a time of writing that never decreases.
 *
 * `write` and `writeRoom` begin before they return, as the log's own methods do.
 */
export interface Writer {
  /** Bytes of headers and data written here. */
  readonly bytes: number
  /** A time of writing seen elsewhere, behind which this writer must not fall. */
  sawTime(time: number): void
  record(entries: readonly Encoded[]): OwnBatch
  write(record: OwnBatch, begun?: () => void): Promise<number>
  writeRoom(
    frame: StreamFrame,
    data: readonly string[],
    epoch: string,
    term: Term,
  ): Promise<{ readonly number: number; readonly record: RoomBatch }>
}

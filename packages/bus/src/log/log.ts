/**
 * The interface of a device's log, and the records in it. One contract suite
 * (testing/log-contract.ts) holds for every implementation.
 */
import type { BusError } from '../errors.ts'
import type { EventHeader, Scope } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { BatchRef, OwnRun, Refusal, Run, Term } from '../protocol/frames.ts'
import type { Cut } from '../protocol/position.ts'
import type { ConsumerLog } from './consumers.ts'

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
}

/** What one event of an own batch expects of its stream in the log. */
export interface ExpectedInLog {
  readonly stream: string
  /** How many events of the batch are before it in the stream. */
  readonly before: number
  /** A number is that of the newest event of the stream, from 1. */
  readonly expected: 'none' | 'exists' | number
}

/** A batch's events of one stream, copied, so that reading the stream reads nothing else. */
export interface StreamPart {
  /** Their indexes in the record. */
  readonly indexes: readonly number[]
  readonly headers: string
  readonly data: string
  /** Of a room record: where the room has them, as the record itself says. */
  readonly places?: RoomPlaces
}

/** Places of a room, in the order of the events that stand there. */
export interface RoomPlaces {
  readonly epoch: string
  readonly places: readonly number[]
}

/** A batch of the room's stream; events this log has already are runs without headers and data. */
export interface RoomBatch {
  readonly time: number
  readonly epoch: string
  readonly prev: string
  readonly position: string
  readonly runs: readonly StoredRun[]
  /** Headers and value texts of the events of others, in order. */
  readonly headers: string
  readonly data: string
  /** Slots: new events, and placeholders of those this log has already. */
  readonly count: number
  readonly types: readonly string[]
  readonly ids: readonly (readonly [prefix: string, counter: number])[]
  readonly streams: ReadonlyMap<string, StreamPart>
}

/** A run of a record; the headers of its events went into the record's own text. */
export type StoredRun =
  | { readonly place: number; readonly time: number; readonly events: number }
  | OwnRun
  | HeldRun

/**
 * Neighbouring places whose events this log has already, though not as own ones of the device it is
 * now: of the device it was before a fork, or of others, which the room lost and got again.
 */
export interface HeldRun {
  readonly place: number
  readonly time: number
  /** Own or room record that has them, and where in it: for a room record, slots. */
  readonly held: {
    readonly batch: number
    readonly indexes: readonly number[]
    /** As of an own run. */
    readonly revisions?: readonly number[]
  }
}

/** A stream frame as it is written: what this log has already stands in it as own or held. */
export interface RoomInput {
  readonly prev: string
  readonly position: string
  readonly runs: readonly (Run | HeldRun)[]
}

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

/** A record's events of one stream as they are read back. */
export interface StoredStream {
  readonly batch: number
  /** Their indexes in the record: slots, of a room record. */
  readonly indexes: readonly number[]
  readonly headers: readonly EventHeader[]
  readonly data: readonly string[]
  readonly places?: RoomPlaces
  /** Why they cannot be read; there are none then. */
  readonly damaged?: BusError
}

/**
 * Where the room has the events of a record: of an own one, or of a room record whose events the
 * room placed anew. No index is in two parts.
 */
export interface Placement {
  readonly batch: number
  readonly parts: readonly PlacedPart[]
  /** Whether the room had taken events of it that it has lost since: it decided on them already. */
  readonly lost?: boolean
}

/** Events of a record at neighbouring places: the k-th of `indexes` stands at `place + k`. */
export interface PlacedPart {
  /** The record of the room's stream that says so. */
  readonly record: number
  readonly epoch: string
  readonly place: number
  /** Indexes of an own record, slots of a room record. */
  readonly indexes: readonly number[]
  /** Of the events in `indexes`, 0 where one has no stream; absent where none has. */
  readonly revisions?: readonly number[]
  readonly refused?: readonly Refusal[]
}

/** A place where this log's copy of the room is not whole, and why. */
export interface StoredGap {
  readonly reason: string
  /** The newest record when it was found. */
  readonly at: number
  /** When it was found, milliseconds since 1970. */
  readonly time: number
  /** Position from which the stream went on. */
  readonly from: string
  /** Position that was lost. */
  readonly lost?: string
}

/** What a log knows of itself when it is opened. */
export interface LogState {
  /** Born with the log, gone with it. */
  readonly logId: string
  readonly device: { readonly id: string; readonly secret: string }
  /** Number and time of the newest record; 0 where there is none. */
  readonly head: { readonly batch: number; readonly time: number }
  /** Number of the oldest record; 0 where there is none. */
  readonly first: number
  /** What the log held when `trim` last looked; absent before it ever did. */
  readonly totals?: Totals
  readonly room: RoomState
}

/** Size of a log's records up to `through`, so that nobody adds them up again. */
export interface Totals {
  readonly through: number
  readonly events: number
  /** Characters of headers and value texts; the copies kept by stream are not counted. */
  readonly bytes: number
}

/** How far the log is with its room. */
export interface RoomState {
  /** Position up to which the room is in this log; absent before the first welcome. */
  readonly cursor?: string
  /** Some earlier positions, newest first. */
  readonly older: readonly string[]
  /** Place of the room's head at the first welcome: up to it, but for cuts, events only fill the log. */
  readonly liveAfter: number
  readonly subject?: string
  /** What the last welcomed connection may read, as text. */
  readonly reads?: string
  /**
   * The last own batch that was confirmed: number, and id of its last event that the room took or
   * refused. Own batches up to it are not in the outbox.
   */
  readonly confirmed?: BatchRef
  /** Positions that are true no longer, the newest last. */
  readonly cuts: readonly Cut[]
  /**
   * The newest record when this device took its id from a fork; what older ones hold may stand in the
   * room under another id. Absent where it never forked.
   */
  readonly forked?: number
  /** The last gaps, the newest last. */
  readonly gaps: readonly StoredGap[]
  /** Terms taken since the last one that was welcomed. */
  readonly terms: readonly Term[]
  /** The highest term number ever seen. */
  readonly term: number
  /** Events for the room in own batches after the confirmed one that have no place and no refusal. */
  readonly pending: number
  /** Characters of headers and value texts of the batches with such events. */
  readonly pendingBytes: number
}

/** What `welcome` changes, written in one transaction. */
export interface WelcomeUpdate {
  readonly term: Term
  readonly cursor: string
  readonly liveAfter: number
  readonly subject: string
  /** What this connection may read, as text, to see later that it changed. */
  readonly reads: string
  /** The last own batch the relay has: replaces the stored pair, which is dropped if this is absent. */
  readonly confirmed?: BatchRef
  /** Positions that the room has lost; what records up to the head say of them is cut. */
  readonly cut?: { readonly epoch: string; readonly place: number }
  readonly gap?: StoredGap
}

/** How much a log keeps. Use `Infinity`, and `before: 0`, for no limit. */
export interface RetentionLimits {
  readonly events: number
  /** As `Totals.bytes`. */
  readonly bytes: number
  /** Records written before this time go, milliseconds since 1970. */
  readonly before: number
}

/** What one step of `trim` removed. */
export interface Trimmed {
  /** Events removed. */
  readonly removed: number
  /** Offset of the first event removed, and of the last slot of the last record removed. */
  readonly range?: { readonly from: number; readonly through: number }
  /** Whether another step has something to do. */
  readonly more: boolean
}

/** What one step of `merge` did. */
export interface Merged {
  /** Records that became part of another. */
  readonly merged: number
  /** Whether another step may have something to do. */
  readonly more: boolean
}

/**
 * A device's ordered, durable record.
 *
 * `open` MUST be called first and resolve before anything else is called. `append` MUST have
 * its place in the order of writes when it calls `begun`, so that whoever posts then cannot be
 * overtaken by another context's effect; its promise MUST resolve only after the commit, and MUST
 * reject when the transaction aborts. Numbers MUST be given by the log itself, ascending, and
 * MUST NOT be reused while its id lives. Nothing MUST read or decode the value texts.
 *
 * A log can go under those who use it. Then every write that runs and every later call MUST reject
 * with the error that `watch` tells: `log_cleared` where somebody cleared or deleted it, `log_lost`
 * where the connection to it ended, so that the outcome of running writes is not known: open it
 * again, and look a batch up by its last id before it is written again.
 */
export interface Log extends ConsumerLog {
  /** How durable a commit is. */
  readonly kind: 'disk' | 'memory'
  /** Whether contexts that share no memory share this log, so that leading it needs a Web Lock. */
  readonly shared: boolean
  /**
   * Names what the log is kept in: the same for all logs in this process that are one, and for no
   * other. A copy of a log has its id, but is none of its contexts.
   */
  readonly storage: string
  /**
   * Reads the state, and makes log id and device where the log is new.
   *
   * @param outbox whether what is pending is counted, which reads all that is not confirmed
   * @throws {BusError} log_unavailable, log_in_use
   */
  open(outbox?: boolean): Promise<LogState>
  /**
   * Called once, when the log is gone under its user; at once if it is gone already. Not called for
   * this log's own `clear` and `close`. One listener: a second replaces the first.
   */
  watch(lost: (error: BusError) => void): void
  /**
   * Commits an own batch; its number. Calls `begun` before it returns, as soon as no write that
   * begins later, in whatever context, can be committed before this one.
   *
   * @throws {BusError} log_failed, quota_exceeded, log_lost, log_cleared
   */
  append(batch: OwnBatch, begun?: () => void): Promise<number>
  /**
   * Commits the batch that `make` gives, only if all that is expected holds. `make` is told how many
   * events each of the streams named has, trimmed ones included; no write of another context comes
   * between that and the commit. For logs without a room, where the events of a stream count as they
   * are written. `begun` as in `append`.
   *
   * @throws {BusError} conflict, with `currentRevision`, and as `append`
   */
  appendExpected(
    expected: readonly ExpectedInLog[],
    make: (counts: ReadonlyMap<string, number>) => OwnBatch,
    begun?: () => void,
  ): Promise<number>
  /**
   * Commits a batch of the room together with the cursor and the placements in it, only if the
   * cursor equals `batch.prev` and the newest term is `term`; its number. One without runs moves
   * the cursor alone and has no record: its number is 0. An event that has a place already keeps
   * it, if the room has not lost that one. Only own runs move `confirmed`, and never back.
   *
   * @throws {BusError} stale_cursor, stale_term, log_failed, quota_exceeded, log_lost, log_cleared
   */
  appendRoom(batch: RoomBatch, term: Term): Promise<number>
  /** Takes the next term: one above the highest ever seen. Resolves when it is committed. */
  takeTerm(nonce: string): Promise<Term>
  /** Commits what a welcome told. @throws {BusError} stale_term */
  welcomed(update: WelcomeUpdate): Promise<void>
  /**
   * Makes another device of this one: new id and secret, no confirmed batch, and `term` as the only
   * one taken. Records, their numbers and the cursor stay.
   *
   * @throws {BusError} stale_term
   */
  fork(term: Term, device: LogState['device']): Promise<void>
  /** State as it is now; `outbox` as in `open`. @default true */
  state(outbox?: boolean): Promise<LogState>
  /** Records from batch number `from` on, ascending, at most `limit`. */
  read(from: number, limit: number): Promise<StoredBatch[]>
  /** Records up to batch number `to`, descending, at most `limit`. */
  readBack(to: number, limit: number): Promise<StoredBatch[]>
  /** The record that holds the event, and its index there. */
  find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined>
  /**
   * What the records have of a stream, by record, ascending, without placeholders. Where reading
   * costs by the byte, the copies kept by stream are read instead of the records.
   */
  readStream(stream: string): Promise<StoredStream[]>
  /**
   * How many events each of these streams has in own records before record number `before`, those
   * included that `trim` removed without an outbox; `undefined` where that record was removed, too.
   */
  countStreams(streams: readonly string[], before: number): Promise<number[] | undefined>
  /** The highest counter that an id of this prefix has in the log; 0 if there is none. */
  highest(prefix: string): Promise<number>
  /** Where the room has the events of a record, or had them; `undefined` if nowhere. */
  placement(batch: number): Promise<Placement | undefined>
  /** The same for all records from number `from` to number `to`, both included, ascending. */
  placements(from: number, to: number): Promise<Placement[]>
  /** The snapshot of a read model that is kept under this name. */
  snapshot(name: string): Promise<string | undefined>
  /**
   * Keeps a snapshot in place of the one of that name. It goes with the log, and, where there are
   * more than 100 names, when it is the one that was kept longest ago.
   *
   * @throws {BusError} log_failed, quota_exceeded, log_lost, log_cleared
   */
  keepSnapshot(name: string, text: string): Promise<void>
  /**
   * One step of removing the oldest records until the log is within its limits; call it again
   * while `more` is true. What belongs to a record goes with it. Three kinds stay whatever the
   * limits say: the newest record, that of `confirmed`, and, with `outbox`, own ones with events
   * that are pending.
   *
   * @param outbox whether own events for the room wait for a relay @default true
   */
  trim(limits: RetentionLimits, outbox?: boolean): Promise<Trimmed>
  /**
   * One step of making few records of many small neighbours of one kind; call it again while `more`
   * is true. Only on logs where reading costs by the record. Nobody who reads sees a difference:
   * batches keep their numbers, and what waits for a relay stays as it is.
   *
   * @param outbox as in `trim` @default true
   */
  merge?(outbox?: boolean): Promise<Merged>
  /**
   * Deletes the log for all who have it open; resolves when it is gone. This object is of no use
   * afterwards: make another, which opens a new log with a new id.
   */
  clear(): Promise<void>
  /**
   * Takes or renews a lease of the log: true if nobody else holds it at `now`. Only on logs
   * that contexts share without sharing memory, and only for runtimes without Web Locks.
   *
   * @param now milliseconds since 1970, as all contexts of the device count them
   * @param name of the lease; without one it is that of the leader
   */
  lease?(holder: string, now: number, ttlMs: number, name?: string): Promise<boolean>
  /** Gives the lease back, if `holder` has it. */
  releaseLease?(holder: string, name?: string): Promise<void>
  /** The same in the task of the call, for a lease that `holder` has for certain. */
  dropLease?(holder: string, name?: string): void
  /**
   * This context is about to stand still: rolls back what waits for something it asked for, since
   * that would keep all others waiting, and lets nothing of the kind begin until the returned
   * function is called. Writes that are rolled back reject with `log_lost`, reads are done again.
   */
  halt?(): () => void
  /**
   * Closes; resolves when running writes have ended. Lets go, in the task of the call, of what
   * others could wait for. Nothing may be called after it.
   */
  close(): Promise<void>
}

/** Makes a log when a bus is first used. */
export interface LogSource {
  /** Whether this runtime has what the log needs. */
  available(platform: Platform): boolean
  /** Without it, a bus falls back to memory where the log is not available or does not open. */
  readonly required: boolean
  readonly kind: 'disk' | 'memory'
  /** Comes before `create`, where it is there. @throws {BusError} unavailable */
  load?(): Promise<unknown>
  create(name: string, room: string, platform: Platform): Log
}

/** What the pipeline gives to a record. */
export interface Encoded {
  readonly event: {
    readonly id: string
    readonly type: string
    readonly stream?: string
    readonly scope?: Scope
    readonly revision?: number
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
  /** As `Log.appendExpected`. */
  writeExpected(
    expected: readonly ExpectedInLog[],
    make: (counts: ReadonlyMap<string, number>) => OwnBatch,
    begun?: () => void,
  ): Promise<number>
  writeRoom(
    frame: RoomInput,
    data: readonly string[],
    epoch: string,
    term: Term,
  ): Promise<{ readonly number: number; readonly record: RoomBatch }>
}

/**
 * What a room's log is kept in. One store serves many rooms; a room is known by its name. Stores
 * keep headers and data as the texts they came as and never look into data.
 */
import type { BusErrorCode, Durability } from '@crosstown/bus/protocol'
import type { Mark, RoomFirst, RoomHead, RoomRecord } from '../record.ts'
import { STREAM_KEY } from '../revisions.ts'

/** A keyed part of a room's state: the fold of its records, written with them. '' removes the key. */
export type StatePut = readonly [key: string, value: string]

/** A room as it is read when a process starts to serve it. */
export interface LoadedRoom {
  readonly head: RoomHead
  readonly state: readonly StatePut[]
}

/** One atomic write. */
export interface Append {
  /**
   * The head this was decided on. `version` 0 is a room that has no log yet: the append makes it,
   * with the epoch of `expected`.
   */
  readonly expected: RoomHead
  /** The head after it. */
  readonly head: RoomHead
  /** In order of place, without holes. */
  readonly records: readonly RoomRecord[]
  readonly state: readonly StatePut[]
  /**
   * Rows of the outbox that go with it, of a store that {@link Store.hasOutbox has} one: where not all of
   * them are there, nothing is written, and it resolves `false`.
   */
  readonly settles?: readonly number[]
}

/** How much to read: whichever is reached first ends it, but one record is always read. */
export interface ReadLimit {
  readonly events: number
  readonly bytes: number
}

/** What of a room is kept; it is trimmed as long as it is over any of these. */
export interface Keep {
  readonly events: number
  /** UTF-8 bytes of headers and data. */
  readonly bytes: number
  /** What was written before this time, in milliseconds since 1970, goes. */
  readonly since: number
}

/** An event, found by its id. */
export interface Found {
  readonly record: RoomRecord
  /** Its index among the record's accepted events. */
  readonly index: number
}

/** What a room holds. */
export interface RoomStats {
  readonly head: RoomHead
  /** Events that are kept, and their bytes. */
  readonly events: number
  readonly bytes: number
  readonly devices: number
}

/** How the connection of a store to its engine is. */
export type ConnectionState =
  /** Not yet reached, since the process began. */
  | 'connecting'
  | 'online'
  /** Lost; another one is being made. */
  | 'offline'

/** The connection of a store to its engine, at one moment. */
export interface StoreStatus {
  /** Kind of engine, as {@link Store.engine} has it. */
  readonly kind: string
  readonly state: ConnectionState
  /** Since when, in milliseconds since 1970. */
  readonly since: number
  /** How often it came back after it was lost. */
  readonly reconnections: number
  /** What is wrong; absent while it is online. Has no password in it. */
  readonly lastError?: { readonly code: BusErrorCode; readonly message: string }
}

/** What is seen of that connection. */
export interface StoreConnection {
  /** The same object until something changes. */
  get(): StoreStatus
  /** Calls back at once and at each change, until the returned function is called. */
  subscribe(heard: (status: StoreStatus) => void): () => void
}

/**
 * Keeps rooms. The contract suite in `testing` holds every implementation to this.
 *
 * A store MUST keep rooms apart, MUST give records back as they were appended, and MUST reject a
 * call with a BusError: `unavailable` where trying again may help. It MUST NOT make a room's log
 * on a read, MUST NOT change a text, and MUST NOT resolve an append before it is as durable as
 * `durability` says.
 */
export interface Store {
  /**
   * What it is, in metrics and logs.
   * @default 'other'
   */
  readonly engine?: string

  /** What holds of an append that resolved `true`; may change when an engine is reached again. */
  readonly durability: Durability

  /**
   * Absent where there is no engine that could be away. While it is, every call is rejected at once as
   * `unavailable`; it comes back by itself.
   */
  readonly connection?: StoreConnection

  /**
   * Whether nobody else can write to it for as long as it is open, so that what it was last told, or
   * said, of a room still holds. A store that two relays share, of one process or of several, is not.
   * @default false
   */
  readonly exclusive?: boolean

  /**
   * The room with its state, but for keys that begin with one of {@link ON_DEMAND}, of which there may
   * be many; `undefined` where it has no log.
   */
  load(room: string): Promise<LoadedRoom | undefined>

  /** Values of the room's state, one for each key; `undefined` for one that it does not have. */
  state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]>

  /** The head alone; `undefined` where the room has no log. */
  head(room: string): Promise<RoomHead | undefined>

  /**
   * Writes records, state and head: all or none.
   *
   * Resolves `false`, having written nothing, where the room's epoch or version is not that of
   * `expected`. Rejects where it is not known what became of it; the caller reads again.
   */
  append(room: string, append: Append): Promise<boolean>

  /**
   * Records in order, beginning with the one that takes place `after + 1`, or with the first one
   * behind it where that was trimmed.
   */
  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]>

  /** Where the kept history begins; {@link UNTRIMMED} where nothing was trimmed, or there is no log. */
  first(room: string): Promise<RoomFirst>

  /**
   * Of the trimmed history, the newest place at or before `place` at which a record ended, or
   * {@link UNTRIMMED}; `undefined` where nothing is remembered so far back ({@link TRIMMED_MARKS}).
   */
  trimmedAt(room: string, place: number): Promise<Mark | undefined>

  /** The event with this id, as long as it is kept. */
  find(room: string, id: string): Promise<Found | undefined>

  /**
   * Whether a device brought the event with this id, and it was trimmed away since: as long as it is
   * in one of the ranges that are remembered ({@link TRIMMED_RANGES}).
   */
  wasTrimmed(room: string, id: string): Promise<boolean>

  /** Place of the first record written at or after `time`, in milliseconds since 1970. */
  findByTime(room: string, time: number): Promise<number | undefined>

  /** What the room holds; `undefined` where it has no log. */
  stats(room: string): Promise<RoomStats | undefined>

  /**
   * Removes the oldest records, whole ones only, while the room is over `keep`, and at most `step`
   * (but at least one record); all or none. Head and state stay as they are. Resolves whether the
   * room is still over `keep`.
   */
  trim(room: string, keep: Keep, step: ReadLimit): Promise<boolean>

  /**
   * Ends the room's log: it has none from then on, all or none; resolves whether it had one. What was in
   * it may go in the steps of {@link purge}, and is read no more. The epoch is remembered.
   */
  delete(room: string): Promise<boolean>

  /**
   * Whether the room's log of this epoch was deleted, and not lost: as long as it is one of the last of
   * that room ({@link DELETED_EPOCHS}), and of all that were deleted ({@link DELETED_LOGS}).
   */
  wasDeleted(room: string, epoch: string): Promise<boolean>

  /** Removes a part of what deleted logs left, at most `step`; resolves whether there is more. */
  purge(step: ReadLimit): Promise<boolean>

  /** Up to `limit` names of rooms that have a log, in ascending order of code units, behind `after`. */
  rooms(after: string, limit: number): Promise<readonly string[]>

  /**
   * Carries a text to the other processes on this store, at most once and not to the sender. A
   * store that serves one process only does nothing.
   */
  signal(room: string, text: string): void

  /**
   * From now on `heard` is given what other processes signalled; absent where no other can be. Once
   * what it hears through was away, it may have missed something: it says so of every room (`undefined`).
   */
  listen?(heard: (room: string | undefined, text: string) => void): void

  /** Whether the tables of this outbox are in the same database, so that its rows can go with an append. */
  hasOutbox?(id: string): Promise<boolean>

  /** Ends writing what was appended, then lets go of everything. */
  close(): Promise<void>
}

/** Key of a device's row in a room's state. */
export const DEVICE_KEY = 'device/'

/** Key of a dead letter of a group in a room's state. */
export const DEAD_KEY = 'dead/'

/** What is read key by key: heads of streams, and dead letters. */
export const ON_DEMAND: readonly string[] = [STREAM_KEY, DEAD_KEY]

/**
 * Ranges of ids of a room that are remembered after their events were trimmed away: those trimmed
 * last. Ranges that touch are one. A publisher is one life of a page, and has one range as long as
 * all it persists is for the room: these are some months of a busy room.
 */
export const TRIMMED_RANGES = 10_000

/** Epochs of a room that are remembered after its log was deleted: those deleted last. */
export const DELETED_EPOCHS = 16

/** Logs, of whatever rooms, that are remembered after they were deleted: those deleted last. */
export const DELETED_LOGS = 10_000

/** Ends of records that are remembered after the records were trimmed away: those trimmed last. */
export const TRIMMED_MARKS = 10_000

/**
 * Records to look into for one id. A publisher's counters ascend, so the first record whose
 * highest counter reaches the one looked for has it; more are only for ids that were sent again.
 */
export const FIND_CANDIDATES = 16

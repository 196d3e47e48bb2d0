/**
 * The room's record: one batch as the room's log keeps it, and where its events stand.
 */
import { checkOf, type EventHeader, positionOf, type Refusal } from '@crosstown/bus/protocol'

/**
 * One batch in a room's log. Its accepted events stand at `place`, `place + 1`, ...; a batch that
 * was refused as a whole takes one place, so that every batch moves its device's cursor.
 */
export interface RoomRecord {
  /** Place of its first event, from 1. */
  readonly place: number
  /** Places it takes: its accepted events, or 1 where there are none. */
  readonly count: number
  /** When the relay wrote it, in milliseconds since 1970; never decreases within a room. */
  readonly time: number
  /** The device that published it, and the number of the batch there; absent for an HTTP post. */
  readonly device?: string
  readonly batch?: number
  /** Id of the last event of the original batch, accepted or not. */
  readonly lastId: string
  /** Indexes of the accepted events in the device's record; empty for an HTTP post. */
  readonly indexes: readonly number[]
  /** What was refused for good, by index of the device's record. */
  readonly refused?: readonly Refusal[]
  /** The accepted events without their data, parsed and as one line of JSON each. */
  readonly headers: readonly EventHeader[]
  readonly headerLines: readonly string[]
  /** One value text for each accepted event. */
  readonly data: readonly string[]
  /** UTF-8 bytes of headers and data. */
  readonly bytes: number
}

/** Where a room's log ends. */
export interface RoomHead {
  readonly epoch: string
  /** Counts the room's appends, those that only wrote state included. */
  readonly version: number
  /** Newest place taken; 0 in an empty log. */
  readonly place: number
  /** Check of that place; '0' in an empty log. */
  readonly check: string
  /** When the newest record was written; 0 in an empty log. */
  readonly time: number
}

/** Where a room's kept history begins. */
export interface RoomFirst {
  /** Newest place that was trimmed away; 0 where none was. */
  readonly place: number
  /** Check of that place; '0' where none was. */
  readonly check: string
}

/** Nothing was trimmed. */
export const UNTRIMMED: RoomFirst = { place: 0, check: '0' }

/** The position behind which a room's kept history begins. */
export function firstPosition(epoch: string, first: RoomFirst): string {
  return positionOf(epoch, first.place, first.check)
}

/** The position of a room's newest place. */
export function headPosition(head: RoomHead): string {
  return positionOf(head.epoch, head.place, head.check)
}

/** Newest place of a record. */
export function lastPlace(record: RoomRecord): number {
  return record.place + record.count - 1
}

/** What a room's kept history begins behind once the record is trimmed away. */
export function firstAfter(record: RoomRecord): RoomFirst {
  const place = lastPlace(record)
  return { place, check: checkOf(idAt(record, place)) }
}

/** Id of the event that gives a place of the record its check. */
export function idAt(record: RoomRecord, place: number): string {
  return record.headers[place - record.place]?.id ?? record.lastId
}

/** The position of a place that the record takes. */
export function positionIn(epoch: string, record: RoomRecord, place: number): string {
  return positionOf(epoch, place, checkOf(idAt(record, place)))
}

/**
 * The room's record: one batch as the room's log keeps it, and where its events stand.
 */
import {
  checkOf,
  type Earlier,
  type EventHeader,
  parseId,
  positionOf,
  type Refusal,
} from '@crosstown/bus/protocol'
import { chainOver } from './chain.ts'

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
  /** What the room had before, brought by a copy of the device: index there, and place. */
  readonly earlier?: readonly Earlier[]
  /** The accepted events without their data, parsed and as one line of JSON each. */
  readonly headers: readonly EventHeader[]
  readonly headerLines: readonly string[]
  /** One value text for each accepted event. */
  readonly data: readonly string[]
  /** UTF-8 bytes of headers and data. */
  readonly bytes: number
  /** Chain of the place before it; '' before the first one that has a chain. */
  readonly before: string
  /** Chain of its newest place; '' in a record that was written before rooms had chains. */
  readonly chain: string
}

/** A place of a room, as the room itself knows it. */
export interface Mark {
  /** From 1; 0 is before the first. */
  readonly place: number
  /** Check of what stands there; '0' before the first place. */
  readonly check: string
  /** Chain of all up to there; '' before the first place, and where the room has none. */
  readonly chain: string
}

/** Where a room's log ends: at its newest place. */
export interface RoomHead extends Mark {
  readonly epoch: string
  /** Counts the room's appends, those that only wrote state included. */
  readonly version: number
  /** When the newest record was written; 0 in an empty log. */
  readonly time: number
}

/** Where a room's kept history begins: behind the newest place that was trimmed away. */
export type RoomFirst = Mark

/** Before the first place. */
export const START: Mark = { place: 0, check: '0', chain: '' }

/** Nothing was trimmed. */
export const UNTRIMMED: RoomFirst = START

/** The position that a device which has the room up to this place keeps as its cursor. */
export function cursorAt(epoch: string, { place, check, chain }: Mark): string {
  return positionOf(epoch, place, check, chain)
}

/** The position of a room's newest place. */
export function headPosition(head: RoomHead): string {
  return cursorAt(head.epoch, head)
}

/** The same as the position of the event there, which is what a reader over HTTP compares it with. */
export function headEvent(head: RoomHead): string {
  return positionOf(head.epoch, head.place, head.check)
}

/** Newest place of a record. */
export function lastPlace(record: RoomRecord): number {
  return record.place + record.count - 1
}

/** What a room's kept history begins behind once the record is trimmed away. */
export function firstAfter(record: RoomRecord): RoomFirst {
  return markIn(record, lastPlace(record))
}

/** Events of one publisher: their ids are the prefix and the counters from `first` to `last`. */
export interface IdRange {
  readonly prefix: string
  readonly first: number
  readonly last: number
}

/**
 * The range of each publisher whose events a device brought in this record. What is between two of
 * them and not in the record was in their batch, too: it is not for the room, or was refused, or the
 * room has it already.
 */
export function rangesIn({ device, headers }: RoomRecord): readonly IdRange[] {
  // Ids without a counter say nothing of one another, and the relay's own are given once only.
  if (device === undefined) return []
  const ranges = new Map<string, IdRange>()
  for (const { id } of headers) {
    const [prefix, counter] = parseId(id)
    if (counter === 0) continue
    const { first = counter, last = counter } = ranges.get(prefix) ?? {}
    ranges.set(prefix, { prefix, first: Math.min(first, counter), last: Math.max(last, counter) })
  }
  return [...ranges.values()]
}

/** A place that the record takes. */
export function markIn(record: RoomRecord, place: number): Mark {
  return { place, check: checkAt(record, place), chain: chainAt(record, place) }
}

/** The position of the event at a place that the record takes, as devices compute it. */
export function positionIn(epoch: string, record: RoomRecord, place: number): string {
  return positionOf(epoch, place, checkAt(record, place))
}

function checkAt(record: RoomRecord, place: number): string {
  return checkOf(record.headers[place - record.place]?.id ?? record.lastId)
}

function chainAt(record: RoomRecord, place: number): string {
  if (record.chain === '' || place === lastPlace(record)) return record.chain
  return chainOver(record.before, record, place - record.place + 1)
}

/** What of a room's records a reader over HTTP gets, and where it begins. */
import { type EventHeader, type Rights, typeMatcher } from '@crosstown/bus/protocol'
import { cursorAt, lastPlace, type RoomRecord } from '../record.ts'
import { reasonOf, recognise, type Span } from '../resume.ts'
import type { Store } from '../stores/store.ts'
import { badRequest, Gone } from './errors.ts'
import { type Beginning, type EventFilter, NOW } from './query.ts'

/** Whether a reader gets an event of a record: it may read it, and wants it. */
export type Matcher = (header: EventHeader, record: RoomRecord) => boolean

/** The events that a token with these rights gets by this query. */
export function matcherOf(
  rights: Rights,
  { types, stream, correlationId, since = Number.NEGATIVE_INFINITY }: EventFilter & Beginning,
): Matcher {
  const mayRead = typeMatcher(rights.subscribe)
  const wanted = types.length > 0 ? typeMatcher(types) : mayRead
  return (header, { time }) =>
    mayRead(header.type) &&
    wanted(header.type) &&
    time >= since &&
    (stream === undefined || header.stream === stream) &&
    (correlationId === undefined || (header.correlationId ?? header.id) === correlationId)
}

/** Some of the events of a run of records. */
export interface Selection {
  readonly found: readonly { readonly record: RoomRecord; readonly index: number }[]
  /** The last place that was looked at, and the record that takes it. */
  readonly place: number
  readonly record: RoomRecord | undefined
}

/** The first `most` events that match, of the places behind `after` that the records take. */
export function select(
  records: readonly RoomRecord[],
  after: number,
  matches: Matcher,
  most: number = Number.POSITIVE_INFINITY,
): Selection {
  const found: { record: RoomRecord; index: number }[] = []
  let end = after
  let newest: RoomRecord | undefined
  for (const record of records) {
    for (let place = Math.max(after + 1, record.place); place <= lastPlace(record); place++) {
      if (found.length >= most) return { found, place: end, record: newest }
      const index = place - record.place
      const header = record.headers[index]
      if (header && matches(header, record)) found.push({ record, index })
      end = place
      newest = record
    }
  }
  return { found, place: end, record: newest }
}

/**
 * The place behind which a read begins.
 *
 * @throws {BusError} not_found where the room does not know the position `after`
 * @throws {Gone} where what comes behind `after` was trimmed away
 */
export async function beginningOf(
  store: Store,
  room: string,
  span: Span,
  { after, since }: Beginning,
): Promise<number> {
  const { head, first } = span
  let { place } = first
  if (after === NOW) place = head.place
  else if (after !== undefined) {
    const known = await recognise(store, room, span, after)
    if (known === undefined) {
      if (reasonOf(after, span) !== 'trimmed') throw unknownPosition()
      throw goneBefore(cursorAt(head.epoch, first))
    }
    place = known.place
  }
  if (since === undefined) return place
  const written = await store.findByTime(room, since)
  return written === undefined ? head.place : Math.max(place, written - 1)
}

/** The answer to a position that the room does not have. */
export function unknownPosition(): Error {
  return badRequest(
    'no such position in this room; leave it out to begin with what the room has',
    'not_found',
  )
}

/** The answer to a position behind which events were trimmed away. */
export function goneBefore(first: string): Gone {
  return new Gone(`what followed this position was trimmed away; go on after ${first}`)
}

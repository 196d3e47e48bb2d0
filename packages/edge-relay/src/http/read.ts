/** `GET /rooms/:room/events`: a room's log for those who may read it, filtered and in pages. */
import { type EventHeader, isPattern, type Rights, typeMatcher } from '@crosstown/bus/protocol'
import { cursorAt, headEvent, lastPlace, markIn, positionIn, type RoomRecord } from '../record.ts'
import { reasonOf, recognise, type Span } from '../resume.ts'
import type { Store } from '../stores/store.ts'
import { badRequest, Gone } from './errors.ts'
import { timeOf, UNDEFINED_TEXT } from './publish.ts'

/** What to read; as the query says it. */
export interface EventQuery {
  readonly types: readonly string[]
  readonly stream?: string
  readonly correlationId?: string
  readonly since?: number
  readonly after?: string
  readonly limit: number
}

const DEFAULT_PAGE = 100
/** Events looked at for one page: a rare type must not make one request read a whole room. */
const SCAN_EVENTS = 20_000
const READ_CHUNK = { events: 1_000, bytes: 1024 * 1024 }

/** The query of a read. @throws {BusError} invalid_options, invalid_pattern */
export function parseQuery(query: URLSearchParams, most: number): EventQuery {
  for (const key of query.keys()) {
    if (!QUERY_KEYS.has(key))
      throw badRequest(`${key} is no filter; use ${[...QUERY_KEYS].join(', ')}`)
  }
  const types = query.getAll('type')
  for (const type of types) {
    if (!isPattern(type))
      throw badRequest(`type=${String(type).slice(0, 80)} is not a pattern`, 'invalid_pattern')
  }
  const limit = Number(query.get('limit') ?? DEFAULT_PAGE)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > most) {
    throw badRequest(`limit must be a whole number from 1 to ${most}`)
  }
  const since = query.get('since')
  const stream = query.get('stream')
  const correlationId = query.get('correlation_id')
  const after = query.get('after')
  return {
    types,
    limit,
    ...(stream !== null && { stream }),
    ...(correlationId !== null && { correlationId }),
    ...(since !== null && {
      since: timeOf(/^-?\d+(\.\d+)?$/.test(since) ? Number(since) : since, 'since'),
    }),
    ...(after !== null && { after }),
  }
}

const QUERY_KEYS: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'correlation_id',
  'since',
  'after',
  'limit',
])

/**
 * One page of a room as JSON text: `{ events, first, head, next? }`. `next` is there as long as the room
 * goes on behind this page; a page may be empty and still have one.
 *
 * @throws {BusError} not_found where the room does not know the position `after`
 * @throws {Gone} where what comes behind `after` was trimmed away
 */
export async function readPage(
  store: Store,
  room: string,
  rights: Rights,
  query: EventQuery,
): Promise<string> {
  const head = await store.head(room)
  if (!head) {
    if (query.after !== undefined) throw badRequest('no such position in this room', 'not_found')
    return '{"events":[]}'
  }
  const matches = matcherOf(rights, query)
  const events: string[] = []
  const span = { head, first: await store.first(room) }
  let scanned = await firstPlace(store, room, span, query)
  let newest: RoomRecord | undefined
  const end = Math.min(head.place, scanned + SCAN_EVENTS)
  while (scanned < end && events.length < query.limit) {
    const records = await store.read(room, scanned, READ_CHUNK)
    // What was committed after the head was read belongs to a later page.
    const known = records.filter((record) => record.place <= head.place)
    if (known.length === 0) break
    for (const record of known) {
      for (let place = Math.max(scanned + 1, record.place); place <= lastPlace(record); place++) {
        if (events.length >= query.limit) break
        const header = record.headers[place - record.place]
        if (header && matches(header)) {
          events.push(eventText(head.epoch, record, place - record.place))
        }
        scanned = place
        newest = record
      }
    }
  }
  const position = newest && cursorAt(head.epoch, markIn(newest, scanned))
  const next =
    position !== undefined && scanned < head.place ? `,"next":${JSON.stringify(position)}` : ''
  const first = JSON.stringify(cursorAt(head.epoch, span.first))
  return `{"events":[${events.join(',')}],"first":${first},"head":${JSON.stringify(headEvent(head))}${next}}`
}

async function firstPlace(
  store: Store,
  room: string,
  span: Span,
  query: EventQuery,
): Promise<number> {
  const { head, first } = span
  let { place } = first
  if (query.after !== undefined) {
    const known = await recognise(store, room, span, query.after)
    if (known === undefined) {
      if (reasonOf(query.after, span) !== 'trimmed')
        throw badRequest('no such position in this room', 'not_found')
      const begin = cursorAt(head.epoch, first)
      throw new Gone(`what followed this position was trimmed away; go on after ${begin}`)
    }
    place = known.place
  }
  if (query.since === undefined) return place
  const since = await store.findByTime(room, query.since)
  return since === undefined ? head.place : Math.max(place, since - 1)
}

function matcherOf(
  rights: Rights,
  { types, stream, correlationId }: EventQuery,
): (header: EventHeader) => boolean {
  const mayRead = typeMatcher(rights.subscribe)
  const wanted = types.length > 0 ? typeMatcher(types) : mayRead
  return (header) =>
    mayRead(header.type) &&
    wanted(header.type) &&
    (stream === undefined || header.stream === stream) &&
    (correlationId === undefined || (header.correlationId ?? header.id) === correlationId)
}

/**
 * One event as JSON. Its data is a value text and goes in as it is: JSON, or with `encoding` the
 * JSON that devalue reads; `undefined` is left out, and so is what is no JSON, as `unreadable`.
 */
export function eventText(epoch: string, record: RoomRecord, index: number): string {
  const { group: _, encoding, ...header } = record.headers[index] as EventHeader
  const data = record.data[index] as string
  const unreadable = !isJson(data)
  const nothing = unreadable || (encoding === 'devalue' && data === UNDEFINED_TEXT)
  const shown = {
    ...header,
    version: header.version ?? 1,
    correlationId: header.correlationId ?? header.id,
    position: positionIn(epoch, record, record.place + index),
    ...(encoding && !nothing && { encoding }),
    ...(unreadable && { unreadable }),
  }
  const text = JSON.stringify(shown)
  return nothing ? text : `${text.slice(0, -1)},"data":${data}}`
}

/** A room takes data unopened; what goes into an answer unquoted must not end it or add to it. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

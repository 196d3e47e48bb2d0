/** The answers to reads: what was read, with the headers that go with it. */
import { BusError, isHeaderText, typeMatcher } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import type { Identity } from '../auth.ts'
import { positionIn } from '../record.ts'
import { isProof } from '../resume.ts'
import { CLOUD_EVENT, CLOUD_EVENTS, cloudEventText } from './cloud-events.ts'
import {
  type EventStreamContext,
  type EventStreamRequest,
  openEventStream,
} from './event-stream.ts'
import { eventText } from './event-text.ts'
import { tracingHeaders, unchanged } from './headers.ts'
import { type Beginning, NOW, parseQuery } from './query.ts'
import { type PageFormat, readPage } from './read.ts'

/** Who reads which room. */
export interface ReadRequest {
  readonly room: string
  readonly identity: Identity
}

const JSON_TYPE = 'application/json'
const EVENT_STREAM = 'text/event-stream'

/** What a request prefers, of what there is. */
function accepted(c: Context, ...others: string[]): string {
  const supports = [JSON_TYPE, ...others]
  return accepts(c, { header: 'Accept', supports, default: JSON_TYPE })
}

/** Whether a request prefers an event stream to a page. */
export function wantsStream(c: Context): boolean {
  return accepted(c, EVENT_STREAM, CLOUD_EVENTS) === EVENT_STREAM
}

const CLOUD_EVENTS_FORMAT: PageFormat = {
  name: CLOUD_EVENTS,
  one: cloudEventText,
  many: (events) => `[${events.join(',')}]`,
}

/** A page of a room. @throws {BusError} as {@link readPage} */
export async function answerPage(
  c: Context,
  context: EventStreamContext,
  request: ReadRequest,
): Promise<Response> {
  assertReads(request)
  const query = parseQuery(searchOf(c), 'page', context.limits.pageEvents)
  await assertHistory(context, request, query)
  const asCloudEvents = accepted(c, EVENT_STREAM, CLOUD_EVENTS) === CLOUD_EVENTS
  const { next, text, tag } = await readPage(context, {
    ...request,
    ...(asCloudEvents && { format: CLOUD_EVENTS_FORMAT }),
    query: c.req.method === 'HEAD' ? { ...query, waitMs: 0 } : query,
    known: c.req.header('if-none-match'),
    signal: c.req.raw.signal,
  })
  if (!asCloudEvents) return tagged(c, tag, text)
  if (next !== undefined) {
    // A list of CloudEvents has no place for it.
    const url = new URL(c.req.url)
    url.searchParams.set('after', next)
    c.header('Link', `<${url.pathname}${url.search}>; rel="next"`)
  }
  return tagged(c, tag, text, CLOUD_EVENTS)
}

/** A room as an event stream. @throws {BusError} as {@link openEventStream} */
export async function answerStream(
  c: Context,
  context: EventStreamContext,
  request: ReadRequest & Pick<EventStreamRequest, 'cut' | 'ended'>,
): Promise<Response> {
  assertReads(request)
  const query = parseQuery(searchOf(c), 'stream', context.limits.pageEvents)
  // Who has no last event may say so by an empty one.
  const lastEventId = c.req.header('last-event-id') || undefined
  const begins = lastEventId === undefined ? query : { after: lastEventId }
  await assertHistory(context, request, begins)
  const stream = await openEventStream(context, { ...request, query, lastEventId })
  c.header('Content-Type', EVENT_STREAM)
  c.header('Cache-Control', 'private, no-cache, no-transform')
  c.header('Vary', 'Accept', { append: true })
  // A proxy that gathers answers before it passes them on would hold events back.
  c.header('X-Accel-Buffering', 'no')
  if (c.req.method !== 'HEAD') return c.newResponse(stream as ReadableStream)
  await stream.cancel()
  return c.body(null)
}

/** One event. @throws {BusError} not_found */
export async function answerEvent(
  c: Context,
  { store }: EventStreamContext,
  { room, identity: { rights } }: ReadRequest,
): Promise<Response> {
  if (rights.history === false) throw noHistory()
  const id = c.req.param('id') ?? ''
  const found = isHeaderText(id) ? await store.find(room, id) : undefined
  const head = found && (await store.head(room))
  const header = found?.record.headers[found.index]
  if (!found || !head || !header || !typeMatcher(rights.subscribe)(header.type))
    throw new BusError('not_found', 'no such event')
  const { record, index } = found
  const type = accepted(c, CLOUD_EVENT)
  const isCloudEvent = type === CLOUD_EVENT
  // An event never changes, and its position names it: no two have the same.
  const position = positionIn(head.epoch, record, record.place + index)
  const tag = `"${position}${isCloudEvent ? '-ce' : ''}"`
  const { correlationId = header.id, traceparent } = header
  const tracing = tracingHeaders({
    correlationId,
    ...(traceparent !== undefined && { traceparent }),
  })
  for (const [name, value] of Object.entries(tracing)) c.header(name, value)
  const isKnown = unchanged(tag, c.req.header('if-none-match'))
  const textOf = isCloudEvent ? cloudEventText : eventText
  return tagged(c, tag, isKnown ? undefined : textOf(head.epoch, record, index), type)
}

/** @throws {BusError} forbidden where nothing at all may be read */
function assertReads({ identity: { rights } }: Pick<ReadRequest, 'identity'>): void {
  if (rights.subscribe.length === 0)
    throw new BusError('forbidden', 'the token gives no right to read')
}

/**
 * Without a right to history a reader begins with what comes, or goes on where the relay told it that it
 * stands. The position of an event is no such place: it can be made by who knows ids.
 *
 * @throws {BusError} forbidden
 */
async function assertHistory(
  { store }: Pick<EventStreamContext, 'store'>,
  { room, identity: { rights } }: Pick<ReadRequest, 'identity' | 'room'>,
  { after, since }: Beginning,
): Promise<void> {
  if (rights.history !== false || (after === NOW && since === undefined)) return
  if (after === undefined || since !== undefined) throw noHistory()
  if (!isProof(after, await store.first(room))) throw noHistory()
}

function noHistory(): BusError {
  const what = 'the token gives no right to history: read with after=now, and go on from there'
  return new BusError('forbidden', what)
}

/** JSON with its tag, or nothing where the reader has that already. */
function tagged(
  c: Context,
  tag: string,
  text: string | undefined,
  type: string = JSON_TYPE,
): Response {
  c.header('ETag', tag)
  c.header('Cache-Control', 'private, no-cache')
  c.header('Vary', 'Accept', { append: true })
  if (text === undefined) return c.body(null, 304)
  return c.body(text, 200, { 'Content-Type': `${type}; charset=utf-8` })
}

function searchOf(c: Context): URLSearchParams {
  return new URL(c.req.url).searchParams
}

/** `POST /rooms/:room/events`: for publishers that have no log, and so no device. */
import { type EventHeader, type Expected, headerFault } from '@crosstown/bus/protocol'
import type { PostedEvent } from '../commands.ts'
import type { Platform } from '../platform.ts'
import type { CloudEventPost } from './cloud-events.ts'
import { badRequest } from './errors.ts'
import { checked, msOf, NewEvent, newEvents, UNKNOWN } from './schemas.ts'
import { UNDEFINED_TEXT, type ValueText } from './value-text.ts'

/** Header of a posted event; beside its id the one its publisher gave it. */
type PostedHeader = Omit<EventHeader, 'id'> & { readonly ownId?: string }

/** What a posted event has where it does not say it itself. */
export interface PostDefaults {
  readonly subject: string
  readonly time: number
  readonly correlationId?: string
  readonly traceparent?: string
}

const DEFAULT_SOURCE = 'http'

/**
 * The events of a posted body: one, or an array of them.
 *
 * @throws {BusError} invalid_options, invalid_type, too_large
 */
export async function parsePost(
  body: unknown,
  most: number,
  defaults: PostDefaults,
  hash: Platform['sha256'],
): Promise<PostedEvent[]> {
  const isList = Array.isArray(body)
  const list = isList ? checkedList(body, most) : [checkedEvent(body)]
  return Promise.all(list.map((event, i) => eventAt(event, placeOf(i, isList), defaults, hash)))
}

/**
 * The events of CloudEvents, of which the fields were made.
 *
 * @throws {BusError} invalid_options, too_large
 */
export async function postCloudEvents(
  posts: readonly CloudEventPost[],
  isList: boolean,
  most: number,
  defaults: PostDefaults,
  hash: Platform['sha256'],
): Promise<PostedEvent[]> {
  const fields = posts.map((post) => post.fields)
  const list = isList ? checkedList(fields, most) : fields.map(checkedEvent)
  return Promise.all(
    list.map((event, i) => eventAt(event, placeOf(i, isList), defaults, hash, posts[i]?.value)),
  )
}

/**
 * The event of fields that are not of a request, with its data as text.
 *
 * @throws {BusError} invalid_options, invalid_type
 */
export async function postedEvent(
  fields: Record<string, unknown>,
  value: ValueText,
  defaults: PostDefaults,
  hash: Platform['sha256'],
): Promise<PostedEvent> {
  return eventAt(checkedEvent(fields), '', defaults, hash, value)
}

function checkedEvent(event: unknown): NewEvent {
  return checked(NewEvent, event, nameIn(''))
}

function checkedList(events: readonly unknown[], most: number): NewEvent[] {
  return checked(newEvents(most), events, ([i, ...path], what) =>
    nameIn(placeOf(i as number, true))(path, what),
  )
}

function placeOf(i: number, isList: boolean): string {
  return isList ? `[${i}]` : ''
}

function nameIn(at: string) {
  return (path: readonly PropertyKey[], what: string): string =>
    `event${[at, ...path.map(String)].join('.')} ${what === UNKNOWN ? 'is no field of an event' : what}`
}

async function eventAt(
  fields: NewEvent,
  at: string,
  defaults: PostDefaults,
  hash: Platform['sha256'],
  value?: ValueText,
): Promise<PostedEvent> {
  const { id, data } = fields
  const { text, encoding } = value ?? plainText(data, `event${at}.data`)
  const { type, source = DEFAULT_SOURCE, time, version } = fields
  const expected = expectedOf(fields, at)
  const header = {
    type,
    source,
    time: time === undefined ? defaults.time : msOf(time),
    ...optional('stream', fields.stream),
    ...optional('expected', expected),
    ...(version !== 1 && optional('version', version)),
    ...optional('correlationId', fields.correlationId ?? defaults.correlationId),
    ...optional('causationId', fields.causationId),
    ...optional('traceparent', fields.traceparent ?? defaults.traceparent),
    ...optional('metadata', fields.metadata),
    ...optional('encoding', encoding),
    ...optional('ownId', id),
  }
  const fault = headerFault({ id: 'h-', ...header })
  if (fault) throw badRequest(`event${at}: ${fault}`)
  return {
    ...(id !== undefined && { id: await ownEventId(hash, defaults.subject, source, id) }),
    header: header as PostedHeader,
    data: text,
  }
}

/** What the event expects of its stream. @throws {BusError} invalid_options */
function expectedOf({ stream, expectedRevision }: NewEvent, at: string): Expected | undefined {
  if (expectedRevision === undefined) return undefined
  if (stream === undefined) throw badRequest(`event${at}.expectedRevision needs a stream`)
  if (expectedRevision === 'any') return undefined
  return expectedRevision === 0 ? 'none' : expectedRevision
}

/**
 * Id of an event whose publisher has no device: the same for the same subject, source and own id,
 * so that a second sending of it is recognised.
 */
async function ownEventId(
  hash: Platform['sha256'],
  subject: string,
  source: string,
  ownId: string,
): Promise<string> {
  return `h-${(await hash(JSON.stringify([subject, source, ownId]))).slice(0, 22)}`
}

/** An absent `data` is `undefined`, which JSON has no word for. */
function plainText(data: unknown, name: string): ValueText {
  if (data === undefined) return { text: UNDEFINED_TEXT, encoding: 'devalue' }
  try {
    return { text: JSON.stringify(data) }
  } catch {
    throw badRequest(`${name} is nested too deep`)
  }
}

function optional<K extends string>(key: K, value: unknown): Partial<Record<K, unknown>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, unknown>)
}

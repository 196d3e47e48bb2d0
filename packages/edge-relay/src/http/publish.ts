/** `POST /rooms/:room/events`: for publishers that have no log, and so no device. */
import {
  type EventHeader,
  type Expected,
  headerFault,
  isEventType,
  isHeaderText,
} from '@crosstown/bus/protocol'
import type { PostedEvent } from '../commands.ts'
import type { Platform } from '../platform.ts'
import type { CloudEventPost } from './cloud-events.ts'
import { badRequest } from './errors.ts'
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

/** Fields of a posted event; another one is a mistake its publisher wants to hear of. */
const FIELDS: ReadonlySet<string> = new Set([
  'type',
  'data',
  'id',
  'source',
  'stream',
  'expectedRevision',
  'time',
  'version',
  'correlationId',
  'causationId',
  'traceparent',
  'metadata',
])

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
  const list: unknown[] = Array.isArray(body) ? body : [body]
  if (list.length === 0) throw badRequest('give at least one event')
  if (list.length > most) throw badRequest(`at most ${most} events in one request`, 'too_large')
  return Promise.all(
    list.map((event, i) => parseEvent(event, Array.isArray(body) ? `[${i}]` : '', defaults, hash)),
  )
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
  if (posts.length === 0) throw badRequest('give at least one event')
  if (posts.length > most) throw badRequest(`at most ${most} events in one request`, 'too_large')
  return Promise.all(
    posts.map(({ fields, value }, i) =>
      parseEvent(fields, isList ? `[${i}]` : '', defaults, hash, value),
    ),
  )
}

async function parseEvent(
  event: unknown,
  at: string,
  defaults: PostDefaults,
  hash: Platform['sha256'],
  value?: ValueText,
): Promise<PostedEvent> {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw badRequest(`event${at} must be an object { type, data }`)
  }
  const fields = event as Record<string, unknown>
  for (const key of Object.keys(fields))
    if (!FIELDS.has(key)) throw badRequest(`event${at}.${key} is no field of an event`)
  const { id, data } = fields
  const { text, encoding } = value ?? plainText(data, `event${at}.data`)
  if (!isEventType(fields['type']))
    throw badRequest(`event${at}.type is not an event type`, 'invalid_type')
  if (id !== undefined && !isHeaderText(id))
    throw badRequest(`event${at}.id must be 1 to 256 characters`)
  const source = fields['source'] ?? DEFAULT_SOURCE
  const correlationId = fields['correlationId'] ?? defaults.correlationId
  const traceparent = fields['traceparent'] ?? defaults.traceparent
  const header = {
    type: fields['type'],
    source,
    time: fields['time'] === undefined ? defaults.time : timeOf(fields['time'], `event${at}.time`),
    ...optional('stream', fields['stream']),
    ...optional('expected', expectedOf(fields, at)),
    ...(fields['version'] !== 1 && optional('version', fields['version'])),
    ...optional('correlationId', correlationId),
    ...optional('causationId', fields['causationId']),
    ...optional('traceparent', traceparent),
    ...optional('metadata', fields['metadata']),
    ...optional('encoding', encoding),
    ...optional('ownId', id),
  }
  const fault = headerFault({ id: 'h-', ...header })
  if (fault) throw badRequest(`event${at}: ${fault}`)
  return {
    ...(id !== undefined && { id: await ownEventId(hash, defaults.subject, source as string, id) }),
    header: header as PostedHeader,
    data: text,
  }
}

/** What the event expects of its stream. @throws {BusError} invalid_options */
function expectedOf(fields: Record<string, unknown>, at: string): Expected | undefined {
  const { stream, expectedRevision: expected } = fields
  if (expected === undefined) return undefined
  if (stream === undefined) throw badRequest(`event${at}.expectedRevision needs a stream`)
  if (expected === 'any') return undefined
  if (expected === 0) return 'none'
  if (expected === 'none' || expected === 'exists') return expected
  if (Number.isSafeInteger(expected) && (expected as number) > 0) return expected as number
  throw badRequest(`event${at}.expectedRevision must be 'any', 'none', 'exists' or a revision`)
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

/** Milliseconds since 1970, or an ISO 8601 text, as milliseconds. @throws {BusError} invalid_options */
export function timeOf(value: unknown, name: string): number {
  const time = typeof value === 'string' ? Date.parse(value) : value
  if (typeof time === 'number' && Number.isFinite(time)) return time
  throw badRequest(`${name} must be milliseconds since 1970, or a time as 2030-01-31T12:00:00Z`)
}

function optional<K extends string>(key: K, value: unknown): Partial<Record<K, unknown>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, unknown>)
}

/**
 * Events as CloudEvents 1.0 and back, without loss. Pure: of headers and attributes; data stays what
 * it is on either side.
 *
 * ours            CloudEvents
 * id, source      id, source; a source that is no URI reference is escaped, and in `sourcename` as it is
 * time            time
 * stream          subject
 * version         schemaversion
 * scope, revision, position, offset, traceparent    the same
 * correlationId, causationId                        correlationid, causationid
 * metadata        an extension each where CloudEvents allows it; the others in `metadata`, as JSON
 */
import { BusError } from '../errors.ts'
import { isEventType, type Metadata } from '../event.ts'

/** Attributes of a CloudEvent, in the JSON format's words, without its data. */
export interface CloudEventAttributes {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  /** RFC 3339. */
  readonly time?: string
  /** The stream. */
  readonly subject?: string
  readonly datacontenttype?: string
  readonly [extension: string]: string | number | boolean | undefined
}

/** The envelope of an event, as far as CloudEvents are concerned. */
export interface Envelope {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly time?: number
  readonly scope?: string
  readonly stream?: string
  readonly revision?: number
  readonly version?: number
  readonly correlationId?: string
  readonly causationId?: string
  readonly traceparent?: string
  readonly metadata?: Metadata
  readonly offset?: number
  readonly position?: string
}

/** What `datacontenttype` says of data that JSON has no words for: devalue's JSON. */
export const VALUE_TYPE = 'application/vnd.crosstown.value+json'

/** Attributes that are no metadata. */
const OWN: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'time',
  'subject',
  'datacontenttype',
  'data',
  'data_base64',
  'sourcename',
  'schemaversion',
  'scope',
  'revision',
  'position',
  'offset',
  'traceparent',
  'correlationid',
  'causationid',
  'metadata',
  'eventid',
])

/** Names and integers of extensions (CloudEvents 1.0, "Attribute Naming", "Type System"). */
const NAME = /^[a-z0-9]{1,20}$/
const MAX_INTEGER = 2 ** 31 - 1

/** The attributes of an event; `contentType` is left out where it has no data. */
export function attributesOf(event: Envelope, contentType?: string): CloudEventAttributes {
  const source = isReference(event.source) ? event.source : encodeURIComponent(event.source)
  const { extensions, rest } = split(event.metadata)
  return {
    ...extensions,
    specversion: '1.0',
    id: event.id,
    source,
    type: event.type,
    ...(event.time !== undefined && { time: timeText(event.time) }),
    ...(event.stream !== undefined && { subject: event.stream }),
    ...(contentType !== undefined && { datacontenttype: contentType }),
    ...(source !== event.source && { sourcename: event.source }),
    ...((event.scope ?? 'room') !== 'room' && { scope: event.scope }),
    ...((event.version ?? 1) !== 1 && { schemaversion: event.version }),
    ...(event.revision !== undefined && { revision: event.revision }),
    ...((event.correlationId ?? event.id) !== event.id && { correlationid: event.correlationId }),
    ...(event.causationId !== undefined && { causationid: event.causationId }),
    ...(event.traceparent !== undefined && { traceparent: event.traceparent }),
    ...(event.position !== undefined && { position: event.position }),
    // Wider than the integers of CloudEvents.
    ...(event.offset !== undefined && { offset: String(event.offset) }),
    ...(rest && { metadata: JSON.stringify(rest) }),
  }
}

/**
 * The envelope behind attributes, as JSON brings them.
 *
 * @throws {BusError} invalid_type, invalid_options
 */
export function envelopeOf(attributes: Readonly<Record<string, unknown>>): Envelope {
  const { specversion, id, source, type, time } = attributes
  if (specversion !== '1.0') throw bad("specversion must be '1.0'")
  if (typeof id !== 'string' || id === '') throw bad('id must be a text')
  if (typeof source !== 'string' || source === '') throw bad('source must be a text')
  if (!isEventType(type)) {
    const what = 'type must be 1 to 16 segments of A-Z a-z 0-9 _ - joined by dots'
    throw new BusError('invalid_type', `not a CloudEvent of ours: ${what}`, { stage: 'protocol' })
  }
  const text = (name: string): string | undefined => {
    const value = attributes[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string' && value !== '') return value
    throw bad(`${name} must be a text`)
  }
  const count = (name: string): number | undefined => {
    const value = attributes[name]
    if (value === undefined || value === null) return undefined
    // Over HTTP every attribute is a text.
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    if (Number.isSafeInteger(number) && (number as number) >= 0) return number as number
    throw bad(`${name} must be a whole number`)
  }
  const [at, stream, sourceName] = [timeIn(time), text('subject'), text('sourcename')]
  const [version, revision, offset] = [count('schemaversion'), count('revision'), count('offset')]
  const [correlationId, causationId] = [text('correlationid'), text('causationid')]
  const [scope, traceparent, position] = [text('scope'), text('traceparent'), text('position')]
  const metadata = joined(attributes, text('metadata'))
  return {
    id,
    type,
    source:
      sourceName !== undefined && encodeURIComponent(sourceName) === source ? sourceName : source,
    ...(at !== undefined && { time: at }),
    ...(scope !== undefined && { scope }),
    ...(stream !== undefined && { stream }),
    ...(revision !== undefined && { revision }),
    ...(version !== undefined && { version }),
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
    ...(metadata && { metadata }),
    ...(offset !== undefined && { offset }),
    ...(position !== undefined && { position }),
  }
}

/** RFC 3986, as far as it matters: no spaces, no controls, nothing that only a quote makes safe. */
function isReference(source: string): boolean {
  return /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/.test(source)
}

/** To the fraction of a millisecond, if there is one. */
function timeText(time: number): string {
  const whole = Math.floor(time)
  const iso = new Date(whole).toISOString()
  const fraction = String(time - whole).slice(2)
  return time === whole ? iso : `${iso.slice(0, -1)}${fraction}Z`
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,3})?(\d*)(Z|[+-]\d\d:\d\d)$/i

function timeIn(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const found = typeof value === 'string' ? TIME.exec(value) : undefined
  const time = found ? Date.parse(value as string) : Number.NaN
  if (Number.isNaN(time)) throw bad('time must be as in 2030-01-31T12:00:00Z')
  return found?.[2] ? time + Number(`0.${found[2]}`) : time
}

function split(metadata: Metadata = {}): {
  extensions: Record<string, string | number | boolean>
  rest: Metadata | undefined
} {
  const extensions: Record<string, string | number | boolean> = {}
  const rest: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(metadata)) {
    if (value === undefined) continue
    const fits =
      typeof value !== 'number' ||
      (Number.isInteger(value) && Math.abs(value) <= MAX_INTEGER && !Object.is(value, -0))
    const to = NAME.test(name) && !OWN.has(name) && fits && value !== '' ? extensions : rest
    to[name] = value
  }
  return { extensions, rest: Object.keys(rest).length > 0 ? rest : undefined }
}

function joined(
  attributes: Readonly<Record<string, unknown>>,
  text: string | undefined,
): Metadata | undefined {
  const metadata: Record<string, string | number | boolean> = Object.create(null)
  let rest: unknown = {}
  try {
    rest = text === undefined ? {} : JSON.parse(text)
  } catch {
    throw bad('metadata must be an object as JSON')
  }
  const extensions = Object.entries(attributes).filter(([name]) => !OWN.has(name))
  for (const [name, value] of [...extensions, ...Object.entries(rest ?? {})]) {
    if (value === undefined || value === null) continue
    if (typeof value !== 'string' && typeof value !== 'boolean' && !Number.isFinite(value))
      throw bad(`${name.slice(0, 80)} must be a text, a number or a boolean`)
    metadata[name] = value as string | number | boolean
  }
  return Object.keys(metadata).length > 0 ? { ...metadata } : undefined
}

function bad(what: string): BusError {
  return new BusError('invalid_options', `not a CloudEvent of ours: ${what}`, { stage: 'protocol' })
}

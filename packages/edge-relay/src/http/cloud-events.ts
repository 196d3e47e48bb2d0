/**
 * Events over HTTP as CloudEvents 1.0: structured, batched and binary in requests, structured and
 * batched in answers (HTTP Protocol Binding 1.0.2).
 */
import { encodeValue } from '@crosstown/bus/inspect'
import { attributesOf, BusError, envelopeOf, VALUE_TYPE } from '@crosstown/bus/protocol'
import { positionIn, type RoomRecord } from '../record.ts'
import { jsonOf } from './body.ts'
import { badRequest } from './errors.ts'
import { isJson, UNDEFINED_TEXT, type ValueText } from './value-text.ts'

export const CLOUD_EVENT = 'application/cloudevents+json'
export const CLOUD_EVENTS = 'application/cloudevents-batch+json'

/** Headers of a CloudEvent in binary mode that pages of other origins may send. */
export const CLOUD_EVENT_HEADERS = [
  'ce-specversion',
  'ce-id',
  'ce-source',
  'ce-type',
  'ce-time',
  'ce-subject',
  'ce-correlationid',
  'ce-causationid',
] as const

/** Fields of an event to post, and its data as text. */
export interface CloudEventPost {
  readonly fields: Record<string, unknown>
  readonly value: ValueText
}

/** Whether a request says that its body is CloudEvents, or the data of one. */
export function isCloudEvents(type: string, header: (name: string) => string | undefined): boolean {
  return type === CLOUD_EVENT || type === CLOUD_EVENTS || header('ce-specversion') !== undefined
}

/**
 * The events of a request, in whatever mode.
 *
 * @throws {BusError} invalid_options, invalid_type, invalid_data
 */
export function cloudEventsIn(
  type: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
  nesting: number,
): { readonly posts: readonly CloudEventPost[]; readonly isList: boolean } {
  if (type === CLOUD_EVENT || type === CLOUD_EVENTS) {
    const parsed = jsonIn(body, nesting)
    const isList = type === CLOUD_EVENTS
    if (isList !== Array.isArray(parsed))
      throw badRequest(
        isList ? 'the body must be a list of CloudEvents' : 'the body must be one CloudEvent',
      )
    return { posts: [parsed].flat().map((event) => structured(event, nesting)), isList }
  }
  const attributes: Record<string, unknown> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('ce-')) attributes[name.slice(3)] = unescaped(name, value)
  }
  const contentType = headers['content-type']
  return {
    posts: [{ fields: fieldsOf(attributes), value: dataOf(body, contentType, nesting) }],
    isList: false,
  }
}

function structured(event: unknown, nesting: number): CloudEventPost {
  if (typeof event !== 'object' || event === null || Array.isArray(event))
    throw badRequest('a CloudEvent must be an object')
  const {
    data,
    data_base64: base64,
    datacontenttype: type,
    ...attributes
  } = event as Record<string, unknown>
  const fields = fieldsOf(attributes)
  if (base64 === undefined) {
    if (data === undefined) return { fields, value: NOTHING }
    return { fields, value: valueText(data, isType(type, VALUE_TYPE)) }
  }
  if (data !== undefined) throw badRequest('a CloudEvent has data or data_base64')
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = Uint8Array.from(atob(base64 as string), (letter) => letter.charCodeAt(0))
  } catch {
    throw badRequest('data_base64 must be in base64')
  }
  return {
    fields,
    value: dataOf(bytes, typeof type === 'string' ? type : OCTETS, nesting),
  }
}

const NOTHING: ValueText = { text: UNDEFINED_TEXT, encoding: 'devalue' }
const OCTETS = 'application/octet-stream'

/** JSON is what it says, text a string, all else bytes. */
function dataOf(
  body: Uint8Array<ArrayBuffer>,
  type = 'application/json',
  nesting: number,
): ValueText {
  if (body.byteLength === 0) return NOTHING
  if (isType(type, VALUE_TYPE) || /^[^;]*(\/|\+)json\b/i.test(type))
    return valueText(jsonIn(body, nesting), isType(type, VALUE_TYPE))
  const { text, encoding } = encodeValue(
    /^text\//i.test(type) ? new TextDecoder().decode(body) : body,
    'a CloudEvent',
  )
  return { text, ...(encoding && { encoding }) }
}

function valueText(data: unknown, isValue: boolean): ValueText {
  try {
    const text = JSON.stringify(data)
    if (!isValue) return { text }
    // As it is, unopened, like what a device sends; but a list, which all of them are but the simplest.
    if (Array.isArray(data) || Number.isInteger(data)) return { text, encoding: 'devalue' }
  } catch {
    throw badRequest('data is nested too deep')
  }
  throw new BusError('invalid_data', `data of ${VALUE_TYPE} must be what devalue writes`)
}

function fieldsOf(attributes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { dataschema, ...rest } = attributes
  const named = dataschema === undefined || dataschema === null ? rest : { ...rest, dataschema }
  const { scope: _, revision: __, position: ___, offset: ____, ...fields } = envelopeOf(named)
  return { ...fields }
}

function isType(type: unknown, expected: string): boolean {
  return typeof type === 'string' && type.split(';')[0]?.trim().toLowerCase() === expected
}

function jsonIn(body: Uint8Array<ArrayBuffer>, nesting: number): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw badRequest('the body is not in UTF-8')
  }
  return jsonOf(text, nesting)
}

/** Attributes are percent-encoded in headers (3.1.3.2 of the binding). */
function unescaped(name: string, value: string): string {
  try {
    return decodeURIComponent(value.replace(/^"(.*)"$/, '$1'))
  } catch {
    throw badRequest(`${name} is not percent-encoded`)
  }
}

/** One event as a CloudEvent, as JSON text. Its id is the one its publisher gave it, if it did. */
export function cloudEventText(epoch: string, record: RoomRecord, index: number): string {
  const header = record.headers[index] as RoomRecord['headers'][number]
  const data = record.data[index] as string
  const { encoding, ownId, scope: _, ...envelope } = header
  const nothing = !isJson(data) || (encoding === 'devalue' && data === UNDEFINED_TEXT)
  const position = positionIn(epoch, record, record.place + index)
  const type = nothing ? undefined : encoding === 'devalue' ? VALUE_TYPE : 'application/json'
  const attributes = attributesOf({ ...envelope, position }, type)
  const text = JSON.stringify(
    ownId === undefined ? attributes : { ...attributes, id: ownId, eventid: header.id },
  )
  return nothing ? text : `${text.slice(0, -1)},"data":${data}}`
}

/** Reads envelopes of events and packed ids: what records are mostly made of. */
import type { Ids, InspectedEvent } from '@crosstown/bus/inspect'
import { Fault, type Fields, fail, fields, number, under, whole } from './reader.ts'

/** Ids that one record may name; a bus posts at most 1,000 events at a time. */
export const MAX_IDS = 10_000
/** Days that a `Date` can hold. */
const MAX_TIME = 8.64e15
const MAX_BYTES = 2 ** 31 - 1
const MAX_METADATA = 64

const TYPE = /^\$?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){0,15}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a header.
const CONTROL = /[\u0000-\u001f\u007f]/

/** One text for all that are equal: there are few types and sources in many headers. */
class Known {
  readonly #is: (text: string) => boolean
  readonly #texts = new Map<string, string>()

  constructor(is: (text: string) => boolean) {
    this.#is = is
  }

  read(value: unknown, what: string): string {
    const known = this.#texts.get(value as string)
    if (known !== undefined) return known
    if (typeof value !== 'string' || !this.#is(value)) throw new Fault(`must be ${what}`)
    if (this.#texts.size >= 5_000) this.#texts.clear()
    this.#texts.set(value, value)
    return value
  }
}

const isHeaderText = (text: string) => text.length >= 1 && text.length <= 256 && !CONTROL.test(text)
const types = new Known((text) => text.length <= 256 && TYPE.test(text))
const sources = new Known(isHeaderText)
const TEXT = 'a text of 1 to 256 characters without control characters'

export const headerText = (value: unknown): string =>
  typeof value === 'string' && isHeaderText(value) ? value : fail(`must be ${TEXT}`)

/** Types, sources and other texts that come again and again. */
export const commonText = (value: unknown): string => sources.read(value, TEXT)
export const eventType = (value: unknown): string => types.read(value, 'an event type')

type Written<T> = { -readonly [Key in keyof T]: T[Key] }

const time = number(-MAX_TIME, MAX_TIME)
const size = whole(0, MAX_BYTES)
const count = whole(0)

/** An envelope, made anew: whatever else was in it would stay in memory. */
export function readEvent(value: unknown): InspectedEvent {
  const given = fields(value)
  const event: Written<InspectedEvent> = {
    id: at(given, 'id', headerText),
    type: at(given, 'type', eventType),
    source: at(given, 'source', commonText),
    time: at(given, 'time', time),
    bytes: at(given, 'bytes', size),
  }
  const { scope, persist, correlationId, causationId, stream } = given
  if (scope !== undefined) {
    if (scope !== 'device' && scope !== 'context')
      fail("scope must be 'device', 'context' or absent")
    event.scope = scope
  }
  if (persist !== undefined) {
    if (persist !== false) fail('persist must be false or absent')
    event.persist = persist
  }
  if (correlationId !== undefined) event.correlationId = at(given, 'correlationId', headerText)
  if (causationId !== undefined) event.causationId = at(given, 'causationId', headerText)
  if (stream !== undefined) event.stream = at(given, 'stream', commonText)
  if (given['offset'] !== undefined) event.offset = at(given, 'offset', count)
  if (given['position'] !== undefined) event.position = at(given, 'position', headerText)
  if (given['revision'] !== undefined) event.revision = at(given, 'revision', count)
  if (given['version'] !== undefined) event.version = at(given, 'version', count)
  if (given['traceparent'] !== undefined) event.traceparent = at(given, 'traceparent', headerText)
  if (given['group'] !== undefined) event.group = at(given, 'group', count)
  if (given['ownId'] !== undefined) event.ownId = at(given, 'ownId', headerText)
  if (given['encoding'] === 'devalue') event.encoding = 'devalue'
  if (given['metadata'] !== undefined) event.metadata = at(given, 'metadata', metadata)
  return event
}

function at<T>(given: Fields, key: string, read: (value: unknown) => T): T {
  const value = given[key]
  try {
    return read(value)
  } catch (error) {
    if (error instanceof Fault) error.path.unshift(key)
    throw error
  }
}

function metadata(value: unknown): NonNullable<InspectedEvent['metadata']> {
  const entries = Object.entries(fields(value))
  if (entries.length > MAX_METADATA) fail(`must not have more than ${MAX_METADATA} entries`)
  for (const [key, entry] of entries) {
    const flat =
      typeof entry === 'string'
        ? entry.length <= 8_192
        : typeof entry === 'boolean' || Number.isFinite(entry)
    if (!flat || key.length > 256) fail('must be of flat values')
  }
  return Object.fromEntries(entries) as NonNullable<InspectedEvent['metadata']>
}

/** Packed ids, checked and left packed; more than {@link MAX_IDS} are a fault. */
export function readIds(value: unknown): Ids {
  if (!Array.isArray(value)) fail('must be a list of ids')
  let named = 0
  for (let index = 0; index < value.length; index++) {
    const entry: unknown = value[index]
    if (typeof entry === 'string') {
      if (!isHeaderText(entry)) under(index, headerText, entry)
      named++
    } else if (Array.isArray(entry) && entry.length === 3) {
      const [prefix, first, run] = entry as unknown[]
      if (typeof prefix !== 'string' || prefix.length > 256 || CONTROL.test(prefix))
        fail(`[${index}] must begin with the prefix of ids`)
      if (!Number.isSafeInteger(first) || (first as number) < 0)
        fail(`[${index}] must have a first counter`)
      if (!Number.isSafeInteger(run) || (run as number) < 1 || (run as number) > MAX_IDS)
        fail(`[${index}] must be of 1 to ${MAX_IDS} ids`)
      if ((first as number) + (run as number) > Number.MAX_SAFE_INTEGER)
        fail(`[${index}] must end with a counter that is a safe number`)
      named += run as number
    } else fail(`[${index}] must be an id or [prefix, first, count]`)
    if (named > MAX_IDS) fail(`must not be more than ${MAX_IDS} ids`)
  }
  return value as unknown as Ids
}

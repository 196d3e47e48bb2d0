/** Reads envelopes of events and packed ids: what records are mostly made of. */
import type { EventColumns, Ids, InspectedEvent } from '@crosstown/bus/inspect'
import { Fault, type Fields, fail, fields, number, oneOf, under, whole } from './reader.ts'

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

const KEYS = [
  'id',
  'type',
  'source',
  'time',
  'bytes',
  'scope',
  'persist',
  'correlationId',
  'causationId',
  'stream',
  'offset',
  'position',
  'revision',
  'version',
  'traceparent',
  'group',
  'ownId',
  'encoding',
  'metadata',
] as const satisfies readonly (keyof InspectedEvent)[]

/**
 * An envelope: the very object, which is what most of a session comes in. Only where there is more in
 * it than that it is made anew: it would stay in memory.
 */
export function readEvent(value: unknown): InspectedEvent {
  const given = fields(value) as Written<InspectedEvent>
  at(given, 'id', headerText)
  given.type = at(given, 'type', eventType)
  given.source = at(given, 'source', commonText)
  at(given, 'time', time)
  at(given, 'bytes', size)
  let known = 5
  const { scope, persist, encoding } = given
  if (scope !== undefined) {
    if (scope !== 'device' && scope !== 'context')
      fail("scope must be 'device', 'context' or absent")
    known++
  }
  if (persist !== undefined) {
    if (persist !== false) fail('persist must be false or absent')
    known++
  }
  if (given.correlationId !== undefined) known += is(given, 'correlationId', headerText)
  if (given.causationId !== undefined) known += is(given, 'causationId', headerText)
  if (given.stream !== undefined) {
    given.stream = at(given, 'stream', commonText)
    known++
  }
  if (given.offset !== undefined) known += is(given, 'offset', count)
  if (given.position !== undefined) known += is(given, 'position', headerText)
  if (given.revision !== undefined) known += is(given, 'revision', count)
  if (given.version !== undefined) known += is(given, 'version', count)
  if (given.traceparent !== undefined) known += is(given, 'traceparent', headerText)
  if (given.group !== undefined) known += is(given, 'group', count)
  if (given.ownId !== undefined) known += is(given, 'ownId', headerText)
  if (given.metadata !== undefined) known += is(given, 'metadata', metadata)
  if (encoding === 'devalue') known++
  for (const _ in given) known--
  return known === 0 ? given : only(given)
}

/** What is known of an envelope with more in it. */
function only(given: InspectedEvent): InspectedEvent {
  const event: { [key: string]: unknown } = {}
  for (const key of KEYS) {
    const value = given[key]
    if (value !== undefined && (key !== 'encoding' || value === 'devalue')) event[key] = value
  }
  return event as unknown as InspectedEvent
}

function at<T>(given: Fields | InspectedEvent, key: string, read: (value: unknown) => T): T {
  const value = (given as Fields)[key]
  try {
    return read(value)
  } catch (error) {
    if (error instanceof Fault) error.path.unshift(key)
    throw error
  }
}

/** One more field that is known. */
function is(given: InspectedEvent, key: string, read: (value: unknown) => unknown): 1 {
  at(given, key, read)
  return 1
}

/** Envelopes of a list, in place. */
export function readEvents(value: unknown): InspectedEvent[] {
  if (!Array.isArray(value)) fail('must be a list')
  if (value.length > MAX_IDS) fail(`must not have more than ${MAX_IDS} entries`)
  let index = 0
  try {
    for (; index < value.length; index++) value[index] = readEvent(value[index])
  } catch (error) {
    if (error instanceof Fault) error.path.unshift(index)
    throw error
  }
  return value
}

const COLUMNS: {
  readonly [Key in Exclude<keyof InspectedEvent, 'id' | 'expected'>]: (value: unknown) => unknown
} = {
  type: eventType,
  source: commonText,
  time,
  bytes: size,
  scope: oneOf('device', 'context'),
  persist: (value) => (value === false ? value : fail('must be false')),
  correlationId: headerText,
  causationId: headerText,
  stream: commonText,
  offset: count,
  position: headerText,
  revision: count,
  version: count,
  traceparent: headerText,
  group: count,
  ownId: headerText,
  encoding: oneOf('devalue'),
  metadata,
}
const NEEDED: readonly string[] = ['type', 'source', 'time', 'bytes']

/** Envelopes by column, checked in place: a list of them is as long as there are ids. */
export function readColumns(value: unknown): EventColumns {
  const given = fields(value) as { [key: string]: unknown }
  const ids = under('ids', readIds, given['ids'])
  const length = ids.reduce((sum, id) => sum + (typeof id === 'string' ? 1 : id[2]), 0)
  for (const key in given) {
    if (key === 'ids') continue
    const read = Object.hasOwn(COLUMNS, key) ? COLUMNS[key as keyof typeof COLUMNS] : undefined
    if (!read) delete given[key]
    else given[key] = under(key, (column) => readColumn(column, read, length, key), given[key])
  }
  for (const key of NEEDED) if (given[key] === undefined) fail(`${key} must be there`)
  return given as unknown as EventColumns
}

function readColumn(
  column: unknown,
  read: (value: unknown) => unknown,
  length: number,
  key: string,
): unknown {
  if (!Array.isArray(column)) return read(column)
  if (column.length !== length) fail(`must have ${length} entries`)
  const mayMiss = !NEEDED.includes(key)
  for (let index = 0; index < length; index++) {
    const value: unknown = column[index]
    if (value === null && mayMiss) continue
    try {
      column[index] = read(value)
    } catch (error) {
      if (error instanceof Fault) error.path.unshift(index)
      throw error
    }
  }
  return column
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
  return value as NonNullable<InspectedEvent['metadata']>
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

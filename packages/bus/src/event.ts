import { BusError, shown } from './errors.ts'

/** How far an event goes: this context, all contexts of the device, or the whole room. */
export type Scope = 'context' | 'device' | 'room'

/** Flat facts about the circumstances of an event; carried on by `ctx.publish`. */
export interface Metadata {
  readonly userId?: string
  readonly tenantId?: string
  readonly requestId?: string
  readonly traceId?: string
  readonly [key: string]: string | number | boolean | undefined
}

/**
 * One immutable fact: `type`, `data`, and the envelope around them. The context that published
 * it gets the original `data`, every other one an equal copy; nobody must change either.
 */
export interface BusEvent<Type extends string = string, Data = unknown> {
  /** Prefix of the publishing bus and a counter: `kJ2x90aQpLm3-17`. */
  readonly id: string
  readonly type: Type
  readonly data: Data
  /** Who published it: `source` of {@link BusOptions}, by default the kind of context. */
  readonly source: string
  /** When `publish` was called, in milliseconds since 1970 by the publisher's clock. */
  readonly time: number
  readonly scope: Scope
  /** The aggregate the event belongs to, as in `order-123`. */
  readonly stream?: string
  /**
   * Which event of its stream it is, from 1, without gaps. With a relay it is the room's, and absent
   * until confirmed there; without one it is the log's, and a live event has it only where an
   * `expectedRevision` was given.
   */
  readonly revision?: number
  /** Version of the event type's schema, from 1. */
  readonly version: number
  /** Id of the first event of this conversation; its own id where it began one. */
  readonly correlationId: string
  /** Id of the event this one answers. */
  readonly causationId?: string
  /** W3C trace context. */
  readonly traceparent?: string
  readonly metadata?: Metadata
  /** Where it stands in this device's log; absent until it is committed there. */
  readonly offset?: number
  /** Where it stands in the room, compared only for equality; absent until confirmed. */
  readonly position?: string
}

/** What an event expects of its stream: to be new, to exist, or which event is its newest. */
export type Expected = 'none' | 'exists' | number | { readonly id: string }

/**
 * An event without its data, as logs and frames carry it: what has its default is left out
 * (`scope` room, `version` 1, `correlationId` the id itself, `encoding` JSON).
 */
export interface EventHeader {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly time: number
  readonly scope?: 'device'
  readonly stream?: string
  /** Given by the room: which event of its stream it is. */
  readonly revision?: number
  /** Of an event on its way to the room, which takes it only where this holds. */
  readonly expected?: Expected
  readonly version?: number
  readonly correlationId?: string
  readonly causationId?: string
  readonly traceparent?: string
  readonly metadata?: Metadata
  /** The value text of the data, where it is not JSON. */
  readonly encoding?: 'devalue'
  /** Events of one `publishBatch` share a number within their batch. */
  readonly group?: number
  /** The id that a publisher over HTTP gave it, where `id` is made of it. */
  readonly ownId?: string
}

/** Events at most, and bytes of headers and data at most, in one batch. */
export const MAX_BATCH_EVENTS = 1_000
export const MAX_BATCH_BYTES: number = 512 * 1024
/** UTF-8 bytes at most of one event's header, and of header and data together. */
export const MAX_HEADER_BYTES: number = 8 * 1024
export const MAX_EVENT_BYTES: number = 256 * 1024
/** Offsets of one batch; a batch never has as many events. */
export const BATCH_SLOTS = 4096

/** The offset of the event at `index` of batch number `batch`. */
export function offsetOf(batch: number, index: number): number {
  return batch * BATCH_SLOTS + index
}

/** The other way: which batch, and which event of it. */
export function slotOf(offset: number): { batch: number; index: number } {
  return { batch: Math.floor(offset / BATCH_SLOTS), index: offset % BATCH_SLOTS }
}

/** `prefix-counter`, or an `h-` id as a prefix of its own with counter 0. */
export function parseId(id: string): [prefix: string, counter: number] {
  const dash = id.startsWith('h-') ? -1 : id.lastIndexOf('-')
  const digits = dash < 0 ? '' : id.slice(dash + 1)
  const counter = Number(digits)
  // Written as we write it: of `a-7` and `a-07` one must not be taken for the other.
  return Number.isSafeInteger(counter) && String(counter) === digits
    ? [id.slice(0, dash), counter]
    : [id, 0]
}

/** The highest counter of each prefix among the ids: what a log or store indexes a batch by. */
export function idPairs(
  headers: readonly { readonly id: string }[],
): [prefix: string, counter: number][] {
  const highest = new Map<string, number>()
  for (const header of headers) {
    const [prefix, counter] = parseId(header.id)
    if (counter >= (highest.get(prefix) ?? 0)) highest.set(prefix, counter)
  }
  return [...highest]
}

const TYPE = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){0,15}$/
const SYSTEM_TYPE = /^\$[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){0,15}$/

/** Whether `type` is an event type an application may publish. */
export function isEventType(type: unknown): type is string {
  return typeof type === 'string' && type.length <= 256 && TYPE.test(type)
}

/** Whether `type` is an event type of an application, or one of ours. */
export function isAnyEventType(type: unknown): type is string {
  return (
    isEventType(type) || (typeof type === 'string' && type.length <= 256 && SYSTEM_TYPE.test(type))
  )
}

/** @throws {BusError} invalid_type */
export function assertEventType(type: unknown): asserts type is string {
  if (isEventType(type)) return
  throw new BusError(
    'invalid_type',
    `${shown(type)} is not an event type: use 1 to 16 segments of A-Z a-z 0-9 _ - joined by dots, at most 256 characters` +
      (typeof type === 'string' && type.startsWith('$')
        ? '; types that start with $ are ours'
        : ''),
    { stage: 'batch' },
  )
}

/** C0, DEL and C1: what must not stand in a header, where it could forge a line of a log. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/** 1 to 256 characters, well-formed, no control characters. */
export function isHeaderText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= 256 &&
    !CONTROL.test(value) &&
    value.isWellFormed()
  )
}

/** Milliseconds since 1970 that a `Date` can hold: beyond it, a time breaks whoever formats it. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15
}

/** W3C Trace Context level 1, version 00. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Texts that passed a check before: there are few types and sources in many headers. */
const TYPES_SEEN = new Set<string>()
const SOURCES_SEEN = new Set<string>()
const MAX_SEEN = 1_000

function passes(
  value: unknown,
  is: (value: unknown) => value is string,
  seen: Set<string>,
): value is string {
  if (seen.has(value as string)) return true
  if (!is(value)) return false
  if (seen.size >= MAX_SEEN) seen.clear()
  seen.add(value)
  return true
}

/** What is wrong with a header, or `undefined` if nothing is. Checks what came over a link too. */
export function headerFault(header: unknown): string | undefined {
  if (typeof header !== 'object' || header === null) return 'a header must be an object'
  const h = header as Record<string, unknown>
  if (!isHeaderText(h['id'])) return `id ${TEXT_RULE}`
  if (!passes(h['type'], isAnyEventType, TYPES_SEEN)) return 'type is not an event type'
  if (!passes(h['source'], isHeaderText, SOURCES_SEEN)) return `source ${TEXT_RULE}`
  if (!isTime(h['time'])) return 'time must be that of a date'
  if (h['scope'] !== undefined && h['scope'] !== 'device') return "scope must be 'device' or absent"
  if (h['group'] !== undefined && !isCount(h['group'])) return 'group must be a whole number from 1'
  if (h['encoding'] !== undefined && h['encoding'] !== 'devalue')
    return "encoding must be 'devalue' or absent"
  if (h['ownId'] !== undefined && !isHeaderText(h['ownId'])) return `ownId ${TEXT_RULE}`
  if (h['revision'] !== undefined && !isCount(h['revision']))
    return 'revision must be a whole number from 1'
  if (h['expected'] !== undefined && !(h['stream'] !== undefined && isExpected(h['expected'])))
    return "expected must be 'none', 'exists', a revision or { id }, and have a stream"
  return optionsFault(h)
}

/** What is wrong with the fields that a caller of `publish` may give. */
export function optionsFault(o: {
  readonly stream?: unknown
  readonly correlationId?: unknown
  readonly causationId?: unknown
  readonly version?: unknown
  readonly traceparent?: unknown
  readonly metadata?: unknown
}): string | undefined {
  if (o.stream !== undefined && !isHeaderText(o.stream)) return `stream ${TEXT_RULE}`
  if (o.correlationId !== undefined && !isHeaderText(o.correlationId))
    return `correlationId ${TEXT_RULE}`
  if (o.causationId !== undefined && !isHeaderText(o.causationId)) return `causationId ${TEXT_RULE}`
  if (o.version !== undefined && !isCount(o.version)) return 'version must be a whole number from 1'
  const { traceparent } = o
  if (
    traceparent !== undefined &&
    !(typeof traceparent === 'string' && TRACEPARENT.test(traceparent))
  ) {
    return 'traceparent must be a W3C traceparent'
  }
  return metadataFault(o.metadata)
}

const TEXT_RULE = 'must be 1 to 256 well-formed characters without control characters'

function isExpected(value: unknown): value is Expected {
  if (value === 'none' || value === 'exists' || value === 0 || isCount(value)) return true
  return typeof value === 'object' && value !== null && 'id' in value && isHeaderText(value.id)
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function metadataFault(metadata: unknown): string | undefined {
  if (metadata === undefined) return undefined
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    return 'metadata must be an object'
  }
  // A Date, for one, would be written as a text, and the record then be unreadable.
  if ('toJSON' in metadata) return 'metadata must be a plain object'
  for (const [key, value] of Object.entries(metadata)) {
    const flat =
      typeof value === 'string' ||
      typeof value === 'boolean' ||
      Number.isFinite(value) ||
      value === undefined
    if (!flat) return `metadata.${key} must be a string, a finite number or a boolean`
  }
  return undefined
}

/** UTF-8 bytes of a text, without making them. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (
      unit >= 0xd800 &&
      unit < 0xdc00 &&
      i + 1 < text.length &&
      isLowSurrogate(text, i + 1)
    ) {
      bytes += 2
      i += 1
    } else bytes += 2
  }
  return bytes
}

function isLowSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index)
  return unit >= 0xdc00 && unit < 0xe000
}

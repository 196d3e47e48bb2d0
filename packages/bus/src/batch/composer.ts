/**
 * Makes an event of what `publish` was given: checks type and options, gives it an id, encodes
 * its data. In comes what a caller wrote, out goes an entry that no later stage has to check.
 */
import type { ValueText } from '../codec/codec.ts'
import { BusError } from '../errors.ts'
import {
  assertEventType,
  type BusEvent,
  type EventHeader,
  headerFault,
  MAX_EVENT_BYTES,
  MAX_HEADER_BYTES,
  type Scope,
  utf8Length,
} from '../event.ts'
import type { Platform } from '../platform.ts'
import type { EventOptions } from '../types.ts'
import type { Entry } from './batch.ts'
import type { Ticket } from './ticket.ts'

/** Checked options of one event. */
export interface EventPlan {
  readonly scope: Scope
  readonly persisted: boolean
}

export interface ComposerOptions {
  readonly source: string
  readonly platform: Platform
  readonly encode: (data: unknown, eventType: string) => ValueText
  /** Whether there is a log to persist in. */
  readonly hasLog: boolean
}

const PREFIX_LENGTH = 12
/** Types known to be types: checked once, not per event. Emptied when it grows past this. */
const MAX_KNOWN_TYPES = 1_000

export class Composer {
  readonly #source: string
  readonly #platform: Platform
  readonly #encode: ComposerOptions['encode']
  readonly hasLog: boolean
  /** Ids of persisted events count 1, 2, 3... so that a gap means a missing event. */
  readonly prefix: string
  readonly #castPrefix: string
  #counter = 0
  #castCounter = 0
  readonly #known = new Set<string>()

  constructor(options: ComposerOptions) {
    this.#source = options.source
    this.#platform = options.platform
    this.#encode = options.encode
    this.hasLog = options.hasLog
    this.prefix = options.platform.randomText(PREFIX_LENGTH)
    this.#castPrefix = options.platform.randomText(PREFIX_LENGTH)
  }

  /** Where the counter stands; `rewind` there takes back what was composed since and not used. */
  get mark(): number {
    return this.#counter
  }

  rewind(mark: number): void {
    this.#counter = mark
  }

  /** @throws {BusError} invalid_type, invalid_options */
  plan(type: unknown, options: EventOptions): EventPlan {
    this.#assertType(type)
    const scope = options.scope ?? 'room'
    if (scope !== 'room' && scope !== 'device' && scope !== 'context') {
      throw invalid(
        type,
        `scope must be 'context', 'device' or 'room', not ${JSON.stringify(scope)}`,
      )
    }
    if (options.persist !== undefined && typeof options.persist !== 'boolean') {
      throw invalid(type, 'persist must be true or false')
    }
    if (scope === 'context' && options.persist === true) {
      throw invalid(
        type,
        "an event of scope 'context' cannot be persisted: the log is shared by the device",
      )
    }
    return { scope, persisted: this.hasLog && scope !== 'context' && options.persist !== false }
  }

  #assertType(type: unknown): asserts type is string {
    if (this.#known.has(type as string)) return
    assertEventType(type)
    if (this.#known.size >= MAX_KNOWN_TYPES) this.#known.clear()
    this.#known.add(type)
  }

  /** An event that nobody outside this context will see: by reference, unchecked, unencoded. */
  reference(type: string, data: unknown, options: EventOptions | undefined): BusEvent {
    this.#assertType(type)
    const id = `${this.#castPrefix}-${++this.#castCounter}`
    const event: Entry['event'] = {
      id,
      type,
      data,
      source: this.#source,
      time: this.#platform.now(),
      scope: 'room',
      version: 1,
      correlationId: id,
    }
    if (options !== undefined) withOptions(event, options)
    return event
  }

  /** @throws {BusError} invalid_data, invalid_options, too_large */
  compose(
    type: string,
    data: unknown,
    options: EventOptions,
    plan: EventPlan,
    ticket: Ticket,
    group?: number,
    time: number = this.#platform.now(),
  ): Entry {
    const value = this.#encode(data, type)
    const id = plan.persisted
      ? `${this.prefix}-${this.#counter + 1}`
      : `${this.#castPrefix}-${++this.#castCounter}`
    const event: Entry['event'] = {
      id,
      type,
      data,
      source: this.#source,
      time,
      scope: plan.scope,
      version: 1,
      correlationId: id,
    }
    withOptions(event, options)
    let header = headerOf(event, value.encoding, group)
    if (hasUncheckedText(options)) {
      const fault = headerFault(header)
      if (fault !== undefined) throw invalid(type, fault)
    }
    if (options.metadata !== undefined) {
      // The caller may go on using the object.
      event.metadata = { ...options.metadata }
      header = { ...header, metadata: event.metadata }
    }
    const headerText = JSON.stringify(header)
    const headerBytes = utf8Length(headerText)
    if (headerBytes > MAX_HEADER_BYTES)
      throw tooLarge(type, 'header', headerBytes, MAX_HEADER_BYTES)
    const bytes = headerBytes + utf8Length(value.text)
    if (bytes > MAX_EVENT_BYTES) throw tooLarge(type, 'data', bytes, MAX_EVENT_BYTES)
    if (plan.persisted) this.#counter += 1
    return {
      event,
      header,
      headerText,
      dataText: value.text,
      bytes,
      persisted: plan.persisted,
      ticket,
    }
  }
}

function withOptions(event: Entry['event'], options: EventOptions): void {
  if (options.scope !== undefined) event.scope = options.scope
  if (options.stream !== undefined) event.stream = options.stream
  if (options.version !== undefined) event.version = options.version
  if (options.correlationId !== undefined) event.correlationId = options.correlationId
  if (options.causationId !== undefined) event.causationId = options.causationId
  if (options.traceparent !== undefined) event.traceparent = options.traceparent
  if (options.metadata !== undefined) event.metadata = options.metadata
}

function hasUncheckedText(options: EventOptions): boolean {
  return (
    options.stream !== undefined ||
    options.version !== undefined ||
    options.correlationId !== undefined ||
    options.causationId !== undefined ||
    options.traceparent !== undefined ||
    options.metadata !== undefined
  )
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Leaves out what has its default, so that a header is as short as its event is plain. */
export function headerOf(event: BusEvent, encoding?: 'devalue', group?: number): EventHeader {
  const header: Mutable<EventHeader> = {
    id: event.id,
    type: event.type,
    source: event.source,
    time: event.time,
  }
  if (event.scope === 'device') header.scope = 'device'
  if (event.stream !== undefined) header.stream = event.stream
  if (event.version !== 1) header.version = event.version
  if (event.correlationId !== event.id) header.correlationId = event.correlationId
  if (event.causationId !== undefined) header.causationId = event.causationId
  if (event.traceparent !== undefined) header.traceparent = event.traceparent
  if (event.metadata !== undefined) header.metadata = event.metadata
  if (encoding !== undefined) header.encoding = encoding
  if (group !== undefined) header.group = group
  return header
}

function invalid(type: unknown, what: string): BusError {
  return new BusError('invalid_options', `publish of ${String(type)}: ${what}`, {
    stage: 'batch',
    eventType: String(type),
  })
}

function tooLarge(type: string, what: 'header' | 'data', bytes: number, limit: number): BusError {
  return new BusError(
    'too_large',
    `${what} of ${type}: ${bytes} bytes, at most ${limit} are allowed; publish a reference to the content instead`,
    { stage: 'codec', eventType: type, path: what },
  )
}

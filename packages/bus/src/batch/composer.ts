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
  MAX_EVENT_BYTES,
  MAX_HEADER_BYTES,
  optionsFault,
  type Scope,
  utf8Length,
} from '../event.ts'
import type { Platform } from '../platform.ts'
import type { EventOptions, ExpectedRevision } from '../types.ts'
import type { Entry, Expectation } from './batch.ts'
import { ACCEPTED, type Ticket } from './ticket.ts'

/** Checked options of one event. */
export interface EventPlan {
  readonly scope: Scope
  readonly persisted: boolean
}

const planOf = (scope: Scope): readonly [EventPlan, EventPlan] => [
  { scope, persisted: false },
  { scope, persisted: true },
]
/** All plans there are: made once, not for each event. */
const PLANS = { context: planOf('context'), device: planOf('device'), room: planOf('room') }

export interface ComposerOptions {
  readonly source: string
  readonly platform: Platform
  readonly encode: (data: unknown, eventType: string) => ValueText
  /** Whether there is a log to persist in. */
  readonly hasLog: boolean
}

const PREFIX_LENGTH = 12
/** What an event expects is said in its header later on: an id of 256 characters at most. */
const EXPECTED_BYTES = 276
/** Types known to be types: checked once, not per event. Emptied when it grows past this. */
const MAX_KNOWN_TYPES = 1_000

export class Composer {
  readonly #source: string
  readonly #sourceText: string
  /** Bytes of the source's text beyond its length. */
  readonly #sourceExcess: number
  readonly #platform: Platform
  readonly #encode: ComposerOptions['encode']
  readonly hasLog: boolean
  /** Ids of persisted events count 1, 2, 3... so that a gap means a missing event. */
  readonly prefix: string
  readonly #castPrefix: string
  #counter = 0
  #castCounter = 0
  /** Where the header text of each kind begins. */
  readonly #head: string
  readonly #castHead: string
  /** What stands between id and time in the header text of a type; only of types that are one. */
  readonly #middles = new Map<string, string>()

  constructor(options: ComposerOptions) {
    this.#source = options.source
    this.#sourceText = JSON.stringify(options.source)
    this.#sourceExcess = utf8Length(this.#sourceText) - this.#sourceText.length
    this.#platform = options.platform
    this.#encode = options.encode
    this.hasLog = options.hasLog
    this.prefix = options.platform.randomText(PREFIX_LENGTH)
    this.#castPrefix = options.platform.randomText(PREFIX_LENGTH)
    this.#head = `{"id":"${this.prefix}-`
    this.#castHead = `{"id":"${this.#castPrefix}-`
  }

  /** The last number given to a persisted event. */
  get mark(): number {
    return this.#counter
  }

  /** Takes back the numbers after `mark` up to `last`, unless others were given after them. */
  rewind(mark: number, last: number): void {
    if (this.#counter === last) this.#counter = mark
  }

  /** @throws {BusError} invalid_type, invalid_options, unreachable */
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
    const persisted = this.hasLog && scope !== 'context' && options.persist !== false
    if (!persisted && options.expectedRevision !== undefined) {
      const what = `${String(type)} cannot expect a revision: it is in no log`
      throw new BusError('unreachable', what, { stage: 'batch', eventType: String(type) })
    }
    return PLANS[scope][persisted ? 1 : 0]
  }

  #assertType(type: unknown): asserts type is string {
    if (this.#middles.has(type as string)) return
    assertEventType(type)
    this.#middleOf(type)
  }

  #middleOf(type: string): string {
    const known = this.#middles.get(type)
    if (known !== undefined) return known
    const middle = `","type":"${type}","source":${this.#sourceText},"time":`
    if (this.#middles.size >= MAX_KNOWN_TYPES) this.#middles.clear()
    this.#middles.set(type, middle)
    return middle
  }

  /** An event that nobody outside this context will see: by reference, unchecked, unencoded. */
  reference(
    type: string,
    data: unknown,
    options: EventOptions | undefined,
    ours = false,
  ): BusEvent {
    // Options cost nothing here, but one that could not hold is no option.
    if (options?.expectedRevision === undefined) ours || this.#assertType(type)
    else this.plan(type, options)
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
    if (options !== undefined) setOptions(event, options)
    return event
  }

  /** The value text of data. Runs code of the caller's: getters. @throws {BusError} invalid_data */
  encode(data: unknown, type: string): ValueText {
    return this.#encode(data, type)
  }

  /**
   * A number is given when nothing of the caller's runs any more: a getter in data or options may
   * publish, too. Of data that is `encoded` and options that are `ownOptions` nothing runs at all.
   * Where it throws, no number is gone.
   *
   * @throws {BusError} invalid_data, invalid_options, too_large
   */
  compose(
    type: string,
    data: unknown,
    options: EventOptions,
    plan: EventPlan,
    ticket: Ticket,
    group?: number,
    time: number = this.#platform.now(),
    encoded: ValueText = this.#encode(data, type),
  ): Entry {
    const { text: dataText, encoding } = encoded
    const own = hasText(options) ? ownOptions(options, type) : undefined
    const { persisted } = plan
    const counter = (persisted ? this.#counter : this.#castCounter) + 1
    const id = `${persisted ? this.prefix : this.#castPrefix}-${counter}`
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
    const said = own === undefined ? '' : withOptions(event, own)
    const headerText =
      (persisted ? this.#head : this.#castHead) +
      counter +
      this.#middleOf(type) +
      time +
      (plan.scope === 'device' ? ',"scope":"device"' : '') +
      said +
      (encoding === undefined ? '' : ',"encoding":"devalue"') +
      (group === undefined ? '}' : `,"group":${group}}`)
    const expected = expectationOf(own?.expectedRevision)
    // Ids and types are ASCII, and so is the source most of the time.
    const headerBytes =
      said === ''
        ? headerText.length + this.#sourceExcess
        : utf8Length(headerText) + (expected === undefined ? 0 : EXPECTED_BYTES)
    if (headerBytes > MAX_HEADER_BYTES)
      throw tooLarge(type, 'header', headerBytes, MAX_HEADER_BYTES)
    const bytes = headerBytes + utf8Length(dataText)
    if (bytes > MAX_EVENT_BYTES) throw tooLarge(type, 'data', bytes, MAX_EVENT_BYTES)
    if (persisted) this.#counter = counter
    else this.#castCounter = counter
    return expected === undefined
      ? { event, headerText, dataText, bytes, persisted, ticket }
      : { event, headerText, dataText, bytes, persisted, ticket, expected }
  }

  /** An event for no log, as header and value text. @throws {BusError} as `plan` and `compose` */
  cast(
    type: string,
    data: unknown,
    options: EventOptions,
  ): { readonly header: EventHeader; readonly dataText: string } {
    const plan = this.plan(type, { ...options, persist: false })
    const { headerText, dataText } = this.compose(type, data, options, plan, ACCEPTED)
    return { header: JSON.parse(headerText) as EventHeader, dataText }
  }
}

function hasText(options: EventOptions): boolean {
  return (
    options.stream !== undefined ||
    options.expectedRevision !== undefined ||
    options.version !== undefined ||
    options.correlationId !== undefined ||
    options.causationId !== undefined ||
    options.traceparent !== undefined ||
    options.metadata !== undefined
  )
}

/**
 * What the caller said of an event, read once and checked: he may go on using the object, and a
 * getter in it may run code of his. @throws {BusError} invalid_options
 */
export function ownOptions(options: EventOptions, type: string): EventOptions {
  const { stream, expectedRevision, version, correlationId, causationId, traceparent, metadata } =
    options
  const own = {
    stream,
    expectedRevision,
    version,
    correlationId,
    causationId,
    traceparent,
    metadata: isFlat(metadata) ? { ...metadata } : metadata,
  }
  const fault = optionsFault(own) ?? expectedFault(own)
  if (fault !== undefined) throw invalid(type, fault)
  return own as EventOptions
}

function expectedFault({
  stream,
  expectedRevision: expected,
}: {
  readonly stream: string | undefined
  readonly expectedRevision: ExpectedRevision | undefined
}): string | undefined {
  if (expected === undefined) return undefined
  if (stream === undefined) return 'expectedRevision needs a stream'
  const known = expected === 'any' || expected === 'none' || expected === 'exists'
  return known || (Number.isSafeInteger(expected) && expected >= 0)
    ? undefined
    : "expectedRevision must be 'any', 'none', 'exists' or a whole number from 0"
}

function expectationOf(expected: ExpectedRevision | undefined): Expectation | undefined {
  if (expected === 'any') return undefined
  return expected === 0 ? 'none' : expected
}

/** What is no plain object must still be seen to be none when it is checked. */
function isFlat(metadata: unknown): boolean {
  return (
    typeof metadata === 'object' &&
    metadata !== null &&
    !Array.isArray(metadata) &&
    !('toJSON' in metadata)
  )
}

/** Sets the options in the event, and gives the part of the header text that says them. */
function withOptions(event: Entry['event'], own: EventOptions): string {
  setOptions(event, own)
  const { stream, version, correlationId, causationId, traceparent, metadata } = event
  let text = ''
  if (stream !== undefined) text += `,"stream":${JSON.stringify(stream)}`
  if (version !== 1) text += `,"version":${version}`
  if (correlationId !== event.id) text += `,"correlationId":${JSON.stringify(correlationId)}`
  if (causationId !== undefined) text += `,"causationId":${JSON.stringify(causationId)}`
  if (traceparent !== undefined) text += `,"traceparent":"${traceparent}"`
  if (metadata !== undefined) text += `,"metadata":${JSON.stringify(metadata)}`
  return text
}

function setOptions(event: Entry['event'], options: EventOptions): void {
  if (options.scope !== undefined) event.scope = options.scope
  if (options.stream !== undefined) event.stream = options.stream
  if (options.version !== undefined) event.version = options.version
  if (options.correlationId !== undefined) event.correlationId = options.correlationId
  if (options.causationId !== undefined) event.causationId = options.causationId
  if (options.traceparent !== undefined) event.traceparent = options.traceparent
  if (options.metadata !== undefined) event.metadata = options.metadata
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

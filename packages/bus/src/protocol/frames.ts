/**
 * Frames of protocol version 1, between a device's leader and a relay. A frame is text: one line
 * of JSON with the frame and all event headers, then one line of encoded data for each event, in
 * order. docs/protocol.md describes them for other languages; its examples are read by a test.
 */
import { BusError, type BusErrorCode, isErrorCode } from '../errors.ts'
import { BATCH_SLOTS, type EventHeader, headerFault, MAX_BATCH_EVENTS } from '../event.ts'

export const PROTOCOL_VERSION = 1
/** The WebSocket subprotocol of version 1. */
export const SUBPROTOCOL = 'crosstown.v1'
/** UTF-8 bytes of one frame at most. */
export const MAX_FRAME_BYTES: number = 1024 * 1024

/** Whether a text can name a room; `.` and `..` would change the path of a URL. */
export function isRoom(room: unknown): room is string {
  return typeof room === 'string' && /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/.test(room)
}

/** A leadership of a device: a number that only grows, and a nonce that tells clones apart. */
export type Term = readonly [number: number, nonce: string]

/** A batch of a device, named by number and by the id of its last event. */
export interface BatchRef {
  readonly batch: number
  readonly id: string
}

/** Where a new device starts reading: `time` in milliseconds since 1970, `last` in events. */
export type From = 'start' | 'now' | { position: string } | { time: number } | { last: number }

/** What a token allows: patterns of event types. */
export interface Rights {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/** What the relay promises of a confirmed event: gone with the process, or synced to disk. */
export type Durability = 'memory' | 'disk'

/** First frame of a connection: what the device holds. */
export interface HelloFrame {
  readonly frame: 'hello'
  readonly version: 1
  readonly token?: string
  readonly log: string
  readonly device: { readonly id: string; readonly secret: string }
  /** The last term that was welcomed and all taken since, the newest last. */
  readonly terms: readonly Term[]
  /** The last own batch this device knows to be confirmed. */
  readonly confirmed?: BatchRef
  /** First and last batch number of the outbox. */
  readonly outbox?: { readonly first: number; readonly last: number }
  /** The position up to which this log has the room; absent in a new log. */
  readonly cursor?: string
  /** Up to 32 positions before the cursor, at doubling distance. */
  readonly older?: readonly string[]
  readonly from?: From
  /** Patterns of what the device wants to read; everything its token allows, if absent. */
  readonly types?: readonly string[]
}

/** Answer to `hello`: what the relay has of this device, and where the stream goes on. */
export interface WelcomeFrame {
  readonly frame: 'welcome'
  readonly version: 1
  readonly subject: string
  readonly rights: Rights
  /** The last batch taken from this device. */
  readonly taken?: BatchRef
  /** The last leader term taken from this device. */
  readonly term?: Term
  readonly epoch: string
  /** The position of the room's newest place. */
  readonly head: string
  /** The position from which the stream goes on: the newest one of `hello` that was recognised. */
  readonly from: string
  /** Whether `from` is where the device's log ends, so that nothing is missing between. */
  readonly recovered: boolean
  /** Why not. */
  readonly reason?: 'unknown_position' | 'trimmed' | 'new_epoch'
  readonly limits: {
    readonly frameBytes: number
    readonly batchEvents: number
    readonly heartbeatMs: number
  }
  readonly durability: Durability
}

/** One original batch's room-scoped events. */
export interface PublishFrame {
  readonly frame: 'publish'
  readonly batch: number
  /** The last batch sent before this one that had room-scoped events; absent at a chain's start. */
  readonly prev?: number
  readonly term: Term
  /** Indexes of the events in the device's record; absent where they are 0, 1, 2... */
  readonly indexes?: readonly number[]
  readonly events: readonly EventHeader[]
}

/** The batch is committed; `refused` lists what was refused for good, by index of the record. */
export interface AckFrame {
  readonly frame: 'ack'
  readonly batch: number
  readonly refused?: readonly Refusal[]
}

export type Refusal = readonly [index: number, code: BusErrorCode]

/** The batch was not taken, and nothing after it will be: send again from `expected`. */
export interface RejectFrame {
  readonly frame: 'reject'
  readonly batch: number
  readonly code: BusErrorCode
  /** The last batch taken, after which the sender goes on; absent where none was. */
  readonly taken?: number
  /** The last leader term taken from this device, where the sender's was stale. */
  readonly term?: Term
  readonly retryAfterMs: number
}

/** Neighbouring places of the room: events of others, or own ones by their indexes. */
export type Run = EventRun | OwnRun

export interface EventRun {
  readonly place: number
  readonly events: readonly EventHeader[]
  /** When the relay wrote them, in milliseconds since 1970; never decreases within a room. */
  readonly time: number
}

export interface OwnRun {
  readonly place: number
  readonly own: {
    readonly batch: number
    readonly indexes: readonly number[]
    readonly refused?: readonly Refusal[]
  }
  readonly time: number
}

/** Everything this connection may read between `prev`, exclusive, and `position`, inclusive. */
export interface StreamFrame {
  readonly frame: 'stream'
  readonly prev: string
  readonly position: string
  readonly runs: readonly Run[]
}

/** Unpersisted events: best effort, in no log, without position. */
export interface CastFrame {
  readonly frame: 'cast'
  readonly events: readonly EventHeader[]
}

/** Asks for a heartbeat. */
export interface PingFrame {
  readonly frame: 'ping'
}

/** Proof of life, with the position of the room's newest place. */
export interface HeartbeatFrame {
  readonly frame: 'heartbeat'
  readonly head: string
}

/** The relay will close: reconnect after `afterMs` and a random part of `jitterMs`. */
export interface GoawayFrame {
  readonly frame: 'goaway'
  readonly afterMs: number
  readonly jitterMs: number
}

/** Why the connection is about to be closed. */
export interface ErrorFrame {
  readonly frame: 'error'
  readonly code: BusErrorCode
  readonly message: string
}

export type ClientFrame = HelloFrame | PublishFrame | CastFrame | PingFrame
export type RelayFrame =
  | WelcomeFrame
  | AckFrame
  | RejectFrame
  | StreamFrame
  | CastFrame
  | HeartbeatFrame
  | GoawayFrame
  | ErrorFrame
export type Frame = ClientFrame | RelayFrame

/** Names that version 1 keeps for later: a receiver that does not know them ignores them. */
export const RESERVED_FRAMES: ReadonlySet<string> = new Set([
  'request',
  'reply',
  'presence',
  'group',
  'lease',
  'settle',
  'inspect',
  'credit',
])

/** A frame as it arrived: the frame, and one value text for each event in it. */
export interface Decoded<F> {
  readonly frame: F
  readonly data: readonly string[]
}

/**
 * The text of a frame.
 *
 * @param data one value text for each event, none with a newline
 * @example encodeFrame({ frame: 'cast', events: [header] }, ['{"x":1}'])
 */
export function encodeFrame(frame: Frame, data: readonly string[] = []): string {
  const head = JSON.stringify(frame)
  return data.length === 0 ? head : `${head}\n${data.join('\n')}`
}

/** The text of a `publish`, from headers that are text already: `[{...},{...}]`. */
export function encodePublish(
  frame: Omit<PublishFrame, 'events'>,
  headersText: string,
  dataText: string,
): string {
  return `${JSON.stringify(frame).slice(0, -1)},"events":${headersText}}\n${dataText}`
}

/**
 * Reads one frame; `undefined` for one of a name reserved for later.
 *
 * @throws {BusError} bad_frame, or unsupported_version for a hello or welcome of another version
 */
export function decodeFrame(text: unknown): Decoded<Frame> | undefined {
  if (typeof text !== 'string') throw badFrame('frames are text')
  const lines = text.split('\n')
  const frame = parseHead(lines[0] as string)
  const name = frame['frame']
  if (typeof name === 'string' && RESERVED_FRAMES.has(name)) return undefined
  if (typeof name !== 'string' || !Object.hasOwn(FAULTS, name)) throw badFrame('unknown frame')
  if ((name === 'hello' || name === 'welcome') && frame['version'] !== PROTOCOL_VERSION) {
    throw new BusError('unsupported_version', `this side speaks version ${PROTOCOL_VERSION} only`, {
      stage: 'protocol',
    })
  }
  const fault = FAULTS[name as Frame['frame']](frame)
  if (fault) throw badFrame(`${name}: ${fault}`)
  const decoded = { frame: frame as unknown as Frame, data: lines.slice(1) }
  const expected = eventCount(decoded.frame)
  if (decoded.data.length !== expected) {
    throw badFrame(`${name}: ${expected} data lines expected, ${decoded.data.length} found`)
  }
  return decoded
}

/** How many events, and so data lines, a frame has. */
export function eventCount(frame: Frame): number {
  if (frame.frame === 'publish' || frame.frame === 'cast') return frame.events.length
  if (frame.frame !== 'stream') return 0
  let count = 0
  for (const run of frame.runs) if ('events' in run) count += run.events.length
  return count
}

function parseHead(line: string): Record<string, unknown> {
  let head: unknown
  try {
    head = JSON.parse(line)
  } catch (cause) {
    throw badFrame('the first line is not JSON', cause)
  }
  if (!isObject(head)) throw badFrame('the first line is not an object')
  return head
}

function badFrame(what: string, cause?: unknown): BusError {
  return new BusError('bad_frame', `not a frame of ${SUBPROTOCOL}: ${what}`, {
    stage: 'protocol',
    cause,
  })
}

type Fields = Record<string, unknown>

const FAULTS: { [F in Frame['frame']]: (frame: Fields) => string | undefined } = {
  hello: (f) =>
    first(
      optional(f, 'token', (v) => typeof v === 'string' && v.length <= 16_384),
      need(f, 'log', isName),
      need(f, 'device', (v) => isObject(v) && isName(v['id']) && isName(v['secret'])),
      need(f, 'terms', (v) => isList(v, 1_000) && v.every(isTerm)),
      optional(f, 'confirmed', isBatchRef),
      optional(f, 'outbox', (v) => isObject(v) && isCount(v['first']) && isCount(v['last'])),
      optional(f, 'cursor', isPositionText),
      optional(f, 'older', (v) => isList(v, 32) && v.every(isPositionText)),
      optional(f, 'from', isFrom),
      optional(f, 'types', isPatternList),
    ),
  welcome: (f) =>
    first(
      need(f, 'subject', (v) => typeof v === 'string'),
      need(
        f,
        'rights',
        (v) => isObject(v) && isPatternList(v['publish']) && isPatternList(v['subscribe']),
      ),
      optional(f, 'taken', isBatchRef),
      optional(f, 'term', isTerm),
      need(f, 'epoch', isName),
      need(f, 'head', isPositionText),
      need(f, 'from', isPositionText),
      need(f, 'recovered', (v) => typeof v === 'boolean'),
      optional(f, 'reason', (v) => typeof v === 'string' && GAP_REASONS.has(v)),
      need(
        f,
        'limits',
        (v) =>
          isObject(v) &&
          isCount(v['frameBytes']) &&
          isCount(v['batchEvents']) &&
          isCount(v['heartbeatMs']),
      ),
      need(f, 'durability', (v) => v === 'memory' || v === 'disk'),
    ),
  publish: (f) =>
    first(
      need(f, 'batch', isCount),
      optional(f, 'prev', isCount),
      need(f, 'term', isTerm),
      optional(f, 'indexes', isIndexList),
      headersFault(f['events']),
      Array.isArray(f['indexes']) &&
        f['indexes'].length !== (f['events'] as unknown[] | undefined)?.length
        ? 'as many indexes as events'
        : undefined,
    ),
  ack: (f) => first(need(f, 'batch', isCount), optional(f, 'refused', isRefusals)),
  reject: (f) =>
    first(
      need(f, 'batch', isCount),
      need(f, 'code', isErrorCode),
      optional(f, 'taken', isCount),
      optional(f, 'term', isTerm),
      need(f, 'retryAfterMs', isAmount),
    ),
  stream: (f) =>
    first(
      need(f, 'prev', isPositionText),
      need(f, 'position', isPositionText),
      runsFault(f['runs']),
    ),
  cast: (f) => headersFault(f['events']),
  ping: () => undefined,
  heartbeat: (f) => need(f, 'head', isPositionText),
  goaway: (f) => first(need(f, 'afterMs', isAmount), need(f, 'jitterMs', isAmount)),
  error: (f) =>
    first(
      need(f, 'code', isErrorCode),
      need(f, 'message', (v) => typeof v === 'string'),
    ),
}

const GAP_REASONS: ReadonlySet<string> = new Set(['unknown_position', 'trimmed', 'new_epoch'])

function first(...faults: (string | undefined)[]): string | undefined {
  return faults.find((fault) => fault !== undefined)
}

function need(frame: Fields, key: string, is: (value: unknown) => boolean): string | undefined {
  return is(frame[key]) ? undefined : `${key} is missing or wrong`
}

function optional(frame: Fields, key: string, is: (value: unknown) => boolean): string | undefined {
  return frame[key] === undefined ? undefined : need(frame, key, is)
}

function headersFault(events: unknown): string | undefined {
  if (!isList(events, MAX_BATCH_EVENTS) || events.length === 0) {
    return `events must be 1 to ${MAX_BATCH_EVENTS} headers`
  }
  for (let i = 0; i < events.length; i++) {
    const fault = headerFault(events[i])
    if (fault) return `events[${i}]: ${fault}`
  }
  return undefined
}

export function runsFault(runs: unknown): string | undefined {
  if (!isList(runs, MAX_BATCH_EVENTS)) return `runs must be at most ${MAX_BATCH_EVENTS}`
  let slots = 0
  for (let i = 0; i < runs.length; i++) {
    const run: unknown = runs[i]
    if (!isObject(run) || !isCount(run['place']) || !isAmount(run['time'])) {
      return `runs[${i}] needs a place and a time`
    }
    const { own, events } = run
    if ((own === undefined) === (events === undefined)) {
      return `runs[${i}] must have either events or own`
    }
    const fault = isOwn(own)
      ? undefined
      : own === undefined
        ? headersFault(events)
        : 'own is not { batch, indexes }'
    if (fault) return `runs[${i}]: ${fault}`
    slots += isOwn(own) ? own.indexes.length : (events as unknown[]).length
    // They become one record, whose offsets must not run into the next one's.
    if (slots >= BATCH_SLOTS) return `runs must have fewer than ${BATCH_SLOTS} events`
  }
  return undefined
}

function isOwn(own: unknown): own is OwnRun['own'] {
  return (
    isObject(own) &&
    isCount(own['batch']) &&
    isIndexList(own['indexes']) &&
    (own['refused'] === undefined || isRefusals(own['refused']))
  )
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isList(value: unknown, most: number): value is unknown[] {
  return Array.isArray(value) && value.length <= most
}

/** A whole number from 1. */
export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

/** A finite number from 0. */
export function isAmount(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)
}

export function isTerm(value: unknown): value is Term {
  return Array.isArray(value) && value.length === 2 && isCount(value[0]) && isName(value[1])
}

function isPositionText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 128
}

function isIndexList(value: unknown): boolean {
  return isList(value, MAX_BATCH_EVENTS) && value.every(isIndex)
}

function isIndex(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function isRefusals(value: unknown): value is Refusal[] {
  return (
    isList(value, MAX_BATCH_EVENTS) &&
    value.every(
      (entry) =>
        Array.isArray(entry) && entry.length === 2 && isIndex(entry[0]) && isErrorCode(entry[1]),
    )
  )
}

function isBatchRef(value: unknown): boolean {
  return isObject(value) && isCount(value['batch']) && typeof value['id'] === 'string'
}

function isPatternList(value: unknown): boolean {
  return (
    isList(value, 1_000) &&
    value.every((pattern) => typeof pattern === 'string' && pattern.length <= 256)
  )
}

function isFrom(value: unknown): boolean {
  if (value === 'start' || value === 'now') return true
  if (!isObject(value)) return false
  return isPositionText(value['position']) || isAmount(value['time']) || isAmount(value['last'])
}

/**
 * The closed table of what can go wrong. Every code is also its own name on the wire, and its
 * number is the close code of a socket, in Centrifugo's ranges: below 3500 the other side may
 * come back, from 3500 on it must not before something was changed.
 */
export const BUS_ERROR_CODES = {
  /** The relay is restarting or draining. */
  going_away: 3000,
  /** Nothing was heard for longer than the heartbeat allows. */
  silent: 3001,
  /** The receiver did not read as fast as events came. */
  slow_reader: 3002,
  /** Too many frames or connections in a short time. */
  rate_limited: 3003,
  /** The relay, or a store behind it, could not do it now. */
  unavailable: 3004,
  /** `prev` is not the last batch the relay has of this device: go back and send from there. */
  out_of_order: 3005,
  /** Another context of the device leads since. */
  stale_term: 3006,
  /** The stream batch does not start where this log's cursor stands. */
  stale_cursor: 3007,
  /** A wait ended by its time limit. */
  timeout: 3008,
  /** A wait ended by its `signal`. */
  aborted: 3009,
  /** A write to the log was rolled back. */
  log_failed: 3010,
  /** The connection to the log was lost. */
  log_lost: 3011,
  /** The log was cleared while this waited. */
  log_cleared: 3012,
  /** The outbox alone fills the limit of the log. */
  outbox_full: 3013,
  /** A buffer with `overflow: 'error'` was full. */
  buffer_overflow: 3014,
  /** The token has ended, or was called back: come back with a fresh one. */
  token_expired: 3015,
  /** A fresh token allows other things than the one before: join anew with it. */
  rights_changed: 3016,
  /** The circuit breaker of a handler is open: it was not called. */
  circuit_open: 3017,
  /** Nobody is there who responds to a request. */
  no_responder: 3018,
  /** Too much of it waits already: requests, or those who respond. */
  too_many: 3019,

  /** The first frame, or one after it, is not a frame of this protocol. */
  bad_frame: 3500,
  /** No version of the protocol in common. */
  unsupported_version: 3501,
  /** The token is missing or not accepted. */
  unauthorized: 3502,
  /** The token does not allow this. */
  forbidden: 3503,
  /** The origin of the page is not one the relay serves. */
  bad_origin: 3504,
  /** The room's name is not one. */
  invalid_room: 3505,
  /** The secret does not belong to this device id. */
  bad_device: 3506,
  /** The log belongs to another token subject: call `clear()` first. */
  subject_changed: 3507,
  /** An event, a batch or a frame is over its limit. */
  too_large: 3508,
  /** An `expectedRevision` does not hold. */
  conflict: 3509,
  /** The data does not match the schema of its type. */
  schema_failed: 3510,
  /** Not an event type. */
  invalid_type: 3511,
  /** Not a pattern. */
  invalid_pattern: 3512,
  /** An option, or a header of an event, is not what it must be. */
  invalid_options: 3513,
  /** The data holds something that would not come out the same everywhere. */
  invalid_data: 3514,
  /** The bus was closed. */
  closed: 3515,
  /** The level asked for cannot be reached by this bus. */
  unreachable: 3516,
  /** Another process has this log open. */
  log_in_use: 3517,
  /** No durable log is to be had here. */
  log_unavailable: 3518,
  /** A record of the log cannot be read. */
  log_damaged: 3519,
  /** The browser gives no more room. */
  quota_exceeded: 3520,
  /** A handler threw, or its promise was rejected. */
  handler_failed: 3521,
  /** No such event, room or route. */
  not_found: 3522,
  /** The event is of a newer version of its type than this bus knows. */
  needs_upgrade: 3523,
  /** Who responds to a request threw; the message is his. */
  responder_failed: 3524,
  /** Retention removed events that a durable consumer had not got. */
  overtaken: 3530,
} as const

/** One of the codes of {@link BUS_ERROR_CODES}. Branch on this, never on the message. */
export type BusErrorCode = keyof typeof BUS_ERROR_CODES

/** Where in the bus an error arose: the name of the stage's folder. */
export type Stage =
  | 'schema'
  | 'codec'
  | 'batch'
  | 'log'
  | 'dispatch'
  | 'read'
  | 'consume'
  | 'sync'
  | 'device'
  | 'links'
  | 'protocol'
  | 'request'

/** What `onError` gets beside the error: where it arose, and about which event. */
export interface ErrorContext {
  readonly stage: Stage
  readonly eventId?: string
  readonly eventType?: string
}

/** What {@link BusError} knows beside its code. */
export interface BusErrorDetails {
  /** The stage in which it arose. */
  readonly stage?: Stage
  /** Type of the event concerned. */
  readonly eventType?: string
  /** Id of the event concerned. */
  readonly eventId?: string
  /** Version of the event concerned, as it was written. */
  readonly eventVersion?: number
  /** Path of the culprit in `data`, as in `data.items[2].onClick`. */
  readonly path?: string
  /** Of a `conflict`: the stream's revision where it was judged, 0 where it has no event. */
  readonly currentRevision?: number | undefined
  readonly cause?: unknown
}

/**
 * The one error class of Crosstown.
 *
 * @example
 * try {
 *   await bus.publish('cart.item_added', { sku, onClick() {} })
 * } catch (error) {
 *   if (isBusError(error, 'invalid_data')) console.warn(error.path) // data.onClick
 * }
 */
export class BusError extends Error {
  override readonly name = 'BusError'
  readonly code: BusErrorCode
  /** Whether the same call may succeed later without a change by its caller. */
  readonly retryable: boolean
  readonly stage?: Stage
  readonly eventType?: string
  readonly eventId?: string
  readonly eventVersion?: number
  readonly path?: string
  readonly currentRevision?: number

  constructor(code: BusErrorCode, message: string, details: BusErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.retryable = isRetryable(code)
    if (details.stage !== undefined) this.stage = details.stage
    if (details.eventType !== undefined) this.eventType = details.eventType
    if (details.eventId !== undefined) this.eventId = details.eventId
    if (details.eventVersion !== undefined) this.eventVersion = details.eventVersion
    if (details.path !== undefined) this.path = details.path
    if (details.currentRevision !== undefined) this.currentRevision = details.currentRevision
  }
}

/**
 * Whether a value is a {@link BusError}, of the given code where one is given. Compares names
 * instead of using `instanceof`, because two copies of the package may meet in one page.
 */
export function isBusError(error: unknown, code?: BusErrorCode): error is BusError {
  if (!(error instanceof Error) || error.name !== 'BusError') return false
  const own = (error as { code?: unknown }).code
  return isErrorCode(own) && (code === undefined || own === code)
}

export function isErrorCode(code: unknown): code is BusErrorCode {
  return typeof code === 'string' && Object.hasOwn(BUS_ERROR_CODES, code)
}

export function isRetryable(code: BusErrorCode): boolean {
  return BUS_ERROR_CODES[code] < 3500
}

/** The code a socket was closed with, where it is one of ours. */
export function codeOfClose(close: number): BusErrorCode | undefined {
  return CODE_BY_CLOSE.get(close)
}

const CODE_BY_CLOSE: ReadonlyMap<number, BusErrorCode> = new Map(
  Object.entries(BUS_ERROR_CODES).map(([code, close]) => [close, code as BusErrorCode]),
)

/** A value of any kind as a message may show it; never throws, and never runs code of the value. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'a list' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}

/** Anything thrown, as a {@link BusError}; one that already is comes back as it is. */
export function toBusError(
  error: unknown,
  code: BusErrorCode,
  message: string,
  details: BusErrorDetails = {},
): BusError {
  return isBusError(error) ? error : new BusError(code, message, { ...details, cause: error })
}

import { BusError, type BusErrorCode, type Durability, isBusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import { TooMuch } from '../guard/too-much.ts'
import type { ConnectionState } from '../stores/store.ts'

type Status = 400 | 401 | 403 | 404 | 408 | 409 | 413 | 429 | 503

const STATUS: Partial<Record<BusErrorCode, Status>> = {
  unauthorized: 401,
  forbidden: 403,
  bad_origin: 403,
  not_found: 404,
  conflict: 409,
  timeout: 408,
  too_large: 413,
  rate_limited: 429,
  going_away: 503,
  unavailable: 503,
}

/** When to come again, where nothing else is known. */
const RETRY_AFTER_MS = 1_000

/** What was there once: an answer of its own, so that a reader need not take it for a mistake. */
export class Gone extends BusError {
  constructor(message: string) {
    super('not_found', message)
  }
}

/** The connection of the relay to its engine, as everybody may know it. */
export interface EngineAnswer {
  readonly kind: string
  readonly state: ConnectionState
  /** ISO 8601, in UTC. */
  readonly since: string
  /** While it is online. */
  readonly durability?: Durability
}

/** The relay may not be sent devices. */
export class NotReady extends BusError {
  readonly engine: EngineAnswer | undefined

  constructor(code: 'going_away' | 'unavailable', what: string, engine: EngineAnswer | undefined) {
    super(code, what)
    this.engine = engine
  }
}

/**
 * The code of an error, and the JSON answer to it: `{ error: { code, message } }` with the status
 * that goes with it; a conflict has the stream's `currentRevision` beside, and who is to come again
 * a `Retry-After`.
 */
export function errorResponse(
  c: Context,
  error: unknown,
  report: (error: unknown) => void,
): { readonly code: BusErrorCode; readonly response: Response } {
  const shown = isBusError(error) && error.stage !== 'log' ? error : undefined
  if (!shown) report(error)
  const code = shown?.code ?? 'unavailable'
  const message = shown?.message ?? 'the relay could not do this'
  if (error instanceof Gone) return { code, response: c.json({ error: { code, message } }, 410) }
  const status = STATUS[code] ?? (code === 'unavailable' ? 503 : 400)
  if (status === 401) c.header('WWW-Authenticate', 'Bearer')
  // What of the body has not come is read by nobody: the connection is of no more use.
  if (status === 408 || status === 413) c.header('Connection', 'close')
  if (status === 429 || status === 503) {
    const waitMs = error instanceof TooMuch ? error.retryAfterMs : RETRY_AFTER_MS
    c.header('Retry-After', String(Math.ceil(waitMs / 1_000)))
  }
  const { currentRevision } = shown ?? {}
  const body = {
    error: { code, message, ...(currentRevision !== undefined && { currentRevision }) },
    ...(error instanceof NotReady && error.engine && { engine: error.engine }),
  }
  return { code, response: c.json(body, status) }
}

/** A value of a request that is not what it must be. */
export function badRequest(message: string, code: BusErrorCode = 'invalid_options'): BusError {
  return new BusError(code, message)
}

/** How a live subscription is handed its events: checked, and with defaults. */
import { BusError } from '../errors.ts'
import type { Backoff, BatchOptions, HandlerOptions, Policy } from '../types.ts'

export type Overflow = NonNullable<HandlerOptions['overflow']>

export type AnyHandlerOptions = HandlerOptions & Partial<Pick<BatchOptions<never>, 'batch'>>

export interface Handling {
  /** Calls that may run at once. */
  readonly concurrency: number
  /** Events that may wait. */
  readonly buffer: number
  readonly overflow: Overflow
  /** Milliseconds for one call; 0 for no limit. */
  readonly timeout: number
  /** Calls of one event at most. */
  readonly attempts: number
  readonly backoff: Backoff
  readonly policy: Policy | undefined
  /** Events of one call at most. */
  readonly size: number
  /** How long an event waits for others at most; 0 without `batch`. */
  readonly ms: number
  readonly batch: boolean
}

const OVERFLOWS: ReadonlySet<unknown> = new Set(['block', 'drop-oldest', 'drop-newest', 'error'])
const DEFAULT_BUFFER = 1_000

/** `undefined` for a plain handler, which pays nothing for any of this. @throws {BusError} invalid_options */
export function handlingOf(options: AnyHandlerOptions): Handling | undefined {
  const { concurrency, buffer, overflow, timeout, retry, policy, batch } = options
  const queues = buffer !== undefined || overflow !== undefined || batch !== undefined
  if (!queues && (concurrency ?? timeout ?? retry ?? policy) === undefined) return undefined
  const { size = 1, ms = 0 } = batch ?? {}
  const { attempts = 1, backoff = 100 } = retry ?? {}
  const whole = Number.isSafeInteger
  const handling = {
    concurrency: concurrency ?? (queues ? 1 : Number.POSITIVE_INFINITY),
    buffer: buffer ?? Math.max(DEFAULT_BUFFER, size),
    overflow: overflow ?? 'block',
    timeout: timeout ?? 0,
    attempts,
    backoff,
    policy,
    size,
    ms,
    batch: batch !== undefined,
  }
  const { concurrency: calls } = handling
  check(calls === Number.POSITIVE_INFINITY || (whole(calls) && calls > 0), 'concurrency: from 1')
  check(whole(handling.buffer) && handling.buffer >= 0, 'buffer: a whole number from 0')
  check(OVERFLOWS.has(handling.overflow), `overflow: ${[...OVERFLOWS].join(', ')}`)
  check(timeout === undefined || isMs(timeout, 1), 'timeout: milliseconds from 1')
  check(retry === undefined || (whole(attempts) && attempts > 0), 'retry.attempts: from 1')
  check(isBackoff(backoff), 'retry.backoff: milliseconds, { base, max } or a function')
  check(policy === undefined || typeof policy?.execute === 'function', 'policy: has execute(fn)')
  check(
    batch === undefined || (whole(batch?.size) && size > 0 && isMs(batch.ms, 0)),
    'batch: { size, ms }',
  )
  check(handling.buffer >= size || batch === undefined, 'buffer: at least batch.size')
  return handling
}

/** Milliseconds before the call after the one with this number: full jitter below a doubling bound. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  if (typeof backoff === 'function') {
    const ms = backoff(attempt)
    return isMs(ms, 0) ? ms : 0
  }
  const { base = 100, max = 30_000 } = typeof backoff === 'number' ? { base: backoff } : backoff
  return random() * Math.min(max, base * 2 ** (attempt - 1))
}

function isMs(value: unknown, least: number): value is number {
  return typeof value === 'number' && value >= least && value < Number.POSITIVE_INFINITY
}

function isBackoff(backoff: unknown): boolean {
  if (typeof backoff === 'object' && backoff !== null) {
    const { base = 0, max = 0 } = backoff as { base?: unknown; max?: unknown }
    return isMs(base, 0) && isMs(max, 0)
  }
  return typeof backoff === 'function' || isMs(backoff, 0)
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new BusError('invalid_options', `subscribe: ${what}`, { stage: 'dispatch' })
}

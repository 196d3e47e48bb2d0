/**
 * What becomes of one delivery of an event, by NATS's rules: pure, and the same for durable consumers
 * and for groups.
 */
import { shown } from '../errors.ts'
import type { DeadReason } from './types.ts'

/** How a delivery ended. */
export type Outcome =
  | { readonly is: 'ack' }
  /** Given back by the handler; at once without a delay. */
  | { readonly is: 'nak'; readonly delayMs?: number | undefined }
  /** The handler threw. `called` is false where it was not called at all: its breaker is open. */
  | { readonly is: 'threw'; readonly error: unknown; readonly called: boolean }
  | { readonly is: 'term'; readonly reason?: string | undefined }
  /** Nothing was said of it in time. */
  | { readonly is: 'lapsed' }

/** What is to be done with the event then. */
export type Verdict =
  | { readonly next: 'done' }
  /** Give it again, this long from now; `counts` is false where the delivery was none. */
  | { readonly next: 'again'; readonly delayMs: number; readonly counts: boolean }
  | { readonly next: 'dead'; readonly reason: DeadReason; readonly detail?: string | undefined }

export interface Rules {
  /** From 1; `Infinity` for no limit. */
  readonly maxDeliver: number
  /** Milliseconds. */
  readonly ackWait: number
  /** Milliseconds; empty for none. */
  readonly backoff: readonly number[]
}

/**
 * After what a handler throws is tried again where no `backoff` says it: soon for what passes, and
 * often enough in the 53 minutes of the default `maxDeliver` to outlast a service that is restarted.
 */
const DEFAULT_BACKOFF: readonly number[] = [1_000, 5_000, 30_000, 120_000, 600_000]

/** Characters of a detail at most. */
const MAX_DETAIL = 1_000

/** Milliseconds in which the delivery with this number, from 1, has to be settled. */
export function ackWaitOf({ ackWait, backoff }: Rules, attempt: number): number {
  return backoff.length === 0 ? ackWait : nth(backoff, attempt)
}

/** What becomes of an event that was given for the so-manieth time, from 1. */
export function verdictOf(rules: Rules, attempt: number, outcome: Outcome): Verdict {
  if (outcome.is === 'ack') return { next: 'done' }
  if (outcome.is === 'term') {
    return { next: 'dead', reason: 'terminated', detail: cut(outcome.reason) }
  }
  const threw = outcome.is === 'threw'
  if (threw && !outcome.called) {
    return { next: 'again', delayMs: backoffOf(rules, attempt), counts: false }
  }
  if (attempt >= rules.maxDeliver) {
    const reason = outcome.is === 'lapsed' ? 'lapsed' : 'failed'
    return { next: 'dead', reason, detail: threw ? detailOf(outcome.error) : undefined }
  }
  if (threw) return { next: 'again', delayMs: backoffOf(rules, attempt), counts: true }
  // It waited long enough.
  if (outcome.is === 'lapsed') return { next: 'again', delayMs: 0, counts: true }
  return { next: 'again', delayMs: outcome.delayMs ?? 0, counts: true }
}

function backoffOf({ backoff }: Rules, attempt: number): number {
  return nth(backoff.length === 0 ? DEFAULT_BACKOFF : backoff, attempt)
}

/** The last one repeats. */
function nth(list: readonly number[], attempt: number): number {
  return list[Math.min(attempt, list.length) - 1] as number
}

/** What was thrown, in a line. */
export function detailOf(error: unknown): string | undefined {
  try {
    return cut(error instanceof Error ? `${error.name}: ${error.message}` : shown(error))
  } catch {
    return undefined
  }
}

function cut(text: unknown): string | undefined {
  return text === undefined ? undefined : String(text).slice(0, MAX_DETAIL).toWellFormed()
}

/** Options of consumers that settle each event: checked, and with defaults. */
import { BusError } from '../errors.ts'
import type { Rules } from './settlement.ts'
import type { SettleOptions } from './types.ts'

export interface Settling extends Rules {
  readonly maxAckPending: number
  readonly byStream: boolean
  readonly concurrency: number
}

/** What live handlers have instead; told with what to use. */
const REFUSED: Readonly<Record<string, string>> = {
  timeout: 'use ackWait',
  retry: 'use maxDeliver and backoff',
  buffer: 'the log is the buffer; see maxAckPending',
  overflow: 'the log is the buffer; see maxAckPending',
  batch: 'events are settled one by one; use concurrency',
}

/**
 * @param kind for messages: `durable` or `group`
 * @throws {BusError} invalid_options
 */
export function settlingOf(options: SettleOptions, kind: string): Settling {
  for (const [name, instead] of Object.entries(REFUSED)) {
    if ((options as Record<string, unknown>)[name] !== undefined)
      refuse(`${name} does not go with ${kind}: ${instead}`)
  }
  const {
    backoff = [],
    orderBy,
    ackWait = 30_000,
    maxDeliver = 10,
    maxAckPending = 1_000,
  } = options
  const { concurrency = orderBy ? 10 : 1 } = options
  if (!isCount(maxDeliver) && maxDeliver !== Number.POSITIVE_INFINITY)
    refuse('maxDeliver: from 1, or Infinity')
  if (!isMs(ackWait, 1)) refuse('ackWait: milliseconds from 1')
  const delays = Array.isArray(backoff) && backoff.length <= 100
  if (!delays || !backoff.every((ms) => isMs(ms, 1)))
    refuse('backoff: a list of milliseconds from 1')
  if (!isCount(maxAckPending) || maxAckPending > 10_000) refuse('maxAckPending: 1 to 10000')
  if (!isCount(concurrency)) refuse('concurrency: a whole number from 1')
  if (orderBy !== undefined && orderBy !== 'stream') refuse("orderBy: 'stream'")
  return {
    maxDeliver,
    ackWait,
    backoff,
    maxAckPending,
    byStream: orderBy === 'stream',
    concurrency: Math.min(concurrency, maxAckPending),
  }
}

/** The name of a durable consumer or a group. @throws {BusError} invalid_options */
export function assertName(name: unknown, kind: string, isName: (text: string) => boolean): string {
  if (typeof name === 'string' && isName(name)) return name
  return refuse(`${kind}: a name of 1 to 256 characters`)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Up to a year. */
export function isMs(value: unknown, least: number): value is number {
  return typeof value === 'number' && value >= least && value <= 31_536_000_000
}

function refuse(what: string): never {
  throw new BusError('invalid_options', `subscribe: ${what}`, { stage: 'consume' })
}

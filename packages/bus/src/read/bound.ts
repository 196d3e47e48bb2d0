/** Where reading begins or ends, as far as that is told without the log. */
import { BusError } from '../errors.ts'
import type { ReadFrom } from '../types.ts'

/** What can be told of a bound without the log. */
export type Bound =
  | { readonly at: 'start' | 'now' }
  | { readonly offset: number }
  | { readonly position: string }
  | { readonly time: number }
  | { readonly last: number }

/** @throws {BusError} invalid_options */
export function parseBound(bound: ReadFrom, name: 'from' | 'to' = 'from'): Bound {
  if (bound === 'start' || bound === 'now') return { at: bound }
  if (typeof bound === 'string') return { position: bound }
  if (typeof bound === 'number' && isIndex(bound)) return { offset: bound }
  if (bound instanceof Date && !Number.isNaN(bound.getTime())) return { time: bound.getTime() }
  if (typeof bound === 'object' && bound !== null && 'last' in bound && isIndex(bound.last)) {
    return { last: bound.last }
  }
  throw new BusError(
    'invalid_options',
    `${name} must be 'start', 'now', an offset, a position, a Date or { last: number of events }`,
    { stage: 'read' },
  )
}

/** A whole number from 0. */
export function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** @throws {BusError} invalid_options */
export function assertFrom(from: ReadFrom, confirmed: boolean): void {
  const bound = parseBound(from)
  if (!confirmed || 'at' in bound || 'time' in bound || 'position' in bound) return
  const what = "with confirmed, from is 'start', 'now', a position or a Date"
  throw new BusError('invalid_options', `subscribe: ${what}`, { stage: 'read' })
}

/** Why a bus without a log of its own cannot read one. */
export function unreadable(): BusError {
  return new BusError('unreachable', 'this bus has no log to read', { stage: 'read' })
}

/** How long who asks waits, whether the desk is there already or not. */
import { BusError } from '../errors.ts'
import type { RequestOptions } from './request.ts'

export type Waiting = Pick<RequestOptions, 'timeout' | 'signal'>

export const TIMEOUT_MS = 5_000

/** Why nobody can wait like this, if so. */
export function refusalOf(
  eventType: string,
  closed: boolean,
  { timeout = TIMEOUT_MS, signal }: Waiting,
): BusError | undefined {
  if (closed) return closedError()
  if (signal?.aborted) return abortedError(eventType, signal)
  if (timeout > 0 && timeout < Number.POSITIVE_INFINITY) return undefined
  const what = `request of ${eventType}: timeout in milliseconds, more than 0`
  return new BusError('invalid_options', what, { stage: 'request', eventType })
}

export function abortedError(eventType: string, { reason }: AbortSignal): BusError {
  const what = `the request of ${eventType} was given up`
  return new BusError('aborted', what, { stage: 'request', eventType, cause: reason })
}

export function closedError(): BusError {
  return new BusError('closed', 'the bus was closed')
}

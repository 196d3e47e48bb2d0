/** The HTTP headers that mean something to events: whose story they belong to, and what changed. */
import { isHeaderText } from '@crosstown/bus/protocol'
import { badRequest } from './errors.ts'

/** The correlation and the trace that a request or an event names. */
export interface Tracing {
  readonly correlationId?: string
  readonly traceparent?: string
}

/** Headers of a request that events get their correlation and trace from. */
export const TRACING_HEADERS = ['X-Correlation-ID', 'traceparent'] as const

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/

/**
 * What a request says about the events in it. A trace that is none is left out, as W3C Trace
 * Context wants it: tracing never makes a request fail.
 *
 * @throws {BusError} invalid_options
 */
export function tracingOf(header: (name: string) => string | undefined): Tracing {
  const correlationId = header('X-Correlation-ID')
  if (correlationId !== undefined && !isHeaderText(correlationId))
    throw badRequest('X-Correlation-ID must be 1 to 256 characters without control characters')
  const traceparent = header('traceparent')
  return {
    ...(correlationId !== undefined && { correlationId }),
    ...(traceparent !== undefined && TRACEPARENT.test(traceparent) && { traceparent }),
  }
}

/** The same as headers of an answer; an id that no header can carry is in the body only. */
export function tracingHeaders({ correlationId, traceparent }: Tracing): Record<string, string> {
  return {
    ...(correlationId !== undefined &&
      /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(correlationId) && {
        'X-Correlation-ID': correlationId,
      }),
    ...(traceparent !== undefined && { traceparent }),
  }
}

/** Whether `If-None-Match` names a tag; weakly, as RFC 9110 has it for reads. */
export function unchanged(tag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  const opaque = tag.replace(/^W\//, '')
  return ifNoneMatch.match(/"[^"]*"/g)?.includes(opaque) ?? false
}

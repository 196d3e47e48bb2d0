/** What `publishError` publishes. */
import { shown } from '../errors.ts'
import type { EventOptions, PublishErrorOptions, SystemEvents } from '../types.ts'

/** Characters of a text at most: a stack may be as long as it likes. */
const MAX_TEXT = 8_192
const MAX_CAUSES = 8

/** Whatever was thrown, as data; code of its own, as a getter is, may throw in turn. */
export function errorData(error: unknown, options?: PublishErrorOptions): SystemEvents['$error'] {
  try {
    return told(error, options)
  } catch {
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

function told(error: unknown, { event }: PublishErrorOptions = {}): SystemEvents['$error'] {
  const causes: { name: string; message: string }[] = []
  for (let next = causeOf(error); next !== undefined; next = causeOf(next)) {
    if (causes.length === MAX_CAUSES) break
    causes.push(named(next))
  }
  const { code, stack } = Object(error) as { code?: unknown; stack?: unknown }
  return {
    ...named(error),
    ...(typeof code === 'string' && { code: code.slice(0, MAX_TEXT) }),
    ...(typeof stack === 'string' && { stack: stack.slice(0, MAX_TEXT) }),
    ...(event && { event: { id: event.id, type: event.type } }),
    ...(causes.length > 0 && { causes }),
  }
}

/** What is carried on of the event that was being dealt with. */
export function errorOptions({ event, metadata }: PublishErrorOptions = {}): EventOptions {
  return {
    correlationId: event?.correlationId,
    causationId: event?.id,
    traceparent: event?.traceparent,
    metadata:
      event?.metadata && metadata
        ? { ...event.metadata, ...metadata }
        : (metadata ?? event?.metadata),
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

function named(error: unknown): { name: string; message: string } {
  const { name, message } = Object(error) as { name?: unknown; message?: unknown }
  return {
    name: (typeof name === 'string' ? name : typeof error).slice(0, MAX_TEXT),
    message: (typeof message === 'string' ? message : shown(error)).slice(0, MAX_TEXT),
  }
}

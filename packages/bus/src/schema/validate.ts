import type { StandardSchemaV1 } from '@standard-schema/spec'
import { BusError, type BusErrorDetails } from '../errors.ts'

/** The event that is validated, as errors name it. */
export interface Subject extends BusErrorDetails {
  readonly eventType: string
}

/**
 * What the schema makes of data; a promise only where the schema is asynchronous.
 *
 * @throws {BusError} schema_failed, with the path of the first issue
 */
export function validate(schema: StandardSchemaV1, data: unknown, subject: Subject): unknown {
  let result: ReturnType<(typeof schema)['~standard']['validate']>
  try {
    result = schema['~standard'].validate(data)
  } catch (cause) {
    throw broken(subject, cause)
  }
  return result instanceof Promise
    ? result.then(
        (settled) => output(settled, subject),
        (cause: unknown) => {
          throw broken(subject, cause)
        },
      )
    : output(result, subject)
}

/** The schema itself failed, instead of saying whether the data matches. */
function broken(subject: Subject, cause: unknown): BusError {
  return schemaFailed(`the schema of ${subject.eventType} threw`, { ...subject, cause })
}

function output(result: StandardSchemaV1.Result<unknown>, subject: Subject): unknown {
  if (result.issues === undefined) return result.value
  const [issue] = result.issues
  const path = `data${(issue?.path ?? []).map(segmentText).join('')}`
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  const message = `${path} of ${subject.eventType}: ${issue?.message ?? 'not valid'}${more}`
  throw schemaFailed(message, { ...subject, path, cause: result.issues })
}

export function schemaFailed(message: string, details: Subject): BusError {
  return new BusError('schema_failed', message, { ...details, stage: 'schema' })
}

function segmentText(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  const key = typeof segment === 'object' ? segment.key : segment
  return typeof key === 'number' ? `[${key}]` : `.${String(key)}`
}

/**
 * Schemas of event types, by Standard Schema: any library that implements it works. In comes what
 * a caller wants to publish, out goes the schema's output, which is what the event carries.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { BusError } from '../errors.ts'

/** A schema for each event type. */
export type EventSchemas = { readonly [type: string]: StandardSchemaV1 }

/** What handlers see. */
export type SchemaEvents<Schemas extends EventSchemas> = {
  readonly [Type in keyof Schemas]: StandardSchemaV1.InferOutput<Schemas[Type]>
}

/** What `publish` takes. */
export type SchemaInput<Schemas extends EventSchemas> = {
  readonly [Type in keyof Schemas]: StandardSchemaV1.InferInput<Schemas[Type]>
}

/**
 * Validates data for a type; a promise only where the schema is asynchronous. A type without a
 * schema passes as it is.
 *
 * @throws {BusError} schema_failed, with the path of the first issue
 */
export function validate(schemas: EventSchemas, type: string, data: unknown): unknown {
  if (!Object.hasOwn(schemas, type)) return data
  const schema = schemas[type] as StandardSchemaV1
  let result: ReturnType<(typeof schema)['~standard']['validate']>
  try {
    result = schema['~standard'].validate(data)
  } catch (cause) {
    throw broken(type, cause)
  }
  return result instanceof Promise
    ? result.then(
        (settled) => output(settled, type),
        (cause: unknown) => {
          throw broken(type, cause)
        },
      )
    : output(result, type)
}

/** The schema itself failed, instead of saying whether the data matches. */
function broken(type: string, cause: unknown): BusError {
  return new BusError('schema_failed', `the schema of ${type} threw`, {
    stage: 'schema',
    eventType: type,
    cause,
  })
}

function output(result: StandardSchemaV1.Result<unknown>, type: string): unknown {
  if (result.issues === undefined) return result.value
  const [issue] = result.issues
  const path = `data${(issue?.path ?? []).map(segmentText).join('')}`
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  throw new BusError(
    'schema_failed',
    `${path} of ${type}: ${issue?.message ?? 'not valid'}${more}`,
    {
      stage: 'schema',
      eventType: type,
      path,
      cause: result.issues,
    },
  )
}

function segmentText(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  const key = typeof segment === 'object' ? segment.key : segment
  return typeof key === 'number' ? `[${key}]` : `.${String(key)}`
}

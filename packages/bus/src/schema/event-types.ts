/**
 * The types that a bus knows: what `publish` makes of data, and what a reader makes of events that
 * were written by another version of the application.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { BusError } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { EventSchemas, EventVersions, ReadTypes, UnknownPolicy } from './schema.ts'
import { type Subject, schemaFailed, validate } from './validate.ts'

export class EventTypes implements ReadTypes {
  readonly #types: ReadonlyMap<string, EventVersions>
  readonly #unknown: UnknownPolicy

  constructor(events: EventSchemas, unknown: UnknownPolicy) {
    this.#types = new Map(
      Object.entries(events).map(([type, one]) => [
        type,
        '~standard' in one ? { schema: one, version: 1 } : one,
      ]),
    )
    this.#unknown = unknown
  }

  /**
   * What the schema makes of data that is to be published; a promise where it is asynchronous.
   *
   * @throws {BusError} schema_failed, invalid_type
   */
  validate(type: string, data: unknown): unknown {
    const known = this.#types.get(type)
    if (!known && this.#unknown === 'error') throw unknownType({ eventType: type })
    if (!known?.schema) return data
    const { schema, version } = known
    const subject = { eventType: type }
    // What an old event would meet in the field, whoever publishes a new one learns at once.
    return version > 1 ? atOnce(schema, data, subject) : validate(schema, data, subject)
  }

  /** The version that `publish` writes; absent: 1. @throws {BusError} invalid_options */
  version(type: string, given: number | undefined): number | undefined {
    const known = this.#types.get(type)
    if (!known) return given
    const { version } = known
    if (given !== undefined && given !== version) {
      const what = `publish of ${type}: version ${given}, but here it is ${version}`
      throw new BusError('invalid_options', what, { stage: 'schema', eventType: type })
    }
    return version === 1 ? undefined : version
  }

  hears(type: string): boolean {
    return this.#unknown !== 'ignore' || this.#types.has(type) || type.startsWith('$')
  }

  admits({ id, type, version = 1 }: EventHeader): boolean {
    if (this.#unknown === 'deliver' || type.startsWith('$')) return true
    const known = this.#types.get(type)
    if (known && version <= known.version) return true
    if (this.#unknown === 'ignore') return false
    const subject = { eventType: type, eventId: id, eventVersion: version }
    if (!known) throw unknownType(subject)
    const what = `event ${id} is ${type} version ${version}, here ${known.version} is the newest`
    throw new BusError('needs_upgrade', what, { ...subject, stage: 'schema' })
  }

  isNewer({ type, version = 1 }: EventHeader): boolean {
    return version > (this.#types.get(type)?.version ?? version)
  }

  current(event: BusEvent): BusEvent {
    const known = this.#types.get(event.type)
    return known && event.version < known.version ? upcast(event, known) : event
  }
}

function upcast(event: BusEvent, { schema, version, upcast: steps }: EventVersions): BusEvent {
  const { id, type } = event
  const subject = { eventType: type, eventId: id, eventVersion: event.version }
  let { data } = event
  for (let from = event.version; from < version; from++) {
    const what = `the upcaster of ${type} from version ${from}`
    try {
      data = steps?.[from]?.(data, event)
    } catch (cause) {
      throw schemaFailed(`${what} threw`, { ...subject, cause })
    }
    if (data instanceof Promise) throw late(what, data, subject)
  }
  if (schema) data = atOnce(schema, data, subject)
  return { ...event, data, version }
}

/** Reading waits for nobody, so that order stays order and a replay gives the same each time. */
function atOnce(schema: StandardSchemaV1, data: unknown, subject: Subject): unknown {
  const output = validate(schema, data, subject)
  if (!(output instanceof Promise)) return output
  throw late(`the schema of ${subject.eventType}, which has versions,`, output, subject)
}

function late(what: string, promise: Promise<unknown>, subject: Subject): BusError {
  promise.catch(() => {})
  return schemaFailed(`${what} gave a promise: it must be synchronous`, subject)
}

function unknownType(subject: Subject): BusError {
  const what = `${subject.eventType} is not in events`
  return new BusError('invalid_type', what, { ...subject, stage: 'schema' })
}

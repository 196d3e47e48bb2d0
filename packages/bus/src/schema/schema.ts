/**
 * Event types as `createBus({ events })` describes them: a Standard Schema, or versions with what
 * makes an event of an older one current. Types only; any library of Standard Schemas works.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { BusEvent, EventHeader } from '../event.ts'

/**
 * Makes data of one version into data of the next. `event` is the event as it was written. It must
 * give the same whenever it is asked, and not a promise; the data is its own, to be changed or not.
 */
// biome-ignore lint/suspicious/noExplicitAny: what old data looks like, only its upcaster can say
export type Upcaster = (data: any, event: BusEvent) => unknown

/**
 * A type that has versions.
 *
 * @example
 * {
 *   schema: z.object({ sku: z.string(), quantity: z.number() }),
 *   version: 3,
 *   upcast: {
 *     1: (data: { item: string }) => ({ sku: data.item }),
 *     2: (data: { sku: string }) => ({ ...data, quantity: 1 }),
 *   },
 * }
 */
export interface EventVersions<Schema extends StandardSchemaV1 = StandardSchemaV1> {
  /**
   * Of the current version; run at `publish`, and on reading an event of an older version. From
   * version 2 on it must be synchronous. @default none: data passes as it is
   */
  readonly schema?: Schema | undefined
  /** The current one, from 1: `publish` writes it. */
  readonly version: number
  /** For each older version, what makes the next one of it. The last gives what the schema takes. */
  readonly upcast?: { readonly [version: number]: Upcaster } | undefined
}

/** A schema, or versions, for each event type. */
export type EventSchemas = { readonly [type: string]: StandardSchemaV1 | EventVersions }

/** A schema or versions of a type with this data: given to `publish`, and seen by handlers. */
export type TypeVersions<Data> =
  | StandardSchemaV1<Data, Data>
  | EventVersions<StandardSchemaV1<Data, Data>>

/**
 * What becomes of events whose type is not in `events`, or whose version is newer than the one
 * there. `deliver`: handlers and readings get them as they are. `ignore`: they do not. `error`:
 * neither, and `onError` is told (`invalid_type`, `needs_upgrade`); to publish such a type rejects
 * with `invalid_type`. Whatever it is, they are logged and carried on.
 */
export type UnknownPolicy = 'deliver' | 'ignore' | 'error'

type SchemaOf<Definition> = Definition extends StandardSchemaV1
  ? Definition
  : Definition extends { readonly schema: infer Schema extends StandardSchemaV1 }
    ? Schema
    : StandardSchemaV1<unknown>

/** What handlers see. */
export type SchemaEvents<Schemas extends EventSchemas> = {
  readonly [Type in keyof Schemas]: StandardSchemaV1.InferOutput<SchemaOf<Schemas[Type]>>
}

/** What `publish` takes. */
export type SchemaInput<Schemas extends EventSchemas> = {
  readonly [Type in keyof Schemas]: StandardSchemaV1.InferInput<SchemaOf<Schemas[Type]>>
}

/** What a reader does with the events that it opens. */
export interface ReadTypes {
  /** Whether events of the type are for handlers at all. */
  hears(type: string): boolean
  /** Whether this event is, by its header. @throws {BusError} invalid_type, needs_upgrade */
  admits(header: EventHeader): boolean
  /** Whether it is of a newer version of its type than the one here. */
  isNewer(header: EventHeader): boolean
  /** The event in the current version of its type. @throws {BusError} schema_failed */
  current(event: BusEvent): BusEvent
}

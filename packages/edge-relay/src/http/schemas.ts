/**
 * What HTTP takes and gives, as schemas. Requests are checked by them, and `openapi.ts` writes the
 * OpenAPI document out of them, so that the two cannot say different things.
 */
import {
  BUS_ERROR_CODES,
  type BusErrorCode,
  isEventType,
  isHeaderText,
  isPattern,
} from '@crosstown/bus/protocol'
import * as z from 'zod'
import { badRequest } from './errors.ts'

/** What stands between reader and relay often cuts a request that is silent for longer. */
export const MAX_WAIT_MS = 60_000
const DEFAULT_PAGE = 100

const SEGMENTS = '[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+){0,15}'

/** A text that passes a test of the protocol; the description stands in the document for the test. */
function text(
  passes: (value: unknown) => boolean,
  error: string,
  meta: { readonly description?: string; readonly pattern?: string } = {},
): z.ZodType<string> {
  return z
    .string({ error })
    .max(256, { error })
    .min(1, { error })
    .refine(passes, { error })
    .meta(meta)
}

const HeaderText = text(
  isHeaderText,
  'must be 1 to 256 well-formed characters without control characters',
)
const EventType = text(isEventType, 'is not an event type', {
  description: '1 to 16 segments of A-Z a-z 0-9 _ - joined by dots.',
  pattern: `^${SEGMENTS}$`,
})
const Pattern = text(isPattern, 'is not a pattern', {
  description:
    'An event type; `cart.*` for one segment, `cart.**` for one or more at the end, `*` for everything.',
})
const Revision = z.int().min(1).meta({ description: 'Which event of its stream it is, from 1.' })
const TIME_RULE = 'must be milliseconds since 1970, or a time as 2030-01-31T12:00:00Z'
const Time = z
  .union([z.number(), z.string()], { error: TIME_RULE })
  .refine((time) => Number.isFinite(msOf(time)), { error: TIME_RULE })
  .meta({ description: 'Milliseconds since 1970, or an ISO 8601 text.' })
const EXPECTED_RULE = "must be 'any', 'none', 'exists' or a revision"
const Flat = z.union([z.string(), z.number(), z.boolean()], {
  error: 'must be a string, a finite number or a boolean',
})
const Metadata = z.record(z.string(), Flat, {
  error: 'must be an object of strings, numbers and booleans',
})

/** A time as a schema let it through, in milliseconds since 1970. */
export function msOf(time: string | number): number {
  return typeof time === 'string' ? Date.parse(time) : time
}

/** An event as its publisher writes it, checked. */
export interface NewEvent {
  readonly type: string
  readonly data?: unknown
  readonly id?: string | undefined
  readonly source?: string | undefined
  readonly stream?: string | undefined
  readonly expectedRevision?: 'any' | 'none' | 'exists' | number | undefined
  readonly time?: string | number | undefined
  readonly version?: number | undefined
  readonly correlationId?: string | undefined
  readonly causationId?: string | undefined
  readonly traceparent?: string | undefined
  readonly metadata?: Readonly<Record<string, string | number | boolean>> | undefined
}

export const NewEvent: z.ZodType<NewEvent> = z
  .strictObject(
    {
      type: EventType,
      data: z.unknown().optional().meta({ description: 'Any JSON; left out, it is `undefined`.' }),
      id: HeaderText.optional().meta({
        description: 'Makes the request safe to repeat: once for each subject, source and id.',
      }),
      source: HeaderText.optional(),
      stream: HeaderText.optional().meta({ description: 'The aggregate it belongs to.' }),
      expectedRevision: z
        .union([z.enum(['any', 'none', 'exists']), z.int().min(0, { error: EXPECTED_RULE })], {
          error: EXPECTED_RULE,
        })
        .optional()
        .meta({ description: 'What the stream must be like; needs `stream`.' }),
      time: Time.optional(),
      version: z.int({ error: 'must be a whole number from 1' }).min(1).optional(),
      correlationId: HeaderText.optional(),
      causationId: HeaderText.optional(),
      traceparent: z.string({ error: 'must be a text' }).optional(),
      metadata: Metadata.optional(),
    },
    { error: 'must be an object { type, data }' },
  )
  .meta({ id: 'NewEvent', description: 'An event to publish.' })

/** Several of them, all or nothing. */
export const newEvents: (most: number) => z.ZodType<NewEvent[]> = memo((most) =>
  z
    .array(NewEvent)
    .min(1, { error: 'give at least one event' })
    .max(most, { error: `at most ${most} events in one request` }),
)

/** Patterns of one read. */
const MAX_TYPES = 100

/** The parameters that choose events. */
export interface Filters {
  readonly type: string[]
  readonly stream?: string | undefined
  readonly correlation_id?: string | undefined
  readonly since?: string | number | undefined
  readonly after?: string | undefined
}

/** The parameters of a page. */
export interface PageParameters extends Filters {
  readonly limit: number
  readonly wait: number
}

type Parameters<P> = { readonly [K in keyof P]-?: z.ZodType<P[K]> }

/** Those of a stream of events. */
export const streamParameters: Parameters<Filters> = {
  type: z
    .array(Pattern)
    // Each event of a room may be held against each of them.
    .max(MAX_TYPES, { error: `give at most ${MAX_TYPES} types` })
    .default([])
    .meta({ description: 'Events of these types; may be repeated.' }),
  stream: HeaderText.optional().meta({ description: 'Events of this stream.' }),
  correlation_id: HeaderText.optional().meta({ description: 'Events of this conversation.' }),
  since: Time.optional().meta({ description: 'Written at or after this time.' }),
  after: z
    .string()
    .optional()
    .meta({ description: 'Behind this position; `now`: behind the newest event.' }),
}

/** Those of a page of at most `most` events. */
export function pageParameters(most: number): Parameters<PageParameters> {
  const wait = 'Milliseconds that a page which would be empty waits for its first event.'
  return {
    ...streamParameters,
    limit: count([1, most]).default(Math.min(DEFAULT_PAGE, most)).meta({
      description: 'Events of one page at most.',
    }),
    wait: count([0, MAX_WAIT_MS], ' of milliseconds').default(0).meta({ description: wait }),
  }
}

/** The query of a stream of events. */
export const StreamQuery: z.ZodType<Filters> = z.strictObject(streamParameters)

/** The query of a page of at most `most` events. */
export const pageQuery: (most: number) => z.ZodType<PageParameters> = memo((most) =>
  z.strictObject(pageParameters(most)),
)

/** A schema is compiled when it is used first: for each limit there is one. */
function memo<T>(make: (most: number) => T): (most: number) => T {
  const made = new Map<number, T>()
  return (most) => {
    let one = made.get(most)
    if (one === undefined) {
      one = make(most)
      made.set(most, one)
    }
    return one
  }
}

function count([least, most]: readonly [number, number], unit = ''): z.ZodInt {
  const error = `must be a whole number${unit} from ${least} to ${most}`
  return z.int({ error }).min(least, { error }).max(most, { error })
}

const Position = z.string().meta({ description: 'Where it stands in the room; opaque.' })

/** An event as a reader gets it. */
export const Event: z.ZodType = z
  .object({
    id: z.string(),
    type: z.string(),
    source: z.string(),
    time: z.number().meta({ description: 'When it was published, in milliseconds since 1970.' }),
    stream: z.string().optional(),
    revision: Revision.optional(),
    version: z.int().min(1),
    correlationId: z.string(),
    causationId: z.string().optional(),
    traceparent: z.string().optional(),
    metadata: Metadata.optional(),
    ownId: z.string().optional().meta({ description: 'The id its publisher gave it.' }),
    position: Position,
    data: z.unknown().optional(),
    encoding: z.literal('devalue').optional().meta({
      description: "Data is what devalue's `unflatten` takes: JSON has no words for it.",
    }),
    unreadable: z.boolean().optional().meta({ description: 'Data is encrypted, or damaged.' }),
  })
  .meta({ id: 'Event' })

/** A page of a room. */
export const Page: z.ZodType = z
  .object({
    events: z.array(Event),
    first: Position.optional().meta({ description: 'Behind what the kept history begins.' }),
    head: Position.optional().meta({ description: "Of the room's newest event." }),
    next: Position.optional().meta({
      description: '`after` of the next page, where there is one.',
    }),
  })
  .meta({ id: 'Page' })

/** The answer to what was published. */
export const Published: z.ZodType = z
  .object({
    events: z.array(
      z.object({ id: z.string(), position: Position, revision: Revision.optional() }),
    ),
  })
  .meta({ id: 'Published' })

/** What a room holds. */
export const Stats: z.ZodType = z
  .object({
    events: z.int().min(0),
    bytes: z.int().min(0).meta({ description: 'UTF-8 bytes of headers and data.' }),
    first: Position,
    head: Position,
    devices: z.int().min(0).meta({ description: 'Devices that ever joined.' }),
    connections: z.int().min(0).meta({ description: 'Devices connected now.' }),
  })
  .meta({ id: 'Stats' })

/** An event in the format of CloudEvents. */
export const CloudEvent: z.ZodType = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    time: z.string().optional(),
    subject: z.string().optional().meta({ description: 'The stream.' }),
    datacontenttype: z.string().optional(),
    data: z.unknown().optional(),
    data_base64: z.string().optional(),
  })
  .meta({ id: 'CloudEvent', description: 'CloudEvents 1.0, in JSON.' })

/** The connection to the engine of the store, for those whom nothing more is told. */
export const Engine: z.ZodType = z
  .object({
    kind: z.string(),
    state: z.enum(['connecting', 'online', 'offline']),
    since: z.iso.datetime().meta({ description: 'Since when it is so.' }),
    durability: z.enum(['disk', 'memory']).optional().meta({
      description:
        'While it is online: whether a crash of its machine takes nothing that was confirmed.',
    }),
  })
  .meta({ id: 'Engine', description: 'Of a store on an engine: its connection.' })

/** Every error. */
export const Failure: z.ZodType = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(BUS_ERROR_CODES) as [BusErrorCode, ...BusErrorCode[]]),
      message: z.string(),
      currentRevision: z.int().min(0).optional().meta({
        description: 'Of a `conflict`: the revision that the stream has.',
      }),
    }),
    engine: Engine.optional(),
  })
  .meta({ id: 'Failure' })

/** The answer of `/health` and `/ready`. */
export const Status: z.ZodType = z
  .object({ status: z.enum(['ok', 'ready']), engine: Engine.optional() })
  .meta({ id: 'Status' })

/**
 * What a schema makes of a value.
 *
 * @param name says what is wrong, of a path in the value and what the schema says of it
 * @throws {BusError} invalid_options; invalid_type and invalid_pattern where these are what is wrong
 */
export function checked<S extends z.ZodType>(
  schema: S,
  value: unknown,
  name: (path: readonly PropertyKey[], what: string) => string,
): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0] as z.core.$ZodIssue
  const { code, path } = issue
  if (code === 'unrecognized_keys') throw badRequest(name([...path, issue.keys[0] ?? ''], UNKNOWN))
  if (code === 'too_big' && issue.origin === 'array') throw badRequest(issue.message, 'too_large')
  if (code === 'too_small' && issue.origin === 'array') throw badRequest(issue.message)
  throw badRequest(name(path, issue.message), CODES[issue.message] ?? 'invalid_options')
}

/** What is said of a key that a schema does not know. */
export const UNKNOWN = 'is unknown'

const CODES: Readonly<Record<string, BusErrorCode>> = {
  'is not an event type': 'invalid_type',
  'is not a pattern': 'invalid_pattern',
}

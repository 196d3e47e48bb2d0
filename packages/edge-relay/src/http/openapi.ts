/** `GET /openapi.json`: the routes of a relay, in the words of the schemas that check them. */
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { SUBPROTOCOL } from '@crosstown/bus/protocol'
import * as z from 'zod'
import type { Limits } from '../limits.ts'
import { CLOUD_EVENT, CLOUD_EVENTS } from './cloud-events.ts'
import { DeadLetters, Group, Groups, Settled } from './group-schemas.ts'
import type { Json, JsonObject } from './json.ts'
import { groupPaths } from './openapi-groups.ts'
import {
  CloudEvent,
  Engine,
  Event,
  Failure,
  NewEvent,
  newEvents,
  Page,
  Published,
  pageParameters,
  Stats,
  Status,
} from './schemas.ts'

export type { Json } from './json.ts'

/** What the document says of one relay. */
export interface Described {
  readonly version: string
  readonly limits: Pick<Limits, 'postEvents' | 'pageEvents'>
  /** Whether it asks for tokens. */
  readonly auth: boolean
}

const COMPONENTS: Readonly<Record<string, z.ZodType>> = {
  NewEvent,
  Event,
  Page,
  Published,
  Stats,
  CloudEvent,
  Failure,
  Status,
  Engine,
  Group,
  Groups,
  DeadLetters,
  Settled,
}

/** What a request can be answered with that went wrong, by status. */
const FAILURES: Readonly<Record<string, string>> = {
  '400': 'Something in the request is not what it must be; the message says what.',
  '401': 'The token is missing or not accepted.',
  '403': 'The token does not allow this, or the page is of an origin that is not served.',
  '404': 'There is no such room, event or position.',
  '408': 'The body did not come in time.',
  '409': 'The stream is not as expected; `currentRevision` says how it is.',
  '410': 'What followed the position was trimmed away.',
  '413': 'The body, an event of it, or their number is over a limit.',
  '426': 'This route is a WebSocket.',
  '429': 'Too much at a time; come back later.',
  '503': 'The relay, or the store behind it, cannot do it now.',
}

/** The OpenAPI 3.1 document of a relay. */
export function openApi({ auth, limits, version }: Described): JsonObject {
  const secured: Json = auth ? [{ token: [] }] : [{}, { token: [] }]
  return {
    openapi: '3.1.0',
    info: {
      title: 'Crosstown relay',
      version,
      description:
        'Publish events into rooms, read what they have, and follow what comes. Devices use the WebSocket.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This relay.' }],
    tags: [
      { name: 'events', description: 'For publishers and readers without a log of their own.' },
      { name: 'rooms' },
      { name: 'groups', description: 'Needs a right of its own.' },
      { name: 'sockets' },
      { name: 'operation', description: 'About no room.' },
    ],
    security: secured,
    paths: {
      '/rooms/{room}/events': {
        parameters: [ROOM],
        post: publishEvents(limits.postEvents),
        get: readEvents(limits.pageEvents),
      },
      '/rooms/{room}/events/{id}': { parameters: [ROOM, EVENT_ID], get: readEvent },
      '/rooms/{room}': { parameters: [ROOM], delete: deleteRoom },
      ...groupPaths({ room: ROOM, refTo, failures }),
      '/rooms/{room}/stats': { parameters: [ROOM], get: readStats },
      '/rooms/{room}/socket': {
        parameters: [ROOM],
        get: socket('connectDevice', 'The WebSocket of devices', SUBPROTOCOL),
      },
      '/rooms/{room}/inspect': {
        parameters: [ROOM],
        get: socket('connectInspector', 'The WebSocket of inspectors', INSPECT_SUBPROTOCOL),
      },
      '/health': { get: status('getHealth', 'Whether the process answers', []) },
      '/ready': { get: status('getReady', 'Whether it may be sent devices', ['503']) },
      '/metrics': { get: readMetrics },
      '/openapi.json': { get: readDocument },
    },
    components: {
      schemas: componentSchemas(),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      responses: Object.fromEntries(
        Object.entries(FAILURES).map(([status, description]) => [
          `Failure${status}`,
          { description, content: { 'application/json': { schema: refTo('Failure') } } },
        ]),
      ),
    },
  }
}

const ROOM: JsonObject = {
  name: 'room',
  in: 'path',
  required: true,
  schema: { type: 'string', pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,128}$' },
}
const EVENT_ID: JsonObject = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string' },
}
const IF_NONE_MATCH: JsonObject = {
  name: 'If-None-Match',
  in: 'header',
  description: 'The `ETag` of what the reader has: 304 where it has not changed.',
  schema: { type: 'string' },
}
const TRACING: Json[] = [
  {
    name: 'X-Correlation-ID',
    in: 'header',
    description: 'The conversation of events that name none.',
    schema: { type: 'string', minLength: 1, maxLength: 256 },
  },
  {
    name: 'traceparent',
    in: 'header',
    description: 'The trace of events that name none; one that is none is left out.',
    schema: { type: 'string' },
  },
]
const UNCHANGED: JsonObject = { description: 'The reader has it.' }
const ETAG: JsonObject = {
  ETag: { schema: { type: 'string' } },
}

function publishEvents(most: number): JsonObject {
  const events = { anyOf: [refTo('NewEvent'), schemaOf(newEvents(most))] }
  const cloudEvents: Json = {
    type: 'array',
    items: refTo('CloudEvent'),
    minItems: 1,
    maxItems: most,
  }
  const answer: Json = { 'application/json': { schema: refTo('Published') } }
  return {
    operationId: 'publishEvents',
    tags: ['events'],
    summary: 'Publish one event, or several, all or nothing',
    description:
      'The answer comes after the commit. A CloudEvent in binary mode has its attributes in headers and its data in the body, of whatever type.',
    parameters: TRACING,
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: events },
        [CLOUD_EVENT]: { schema: refTo('CloudEvent') },
        [CLOUD_EVENTS]: { schema: cloudEvents },
      },
    },
    responses: {
      '200': { description: 'The room had all of them before.', content: answer },
      '201': { description: 'They are in the room.', content: answer },
      ...failures('400', '401', '403', '408', '409', '413', '429', '503'),
    },
  }
}

function readEvents(most: number): JsonObject {
  const query = Object.entries(pageParameters(most)).map(([name, schema]) => {
    const { description = '', ...rest } = schemaOf(schema)
    return { name, in: 'query', description, schema: rest } satisfies JsonObject
  })
  const lastEventId: Json = {
    name: 'Last-Event-ID',
    in: 'header',
    description:
      'Of an event stream: where the one before it ended. It goes before `after` and `since`.',
    schema: { type: 'string' },
  }
  return {
    operationId: 'readEvents',
    tags: ['events'],
    summary: 'Read a room, in pages or as a stream of events',
    description:
      'By `Accept`: a page as JSON, a page as CloudEvents, or an event stream, which takes no `limit` and no `wait`.',
    parameters: [...query, lastEventId, IF_NONE_MATCH],
    responses: {
      '200': {
        description: 'A page, or a stream that goes on.',
        headers: {
          ...ETAG,
          Link: {
            description: 'Of CloudEvents: `rel="next"` leads to the next page, where there is one.',
            schema: { type: 'string' },
          },
        },
        content: {
          'application/json': { schema: refTo('Page') },
          [CLOUD_EVENTS]: { schema: { type: 'array', items: refTo('CloudEvent') } },
          'text/event-stream': { schema: { type: 'string' } },
        },
      },
      '304': UNCHANGED,
      ...failures('400', '401', '403', '404', '410', '429', '503'),
    },
  }
}

const readEvent: JsonObject = {
  operationId: 'readEvent',
  tags: ['events'],
  summary: 'Read one event',
  parameters: [IF_NONE_MATCH],
  responses: {
    '200': {
      description: 'The event.',
      headers: ETAG,
      content: {
        'application/json': { schema: refTo('Event') },
        [CLOUD_EVENT]: { schema: refTo('CloudEvent') },
      },
    },
    '304': UNCHANGED,
    ...failures('400', '401', '403', '404', '429', '503'),
  },
}

const deleteRoom: JsonObject = {
  operationId: 'deleteRoom',
  tags: ['rooms'],
  summary: 'Delete a room, with all that is in it',
  description:
    'Needs a right of its own. Devices keep what they have, and come back into an empty room.',
  responses: {
    '204': { description: 'It is deleted.' },
    ...failures('400', '401', '403', '404', '429', '503'),
  },
}

const readStats: JsonObject = {
  operationId: 'readStats',
  tags: ['rooms'],
  summary: 'What a room holds',
  responses: {
    '200': {
      description: 'What it holds.',
      content: { 'application/json': { schema: refTo('Stats') } },
    },
    ...failures('400', '401', '403', '404', '429', '503'),
  },
}

function socket(operationId: string, summary: string, protocol: string): JsonObject {
  return {
    operationId,
    tags: ['sockets'],
    summary,
    description: `Of subprotocol \`${protocol}\`. The token is in the first frame.`,
    security: [{}],
    responses: {
      '101': { description: 'The connection is a WebSocket from now on.' },
      ...failures('400', '403', '426', '429', '503'),
    },
  }
}

function status(operationId: string, summary: string, failing: readonly string[]): JsonObject {
  return {
    operationId,
    tags: ['operation'],
    summary,
    security: [{}],
    responses: {
      '200': { description: 'Yes.', content: { 'application/json': { schema: refTo('Status') } } },
      ...failures('403', ...failing),
    },
  }
}

const readMetrics: JsonObject = {
  operationId: 'getMetrics',
  tags: ['operation'],
  summary: 'What the relay counted, for Prometheus',
  security: [{}, { token: [] }],
  responses: {
    '200': {
      description: 'In the text format.',
      content: { 'text/plain': { schema: { type: 'string' } } },
    },
    ...failures('401', '403', '404'),
  },
}

const readDocument: JsonObject = {
  operationId: 'getDocument',
  tags: ['operation'],
  summary: 'This document',
  security: [{}],
  responses: {
    '200': {
      description: 'OpenAPI 3.1.',
      content: { 'application/json': { schema: { type: 'object' } } },
    },
    ...failures('403'),
  },
}

function failures(...statuses: readonly string[]): JsonObject {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/Failure${status}` }]),
  )
}

function refTo(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` }
}

function componentSchemas(): JsonObject {
  const { schemas } = z.toJSONSchema(registry(), { io: 'input', uri: uriOf })
  return Object.fromEntries(
    Object.entries(schemas as Record<string, JsonObject>).map(([name, schema]) => [
      name,
      bare(schema),
    ]),
  )
}

/** One schema, with those that have a name as references. */
function schemaOf(schema: z.ZodType): JsonObject {
  const all = registry()
  all.add(schema, { id: 'this' })
  const { schemas } = z.toJSONSchema(all, { io: 'input', uri: uriOf })
  return bare((schemas as Record<string, JsonObject>)['this'] ?? {})
}

function registry() {
  const all = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(COMPONENTS)) all.add(schema, { id })
  return all
}

function uriOf(id: string): string {
  return `#/components/schemas/${id}`
}

function bare({ $schema: _, $id: __, id: ___, ...schema }: JsonObject): JsonObject {
  return schema
}

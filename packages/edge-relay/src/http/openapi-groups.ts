/** The routes of groups, as the OpenAPI document has them. */
import type { Json, JsonObject } from './json.ts'

/** What the document has to say these routes with. */
export interface Words {
  readonly room: JsonObject
  readonly refTo: (name: string) => JsonObject
  readonly failures: (...statuses: readonly string[]) => JsonObject
}

const GROUP: JsonObject = {
  name: 'group',
  in: 'path',
  required: true,
  schema: { type: 'string', minLength: 1, maxLength: 256 },
}
const PLACE: JsonObject = {
  name: 'place',
  in: 'path',
  required: true,
  description: 'Where the event of the letter stands in the room.',
  schema: { type: 'integer', minimum: 1 },
}
const AFTER: JsonObject = {
  name: 'after',
  in: 'query',
  description: '`next` of the page before.',
  schema: { type: 'integer', minimum: 0 },
}

/** Paths of the routes. All of them need a right of their own. */
export function groupPaths({ failures, refTo, room }: Words): JsonObject {
  const failing = failures('400', '401', '403', '404', '429', '503')
  const answer = (name: string): JsonObject => ({ 'application/json': { schema: refTo(name) } })
  const operation = (
    operationId: string,
    summary: string,
    schema: string,
    parameters: Json[] = [],
  ): JsonObject => ({
    operationId,
    tags: ['groups'],
    summary,
    parameters,
    responses: { '200': { description: summary, content: answer(schema) }, ...failing },
  })
  return {
    '/rooms/{room}/groups': {
      parameters: [room],
      get: operation('readGroups', 'The groups of a room', 'Groups'),
    },
    '/rooms/{room}/groups/{group}': {
      parameters: [room, GROUP],
      delete: {
        operationId: 'deleteGroup',
        tags: ['groups'],
        summary: 'Delete a group, with its dead letters',
        responses: { '204': { description: 'It is deleted.' }, ...failing },
      },
    },
    '/rooms/{room}/groups/{group}/dead': {
      parameters: [room, GROUP],
      get: operation('readDeadLetters', 'Dead letters, the oldest first', 'DeadLetters', [AFTER]),
      delete: operation('dropDeadLetters', 'Drop all dead letters', 'Settled'),
    },
    '/rooms/{room}/groups/{group}/dead/{place}': {
      parameters: [room, GROUP, PLACE],
      delete: operation('dropDeadLetter', 'Drop one dead letter', 'Settled'),
    },
    '/rooms/{room}/groups/{group}/redrive': {
      parameters: [room, GROUP],
      post: operation('redriveDeadLetters', 'Lease all dead letters once more', 'Settled'),
    },
    '/rooms/{room}/groups/{group}/redrive/{place}': {
      parameters: [room, GROUP, PLACE],
      post: operation('redriveDeadLetter', 'Lease one dead letter once more', 'Settled'),
    },
  }
}

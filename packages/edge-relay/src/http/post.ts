/** The answer to `POST /rooms/:room/events`. */
import type { Context } from 'hono'
import type { Identity } from '../auth.ts'
import { type Authorizing, refusedTypes } from '../authorize.ts'
import type { PostedEvent } from '../commands.ts'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import type { RoomHost } from '../room-host.ts'
import { bodyOf, jsonOf } from './body.ts'
import { cloudEventsIn, isCloudEvents } from './cloud-events.ts'
import { badRequest } from './errors.ts'
import { tracingHeaders, tracingOf } from './headers.ts'
import { type PostDefaults, parsePost, postCloudEvents } from './publish.ts'

/** What posting asks. */
export interface Posting {
  readonly limits: Limits
  readonly platform: Platform
  readonly authorizing: Authorizing
  readonly host: (room: string) => RoomHost
}

/** @throws {BusError} invalid_options, invalid_type, too_large, timeout, and what the room refuses with */
export async function answerPost(
  c: Context,
  posting: Posting,
  { room, identity }: { readonly room: string; readonly identity: Identity },
): Promise<Response> {
  const { authorizing, limits, platform } = posting
  const { subject, rights } = identity
  const body = await bodyOf(c, limits, platform)
  const tracing = tracingOf((name) => c.req.header(name))
  const events = await eventsIn(c, body, posting, { subject, time: platform.now(), ...tracing })
  const token = posting.host(room).publishRights(rights.publish)
  const types = events.map(({ header }) => header.type)
  const refused = await refusedTypes(authorizing, { identity, room }, types, token)
  const mayPublish = (type: string): boolean => token(type) && !refused.has(type)
  // Only now: a room that nobody was in may have gone out of memory while the hook was asked.
  const posted = await posting.host(room).post({ mayPublish, events }, body.byteLength)
  const answer = posted.events.map(({ existing: _, ...event }) => event)
  const status = posted.events.every(({ existing }) => existing) ? 200 : 201
  return c.json({ events: answer }, status, tracingHeaders(tracing))
}

/** The events of a body, in whichever of the forms it has. */
async function eventsIn(
  c: Context,
  body: Uint8Array<ArrayBuffer>,
  { limits: { nesting, postEvents }, platform }: Posting,
  defaults: PostDefaults,
): Promise<PostedEvent[]> {
  const header = (name: string): string | undefined => c.req.header(name)
  const type = header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? 'application/json'
  const hash: Platform['sha256'] = (text) => platform.sha256(text)
  if (isCloudEvents(type, header)) {
    const { posts, isList } = cloudEventsIn(type, body, c.req.header(), nesting)
    return postCloudEvents(posts, isList, postEvents, defaults, hash)
  }
  if (type === 'application/json') {
    const parsed = jsonOf(new TextDecoder().decode(body), nesting)
    return parsePost(parsed, postEvents, defaults, hash)
  }
  const types =
    'application/json, application/cloudevents+json or application/cloudevents-batch+json'
  throw badRequest(`send a body of content-type ${types}, or a CloudEvent in headers and body`)
}

/**
 * The relay as a Hono app: routes, origin, auth, limits. It knows no runtime: one of `runtimes/`
 * serves it and hands it sockets.
 */
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { BusError, isRoom, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { type Auth, authenticate, type Identity } from './auth.ts'
import type { PostedEvent } from './commands.ts'
import type { Admission } from './connection.ts'
import { answerEvent, answerPage, answerStream, wantsStream } from './http/answers.ts'
import { bodyOf } from './http/body.ts'
import { CLOUD_EVENT_HEADERS, cloudEventsIn, isCloudEvents } from './http/cloud-events.ts'
import { badRequest, errorResponse } from './http/errors.ts'
import { TRACING_HEADERS, tracingHeaders, tracingOf } from './http/headers.ts'
import { answerInspector, redirectToInspector } from './http/inspector.ts'
import { parsePost, postCloudEvents } from './http/publish.ts'
import { type Limits, resolveLimits } from './limits.ts'
import {
  hostName,
  isLoopbackHost,
  mayAskToInspect,
  type OriginPolicy,
  originPolicy,
} from './origins.ts'
import { type Platform, systemPlatform } from './platform.ts'
import { cursorAt, headEvent } from './record.ts'
import { Rooms } from './rooms.ts'
import type { Socket, SocketEvents } from './socket.ts'
import { memoryStore } from './stores/memory.ts'
import type { Store } from './stores/store.ts'

/** How a relay is made; all of it is optional. */
export interface RelayOptions {
  /**
   * Where rooms are kept.
   * @default memoryStore()
   */
  readonly store?: Store
  /** Decides over tokens. Without it the relay serves its own machine only, and everyone on it. */
  readonly auth?: Auth
  /**
   * Origins of pages that may come: `'https://shop.example'`, or `'*'`.
   * @default pages of this machine
   */
  readonly origins?: readonly string[]
  readonly limits?: Partial<Limits>
  /**
   * Folder of the built panel, which is then served at `/inspector`: `dist/page` of the developer tools.
   * @default false
   */
  readonly inspector?: string | false
  /**
   * Hears of what went wrong behind the scenes.
   * @default console.error
   */
  readonly onError?: (error: unknown, context: { readonly room?: string }) => void
  /** @internal */
  readonly platform?: Platform
  /** It has no timer of its own: whoever made it calls `driver.tick`. @internal */
  readonly driven?: boolean
}

/** What a runtime passes along with a request, as Hono's bindings. */
export interface RelayBindings {
  /** Makes the request at hand a socket, and hands it to {@link Relay.accept}. */
  readonly upgrade?: (admission: Admission) => Response | Promise<Response>
  /** Ends the connection of the request at hand at once, with what it still has to send. */
  readonly cut?: () => void
}

type RelayEnv = { Bindings: RelayBindings; Variables: { identity: Identity } }

/**
 * Makes a relay.
 *
 * @throws {BusError} invalid_options
 * @example
 * import { createRelay } from '@crosstown/edge-relay'
 * import { serve } from '@crosstown/edge-relay/node'
 * import { sqliteStore } from '@crosstown/edge-relay/stores/sqlite'
 *
 * const relay = createRelay({ store: sqliteStore('./events.db') })
 * const server = await serve(relay, { port: 8787 })
 * console.log(server.url)
 */
export function createRelay(options: RelayOptions = {}): Relay {
  return new Relay(options)
}

/** A Hono app that serves rooms; more routes may be added to it. */
export class Relay extends Hono<RelayEnv> {
  readonly #store: Store
  readonly #auth: Auth | undefined
  readonly #limits: Limits
  readonly #platform: Platform
  readonly #maySee: OriginPolicy
  readonly #rooms: Rooms
  readonly #report: (error: unknown, room?: string) => void

  constructor(options: RelayOptions) {
    super()
    this.#store = options.store ?? memoryStore()
    this.#auth = options.auth
    this.#limits = resolveLimits(options.limits)
    this.#platform = options.platform ?? systemPlatform
    this.#maySee = originPolicy(options.origins)
    const onError = options.onError ?? ((error) => console.error('[edge-relay]', error))
    this.#report = (error, room) => {
      try {
        onError(error, room === undefined ? {} : { room })
      } catch (failure) {
        // Reports come from where nobody catches: a reporter that throws must not stop a room.
        console.error('[edge-relay] onError threw', failure)
      }
    }
    this.#rooms = new Rooms({
      store: this.#store,
      auth: this.#auth,
      limits: this.#limits,
      platform: this.#platform,
      report: this.#report,
      driven: options.driven,
    })
    this.#addRoutes()
    const { inspector } = options
    if (inspector) {
      this.get('/inspector', redirectToInspector)
      this.get('/inspector/*', (c) => answerInspector(c, inspector))
    }
  }

  /** Whether it may be reached from its own machine only, because it asks nobody for a token. */
  get loopbackOnly(): boolean {
    return this.#auth === undefined
  }

  /** Takes over an open socket whose request was admitted; the runtime calls what it gets back. */
  accept(socket: Socket, admission: Admission): SocketEvents {
    return this.#rooms.accept(socket, admission)
  }

  /** For a runtime that puts its objects out of memory and takes them up again. @internal */
  get driver(): Pick<Rooms, 'dueMs' | 'head' | 'resume' | 'tick' | 'waiting'> {
    return this.#rooms
  }

  /**
   * Ends the connections and event streams of tokens that were called back, here and now: they may
   * come back with another. Have the `auth` refuse such a token, too, or it is back at once.
   *
   * @returns how many ended
   * @example relay.revoke(({ subject }) => subject === 'ann')
   */
  revoke(isRevoked: (identity: Identity) => boolean): number {
    return this.#rooms.revoke(isRevoked)
  }

  /** Answers what was asked, sends every device away to come back later, and closes the store. */
  async close(): Promise<void> {
    await this.#rooms.close()
    await this.#store.close()
  }

  #addRoutes(): void {
    this.onError((error, c) => errorResponse(c, error, this.#report))
    this.notFound((c) =>
      errorResponse(
        c,
        new BusError('not_found', `no route ${c.req.method} ${c.req.path}`),
        () => {},
      ),
    )
    this.use(async (c, next) => {
      this.#checkOrigin(c)
      await next()
    })
    // The socket route stands before everything that changes headers: a 101 must not be touched.
    this.get('/rooms/:room/socket', (c) => this.#upgrade(c, SUBPROTOCOL))
    this.get('/rooms/:room/inspect', (c) => this.#upgrade(c, INSPECT_SUBPROTOCOL))
    this.use(
      cors({
        origin: (origin) => (origin !== '' && this.#maySee(origin) ? origin : null),
        allowMethods: ['GET', 'HEAD', 'POST'],
        allowHeaders: [
          'Authorization',
          'Content-Type',
          ...CLOUD_EVENT_HEADERS,
          'If-None-Match',
          'Last-Event-ID',
          ...TRACING_HEADERS,
        ],
        exposeHeaders: ['ETag', ...TRACING_HEADERS],
        maxAge: 600,
      }),
    )
    this.get('/health', (c) => c.json({ status: 'ok' }))
    this.use('/rooms/:room/*', async (c, next) => {
      c.set('identity', await this.#identify(c))
      await next()
    })
    this.post('/rooms/:room/events', (c) => this.#publish(c))
    const reads = {
      store: this.#store,
      limits: this.#limits,
      platform: this.#platform,
      readers: this.#rooms.readers,
      report: this.#report,
    }
    this.get('/rooms/:room/events', (c) => {
      const { identity } = c.var
      return wantsStream(c)
        ? answerStream(c, reads, { room: roomOf(c), identity, cut: c.env?.cut })
        : answerPage(c, reads, { room: roomOf(c), identity })
    })
    this.get('/rooms/:room/events/:id', (c) =>
      answerEvent(c, reads, { room: roomOf(c), identity: c.var.identity }),
    )
    this.get('/rooms/:room/stats', async (c) => {
      const stats = await this.#store.stats(roomOf(c))
      if (!stats) throw new BusError('not_found', 'no such room')
      const { events, bytes, devices, head } = stats
      const first = await this.#store.first(roomOf(c))
      return c.json({
        events,
        bytes,
        first: cursorAt(head.epoch, first),
        head: headEvent(head),
        devices,
        connections: this.#rooms.connections(roomOf(c)),
      })
    })
  }

  #checkOrigin(c: Context<RelayEnv>): void {
    const origin = c.req.header('origin')
    if (origin !== undefined && !this.#maySee(origin) && !this.#mayInspect(c, origin)) {
      throw new BusError(
        'bad_origin',
        `pages of ${origin.slice(0, 200)} are not served; see the option origins`,
      )
    }
    if (!this.loopbackOnly) return
    // A page may have pointed a name of its own at this machine: then Host is that name.
    const host = c.req.header('host')
    const names = [new URL(c.req.url).hostname, ...(host === undefined ? [] : [hostName(host)])]
    if (!names.every(isLoopbackHost)) {
      throw new BusError(
        'bad_origin',
        'without auth this relay answers to names of its own machine only',
      )
    }
  }

  #mayInspect(c: Context<RelayEnv>, origin: string): boolean {
    return (
      /^\/rooms\/[^/]+\/inspect$/.test(c.req.path) && mayAskToInspect(origin, c.req.header('host'))
    )
  }

  #upgrade(c: Context<RelayEnv>, protocol: string): Response | Promise<Response> {
    const room = roomOf(c)
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') {
      c.header('Upgrade', 'websocket')
      const message = `connect with a WebSocket of subprotocol ${protocol}`
      return c.json({ error: { code: 'unsupported_version', message } }, 426)
    }
    const offered =
      c.req
        .header('sec-websocket-protocol')
        ?.split(',')
        .map((name) => name.trim()) ?? []
    if (!offered.includes(protocol)) {
      throw new BusError('unsupported_version', `offer the subprotocol ${protocol}`)
    }
    if (this.#rooms.closing) throw new BusError('going_away', 'the relay is closing')
    if (!c.env?.upgrade)
      throw new BusError('unavailable', 'this server was started without sockets')
    const origin = c.req.header('origin')
    return c.env.upgrade({
      room,
      ...(origin !== undefined && { origin }),
      ...(protocol === INSPECT_SUBPROTOCOL && { inspect: true }),
    })
  }

  async #identify(c: Context<RelayEnv>): Promise<Identity> {
    const room = roomOf(c)
    const token = /^Bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const origin = c.req.header('origin')
    return authenticate(
      this.#auth,
      token,
      { room, ...(origin !== undefined && { origin }) },
      (error) => this.#report(error, room),
    )
  }

  async #publish(c: Context<RelayEnv>): Promise<Response> {
    const room = roomOf(c)
    const { subject, rights } = c.var.identity
    const header = (name: string): string | undefined => c.req.header(name)
    const type = header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? 'application/json'
    const body = await bodyOf(c, this.#limits.bodyBytes)
    const tracing = tracingOf(header)
    const defaults = { subject, time: this.#platform.now(), ...tracing }
    const { postEvents } = this.#limits
    const hash: Platform['sha256'] = (text) => this.#platform.sha256(text)
    let events: PostedEvent[]
    if (isCloudEvents(type, header)) {
      const { posts, isList } = cloudEventsIn(type, body, c.req.header())
      events = await postCloudEvents(posts, isList, postEvents, defaults, hash)
    } else if (type === 'application/json') {
      const parsed = parseJson(new TextDecoder().decode(body))
      events = await parsePost(parsed, postEvents, defaults, hash)
    } else {
      const types =
        'application/json, application/cloudevents+json or application/cloudevents-batch+json'
      throw badRequest(`send a body of content-type ${types}, or a CloudEvent in headers and body`)
    }
    const host = this.#rooms.host(room)
    const posted = await host.post(
      { mayPublish: host.publishRights(rights.publish), events },
      body.byteLength,
    )
    const answer = posted.events.map(({ existing: _, ...event }) => event)
    const status = posted.events.every(({ existing }) => existing) ? 200 : 201
    return c.json({ events: answer }, status, tracingHeaders(tracing))
  }
}

function roomOf(c: Context<RelayEnv>): string {
  const room = c.req.param('room') ?? ''
  if (isRoom(room)) return room
  throw new BusError('invalid_room', 'a room is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw badRequest('the body is not JSON')
  }
}

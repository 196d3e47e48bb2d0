/**
 * The relay as a Hono app: routes, origin, auth, limits. It knows no runtime: one of `runtimes/`
 * serves it and hands it sockets.
 */
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { BusError, isRoom, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Auth, Identity } from './auth.ts'
import {
  type Action,
  type Authorize,
  type Authorizing,
  identify,
  refusedTypes,
} from './authorize.ts'
import type { PostedEvent } from './commands.ts'
import type { Admission } from './connection/context.ts'
import { admissionOf } from './connection/snapshot.ts'
import { addressOf } from './guard/address.ts'
import { Gate } from './guard/gate.ts'
import { answerEvent, answerPage, answerStream, wantsStream } from './http/answers.ts'
import { bodyOf, jsonOf } from './http/body.ts'
import { CLOUD_EVENT_HEADERS, cloudEventsIn, isCloudEvents } from './http/cloud-events.ts'
import { badRequest, errorResponse } from './http/errors.ts'
import { TRACING_HEADERS, tracingHeaders, tracingOf } from './http/headers.ts'
import { answerInspector, redirectToInspector } from './http/inspector.ts'
import { checkAccess, Exposition, type Measured, type MetricsAccess } from './http/metrics.ts'
import { addOperatorRoutes, counted, routeOf } from './http/operate.ts'
import { parsePost, postCloudEvents } from './http/publish.ts'
import { answerDelete, answerStats } from './http/rooms.ts'
import { keeping, type RoomRetention } from './keeping.ts'
import { type Limits, resolveLimits } from './limits.ts'
import { boundedLog, type Log, type LogSink } from './log.ts'
import { Meter } from './metrics.ts'
import { tellRefusal, tellTrouble } from './operators.ts'
import {
  hostName,
  isLoopbackHost,
  mayAskToInspect,
  type OriginPolicy,
  originPolicy,
} from './origins.ts'
import { type Platform, systemPlatform } from './platform.ts'
import { Rooms } from './rooms.ts'
import { sharedReads } from './shared-reads.ts'
import type { ConnectionSnapshot, Socket, SocketEvents } from './socket.ts'
import { memoryStore } from './stores/memory.ts'
import type { Store } from './stores/store.ts'
import { VERSION } from './version.ts'

/** How a relay is made; all of it is optional. */
export interface RelayOptions {
  /**
   * Where rooms are kept.
   * @default memoryStore()
   */
  readonly store?: Store
  /** Decides over tokens. Without it the relay serves its own machine only, and everyone on it. */
  readonly auth?: Auth
  /** Rules of the application's own, asked beside what a token allows. */
  readonly authorize?: Authorize
  /**
   * How many proxies stand before the relay, each of which adds to `X-Forwarded-For` whom it was
   * asked by. Limits by address count who asked the first of them; with too high a number, whoever
   * asks can say who it is.
   * @default 0
   */
  readonly trustProxy?: number
  /**
   * Origins of pages that may come: `'https://shop.example'`, or `'*'`.
   * @default pages of this machine
   */
  readonly origins?: readonly string[]
  readonly limits?: Partial<Limits>
  /**
   * How much is kept of which rooms, where that is another than the limits say.
   * @default as in `limits`
   */
  readonly retention?: RoomRetention
  /**
   * Folder of the built panel, which is then served at `/inspector`: `dist/page` of the developer tools.
   * @default false
   */
  readonly inspector?: string | false
  /**
   * Who may read `/metrics`: `'open'` whoever reaches it, `{ token }` who has this token of its own (at
   * least 16 characters), `false` nobody.
   * @default 'open' without `auth`, else `false`
   */
  readonly metrics?: MetricsAccess
  /**
   * Gets a record of each thing that an operator may want to know: who came and went, what was refused,
   * what failed. `logLine` makes a line of one.
   * @default none
   */
  readonly log?: LogSink
  /**
   * Hears of what went wrong behind the scenes.
   * @default the log, and without one console.error
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
  /** The address at the other end of the connection. */
  readonly address?: string | undefined
  /** Ends the connection of the request at hand at once, with what it still has to send. */
  readonly cut?: () => void
}

/** What else than publishing a request may want to do, by its method. */
const READING: readonly Exclude<Action, 'publish'>[] = ['subscribe', 'history']
const ACTIONS: Readonly<Record<string, typeof READING>> = { POST: [], DELETE: ['delete'] }

type RelayEnv = {
  Bindings: RelayBindings
  Variables: { identity: Identity; leave: () => void; held: boolean }
}

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
  readonly #authorize: Authorize | undefined
  readonly #gate: Gate
  readonly #proxies: number
  #warnedOfProxy = false
  readonly #report: (error: unknown, room?: string) => void
  readonly #meter = new Meter()
  readonly #log: Log
  #draining = false

  constructor(options: RelayOptions) {
    super()
    this.#store = sharedReads(options.store ?? memoryStore())
    this.#auth = options.auth
    this.#authorize = options.authorize
    this.#proxies = proxiesOf(options.trustProxy)
    this.#limits = resolveLimits(options.limits)
    this.#platform = options.platform ?? systemPlatform
    this.#gate = new Gate(this.#limits, this.#platform)
    this.#maySee = originPolicy(options.origins)
    this.#log = boundedLog(options.log, this.#platform, this.#meter)
    const { onError = options.log ? () => {} : printed } = options
    this.#report = (error, room) => {
      tellTrouble({ meter: this.#meter, log: this.#log }, error, room)
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
      authorize: this.#authorize,
      limits: this.#limits,
      keeps: keeping(options.retention, this.#limits, this.#report),
      platform: this.#platform,
      report: this.#report,
      driven: options.driven,
      meter: this.#meter,
      log: this.#log,
    })
    const access = checkAccess(options.metrics ?? (this.#auth ? false : 'open'))
    this.#addRoutes(new Exposition(this.#measured(), access, this.#platform))
    this.#log('start', { ...this.#nature(), auth: this.#auth !== undefined })
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

  /** What it takes, holds and waits. */
  get limits(): Limits {
    return this.#limits
  }

  /** Takes over an open socket whose request was admitted; the runtime calls what it gets back. */
  accept(socket: Socket, admission: Admission): SocketEvents {
    return this.#gate.accept(socket, admission.address, () => this.#rooms.accept(socket, admission))
  }

  /** For a runtime that puts its objects out of memory. @internal */
  get driver(): Pick<Rooms, 'days' | 'dueMs' | 'head' | 'tick' | 'waiting'> {
    return this.#rooms
  }

  /** Takes up sockets whose connections were left behind as snapshots; in the same order. @internal */
  async resume(
    sockets: readonly (readonly [Socket, ConnectionSnapshot])[],
  ): Promise<SocketEvents[]> {
    const events = await this.#rooms.resume(sockets)
    return sockets.map(([, snapshot], i) =>
      this.#gate.resume(admissionOf(snapshot).address, events[i] as SocketEvents),
    )
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

  /**
   * Deletes a room with all that is in it. Its devices are sent away and come back into an empty room,
   * as `new_epoch`: what they had in it before they keep, and do not bring again.
   *
   * @returns whether there was one
   * @throws {BusError} going_away, unavailable
   */
  deleteRoom(room: string): Promise<boolean> {
    return this.#deleteRoom(room)
  }

  async #deleteRoom(room: string, subject?: string): Promise<boolean> {
    const deleted = await this.#rooms.delete(room)
    const who = subject === undefined ? {} : { subject }
    if (deleted) this.#log('delete', { room, ...who })
    return deleted
  }

  /**
   * From now on `/ready` says no, and nothing else changes: time for a load balancer to send devices
   * elsewhere before {@link close} sends away those that are here.
   */
  drain(): void {
    this.#draining = true
  }

  /** Called by what serves it, with the address where it can be reached. @internal */
  listening(url: string): void {
    this.#log('listen', { url })
  }

  /** Answers what was asked, sends every device away to come back later, and closes the store. */
  async close(): Promise<void> {
    await this.#rooms.close()
    await this.#store.close()
    this.#log('end')
  }

  #nature(): { readonly version: string; readonly engine: string; readonly durability: string } {
    const { durability, engine = 'other' } = this.#store
    return { version: VERSION, engine, durability }
  }

  #measured(): Measured {
    const { durability, engine, version } = this.#nature()
    return {
      meter: this.#meter,
      gauges: () => ({
        build_info: [[1, version, engine, durability]],
        ready: [[this.#draining || this.#rooms.closing ? 0 : 1]],
        ...this.#rooms.gauges(),
      }),
    }
  }

  #refuse(c: Context, error: unknown): Response {
    const { code, response } = errorResponse(c, error, this.#report)
    const { method } = c.req
    const told = { meter: this.#meter, log: this.#log }
    tellRefusal(told, code, { method, route: routeOf(c), status: response.status })
    return response
  }

  #addRoutes(exposition: Exposition): void {
    this.onError((error, c) => this.#refuse(c, error))
    this.notFound((c) => {
      const what = `no route ${c.req.method} ${c.req.path}`
      return this.#refuse(c, new BusError('not_found', what))
    })
    this.use(async (c, next) => {
      this.#checkOrigin(c)
      await next()
    })
    // The socket route stands before everything that changes headers: a 101 must not be touched.
    this.get('/rooms/:room/socket', (c) => this.#upgrade(c, SUBPROTOCOL))
    this.get('/rooms/:room/inspect', (c) => this.#upgrade(c, INSPECT_SUBPROTOCOL))
    this.use(counted(this.#meter, this.#platform))
    this.use(
      cors({
        origin: (origin) => (origin !== '' && this.#maySee(origin) ? origin : null),
        allowMethods: ['GET', 'HEAD', 'POST', 'DELETE'],
        allowHeaders: [
          'Authorization',
          'Content-Type',
          ...CLOUD_EVENT_HEADERS,
          'If-None-Match',
          'Last-Event-ID',
          ...TRACING_HEADERS,
        ],
        exposeHeaders: ['ETag', 'Retry-After', ...TRACING_HEADERS],
        maxAge: 600,
      }),
    )
    addOperatorRoutes(this, {
      store: this.#store,
      platform: this.#platform,
      exposition,
      draining: () => this.#draining || this.#rooms.closing,
      described: { version: VERSION, limits: this.#limits, auth: !this.loopbackOnly },
    })
    this.use('/rooms/:room/*', async (c, next) => {
      const address = this.#addressOf(c)
      this.#gate.request(address)
      const leave = this.#gate.enter(address)
      c.set('leave', leave)
      try {
        c.set('identity', await this.#identify(c))
        await next()
      } finally {
        if (!c.var.held) leave()
      }
    })
    this.post('/rooms/:room/events', (c) => this.#publish(c))
    const reads = {
      store: this.#store,
      limits: this.#limits,
      platform: this.#platform,
      readers: this.#rooms.readers,
      report: this.#report,
    }
    this.get('/rooms/:room/events', async (c) => {
      const { identity, leave } = c.var
      if (!wantsStream(c)) return answerPage(c, reads, { room: roomOf(c), identity })
      const given = { room: roomOf(c), identity, cut: c.env?.cut, ended: leave }
      const stream = await answerStream(c, reads, given)
      // It goes on when this is answered, and leaves when it ends.
      c.set('held', true)
      return stream
    })
    this.get('/rooms/:room/events/:id', (c) =>
      answerEvent(c, reads, { room: roomOf(c), identity: c.var.identity }),
    )
    this.get('/rooms/:room/stats', (c) => {
      const room = roomOf(c)
      return answerStats(c, this.#store, room, this.#rooms.connections(room))
    })
    this.delete('/rooms/:room', (c) => {
      const room = roomOf(c)
      const { identity } = c.var
      return answerDelete(c, identity, () => this.#deleteRoom(room, identity.subject))
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
    const address = this.#addressOf(c)
    this.#gate.request(address)
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
    this.#gate.check(address)
    const origin = c.req.header('origin')
    return c.env.upgrade({
      room,
      ...(address !== undefined && { address }),
      ...(origin !== undefined && { origin }),
      ...(protocol === INSPECT_SUBPROTOCOL && { inspect: true }),
    })
  }

  async #identify(c: Context<RelayEnv>): Promise<Identity> {
    const room = roomOf(c)
    const token = /^Bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const origin = c.req.header('origin')
    const actions = ACTIONS[c.req.method] ?? READING
    const asked = { room, ...(origin !== undefined && { origin }) }
    return identify(this.#authorizing, token, asked, actions)
  }

  get #authorizing(): Authorizing {
    return { auth: this.#auth, authorize: this.#authorize, report: this.#report }
  }

  #addressOf(c: Context<RelayEnv>): string | undefined {
    const forwarded = c.req.header('x-forwarded-for')
    if (forwarded !== undefined && this.#proxies === 0 && !this.#warnedOfProxy) {
      this.#warnedOfProxy = true
      const what =
        'a request came through a proxy: set trustProxy, or limits by address count all as one'
      this.#report(new BusError('invalid_options', what))
    }
    return addressOf(c.env?.address, forwarded, this.#proxies)
  }

  async #publish(c: Context<RelayEnv>): Promise<Response> {
    const room = roomOf(c)
    const { subject, rights } = c.var.identity
    const header = (name: string): string | undefined => c.req.header(name)
    const type = header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? 'application/json'
    const body = await bodyOf(c, this.#limits, this.#platform)
    const tracing = tracingOf(header)
    const defaults = { subject, time: this.#platform.now(), ...tracing }
    const { nesting, postEvents } = this.#limits
    const hash: Platform['sha256'] = (text) => this.#platform.sha256(text)
    let events: PostedEvent[]
    if (isCloudEvents(type, header)) {
      const { posts, isList } = cloudEventsIn(type, body, c.req.header(), nesting)
      events = await postCloudEvents(posts, isList, postEvents, defaults, hash)
    } else if (type === 'application/json') {
      const parsed = jsonOf(new TextDecoder().decode(body), nesting)
      events = await parsePost(parsed, postEvents, defaults, hash)
    } else {
      const types =
        'application/json, application/cloudevents+json or application/cloudevents-batch+json'
      throw badRequest(`send a body of content-type ${types}, or a CloudEvent in headers and body`)
    }
    const host = this.#rooms.host(room)
    const token = host.publishRights(rights.publish)
    const types = events.map(({ header }) => header.type)
    const asked = { identity: c.var.identity, room }
    const refused = await refusedTypes(this.#authorizing, asked, types, token)
    const mayPublish = (type: string): boolean => token(type) && !refused.has(type)
    const posted = await host.post({ mayPublish, events }, body.byteLength)
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

function proxiesOf(trustProxy = 0): number {
  if (Number.isSafeInteger(trustProxy) && trustProxy >= 0 && trustProxy <= 16) return trustProxy
  throw new BusError('invalid_options', 'trustProxy is how many proxies stand before the relay')
}

function printed(error: unknown): void {
  console.error('[edge-relay]', error)
}

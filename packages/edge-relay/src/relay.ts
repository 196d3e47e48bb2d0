/**
 * The relay as a Hono app: what it is made of, and in which order a request comes by its routes. It
 * knows no runtime: one of `runtimes/` serves it and hands it sockets.
 */
import { BusError } from '@crosstown/bus/protocol'
import { type Context, Hono } from 'hono'
import type { Identity } from './auth.ts'
import type { Authorizing } from './authorize.ts'
import type { Admission } from './connection/context.ts'
import { admissionOf } from './connection/snapshot.ts'
import { EngineWatch } from './engine-watch.ts'
import { Gate } from './guard/gate.ts'
import { callerAddress } from './http/caller.ts'
import type { RelayEnv } from './http/env.ts'
import { errorResponse } from './http/errors.ts'
import { answerInspector, redirectToInspector } from './http/inspector.ts'
import { checkAccess, Exposition, type Measured } from './http/metrics.ts'
import { addOperatorRoutes, counted, routeOf } from './http/operate.ts'
import { checkedOrigin, crossOrigin } from './http/origin.ts'
import { addRoomRoutes } from './http/room-routes.ts'
import { addSocketRoutes } from './http/socket-routes.ts'
import { keeping } from './keeping.ts'
import { type Limits, resolveLimits } from './limits.ts'
import { boundedLog, type Log } from './log.ts'
import { Meter } from './metrics.ts'
import { tellFull, tellRefusal } from './operators.ts'
import { applicationOf, proxiesOf, type RelayOptions, type Report, reportTo } from './options.ts'
import { type OriginPolicy, originPolicy } from './origins.ts'
import { Drain, NO_OUTBOX } from './outbox/drain.ts'
import { type Platform, systemPlatform } from './platform.ts'
import { Rooms } from './rooms.ts'
import { sharedReads } from './shared-reads.ts'
import type { ConnectionSnapshot, Socket, SocketEvents } from './socket.ts'
import { memoryStore } from './stores/memory.ts'
import type { Store, StoreStatus } from './stores/store.ts'
import { VERSION } from './version.ts'

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
  readonly #authorizing: Authorizing
  readonly #limits: Limits
  readonly #platform: Platform
  readonly #rooms: Rooms
  readonly #drain: Drain | undefined
  readonly #gate: Gate
  readonly #report: Report
  readonly #meter = new Meter()
  readonly #log: Log
  readonly #engine: EngineWatch
  #draining = false

  constructor(options: RelayOptions) {
    super()
    this.#store = sharedReads(options.store ?? memoryStore())
    const proxies = proxiesOf(options)
    this.#limits = resolveLimits(options.limits)
    this.#platform = options.platform ?? systemPlatform
    this.#gate = new Gate(this.#limits, this.#platform)
    const maySee = originPolicy(options.origins)
    this.#log = boundedLog(options.log, this.#platform, this.#meter)
    const told = { meter: this.#meter, log: this.#log }
    this.#engine = new EngineWatch(this.#store)
    this.#report = reportTo(options, told, (error) => this.#engine.explains(error))
    const { auth, authorize } = options
    this.#authorizing = {
      auth,
      authorize,
      limits: this.#limits,
      platform: this.#platform,
      report: this.#report,
    }
    this.#rooms = new Rooms({
      auth,
      authorize,
      store: this.#store,
      limits: this.#limits,
      keeps: keeping(options.retention, this.#limits, this.#report),
      platform: this.#platform,
      report: this.#report,
      driven: options.driven,
      meter: this.#meter,
      log: this.#log,
    })
    const access = checkAccess(options.metrics ?? (auth ? false : 'open'))
    this.#addRoutes(maySee, proxies, new Exposition(this.#measured(), access, this.#platform))
    // Such a relay is made anew whenever somebody comes after a while: that is no start of anything.
    if (!options.driven) this.#log('start', { ...this.#nature(), auth: !this.loopbackOnly })
    this.#engine.follow(told, applicationOf(options))
    const { inspector } = options
    if (inspector) {
      this.get('/inspector', redirectToInspector)
      this.get('/inspector/*', (c) => answerInspector(c, inspector))
    }
    this.#drain =
      options.outbox &&
      new Drain(options.outbox, {
        authorizing: this.#authorizing,
        nesting: this.#limits.nesting,
        store: this.#store,
        platform: this.#platform,
        host: (room) => this.#rooms.host(room),
        meter: this.#meter,
        log: this.#log,
        report: this.#report,
      })
  }

  /** Whether it may be reached from its own machine only, because it asks nobody for a token. */
  get loopbackOnly(): boolean {
    return this.#authorizing.auth === undefined
  }

  /**
   * The connection to the engine of its store, at this moment; `undefined` where there is no engine that
   * could be away. `store.connection.subscribe` tells of changes.
   */
  get engine(): StoreStatus | undefined {
    return this.#store.connection?.get()
  }

  /** What it takes, holds and waits. */
  get limits(): Limits {
    return this.#limits
  }

  /** Takes over an open socket whose request was admitted; the runtime calls what it gets back. */
  accept(socket: Socket, admission: Admission): SocketEvents {
    const { address, inspect, room } = admission
    return this.#gate.accept(socket, address, {
      open: () => this.#rooms.accept(socket, admission),
      full: (code) =>
        tellFull(
          { meter: this.#meter, log: this.#log },
          { kind: inspect ? 'inspector' : 'device', room, code },
        ),
    })
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
    // Rows that are in nobody's room yet stay where they are.
    await Promise.all([this.#drain?.stop(), this.#rooms.close()])
    this.#engine.stop()
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
        ready: [[this.#draining || this.#rooms.closing || !this.#engine.online ? 0 : 1]],
        engine_online: this.#engine.gauge,
        ...this.#rooms.gauges(),
        ...(this.#drain?.gauges() ?? NO_OUTBOX),
      }),
    }
  }

  #refuse(c: Context, error: unknown): Response {
    const { code, response } = errorResponse(c, error, this.#report)
    const { method } = c.req
    const told = { meter: this.#meter, log: this.#log }
    tellRefusal(told, error, { method, route: routeOf(c), status: response.status, code })
    return response
  }

  #addRoutes(maySee: OriginPolicy, proxies: number, exposition: Exposition): void {
    this.onError((error, c) => this.#refuse(c, error))
    this.notFound((c) => {
      const what = `no route ${c.req.method} ${c.req.path}`
      return this.#refuse(c, new BusError('not_found', what))
    })
    const asked = { gate: this.#gate, addressOf: callerAddress(proxies, this.#report) }
    this.use(checkedOrigin(maySee, this.loopbackOnly))
    addSocketRoutes(this, { ...asked, closing: () => this.#rooms.closing })
    this.use(counted(this.#meter, this.#platform))
    this.use(crossOrigin(maySee))
    addOperatorRoutes(this, {
      store: this.#store,
      platform: this.#platform,
      exposition,
      draining: () => this.#draining || this.#rooms.closing,
      described: { version: VERSION, limits: this.#limits, auth: !this.loopbackOnly },
    })
    addRoomRoutes(this, {
      ...asked,
      store: this.#store,
      limits: this.#limits,
      platform: this.#platform,
      authorizing: this.#authorizing,
      readers: this.#rooms.readers,
      report: this.#report,
      host: (room) => this.#rooms.host(room),
      connections: (room) => this.#rooms.connections(room),
      deleteRoom: (room, subject) => this.#deleteRoom(room, subject),
    })
  }
}

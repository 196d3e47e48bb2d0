/** The rooms and connections of one relay in this process, and the one timer they share. */
import { BusError } from '@crosstown/bus/protocol'
import type { Identity } from './auth.ts'
import type { Admission, ConnectionContext } from './connection/context.ts'
import { admissionOf } from './connection/snapshot.ts'
import { Connection } from './connection.ts'
import { groupGauges } from './group/gauges.ts'
import { Inspector } from './inspect/inspector.ts'
import type { Log } from './log.ts'
import { type GaugeName, Meter, type Reading } from './metrics.ts'
import { Nodes } from './node/nodes.ts'
import type { RoomNode } from './node/room-node.ts'
import { ALL_ROOMS, GREW } from './node/signal.ts'
import { Readers } from './readers.ts'
import { Retention, type RetentionContext } from './retention.ts'
import { type HostContext, RoomHost } from './room-host.ts'
import type { ConnectionSnapshot, Socket, SocketEvents } from './socket.ts'

/** Empty advances must leave within a second of their commit. */
export const TICK_MS = 500
/** When devices come back after this relay went away: after the first, spread over the second... */
const GOAWAY_AFTER_MS = 500
const GOAWAY_JITTER_MS = 2_000
/** ...or over more, so that no more than one comes in this time. */
const GOAWAY_EACH_MS = 1

/** Rooms looked at for each new one, whether they can go out of memory. */
const MAX_LOOKS = 8

/** What only the rooms know. */
type RoomGauge = Exclude<GaugeName, 'build_info' | 'engine_online' | 'ready' | `outbox_${string}`>

/** All rooms of a relay. */
export class Rooms {
  /** Those who wait over HTTP. */
  readonly readers: Readers
  readonly #hosts = new Map<string, RoomHost>()
  readonly #context: HostContext
  readonly #connectionContext: ConnectionContext
  readonly #retention: Retention
  readonly #driven: boolean
  readonly #connections = new Set<Connection | Inspector>()
  readonly #meter: Meter
  readonly #log: Log
  #opened = 0
  #stopTimer: (() => void) | undefined
  #closing = false

  constructor(
    context: Omit<HostContext, 'grew' | 'restored' | 'meter'> &
      Pick<ConnectionContext, 'auth' | 'authorize'> &
      RetentionContext & {
        readonly meter?: Meter
        readonly log?: Log
        /** It has no timer of its own: whoever made it calls `tick`. */
        readonly driven?: boolean | undefined
      },
  ) {
    const { log = () => {}, meter = new Meter() } = context
    this.#meter = meter
    this.#log = log
    this.#driven = context.driven === true
    const retention = new Retention(context)
    this.#retention = retention
    const readers = new Readers(context.platform)
    const { platform, store } = context
    const nodes =
      store.listen &&
      new Nodes({
        store,
        platform,
        log,
        places: () => this.#places(),
        place: (room) => this.#hosts.get(room)?.node,
        lost: () => readers.stale(undefined),
      })
    this.readers = readers
    this.#context = {
      ...context,
      meter,
      log,
      nodes,
      grew(room, records, head) {
        retention.grew(room, records)
        readers.grew(room, records, head)
      },
      restored: (room) => readers.restored(room, GOAWAY_AFTER_MS),
    }
    this.#connectionContext = {
      ...context,
      meter,
      log,
      number: () => ++this.#opened,
      host: (room) => this.host(room),
      left: (connection) => this.#left(connection),
    }
    if (nodes) store.listen?.((room, text) => this.#heard(nodes, room, text))
  }

  *#places(): Generator<RoomNode> {
    for (const { node } of this.#hosts.values()) if (node) yield node
  }

  /** What other relays on the store say; whatever that is, nothing leaves this. */
  #heard(nodes: Nodes, room: string | undefined, text: string): void {
    try {
      const host = room === undefined ? undefined : this.#hosts.get(room)
      if (room === undefined) {
        nodes.back()
        for (const each of this.#hosts.values()) each.wake(false)
      } else if (room === ALL_ROOMS) nodes.heard(text)
      else if (host) host.node?.heard(text)
      else nodes.heardOfNone(room, text)
      // A room is read by who is in it: readers may wait for one that nobody here is in.
      if (text === GREW && host?.position === undefined) this.readers.stale(room)
    } catch (error) {
      this.#context.report(error, room ?? '')
    }
  }

  get closing(): boolean {
    return this.#closing
  }

  /** The room, from now on in memory. @throws {BusError} going_away */
  host(room: string): RoomHost {
    if (this.#closing) throw new BusError('going_away', 'the relay is closing')
    let host = this.#hosts.get(room)
    this.#retention.tick(this.#context.platform.monotonic())
    if (host) {
      // The order of the map is that of last use.
      this.#hosts.delete(room)
    } else {
      host = new RoomHost(room, this.#context)
      this.#dropIdle()
    }
    this.#hosts.set(room, host)
    return host
  }

  /**
   * Deletes a room, and sends its devices away to come back; resolves whether there was one.
   *
   * @throws {BusError} going_away, unavailable
   */
  async delete(room: string): Promise<boolean> {
    const host = this.host(room)
    const release = host.retain()
    try {
      return await host.delete()
    } finally {
      release()
      this.#retention.forget(room)
      this.#retention.purge()
    }
  }

  /** For how many days the events of a room are kept. */
  days(room: string): number {
    return this.#retention.keeps(room).roomDays
  }

  /** Number of devices connected to a room. */
  connections(room: string): number {
    return this.#hosts.get(room)?.delivery.size ?? 0
  }

  /** What is there now, to be measured. */
  gauges(): Readonly<Record<RoomGauge, readonly Reading[]>> {
    const all = [...this.#connections]
    const devices = all.filter((connection) => connection instanceof Connection)
    const hosts = [...this.#hosts.values()]
    return {
      connections_inflight: [
        [devices.length, 'device'],
        [all.length - devices.length, 'inspector'],
        [this.readers.size, 'reader'],
      ],
      subscriptions_inflight: [
        [devices.filter(({ attached, closed }) => attached && !closed).length],
      ],
      rooms_inflight: [[hosts.length]],
      relays_inflight: [[[...(this.#context.nodes?.others() ?? [])].length]],
      queue_bytes: [[hosts.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)]],
      ...groupGauges(hosts.map(({ groups }) => groups)),
    }
  }

  /** Takes over an open socket. The runtime calls what it gets back. */
  accept(socket: Socket, admission: Admission): SocketEvents {
    const { inspect, origin, room } = admission
    const Kind = inspect ? Inspector : Connection
    const kind = inspect ? 'inspector' : 'device'
    const connection = new Kind(socket, admission, this.#connectionContext)
    this.#connections.add(connection)
    this.#meter.count('connections_accepted_total', 1, kind)
    const from = origin === undefined ? {} : { origin }
    this.#log('open', { connection: connection.number, kind, room, ...from })
    if (this.#closing) this.#sendAway([connection])
    else if (!this.#driven)
      this.#stopTimer ??= this.#context.platform.every(TICK_MS, () => this.tick())
    return connection
  }

  /** Takes over sockets whose connections were left behind as snapshots; in the same order. */
  async resume(
    sockets: readonly (readonly [Socket, ConnectionSnapshot])[],
  ): Promise<SocketEvents[]> {
    const events: SocketEvents[] = []
    const hosts = new Set<RoomHost>()
    for (const [socket, snapshot] of sockets) {
      const admission = admissionOf(snapshot)
      const host = this.host(admission.room)
      hosts.add(host)
      await host.open()
      const connection = new Connection(socket, admission, this.#connectionContext)
      this.#connections.add(connection)
      connection.resume(snapshot, host)
      events.push(connection)
    }
    for (const { presence } of hosts) presence.resumed()
    return events
  }

  /** Until when nothing is to be done, by `Platform.monotonic`, as far as is known now. */
  get dueMs(): number {
    // What a deleted room left must go also where nobody ever comes again.
    let due = this.#retention.busy ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    for (const host of this.#hosts.values()) due = Math.min(due, host.dueMs)
    for (const { dueMs } of this.#connections) due = Math.min(due, dueMs)
    return due
  }

  /** Whether there are connections that were not told yet that they may be here. */
  get waiting(): boolean {
    for (const { waiting } of this.#connections) if (waiting) return true
    return false
  }

  /** Where a room ends, as far as this process read it. */
  head(room: string): string | undefined {
    return this.#hosts.get(room)?.position
  }

  /** Ends what goes on with tokens that were called back; returns how many. */
  revoke(isRevoked: (identity: Identity) => boolean): number {
    const ended = [...this.#connections].filter((connection) => connection.revoke(isRevoked))
    return ended.length + this.readers.revoke(isRevoked, GOAWAY_AFTER_MS)
  }

  /** Answers what was asked, then sends everyone away. */
  async close(): Promise<void> {
    this.#closing = true
    this.#log('drain', { connections: this.#connections.size })
    await Promise.all([...this.#hosts.values()].map((host) => host.drain()))
    for (const { inspection } of this.#hosts.values()) inspection.close()
    this.#sendAway([...this.#connections])
    this.#rest()
    this.#context.nodes?.end()
    await this.readers.close((share, count) =>
      Math.round(GOAWAY_AFTER_MS + share * jitterOf(count)),
    )
    this.#hosts.clear()
    await this.#retention.stop()
  }

  #sendAway(connections: readonly (Connection | Inspector)[]): void {
    const jitterMs = jitterOf(connections.length)
    for (const connection of connections) connection.goAway(GOAWAY_AFTER_MS, jitterMs)
  }

  /** Due twice a second, or at least at {@link dueMs}. */
  tick(): void {
    const nowMs = this.#context.platform.monotonic()
    this.#retention.tick(nowMs)
    for (const host of this.#hosts.values()) host.tick(nowMs)
    // Those in a room were seen there; what remains are the ones still waiting for a welcome, and
    // copies, and inspectors.
    for (const connection of this.#connections) {
      if (!(connection instanceof Connection && connection.attached)) connection.tick(nowMs)
    }
  }

  #left(connection: SocketEvents): void {
    this.#connections.delete(connection as Connection | Inspector)
    this.#rest()
  }

  /** Nothing is due where nobody is connected, unless others wait for what was asked here. */
  #rest(): void {
    if (this.#connections.size > 0 || (this.#context.nodes && !this.#closing)) return
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  /** Looks at a few for each new one: where most have connections, looking at all would take long. */
  #dropIdle(): void {
    let looks = 0
    for (const [room, host] of this.#hosts) {
      if (this.#hosts.size < this.#context.limits.idleRooms || looks === MAX_LOOKS) return
      looks += 1
      this.#hosts.delete(room)
      if (host.idle) this.#retention.forget(room)
      // It is somebody else's turn to be looked at next.
      else this.#hosts.set(room, host)
    }
  }
}

/** Over how long the return of so many is spread. */
function jitterOf(count: number): number {
  return Math.max(GOAWAY_JITTER_MS, count * GOAWAY_EACH_MS)
}

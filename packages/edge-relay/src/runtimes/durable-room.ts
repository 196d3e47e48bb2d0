/**
 * One room as a Durable Object. The runtime puts it out of memory when nothing is to be done, and its
 * sockets stay open: what is left of their connections is attached to them.
 *
 * ```
 * event ──► connections ──► attachments, in the same turn
 *   │
 *   └─► timer, while something is to be done ──► alarm, for when something will be
 * ```
 *
 * While the timer runs an alarm is set as well: so what was to be done is done, whatever happens to
 * the object meanwhile.
 */
import { BUS_ERROR_CODES, encodeFrame } from '@crosstown/bus/protocol'
import type { Admission } from '../connection/context.ts'
import { CreditMeter } from '../credits.ts'
import type { RelayOptions } from '../options.ts'
import { type Platform, systemPlatform } from '../platform.ts'
import { createRelay, type Relay } from '../relay.ts'
import { TICK_MS } from '../rooms.ts'
import { type DurableObjectStorageLike, durableObjectStore } from '../stores/durable-object.ts'
import type { Store } from '../stores/store.ts'
import { type AttachableSocket, Attachments } from './durable-attachments.ts'
import { closeSocket, DurableSocket, type SocketOwner } from './durable-socket.ts'
import { protocolOf } from './server.ts'
import { takeUnread } from './unread-body.ts'

/** Of the context of a Durable Object, what is used here. */
export interface DurableObjectContext {
  readonly storage: DurableObjectStorageLike & {
    getAlarm(): Promise<number | null>
    setAlarm(time: number, options: { allowUnconfirmed: boolean }): Promise<void>
    deleteAlarm(): Promise<void>
    sync(): Promise<void>
  }
  blockConcurrencyWhile<T>(run: () => Promise<T>): Promise<T>
  acceptWebSocket(socket: WebSocket): void
  getWebSockets(): WebSocket[]
  setWebSocketAutoResponse(pair?: never): void
  getWebSocketAutoResponseTimestamp(socket: WebSocket): Date | null
}

/** A room, as the runtime calls it. */
export interface RoomObject {
  /** The room's relay, for what a class made of this one adds to it. */
  readonly relay: Relay
  fetch(request: Request): Promise<Response>
  alarm(): Promise<void>
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void
  webSocketClose(socket: WebSocket, code: number, reason: string): void
  webSocketError(socket: WebSocket): void
}

/** Workers' own globals. */
interface WorkersGlobals {
  readonly WebSocketPair: new () => [client: WebSocket, server: WebSocket]
  readonly WebSocketRequestResponsePair: new (request: string, response: string) => never
}

/** What a clock says that may be set, but never less than it has said. */
export function steadyClock(now: () => number): () => number {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    last = Math.max(last, now())
    return last
  }
}

/** The times of what is attached to sockets must mean the same to the object that comes next. */
const PLATFORM: Platform = { ...systemPlatform, monotonic: steadyClock(() => systemPlatform.now()) }
/** What is due within this time is waited for. */
const AWAKE_MS = 2_000
/** So long after something happened an alarm looks after what may have come of it. */
const GUARD_MS = 10_000
const DAY_MS = 86_400_000
/** The least time between two looks at what became too old. */
const RETENTION_MS = 3_600_000
const NAME_LENGTH = 16
const PING = encodeFrame({ frame: 'ping' })

export class DurableRoom implements RoomObject {
  readonly relay: Relay
  readonly #context: DurableObjectContext
  readonly #store: Store
  readonly #attachments: Attachments<WebSocket & AttachableSocket>
  readonly #sockets = new Map<WebSocket, DurableSocket>()
  readonly #owner: SocketOwner
  /** Sockets of which something is to be kept that is not attached yet. */
  readonly #changed = new Set<DurableSocket>()
  #stopTimer: (() => void) | undefined
  /** When the alarm is set for. */
  #alarmMs: number | undefined
  /** The room's head that the runtime answers pings with. */
  #answered: string | undefined
  #room: string | undefined

  constructor(context: DurableObjectContext, options: Omit<RelayOptions, 'store'>) {
    this.#context = context
    this.#store = durableObjectStore(context.storage)
    this.#attachments = new Attachments(context.storage, () => PLATFORM.randomName(NAME_LENGTH))
    this.relay = createRelay({
      ...options,
      store: this.#store,
      platform: PLATFORM,
      driven: true,
    })
    this.#owner = {
      pingedMs: (socket) => context.getWebSocketAutoResponseTimestamp(socket)?.getTime(),
      changed: (socket) => this.#keep(socket),
      closed: (socket) => this.#left(socket),
    }
    // Nothing comes in before everyone is here again.
    void context.blockConcurrencyWhile(() => this.#wake())
  }

  async fetch(request: Request): Promise<Response> {
    this.#stir()
    const response = await this.relay.fetch(request, {
      // Cloudflare says it, whatever the request says: no proxy stands between.
      address: request.headers.get('cf-connecting-ip') ?? undefined,
      direct: true,
      upgrade: (admission) => this.#upgrade(admission),
    })
    await takeUnread(request)
    return response
  }

  async alarm(): Promise<void> {
    this.#alarmMs = undefined
    this.#startTimer()
    await this.#tick()
  }

  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#stir()
    const open = this.#sockets.get(socket)
    if (!open) return
    open.events?.onMessage(message)
    this.#keep(open)
  }

  webSocketClose(socket: WebSocket, code: number, reason: string): void {
    this.#stir()
    // The other side's close is answered by hand here.
    closeSocket(socket, code === 1005 || code === 1006 ? 1000 : code, reason)
    this.#left(socket)
  }

  webSocketError(socket: WebSocket): void {
    this.#stir()
    this.#left(socket)
  }

  /** Takes up the connections of the object that was here before. */
  async #wake(): Promise<void> {
    this.#alarmMs = (await this.#context.storage.getAlarm()) ?? undefined
    const found = this.#context.getWebSockets().map((ws) => {
      const kept = this.#attachments.load(ws as WebSocket & AttachableSocket)
      return [ws, kept] as const
    })
    this.#attachments.sweep()
    const resumed = found.flatMap(([ws, kept]) => {
      if (kept) {
        const socket = new DurableSocket(ws, this.#owner, new CreditMeter(kept.credits))
        return [[socket, kept.snapshot] as const]
      }
      // An inspector, whose taps were in memory, or one that was being closed.
      closeSocket(ws, BUS_ERROR_CODES.going_away, 'going_away')
      return []
    })
    for (const [socket] of resumed) this.#sockets.set(socket.ws, socket)
    const events = await this.relay.resume(resumed)
    for (const [i, [socket]] of resumed.entries()) {
      socket.events = events[i]
      if (!this.#sockets.has(socket.ws)) socket.events?.onClose()
      // It may have been sent something while the others came.
      this.#keep(socket)
    }
    this.#room = (await this.#store.rooms('', 1))[0]
    this.#answerPings()
  }

  #upgrade(admission: Admission): Response {
    const { WebSocketPair } = globalThis as unknown as WorkersGlobals
    this.#room = admission.room
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket]
    // Who was not let in yet must not hear of the room, not even from the runtime.
    this.#context.setWebSocketAutoResponse()
    this.#answered = undefined
    this.#context.acceptWebSocket(server)
    // Whoever inspects grants what is sent to it, and is asked for nothing.
    const credits = admission.inspect ? undefined : new CreditMeter()
    const socket = new DurableSocket(server, this.#owner, credits)
    this.#sockets.set(server, socket)
    socket.events = this.relay.accept(socket, admission)
    this.#keep(socket)
    return new Response(null, {
      status: 101,
      headers: { 'Sec-WebSocket-Protocol': protocolOf(admission) },
      webSocket: client,
    } as ResponseInit)
  }

  #left(ws: WebSocket): void {
    const socket = this.#sockets.get(ws)
    if (!this.#sockets.delete(ws)) return
    this.#attachments.drop(ws as WebSocket & AttachableSocket)
    socket?.events?.onClose()
  }

  /** Attaches what there is to keep when all of this turn has been done: nobody can be evicted before. */
  #keep(socket: DurableSocket): void {
    if (this.#changed.size === 0) queueMicrotask(() => this.#keepAll())
    this.#changed.add(socket)
  }

  #keepAll(): void {
    for (const socket of this.#changed) {
      const { kept, ws } = socket
      if (!kept || !this.#sockets.has(ws)) continue
      try {
        this.#attachments.save(ws as WebSocket & AttachableSocket, kept)
      } catch {
        // What is attached is not true any more: better to come back than to go on from that.
        socket.close(BUS_ERROR_CODES.going_away, 'going_away')
      }
    }
    this.#changed.clear()
  }

  /** Something happened: from now on there may be something to do. */
  #stir(): void {
    this.#startTimer()
    this.#guard()
  }

  #guard(): void {
    this.#setAlarm(PLATFORM.now() + GUARD_MS, this.#alarmMs)
  }

  #startTimer(): void {
    this.#stopTimer ??= PLATFORM.every(TICK_MS, () => void this.#tick())
  }

  /** Sets the alarm, unless it is set for `sooner` than that. */
  #setAlarm(atMs: number, sooner = Number.POSITIVE_INFINITY): void {
    if (sooner <= atMs) return
    this.#alarmMs = atMs
    void this.#context.storage.setAlarm(atMs, { allowUnconfirmed: true })
  }

  /** Does what is due, and rests where nothing will be for a while. */
  async #tick(): Promise<void> {
    const { driver } = this.relay
    driver.tick()
    this.#answerPings()
    if (driver.dueMs - PLATFORM.monotonic() < AWAKE_MS) {
      this.#guard()
      return
    }
    this.#stopTimer?.()
    this.#stopTimer = undefined
    const tooOldMs = await this.#tooOldMs()
    // Something came while that was read.
    if (this.#stopTimer) return
    const atMs = Math.min(driver.dueMs, tooOldMs)
    if (Number.isFinite(atMs)) this.#setAlarm(atMs)
    else if (this.#alarmMs !== undefined) {
      this.#alarmMs = undefined
      await this.#context.storage.deleteAlarm()
    }
  }

  /** When the oldest event is to go, or to be looked for again. */
  async #tooOldMs(): Promise<number> {
    const again = PLATFORM.now() + RETENTION_MS
    try {
      const room = this.#room ?? (await this.#store.rooms('', 1))[0]
      if (room === undefined) return Number.POSITIVE_INFINITY
      const first = await this.#store.first(room)
      const [oldest] = await this.#store.read(room, first.place, { events: 1, bytes: 1 })
      if (!oldest) return Number.POSITIVE_INFINITY
      return Math.max(oldest.time + this.relay.driver.days(room) * DAY_MS, again)
    } catch {
      // Whoever reads or writes the room is told why; this may find it better then.
      return again
    }
  }

  /** Has the runtime answer pings with the head as it is now, once that is kept for good. */
  #answerPings(): void {
    const { driver } = this.relay
    const head = this.#room === undefined ? undefined : driver.head(this.#room)
    if (head === undefined || head === this.#answered || driver.waiting) return
    this.#answered = head
    void this.#context.storage.sync().then(() => {
      if (this.#answered !== head) return
      const { WebSocketRequestResponsePair: Pair } = globalThis as unknown as WorkersGlobals
      this.#context.setWebSocketAutoResponse(
        new Pair(PING, encodeFrame({ frame: 'heartbeat', head })),
      )
    })
  }
}

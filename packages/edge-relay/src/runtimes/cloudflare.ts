/** The relay on Cloudflare: a Worker that finds the room, and a Durable Object that is it. */
import { BUS_ERROR_CODES, BusError, isRoom } from '@crosstown/bus/protocol'
import type { Admission } from '../connection.ts'
import { answerOutside } from '../http/outside.ts'
import { jwtAuth } from '../jwt.ts'
import { createRelay, type Relay, type RelayOptions } from '../relay.ts'
import type { Socket, SocketEvents } from '../socket.ts'
import { type DurableObjectStorageLike, durableObjectStore } from '../stores/durable-object.ts'
import { protocolOf } from './server.ts'

/** Of the context of a Durable Object, what is used here. */
export interface DurableObjectContext {
  readonly storage: DurableObjectStorageLike
  acceptWebSocket(socket: WebSocket): void
  getWebSockets(): WebSocket[]
}

/** The namespace of Durable Objects that a Worker is bound to. */
export interface RoomNamespace {
  idFromName(name: string): unknown
  get(id: never): { fetch(request: Request): Promise<Response> }
}

/** What a Worker exports: itself, and the class of its rooms. */
export interface CloudflareRelay<Env> {
  readonly worker: { fetch(request: Request, env: Env): Promise<Response> }
  readonly Room: new (context: DurableObjectContext, env: Env) => RoomObject
}

/** A room, as the runtime calls it. */
export interface RoomObject {
  fetch(request: Request): Promise<Response>
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void
  webSocketClose(socket: WebSocket, code: number, reason: string): void
  webSocketError(socket: WebSocket): void
}

/**
 * A relay for Cloudflare Workers, with a Durable Object for each room.
 *
 * @param options made of the environment, in each room: as of `createRelay`, but for the store
 * @param binding the name by which the Worker is bound to the class of rooms
 * @example
 * const { worker, Room } = cloudflareRelay((env: Env) => ({
 *   auth: jwtAuth({ secret: env.JWT_SECRET, issuer: 'https://id.example', audience: 'relay' }),
 *   origins: ['https://shop.example'],
 * }))
 * export { Room }
 * export default worker
 */
export function cloudflareRelay<Env extends object>(
  options: (env: Env) => Omit<RelayOptions, 'store'>,
  binding: keyof Env & string = 'ROOMS' as keyof Env & string,
): CloudflareRelay<Env> {
  return {
    worker: {
      async fetch(request, env) {
        const { pathname } = new URL(request.url)
        const outside = answerOutside(pathname, () => options(env))
        if (outside) return outside
        const room = /^\/rooms\/([^/]+)(?:\/|$)/.exec(pathname)?.[1]
        if (room === undefined)
          return refusal(404, 'not_found', `no route ${request.method} ${pathname}`)
        if (!isRoom(room))
          return refusal(
            400,
            'invalid_room',
            'a room is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -',
          )
        const rooms = env[binding] as RoomNamespace | undefined
        if (!rooms) return refusal(503, 'unavailable', `the Worker has no binding ${binding}`)
        return rooms.get(rooms.idFromName(room) as never).fetch(request)
      },
    },
    Room: class extends DurableRoom {
      constructor(context: DurableObjectContext, env: Env) {
        super(context, options(env))
      }
    },
  }
}

/** One room's relay. */
class DurableRoom implements RoomObject {
  readonly #context: DurableObjectContext
  readonly #relay: Relay
  readonly #sockets = new Map<WebSocket, DurableSocket>()

  constructor(context: DurableObjectContext, options: Omit<RelayOptions, 'store'>) {
    this.#context = context
    this.#relay = createRelay({ ...options, store: durableObjectStore(context.storage) })
    // Connections of an object that was here before: their devices come back, and are told at once.
    for (const socket of context.getWebSockets()) sendBack(socket)
  }

  async fetch(request: Request): Promise<Response> {
    return this.#relay.fetch(request, {
      // Cloudflare says it, whatever the request says: no proxy stands between.
      address: request.headers.get('cf-connecting-ip') ?? undefined,
      upgrade: (admission) => this.#upgrade(admission),
    })
  }

  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#sockets.get(socket)?.events?.onMessage(message)
  }

  webSocketClose(socket: WebSocket, code: number, reason: string): void {
    // The other side's close is answered by hand here.
    close(socket, code === 1005 || code === 1006 ? 1000 : code, reason)
    this.#left(socket)
  }

  webSocketError(socket: WebSocket): void {
    this.#left(socket)
  }

  #upgrade(admission: Admission): Response {
    const { WebSocketPair } = globalThis as unknown as {
      WebSocketPair: new () => [WebSocket, WebSocket]
    }
    const pair = new WebSocketPair()
    const [client, server] = [pair[0], pair[1]]
    this.#context.acceptWebSocket(server)
    const socket = new DurableSocket(server, () => this.#left(server))
    this.#sockets.set(server, socket)
    socket.events = this.#relay.accept(socket, admission)
    return new Response(null, {
      status: 101,
      headers: { 'Sec-WebSocket-Protocol': protocolOf(admission) },
      webSocket: client,
    } as ResponseInit)
  }

  #left(server: WebSocket): void {
    const socket = this.#sockets.get(server)
    if (!this.#sockets.delete(server)) return
    socket?.events?.onClose()
  }
}

class DurableSocket implements Socket {
  events: SocketEvents | undefined
  readonly #socket: WebSocket
  readonly #closed: () => void

  constructor(socket: WebSocket, closed: () => void) {
    this.#socket = socket
    this.#closed = closed
  }

  /** The runtime keeps what it was handed and does not tell how much that is. */
  readonly bufferedAmount = 0

  send(text: string): void {
    try {
      this.#socket.send(text)
    } catch {
      // It is closed already; that is told, too.
    }
  }

  close(code: number, reason: string): void {
    close(this.#socket, code, reason)
    this.#closed()
  }
}

function close(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason)
  } catch {
    // It is closed already, or by a code that one must not answer with.
  }
}

function sendBack(socket: WebSocket): void {
  close(socket, BUS_ERROR_CODES.going_away, 'going_away')
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status })
}

/** The environment of the relay that is exported ready to deploy. */
export interface CloudflareEnv {
  readonly ROOMS: RoomNamespace
  /** Of tokens: exactly one of these three, or none, where the Worker serves its own machine only. */
  readonly CROSSTOWN_JWT_SECRET?: string
  readonly CROSSTOWN_JWT_PUBLIC_KEY?: string
  readonly CROSSTOWN_JWT_JWKS?: string
  /** Issuer and audience of tokens. */
  readonly CROSSTOWN_JWT_ISSUER?: string
  readonly CROSSTOWN_JWT_AUDIENCE?: string
  /** Origins of pages that may come, with commas between. */
  readonly CROSSTOWN_ORIGINS?: string
}

/** @throws {BusError} invalid_options */
export function optionsOfEnv(env: CloudflareEnv): Omit<RelayOptions, 'store'> {
  const {
    CROSSTOWN_JWT_SECRET: secret,
    CROSSTOWN_JWT_PUBLIC_KEY: publicKey,
    CROSSTOWN_JWT_JWKS: jwks,
    CROSSTOWN_JWT_ISSUER: issuer,
    CROSSTOWN_JWT_AUDIENCE: audience,
    CROSSTOWN_ORIGINS: origins,
  } = env
  const keys = {
    ...(secret !== undefined && { secret }),
    ...(publicKey !== undefined && { publicKey }),
    ...(jwks !== undefined && { jwks }),
  }
  const list = origins
    ?.split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')
  const common = list && list.length > 0 ? { origins: list } : {}
  if (Object.keys(keys).length === 0) return common
  if (issuer === undefined || audience === undefined) {
    const what = 'tokens need CROSSTOWN_JWT_ISSUER and CROSSTOWN_JWT_AUDIENCE'
    throw new BusError('invalid_options', what)
  }
  return { ...common, auth: jwtAuth({ ...keys, issuer, audience }) }
}

const ready: CloudflareRelay<CloudflareEnv> = cloudflareRelay(optionsOfEnv)

/** A room of the relay that is configured by its environment alone. */
export const Room: CloudflareRelay<CloudflareEnv>['Room'] = ready.Room
/** The Worker of that relay. */
export default ready.worker as CloudflareRelay<CloudflareEnv>['worker']

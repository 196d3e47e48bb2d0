/** The relay on Bun: `Bun.serve`, and the runtime's own sockets. */
import type { Admission } from '../connection/context.ts'
import type { Relay } from '../relay.ts'
import { LOW_WATER_BYTES, type Socket, type SocketEvents } from '../socket.ts'
import {
  assertHost,
  CLOSE_MS,
  cannotListen,
  listeningAt,
  MAX_PAYLOAD_BYTES,
  protocolOf,
  type RelayServer,
  type ServeOptions,
  within,
} from './server.ts'

export type { RelayServer, ServeOptions } from './server.ts'

/** Of Bun, what is used here. */
interface BunRuntime {
  serve(options: {
    hostname: string
    port: number
    fetch: (
      request: Request,
      server: BunServer,
    ) => Response | undefined | Promise<Response | undefined>
    error: () => Response
    idleTimeout: number
    websocket: {
      open(ws: BunWebSocket): void
      message(ws: BunWebSocket, message: string | Uint8Array): void
      close(ws: BunWebSocket): void
      drain(ws: BunWebSocket): void
      maxPayloadLength: number
      backpressureLimit: number
      closeOnBackpressureLimit: boolean
      idleTimeout: number
      sendPings: boolean
      perMessageDeflate: boolean
    }
  }): BunServer
}

interface BunServer {
  readonly port: number
  upgrade(request: Request, options: { data: BunSocket; headers: Record<string, string> }): boolean
  timeout(request: Request, seconds: number): void
  requestIP(request: Request): { readonly address: string } | null
  stop(closeActiveConnections?: boolean): Promise<void>
}

interface BunWebSocket {
  readonly data: BunSocket
  readonly readyState: number
  send(text: string): number
  close(code: number, reason: string): void
  getBufferedAmount(): number
}

/** Bun takes no more. */
const MAX_IDLE_SECONDS = 255
/** Above what the relay closes a slow reader for, so that Bun never drops what it was handed. */
const BACKPRESSURE_BYTES = 1024 * 1024 * 1024

/**
 * Serves a relay on Bun.
 *
 * @throws {BusError} invalid_options where a relay without auth would be reachable from elsewhere,
 * unavailable where it cannot listen there
 * @example
 * const server = await serve(createRelay(), { port: 0 })
 * console.log(`listening on ${server.url}`)
 */
export async function serve(
  relay: Relay,
  { host = '127.0.0.1', port = 8787 }: ServeOptions = {},
): Promise<RelayServer> {
  assertHost(relay, host)
  const { Bun } = globalThis as unknown as { readonly Bun: BunRuntime }
  const open = new Set<BunSocket>()
  const answer = async (request: Request, bun: BunServer): Promise<Response | undefined> => {
    let upgraded = false
    // An event stream is silent between beats, for longer than Bun lets a request be.
    bun.timeout(request, 0)
    const response = await relay.fetch(request, {
      address: bun.requestIP(request)?.address,
      upgrade: (admission) => {
        const headers = { 'Sec-WebSocket-Protocol': protocolOf(admission) }
        upgraded = bun.upgrade(request, { data: new BunSocket(relay, admission, open), headers })
        return new Response(null, { status: upgraded ? 204 : 400 })
      },
    })
    return upgraded ? undefined : response
  }
  let server: BunServer
  try {
    server = Bun.serve({
      hostname: host,
      port,
      fetch: answer,
      // What the app cannot answer is no request: a Host that is no URL, for one.
      error: () => new Response(null, { status: 400 }),
      // Until there is a request, which has no such limit: who sends one as slowly as can be goes.
      idleTimeout: Math.min(MAX_IDLE_SECONDS, Math.ceil(relay.limits.helloMs / 1_000)),
      websocket: {
        open: (ws) => ws.data.opened(ws),
        message: ({ data }, message) => data.events?.onMessage(message),
        close: ({ data }) => data.closed(),
        drain: ({ data }) => data.drained(),
        maxPayloadLength: MAX_PAYLOAD_BYTES,
        backpressureLimit: BACKPRESSURE_BYTES,
        closeOnBackpressureLimit: false,
        // The protocol has heartbeats of its own; a ping of the runtime would hide a silent socket.
        idleTimeout: 0,
        sendPings: false,
        perMessageDeflate: false,
      },
    })
  } catch (cause) {
    throw cannotListen(host, port, cause)
  }
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await relay.close()
    await within(CLOSE_MS, Promise.all([...open].map((socket) => socket.gone())))
    const cut = setTimeout(() => void server.stop(true), CLOSE_MS)
    await server.stop()
    clearTimeout(cut)
  }
  return {
    url: listeningAt(relay, host, server.port),
    port: server.port,
    close: () => (closing ??= close()),
  }
}

class BunSocket implements Socket {
  events: SocketEvents | undefined
  readonly #relay: Relay
  readonly #admission: Admission
  readonly #all: Set<BunSocket>
  #ws: BunWebSocket | undefined
  /** Hears that it is closed. */
  #ended: (() => void) | undefined
  /** Whether it held so much that its relay waits to hear of less. */
  #high = false

  constructor(relay: Relay, admission: Admission, all: Set<BunSocket>) {
    this.#relay = relay
    this.#admission = admission
    this.#all = all
  }

  /** Resolves when it, which is open, is closed; asked for once. */
  gone(): Promise<void> {
    return new Promise((resolve) => {
      this.#ended = resolve
    })
  }

  opened(ws: BunWebSocket): void {
    this.#ws = ws
    this.#all.add(this)
    this.events = this.#relay.accept(this, this.#admission)
  }

  closed(): void {
    this.#ws = undefined
    this.#all.delete(this)
    this.events?.onClose()
    this.#ended?.()
  }

  drained(): void {
    if (!this.#high || this.bufferedAmount > LOW_WATER_BYTES) return
    this.#high = false
    this.events?.onDrain()
  }

  get bufferedAmount(): number {
    return this.#ws?.getBufferedAmount() ?? 0
  }

  send(text: string): void {
    this.#ws?.send(text)
    if (this.bufferedAmount > LOW_WATER_BYTES) this.#high = true
  }

  close(code: number, reason: string): void {
    this.#ws?.close(code, reason)
  }
}

/** The relay on Deno: `Deno.serve`, and the runtime's own sockets. */
import type { Admission } from '../connection/context.ts'
import type { Relay } from '../relay.ts'
import { LOW_WATER_BYTES, type Socket, type SocketEvents } from '../socket.ts'
import {
  assertHost,
  CLOSE_MS,
  cannotListen,
  listeningAt,
  protocolOf,
  type RelayServer,
  type ServeOptions,
  within,
} from './server.ts'

export type { RelayServer, ServeOptions } from './server.ts'

/** Of Deno, what is used here. */
interface DenoRuntime {
  serve(
    options: {
      hostname: string
      port: number
      onListen: (address: { port: number }) => void
      onError: (error: unknown) => Response
      signal: AbortSignal
    },
    handler: (
      request: Request,
      info: { readonly remoteAddr: { readonly hostname?: string } },
    ) => Response | Promise<Response>,
  ): {
    readonly addr: { readonly port: number }
    readonly finished: Promise<void>
    shutdown(): Promise<void>
  }
  upgradeWebSocket(
    request: Request,
    options: { protocol: string; idleTimeout: number },
  ): { readonly socket: WebSocket; readonly response: Response }
}

/** How often a socket that holds much is asked whether it holds less: Deno does not say it by itself. */
const DRAIN_MS = 25

/**
 * Serves a relay on Deno. Needs `--allow-net`, and what the store needs.
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
  const { Deno } = globalThis as unknown as { readonly Deno: DenoRuntime }
  const open = new Set<DenoSocket>()
  const ending = new AbortController()
  const handle: Parameters<DenoRuntime['serve']>[1] = (request, { remoteAddr }) =>
    relay.fetch(request, {
      address: remoteAddr.hostname,
      upgrade: (admission) => {
        const { socket, response } = Deno.upgradeWebSocket(request, {
          protocol: protocolOf(admission),
          // The protocol has heartbeats of its own; a ping of the runtime would hide a silent socket.
          idleTimeout: 0,
        })
        new DenoSocket(socket, open).open(relay, admission)
        return response
      },
    })
  let server: ReturnType<DenoRuntime['serve']>
  try {
    server = Deno.serve(
      {
        hostname: host,
        port,
        onListen: () => {},
        // What the app cannot answer is no request: a Host that is no URL, for one.
        onError: () => new Response(null, { status: 400 }),
        signal: ending.signal,
      },
      handle,
    )
  } catch (cause) {
    throw cannotListen(host, port, cause)
  }
  const { port: chosen } = server.addr
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await relay.close()
    await within(CLOSE_MS, Promise.all([...open].map((socket) => socket.gone())))
    const cut = setTimeout(() => ending.abort(), CLOSE_MS)
    await server.shutdown()
    clearTimeout(cut)
  }
  return { url: listeningAt(relay, host, chosen), port: chosen, close: () => (closing ??= close()) }
}

class DenoSocket implements Socket {
  readonly #socket: WebSocket
  readonly #all: Set<DenoSocket>
  #events: SocketEvents | undefined
  /** Hears that it is closed. */
  #ended: (() => void) | undefined
  #draining: ReturnType<typeof setInterval> | undefined

  constructor(socket: WebSocket, all: Set<DenoSocket>) {
    this.#socket = socket
    this.#all = all
    all.add(this)
  }

  /** Resolves when it, which is open, is closed; asked for once. */
  gone(): Promise<void> {
    return new Promise((resolve) => {
      this.#ended = resolve
    })
  }

  open(relay: Relay, admission: Admission): void {
    const socket = this.#socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      this.#events = relay.accept(this, admission)
    }
    socket.onmessage = ({ data }) => this.#events?.onMessage(data)
    // An error ends it, and `close` follows.
    socket.onerror = () => {}
    socket.onclose = () => {
      clearInterval(this.#draining)
      this.#all.delete(this)
      this.#events?.onClose()
      this.#ended?.()
    }
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount
  }

  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.#socket.send(text)
    if (this.#draining || this.bufferedAmount <= LOW_WATER_BYTES) return
    this.#draining = setInterval(() => {
      if (this.bufferedAmount > LOW_WATER_BYTES) return
      clearInterval(this.#draining)
      this.#draining = undefined
      this.#events?.onDrain()
    }, DRAIN_MS)
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(code, reason)
  }
}

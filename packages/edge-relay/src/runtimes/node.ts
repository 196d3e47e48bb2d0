/** The relay on Node: `@hono/node-server` for HTTP, `ws` for sockets. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import type { Admission } from '../connection/context.ts'
import type { Relay } from '../relay.ts'
import { NodeSocket, ServedWebSocket } from './node-socket.ts'
import {
  assertHost,
  CLOSE_MS,
  cannotListen,
  listeningAt,
  MAX_PAYLOAD_BYTES,
  protocolOf,
  type RelayServer,
  type ServeOptions,
} from './server.ts'

export type { RelayServer, ServeOptions } from './server.ts'

/** How long the other side has to answer a close; the types of `ws` do not know it yet. */
const ANSWERS = { closeTimeout: 5_000 }
/** How often Node looks for requests that do not end. */
const CHECK_MS = 5_000

/**
 * Serves a relay on Node.
 *
 * @throws {BusError} invalid_options where a relay without auth would be reachable from elsewhere,
 * unavailable where it cannot listen there
 * @example
 * const server = await serve(createRelay(), { port: 0 })
 * console.log(`listening on ${server.url}`)
 * process.once('SIGTERM', () => server.close())
 */
export async function serve(
  relay: Relay,
  { host = '127.0.0.1', port = 8787 }: ServeOptions = {},
): Promise<RelayServer> {
  assertHost(relay, host)
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_PAYLOAD_BYTES,
    perMessageDeflate: false,
    WebSocket: ServedWebSocket,
    ...ANSWERS,
    handleProtocols: (_, request) => protocols.get(request) ?? false,
  })
  const { bodyMs, helloMs } = relay.limits
  const server = createAdaptorServer({
    fetch: (request, { incoming, outgoing }) =>
      relay.fetch(request, {
        incoming,
        outgoing,
        address: incoming.socket.remoteAddress,
        cut: () => outgoing.destroy(),
      }),
    createServer,
    serverOptions: {
      // Who sends a request as slowly as can be must not keep a connection.
      headersTimeout: helloMs,
      requestTimeout: helloMs + bodyMs,
      connectionsCheckingInterval: Math.min(helloMs, CHECK_MS),
    },
    overrideGlobalObjects: false,
  }) as Server
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    void upgrade(relay, sockets, request, stream, head)
  })
  const answering = new Set<ServerResponse>()
  server.on('request', (_, response: ServerResponse) => {
    answering.add(response)
    response.once('close', () => answering.delete(response))
  })
  const { port: chosen } = await listen(server, host, port)
  let closing: Promise<void> | undefined
  return {
    url: listeningAt(relay, host, chosen),
    port: chosen,
    close: () => (closing ??= close(relay, sockets, answering, server)),
  }
}

async function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(host, port, cause)))
    server.listen(port, host, resolve)
  })
  return server.address() as AddressInfo
}

async function close(
  relay: Relay,
  sockets: WebSocketServer,
  answering: ReadonlySet<ServerResponse>,
  server: Server,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
  await relay.close()
  const gone = [...sockets.clients, ...answering].map(
    (open) => new Promise<void>((resolve) => open.once('close', () => resolve())),
  )
  const cut = setTimeout(() => {
    for (const ws of sockets.clients) ws.terminate()
    server.closeAllConnections()
  }, CLOSE_MS)
  await Promise.all(gone)
  clearTimeout(cut)
  server.closeAllConnections()
  await stopped
}

/** The subprotocols of upgrades that were admitted. */
const protocols = new WeakMap<IncomingMessage, string>()

/** Lets the app decide over the request, then makes it a socket or sends the app's answer. */
async function upgrade(
  relay: Relay,
  sockets: WebSocketServer,
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
): Promise<void> {
  const ignore = (): void => {}
  stream.on('error', ignore)
  try {
    let admitted: Admission | undefined
    const response = await relay.fetch(requestOf(request), {
      address: request.socket.remoteAddress,
      upgrade: (admission) => {
        admitted = admission
        return new Response()
      },
    })
    if (stream.destroyed) return
    const admission = admitted
    if (!admission) return await refuse(stream, response)
    protocols.set(request, protocolOf(admission))
    sockets.handleUpgrade(request, stream, head, (ws) => {
      stream.off('error', ignore)
      new NodeSocket(ws, stream).open(relay, admission)
    })
  } catch {
    // A request line or a Host that is no URL: not even a Request can be made of it.
    letGo(stream, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }
}

function requestOf(request: IncomingMessage): Request {
  const { headers, url = '/' } = request
  // Node has joined what came more than once, but for `set-cookie`, which no request has.
  return new Request(new URL(url, `http://${headers.host ?? 'localhost'}`), {
    headers: headers as Record<string, string>,
  })
}

async function refuse(stream: Duplex, response: Response): Promise<void> {
  const body = await response.text()
  const { status } = response
  const headers = new Headers(response.headers)
  headers.set('connection', 'close')
  headers.set('content-length', String(Buffer.byteLength(body)))
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`)
  letGo(stream, `HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${body}`)
}

/** Nobody else closes it: Node has given it away, and whoever is at the other end may never hang up. */
function letGo(stream: Duplex, answer: string): void {
  stream.end(answer, () => stream.destroy())
}

/** The relay on Node: `@hono/node-server` for HTTP, `ws` for sockets. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { BusError, MAX_FRAME_BYTES, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { createAdaptorServer } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import type { Admission } from '../connection.ts'
import { isLoopbackHost } from '../origins.ts'
import type { Relay } from '../relay.ts'
import { NodeSocket } from './node-socket.ts'

/** Where to listen. */
export interface ServeOptions {
  /** @default '127.0.0.1' */
  readonly host?: string
  /**
   * 0 picks a free one.
   * @default 8787
   */
  readonly port?: number
}

/** A relay that is being served. */
export interface RelayServer {
  readonly url: string
  readonly port: number
  /** Sends every device away, closes the relay and its store, and stops listening. */
  close(): Promise<void>
}

/** A frame over the protocol's limit is still read, so that it can be answered; not much more is. */
const MAX_PAYLOAD_BYTES = 2 * MAX_FRAME_BYTES
/** How long sockets have to answer a close, and readers to take an answer, before they are cut. */
const CLOSE_MS = 1_000

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
  if (relay.loopbackOnly && !isLoopbackHost(host)) {
    throw new BusError(
      'invalid_options',
      `without auth the relay serves its own machine only: listen on 127.0.0.1 instead of ${host}, or give it an auth function`,
    )
  }
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_PAYLOAD_BYTES,
    perMessageDeflate: false,
    // What was admitted offered the one of its route.
    handleProtocols: (_, request) => (inspecting.has(request) ? INSPECT_SUBPROTOCOL : SUBPROTOCOL),
  })
  const server = createAdaptorServer({
    fetch: (request, { incoming, outgoing }) =>
      relay.fetch(request, { incoming, outgoing, cut: () => outgoing.destroy() }),
    createServer,
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
    url: `http://${host.includes(':') ? `[${host}]` : host}:${chosen}`,
    port: chosen,
    close: () => (closing ??= close(relay, sockets, answering, server)),
  }
}

async function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new BusError('unavailable', `cannot listen on ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      )
    })
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

/** Upgrades that were admitted to inspect. */
const inspecting = new WeakSet<IncomingMessage>()

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
      upgrade: (admission) => {
        admitted = admission
        return new Response()
      },
    })
    if (stream.destroyed) return
    const admission = admitted
    if (!admission) return await refuse(stream, response)
    if (admission.inspect) inspecting.add(request)
    sockets.handleUpgrade(request, stream, head, (ws) => {
      stream.off('error', ignore)
      new NodeSocket(ws, stream).open(relay, admission)
    })
  } catch {
    // A request line or a Host that is no URL: not even a Request can be made of it.
    stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }
}

function requestOf(request: IncomingMessage): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  return new Request(new URL(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`), {
    headers,
  })
}

async function refuse(stream: Duplex, response: Response): Promise<void> {
  const body = await response.text()
  const type = response.headers.get('content-type') ?? 'text/plain'
  stream.end(
    `HTTP/1.1 ${response.status} Refused\r\nConnection: close\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/** The routes that become sockets: for devices, and for those who inspect a room. */
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { BusError, SUBPROTOCOL } from '@crosstown/bus/protocol'
import type { Context, Hono } from 'hono'
import type { Gate } from '../guard/gate.ts'
import type { CallerAddress } from './caller.ts'
import { type RelayEnv, roomOf } from './env.ts'

/** What these routes ask. */
export interface Upgrading {
  readonly gate: Gate
  readonly addressOf: CallerAddress
  readonly closing: () => boolean
}

/** They stand before everything that changes headers: a 101 must not be touched. */
export function addSocketRoutes(app: Hono<RelayEnv>, upgrading: Upgrading): void {
  app.get('/rooms/:room/socket', (c) => upgrade(c, upgrading, SUBPROTOCOL))
  app.get('/rooms/:room/inspect', (c) => upgrade(c, upgrading, INSPECT_SUBPROTOCOL))
}

function upgrade(
  c: Context<RelayEnv>,
  { addressOf, closing, gate }: Upgrading,
  protocol: string,
): Response | Promise<Response> {
  const room = roomOf(c)
  const address = addressOf(c)
  gate.request(address)
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
  if (!offered.includes(protocol))
    throw new BusError('unsupported_version', `offer the subprotocol ${protocol}`)
  if (closing()) throw new BusError('going_away', 'the relay is closing')
  if (!c.env?.upgrade) throw new BusError('unavailable', 'this server was started without sockets')
  gate.check(address)
  const origin = c.req.header('origin')
  return c.env.upgrade({
    room,
    ...(address !== undefined && { address }),
    ...(origin !== undefined && { origin }),
    ...(protocol === INSPECT_SUBPROTOCOL && { inspect: true }),
  })
}

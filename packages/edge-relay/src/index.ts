/**
 * The relay where the devices of a room meet.
 *
 * @example
 * import { createRelay } from '@crosstown/edge-relay'
 * import { serve } from '@crosstown/edge-relay/node'
 *
 * const relay = createRelay({
 *   auth: (token) => (token === 'secret' ? { subject: 'me', rights: { publish: ['**'], subscribe: ['**'] } } : undefined),
 *   origins: ['https://shop.example'],
 * })
 * await serve(relay, { host: '0.0.0.0', port: 8787 })
 */
export type { Auth, AuthRequest, Identity, RelayRights } from './auth.ts'
export type { Action, Authorize, AuthorizeRequest } from './authorize.ts'
export type { Admission } from './connection/context.ts'
export type { RelayBindings } from './http/env.ts'
export type { MetricsAccess } from './http/metrics.ts'
export type { RoomLimits, RoomRetention } from './keeping.ts'
export type { Limits } from './limits.ts'
export {
  type LogEvent,
  type LogFields,
  type LogFormat,
  type LogLevel,
  type LogRecord,
  type LogSink,
  logLine,
} from './log.ts'
export type { RelayOptions } from './options.ts'
export type { Outbox, OutboxRow, Step, Verdict, Waiting } from './outbox/outbox.ts'
export type { RoomHead, RoomRecord } from './record.ts'
export { createRelay, type Relay } from './relay.ts'
export type { Socket, SocketEvents } from './socket.ts'
export type {
  Append,
  ConnectionState,
  Found,
  LoadedRoom,
  ReadLimit,
  RoomStats,
  StatePut,
  Store,
  StoreConnection,
  StoreStatus,
} from './stores/store.ts'

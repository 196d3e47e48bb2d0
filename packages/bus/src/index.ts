/**
 * Crosstown: one event bus for every tab, worker, server and device of a web app.
 *
 * @example
 * import { createBus, relayLink } from '@crosstown/bus'
 *
 * type Shop = { 'cart.item_added': { sku: string }; 'cart.cleared': void }
 * const bus = createBus<Shop>({
 *   name: 'shop',
 *   relay: relayLink({ url: 'wss://relay.example', room: '42' }),
 * })
 * bus.subscribe('cart.*', (event) => console.log(event.type, event.data))
 * await bus.publish('cart.item_added', { sku: 'A1' })
 */
export { createBus } from './bus.ts'
export { type CloudEvent, fromCloudEvent, toCloudEvent } from './codec/cloud-event.ts'
export { createCursorStore } from './consume/cursor-store.ts'
export type {
  ConsumerStats,
  DeadLetter,
  DeadLetters,
  DeadReason,
  GroupCounts,
  GroupState,
  GroupStats,
  LetterFilter,
  Settle,
  SettleOptions,
} from './consume/types.ts'
export {
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  type BusErrorDetails,
  type ErrorContext,
  isBusError,
  type Stage,
} from './errors.ts'
export type { BusEvent, Metadata, Scope } from './event.ts'
export { indexedDbLog } from './indexed-db-log.ts'
export type { Link, LinkSource } from './links/link.ts'
export {
  type MessageEndpoint,
  type MessageLike,
  type PortLinkOptions,
  portLink,
} from './links/port.ts'
export type { RelayLinkOptions } from './links/relay.ts'
export type { IndexedDbLogOptions } from './log/indexeddb.ts'
export type { LogSource } from './log/log.ts'
export { memoryLog } from './memory-log.ts'
export { type DedupeOptions, dedupe, dedupePublish } from './middleware/dedupe.ts'
export { type LoggedLine, logging } from './middleware/logging.ts'
export { type OpenTelemetryApi, openTelemetry } from './middleware/open-telemetry.ts'
export { type ThrottleOptions, throttle } from './middleware/throttle.ts'
export type { BusOptions, SchemaBusOptions, VersionedBusOptions } from './options.ts'
export { type RelayLink, relayLink } from './relay-link.ts'
export type { Ask, ReplyOf, RequestOptions } from './request/request.ts'
export type {
  EventSchemas,
  EventVersions,
  SchemaEvents,
  SchemaInput,
  UnknownPolicy,
  Upcaster,
} from './schema/schema.ts'
export type { RelaySource } from './sync/sync.ts'
export type {
  Backoff,
  BatchEntry,
  BatchHandler,
  BatchOptions,
  Bus,
  BusStats,
  DurableOptions,
  EventOf,
  EventOptions,
  EventsOptions,
  ExpectedRevision,
  Gap,
  GroupOptions,
  Handler,
  HandlerContext,
  HandlerOptions,
  HandlingCounts,
  ListenOptions,
  Matched,
  Matching,
  Middleware,
  MiddlewareContext,
  MiddlewareTools,
  Observable,
  OnceOptions,
  Outbox,
  OutboxSnapshot,
  PatternOf,
  Patterns,
  Policy,
  PresenceMember,
  Projection,
  ProjectOptions,
  PublishArguments,
  PublishErrorOptions,
  PublishedDraft,
  PublishOptions,
  ReadFrom,
  RelayState,
  ReplayOptions,
  ReplayProgress,
  ResponderContext,
  SqliteDatabase,
  Status,
  StatusSnapshot,
  SubscribeOptions,
  SubscriptionStats,
  SystemEvents,
  Transact,
  TransactContext,
  TransactOptions,
  TypeCounts,
  TypeOf,
  Unsubscribe,
  Until,
} from './types.ts'

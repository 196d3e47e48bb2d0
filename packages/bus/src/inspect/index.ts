/**
 * What a bus tells its inspectors, and what it does not; and what taps and inspectors say to each
 * other, for those who write one of them.
 *
 * @example
 * inspection(bus, { redact: { 'user.**': ['password', 'card.*'] } })
 */

export { decodeValue, encodeValue, type ValueText } from '../codec/codec.ts'
export { readInspectorFrame } from './checks.ts'
export { columnsOf, eventsOf } from './columns.ts'
export type {
  ConsumerInfo,
  Consuming,
  DeadLetterInfo,
  GroupInfo,
  HandlerInfo,
} from './consuming.ts'
export * from './frames.ts'
export { packIds, unpackIds } from './ids.ts'
export { type InspectionOptions, inspection } from './inspection.ts'
export { AskError, Outlet, type OutletOptions } from './outlet.ts'
export * from './relay-frames.ts'
export {
  type EventsLine,
  type PayloadLine,
  SESSION_VERSION,
  type SessionHead,
  sessionHead,
} from './session-file.ts'
export type { Inspection } from './tap.ts'
export { type Opening, openTree } from './tree.ts'

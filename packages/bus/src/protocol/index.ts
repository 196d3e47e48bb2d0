/**
 * What a relay and a device say to each other: frames, positions, patterns and codes, without
 * sockets. Pure functions; docs/protocol.md is the text for people.
 *
 * @example
 * import { decodeFrame, encodeFrame } from '@crosstown/bus/protocol'
 * socket.send(encodeFrame({ frame: 'ping' }))
 * const decoded = decodeFrame(message) // { frame: { frame: 'heartbeat', head: '...' }, data: [] }
 */
export {
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  codeOfClose,
  isBusError,
  isErrorCode,
  isRetryable,
  toBusError,
} from '../errors.ts'
export {
  type EventHeader,
  type Expected,
  headerFault,
  idPairs,
  isEventType,
  isHeaderText,
  MAX_BATCH_BYTES,
  MAX_BATCH_EVENTS,
  MAX_EVENT_BYTES,
  MAX_HEADER_BYTES,
  type Metadata,
  parseId,
  utf8Length,
} from '../event.ts'
export {
  attributesOf,
  type CloudEventAttributes,
  type Envelope,
  envelopeOf,
  VALUE_TYPE,
} from './cloud-event.ts'
export { Credits } from './credits.ts'
export * from './frames.ts'
export { isPattern, isWithin, parsePatterns, typeMatcher } from './pattern.ts'
export { checkOf, type Place, parsePosition, positionOf, startOf } from './position.ts'
export {
  deviceName,
  MAX_MESSAGE_LENGTH,
  MAX_PRESENCE_LENGTH,
  MAX_PRESENT,
  MAX_RESPONDS,
} from './presence.ts'
export { decodeFrame, encodeFrame, encodePublish, eventCount } from './text.ts'

import {
  BusError,
  MAX_BATCH_BYTES,
  MAX_BATCH_EVENTS,
  MAX_FRAME_BYTES,
} from '@crosstown/bus/protocol'

/**
 * How much the relay takes, holds and waits; every queue in it ends at one of these. None makes the
 * frames of a device smaller: what a device has in its log it cannot split any more, so on sockets
 * the limits of the protocol hold.
 */
export interface Limits {
  /**
   * UTF-8 bytes of one HTTP body.
   * @default 1 MiB
   */
  readonly bodyBytes: number
  /**
   * Events of one HTTP post.
   * @default 1000
   */
  readonly postEvents: number
  /**
   * From the head of an HTTP request to the end of its body.
   * @default 30,000 ms
   */
  readonly bodyMs: number
  /**
   * How deep brackets may stand in a frame, in a body, and in the data of an event; what a bus
   * publishes is never deeper than 501.
   * @default 512
   */
  readonly nesting: number
  /**
   * Connections in all, with the HTTP requests that are being answered and event streams. A socket is
   * connected to one room. More are refused before the upgrade, with 503.
   * @default 50,000
   */
  readonly connections: number
  /**
   * Those of one address, or of one IPv6 network of 64 bits; see `trustProxy`. More are refused with 429. The relay's own
   * machine has no such limit: its address says nothing about who it is.
   * @default 1000
   */
  readonly addressConnections: number
  /**
   * HTTP requests a second of one address, those that become sockets included, on average over ten
   * seconds. More are refused with 429.
   * @default 500
   */
  readonly addressRequests: number
  /**
   * Events a second that one connection may send, on average over ten seconds; where they are large
   * a KiB counts as one, and so does any other frame. More are rejected for now; who goes on all the
   * same loses the connection.
   * @default 10,000
   */
  readonly connectionRate: number
  /**
   * Events a second that all together may publish in a room, counted in the same way, those of HTTP
   * included; as many again of those that nobody keeps. More are rejected for now, or left out.
   * @default 50,000
   */
  readonly roomRate: number
  /**
   * Events of one page of an HTTP read.
   * @default 1000
   */
  readonly pageEvents: number
  /**
   * Events of one stream frame to a device.
   * @default 1000
   */
  readonly streamEvents: number
  /**
   * UTF-8 bytes of headers and data in one stream frame to a device.
   * @default 512 KiB
   */
  readonly streamBytes: number
  /**
   * A connection to which nothing was sent for this long gets a heartbeat.
   * @default 25,000 ms
   */
  readonly heartbeatMs: number
  /**
   * From the open socket to `welcome`.
   * @default 10,000 ms
   */
  readonly helloMs: number
  /**
   * From asking `auth` or `authorize` to the answer. Then who asked is refused for now, with
   * `unavailable`.
   * @default 5000 ms
   */
  readonly hookMs: number
  /**
   * A connection on which nothing came for this long is closed: a socket whose other end is gone
   * would stay for ever. At least 150,000, since hidden pages send once a minute.
   * @default 180,000 ms
   */
  readonly silenceMs: number
  /**
   * Bytes a socket may hold unsent before live delivery turns into reading from the store.
   * @default 1 MiB
   */
  readonly pauseBytes: number
  /**
   * Bytes a socket may hold unsent and still be sent something; over it the connection is closed as
   * a slow reader. At least `pauseBytes`. A socket may hold one frame more than this.
   * @default 8 MiB
   */
  readonly bufferBytes: number
  /**
   * How long a socket may stay over `pauseBytes` before it is closed as a slow reader.
   * @default 60,000 ms
   */
  readonly slowReaderMs: number
  /**
   * Bytes of one room that wait for their commit; over it, publishes are rejected for now. Where
   * nothing waits, any publish is taken.
   * @default 32 MiB
   */
  readonly queueBytes: number
  /**
   * Events kept of one room. The oldest ones go in the background, so for moments a room may be over
   * this, and the two limits below, by a hundredth. The defaults are what a new device still reads
   * from its start in about a minute.
   * @default 1,000,000
   */
  readonly roomEvents: number
  /**
   * UTF-8 bytes of headers and data kept of one room.
   * @default 512 MiB
   */
  readonly roomBytes: number
  /**
   * Days that an event is kept. A device that slept for longer is told that its stream has a hole.
   * @default 365
   */
  readonly roomDays: number
  /**
   * Devices of one room that the others are told of as present, whoever came first; later ones see
   * without being seen until one of them leaves.
   * @default 256
   */
  readonly presenceDevices: number
  /**
   * Groups of one room. Who would begin another one is refused until one is deleted.
   * @default 100
   */
  readonly groups: number
  /**
   * Members of one group that are connected at once.
   * @default 1000
   */
  readonly groupMembers: number
  /**
   * Events of one group that may be leased, or wait to be leased again; what a member asks for is at most
   * this. They are written anew with each lease.
   * @default 1000
   */
  readonly groupPending: number
  /**
   * Dead letters kept of one group; the oldest go.
   * @default 1000
   */
  readonly groupDead: number
  /**
   * Inspectors of one room at a time.
   * @default 8
   */
  readonly inspectors: number
  /**
   * Rooms without connections that are kept in memory.
   * @default 1000
   */
  readonly idleRooms: number
}

const MIN_SILENCE_MS = 150_000
/** Frames of the protocol itself stand six deep, and so deep no stack of any runtime ends. */
const MIN_NESTING = 16
const MAX_NESTING = 1_000

/** What holds where nothing else is said. */
export const DEFAULT_LIMITS: Limits = {
  bodyBytes: MAX_FRAME_BYTES,
  postEvents: MAX_BATCH_EVENTS,
  bodyMs: 30_000,
  nesting: 512,
  connections: 50_000,
  addressConnections: 1_000,
  addressRequests: 500,
  connectionRate: 10_000,
  roomRate: 50_000,
  pageEvents: MAX_BATCH_EVENTS,
  streamEvents: MAX_BATCH_EVENTS,
  streamBytes: MAX_BATCH_BYTES,
  heartbeatMs: 25_000,
  helloMs: 10_000,
  hookMs: 5_000,
  silenceMs: 180_000,
  pauseBytes: 1024 * 1024,
  bufferBytes: 8 * 1024 * 1024,
  slowReaderMs: 60_000,
  queueBytes: 32 * 1024 * 1024,
  roomEvents: 1_000_000,
  roomBytes: 512 * 1024 * 1024,
  roomDays: 365,
  presenceDevices: 256,
  groups: 100,
  groupMembers: 1_000,
  groupPending: 1_000,
  groupDead: 1_000,
  inspectors: 8,
  idleRooms: 1_000,
}

/** Limits given over the defaults. @throws {BusError} invalid_options */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const limits: Limits = { ...DEFAULT_LIMITS, ...given }
  for (const [key, value] of Object.entries(limits)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, key)) {
      throw new BusError(
        'invalid_options',
        `limits.${key} is no limit; use ${Object.keys(DEFAULT_LIMITS).join(', ')}`,
      )
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new BusError('invalid_options', `limits.${key} must be a whole number from 1`)
    }
  }
  for (const [key, most] of [
    ['bodyBytes', MAX_FRAME_BYTES],
    ['postEvents', MAX_BATCH_EVENTS],
    ['pageEvents', MAX_BATCH_EVENTS],
    ['streamEvents', MAX_BATCH_EVENTS],
    ['streamBytes', MAX_BATCH_BYTES],
    ['nesting', MAX_NESTING],
  ] as const) {
    if (limits[key] > most)
      throw new BusError('invalid_options', `limits.${key} is at most ${most} in this protocol`)
  }
  for (const [key, least, why] of [
    ['silenceMs', MIN_SILENCE_MS, 'hidden pages have a timer once a minute'],
    ['nesting', MIN_NESTING, 'frames of the protocol need some of it'],
    ['bufferBytes', limits.pauseBytes, 'who holds more than pauseBytes is to be waited for first'],
  ] as const) {
    if (limits[key] < least)
      throw new BusError('invalid_options', `limits.${key} is at least ${least}: ${why}`)
  }
  return limits
}

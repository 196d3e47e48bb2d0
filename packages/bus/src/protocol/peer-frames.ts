/**
 * Frames between the contexts of one device, over the tabs link: text as on the wire, one line of
 * JSON and one line of encoded data for each event.
 */
import { BusError, type BusErrorCode, isErrorCode } from '../errors.ts'
import { type EventHeader, isTime, MAX_BATCH_EVENTS } from '../event.ts'
import type { Gap } from '../types.ts'
import {
  GAP_REASONS,
  isAmount,
  isCount,
  isList,
  isName,
  isObject,
  isPosition,
  runsFault,
} from './checks.ts'
import type { Decoded, OwnRun, Run } from './frames.ts'
import {
  type HeardFrame,
  isHeaders,
  LINK_CHECKS,
  type LinkFrame,
  type SubmitFrame,
} from './link-frames.ts'
import { isLine, isPass, type Line, type PassFrame } from './pass-frames.ts'

/**
 * Characters of a text at most. The largest of ours are batches, in which data and headers are
 * far from it; whatever is longer is not looked into.
 */
export const MAX_PEER_FRAME_LENGTH: number = 4 * 1024 * 1024
/** Batches of before that one frame tells of. */
export const MAX_TOLD = 100

/** The persisted events of a batch, posted in the task that began its commit. */
export interface BatchFrame {
  readonly frame: 'batch'
  readonly log: string
  readonly prefix: string
  /** Counter of the publisher's persisted event before these; 0 at its start. */
  readonly prev: number
  /** Batches of before that are in the log by now, where the others were not told of it yet. */
  readonly committed?: readonly InLog[]
  readonly events: readonly EventHeader[]
}

/** A batch is in the log: its events stand at indexes 0, 1, 2... of record `batch`. */
export interface InLog {
  /** Counters of the first and the last event. */
  readonly first: number
  readonly last: number
  readonly batch: number
  /** When the record was written; nobody writes an earlier time after it. */
  readonly time: number
  /** How many of them are for the room. */
  readonly roomEvents: number
  /** Characters of headers and value texts. */
  readonly bytes: number
}

/** The same, told by itself: where no other batch follows soon. */
export interface CommittedFrame extends InLog {
  readonly frame: 'committed'
  readonly log: string
  readonly prefix: string
}

/** Posted events that did not get into the log after all. */
export interface WithdrawnFrame {
  readonly frame: 'withdrawn'
  readonly log: string
  readonly ids: readonly string[]
  readonly code: BusErrorCode
}

/**
 * A run as the contexts of a device tell it. With `part` the events were found in the log by their
 * ids: other events of that batch may be elsewhere, or not in the room at all.
 */
export type NewsRun = Run | (OwnRun & { readonly own: { readonly part: true } })

/** A batch of the room's stream, posted by the leader after its commit as record `batch`. */
export interface RoomFrame {
  readonly frame: 'room'
  readonly log: string
  readonly batch: number
  /** The record of the room before this one, where the leader wrote it itself. */
  readonly prev?: number
  readonly time: number
  readonly epoch: string
  /** Events at places above this one are live. */
  readonly liveAfter: number
  readonly runs: readonly NewsRun[]
}

/** Unpersisted events; `room` where they came from the relay. */
export interface PeerCastFrame {
  readonly frame: 'cast'
  readonly log: string
  readonly room?: true
  readonly events: readonly EventHeader[]
}

/** The leader's state, on change and on request. */
export interface BeatFrame {
  readonly frame: 'beat'
  readonly log: string
  /** Who leads. */
  readonly prefix?: string
  readonly term: number
  readonly head: number
  readonly relay: 'off' | 'connecting' | 'online' | 'offline' | 'refused'
  readonly rtt?: number
  /** Why the relay refuses this device, where it does. */
  readonly code?: BusErrorCode
  readonly pending: number
  /** Characters of what is pending. */
  readonly bytes: number
  readonly refused: number
  /** Own batches up to this one are in the room, or were before its history was trimmed. */
  readonly confirmed?: number
  /** While the relay is there: by which connection. */
  readonly line?: Line
}

/** The leader found a hole in what this device could read of the room. */
export interface GapFrame {
  readonly frame: 'gap'
  readonly log: string
  readonly gap: Gap
}

/** What a context is to those who lead or may: `worker` is any that is no page, servers too. */
export type Seen = 'visible' | 'hidden' | 'worker' | 'service-worker'

/** A context asks for a beat, and who is there. */
export interface JoinFrame {
  readonly frame: 'join'
  readonly log: string
  readonly prefix?: string
  readonly seen?: Seen
}

/** A context says that it is there, on change and when asked. */
export interface HereFrame {
  readonly frame: 'here'
  readonly log: string
  readonly prefix: string
  readonly seen: Seen | 'gone'
  /** Whether it has its turn at leading. */
  readonly leads: boolean
}

export type PeerFrame =
  | BatchFrame
  | CommittedFrame
  | WithdrawnFrame
  | RoomFrame
  | PeerCastFrame
  | BeatFrame
  | GapFrame
  | JoinFrame
  | HereFrame
  | PassFrame
  | LinkFrame

export function encodePeerFrame(frame: PeerFrame, data: readonly string[] = []): string {
  const head = JSON.stringify(frame)
  return data.length === 0 ? head : `${head}\n${data.join('\n')}`
}

/** The text of a frame with events, from headers and value texts that are text already. */
export function encodeEvents(
  frame:
    | Omit<BatchFrame, 'events'>
    | Omit<PeerCastFrame, 'events'>
    | Omit<HeardFrame, 'events'>
    | Omit<SubmitFrame, 'events'>,
  headersText: string,
  dataText: string,
): string {
  return `${JSON.stringify(frame).slice(0, -1)},"events":${headersText}}\n${dataText}`
}

/** @throws {BusError} bad_frame, too_large: anybody on the origin can post on a channel */
export function decodePeerFrame(text: unknown): Decoded<PeerFrame> {
  if (typeof text !== 'string') throw badFrame('not text')
  if (text.length > MAX_PEER_FRAME_LENGTH) {
    const what = `a text of ${text.length} characters is no frame: there are ${MAX_PEER_FRAME_LENGTH} at most`
    throw new BusError('too_large', what, { stage: 'links' })
  }
  const lines = text.split('\n')
  let frame: unknown
  try {
    frame = JSON.parse(lines[0] as string)
  } catch (cause) {
    throw badFrame('the first line is not JSON', cause)
  }
  if (!isObject(frame)) throw badFrame('the first line is not an object')
  const name = frame['frame']
  if (typeof name !== 'string' || !Object.hasOwn(CHECKS, name)) throw badFrame('unknown frame')
  if (!isName(frame['log'])) throw badFrame(`${name}: log is missing`)
  if (!CHECKS[name as PeerFrame['frame']](frame))
    throw badFrame(`${name}: a field is missing or wrong`)
  const data = lines.slice(1)
  if (data.length !== eventCount(frame as unknown as PeerFrame))
    throw badFrame(`${name}: data lines are missing`)
  return { frame: frame as unknown as PeerFrame, data }
}

function badFrame(what: string, cause?: unknown): BusError {
  return new BusError('bad_frame', `not a frame of this channel: ${what}`, {
    stage: 'links',
    cause,
  })
}

function eventCount(frame: PeerFrame): number {
  if (frame.frame === 'reply') return 1
  if (
    frame.frame === 'request' ||
    frame.frame === 'batch' ||
    frame.frame === 'cast' ||
    frame.frame === 'heard' ||
    frame.frame === 'submit'
  ) {
    return frame.events.length
  }
  if (frame.frame === 'pass') return 'events' in frame.say ? frame.say.events.length : 0
  if (frame.frame !== 'room') return 0
  return frame.runs.reduce((sum, run) => sum + ('events' in run ? run.events.length : 0), 0)
}

type Fields = Record<string, unknown>

const CHECKS: { [F in PeerFrame['frame']]: (frame: Fields) => boolean } = {
  ...LINK_CHECKS,
  batch: (f) =>
    isName(f['prefix']) &&
    isAmount(f['prev']) &&
    (f['committed'] === undefined ||
      (isList(f['committed'], MAX_TOLD) && f['committed'].every(isInLog))) &&
    isHeaders(f['events']),
  committed: (f) => isName(f['prefix']) && isInLog(f),
  withdrawn: (f) =>
    isList(f['ids'], MAX_BATCH_EVENTS) &&
    f['ids'].every((id) => typeof id === 'string') &&
    isErrorCode(f['code']),
  room: (f) =>
    isCount(f['batch']) &&
    (f['prev'] === undefined || isCount(f['prev'])) &&
    isTime(f['time']) &&
    isName(f['epoch']) &&
    isAmount(f['liveAfter']) &&
    runsFault(f['runs']) === undefined,
  cast: (f) => isHeaders(f['events']),
  beat: (f) =>
    (f['prefix'] === undefined || isName(f['prefix'])) &&
    isAmount(f['term']) &&
    (f['code'] === undefined || isErrorCode(f['code'])) &&
    isAmount(f['head']) &&
    (f['rtt'] === undefined || isAmount(f['rtt'])) &&
    typeof f['relay'] === 'string' &&
    RELAY_STATES.has(f['relay']) &&
    isAmount(f['pending']) &&
    isAmount(f['bytes']) &&
    isAmount(f['refused']) &&
    (f['confirmed'] === undefined || isCount(f['confirmed'])) &&
    (f['line'] === undefined || isLine(f['line'])),
  gap: (f) => isGap(f['gap']),
  join: (f) =>
    (f['prefix'] === undefined || isName(f['prefix'])) &&
    (f['seen'] === undefined || SEEN.has(f['seen'])),
  here: (f) =>
    isName(f['prefix']) &&
    (f['seen'] === 'gone' || SEEN.has(f['seen'])) &&
    typeof f['leads'] === 'boolean',
  pass: isPass,
}

function isInLog(f: unknown): boolean {
  return (
    isObject(f) &&
    isCount(f['first']) &&
    isCount(f['last']) &&
    isCount(f['batch']) &&
    isTime(f['time']) &&
    isAmount(f['roomEvents']) &&
    isAmount(f['bytes'])
  )
}

const SEEN: ReadonlySet<unknown> = new Set(['visible', 'hidden', 'worker', 'service-worker'])

const RELAY_STATES: ReadonlySet<string> = new Set([
  'off',
  'connecting',
  'online',
  'offline',
  'refused',
])

function isGap(gap: unknown): boolean {
  return (
    isObject(gap) &&
    typeof gap['reason'] === 'string' &&
    (GAP_REASONS.has(gap['reason']) || gap['reason'] === 'rights_changed') &&
    isPosition(gap['from']) &&
    (gap['lost'] === undefined || isPosition(gap['lost']))
  )
}

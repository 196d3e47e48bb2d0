/**
 * What the relays on one store tell each other: of a room that there is more in it, an event that
 * nobody keeps, who is there, a request; and of all rooms that they are there themselves. The first
 * line says who speaks, the rest is a frame as devices and relays send it.
 */
import { BusError, type Decoded, decodeFrame, type Frame } from '@crosstown/bus/protocol'

/** There is more in the room than there was. */
export const GREW = ''

/** Stands for all rooms: no room can have this name. */
export const ALL_ROOMS = '*'

/** Where a relay stands in a room: the version and the mark of what it told of it, and the room's head. */
export type Row = readonly [room: string, rev: number, mark: number, epoch: string, version: number]

/** Which devices of a relay are in a room. */
export interface Claims {
  /** Grows with each change. */
  readonly rev: number
  /** Of all its devices that are there, after this. */
  readonly mark: number
  /** Where it is said anew, the names of all that are there; they themselves are in this or follow. */
  readonly names?: readonly string[]
  /** Those who left. */
  readonly left?: readonly string[]
  /** Those whose connection ended, and who may come back. */
  readonly lost?: readonly string[]
}

/** Who speaks, to whom, and what is in no frame. */
export interface Envelope {
  /** Asks what the others have in the room. */
  readonly want?: true
  readonly node: string
  /** @default to all */
  readonly to?: string
  readonly claims?: Claims
  /** That it is there, and where it stands in some of its rooms. */
  readonly rows?: readonly Row[]
  /** Has the others tell at once where they stand in all rooms. */
  readonly again?: true
  /** It goes, and takes its devices with it. */
  readonly ends?: true
}

export interface Signal {
  readonly envelope: Envelope
  readonly decoded: Decoded<Frame> | undefined
}

/** @param frame as `encodeFrame` makes it */
export function signalText(envelope: Envelope, frame?: string): string {
  const head = JSON.stringify(envelope)
  return frame === undefined ? head : `${head}\n${frame}`
}

const WANT = '{"want":true,'

/** Whether it is a question that is answered also where the room is not in memory. */
export function isWant(text: string): boolean {
  return text.startsWith(WANT)
}

/**
 * What is in a signal; whoever may write to the store may have sent it.
 *
 * @throws {BusError} bad_frame, too_large
 */
export function signalIn(text: string): Signal {
  const end = text.indexOf('\n')
  const envelope = envelopeIn(end < 0 ? text : text.slice(0, end))
  return { envelope, decoded: end < 0 ? undefined : decodeFrame(text.slice(end + 1)) }
}

function envelopeIn(line: string): Envelope {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw foreign('no JSON', cause)
  }
  if (!isObject(value) || !isName(value['node'])) throw foreign('nobody says who speaks')
  const { again, claims, ends, rows, to, want } = value
  const isFlag = (flag: unknown): boolean => flag === undefined || flag === true
  if (![again, ends, want].every(isFlag) || (to !== undefined && !isName(to)))
    throw foreign('it is not clear what is said')
  if (claims !== undefined && !areClaims(claims)) throw foreign('claims that are none')
  if (rows !== undefined && !(Array.isArray(rows) && rows.every(isRow)))
    throw foreign('rows that are none')
  return value as unknown as Envelope
}

function areClaims(value: unknown): boolean {
  if (!isObject(value) || !isCount(value['rev']) || !isMark(value['mark'])) return false
  return [value['names'], value['left'], value['lost']].every(
    (names) => names === undefined || (Array.isArray(names) && names.every(isName)),
  )
}

function isRow(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  const [room, rev, mark, epoch, version] = value as unknown[]
  return isName(room) && isCount(rev) && isMark(mark) && isName(epoch) && isCount(version)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 128
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isMark(value: unknown): boolean {
  return Number.isInteger(value)
}

function foreign(what: string, cause?: unknown): BusError {
  return new BusError('bad_frame', `not a signal of a relay: ${what}`, { cause })
}

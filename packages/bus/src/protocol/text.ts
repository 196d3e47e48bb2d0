/** Frames as text, and back: the text is checked as it is read. */
import { BusError } from '../errors.ts'
import { FRAME_FAULTS, isObject } from './checks.ts'
import {
  type Decoded,
  type Frame,
  MAX_FRAME_BYTES,
  PROTOCOL_VERSION,
  type PublishFrame,
  RESERVED_FRAMES,
  SUBPROTOCOL,
} from './frames.ts'
import { GROUP_FAULTS } from './group-checks.ts'

/** What is wrong with a frame of each name, or `undefined` if nothing is. */
const FAULTS = { ...FRAME_FAULTS, ...GROUP_FAULTS }

/**
 * The text of a frame.
 *
 * @param data one value text for each event, none with a newline
 * @example encodeFrame({ frame: 'cast', events: [header] }, ['{"x":1}'])
 */
export function encodeFrame(frame: Frame, data: readonly string[] = []): string {
  const head = JSON.stringify(frame)
  return data.length === 0 ? head : `${head}\n${data.join('\n')}`
}

/** The text of a `publish`, from headers that are text already: `[{...},{...}]`. */
export function encodePublish(
  frame: Omit<PublishFrame, 'events'>,
  headersText: string,
  dataText: string,
): string {
  return `${JSON.stringify(frame).slice(0, -1)},"events":${headersText}}\n${dataText}`
}

/**
 * Reads one frame; `undefined` for one of a name reserved for later.
 *
 * @throws {BusError} bad_frame, too_large, or unsupported_version for a hello or welcome of another
 * version
 */
export function decodeFrame(text: unknown): Decoded<Frame> | undefined {
  if (typeof text !== 'string') throw badFrame('frames are text')
  // Characters, of which there are at most as many as bytes: what is far too long is not split.
  if (text.length > MAX_FRAME_BYTES) {
    const what = `a frame is at most ${MAX_FRAME_BYTES} bytes`
    throw new BusError('too_large', what, { stage: 'protocol' })
  }
  const lines = text.split('\n')
  const frame = parseHead(lines[0] as string)
  const name = frame['frame']
  if (typeof name === 'string' && RESERVED_FRAMES.has(name)) return undefined
  if (typeof name !== 'string' || !Object.hasOwn(FAULTS, name)) throw badFrame('unknown frame')
  if ((name === 'hello' || name === 'welcome') && frame['version'] !== PROTOCOL_VERSION) {
    throw new BusError('unsupported_version', `this side speaks version ${PROTOCOL_VERSION} only`, {
      stage: 'protocol',
    })
  }
  const fault = FAULTS[name as Frame['frame']](frame)
  if (fault) throw badFrame(`${name}: ${fault}`)
  const decoded = { frame: frame as unknown as Frame, data: lines.slice(1) }
  const expected = eventCount(decoded.frame)
  if (decoded.data.length !== expected) {
    throw badFrame(`${name}: ${expected} data lines expected, ${decoded.data.length} found`)
  }
  return decoded
}

/** How many events, and so data lines, a frame has. */
export function eventCount(frame: Frame): number {
  if (frame.frame === 'reply') return 1
  if (
    frame.frame === 'publish' ||
    frame.frame === 'cast' ||
    frame.frame === 'lease' ||
    frame.frame === 'request'
  )
    return frame.events.length
  if (frame.frame !== 'stream') return 0
  let count = 0
  for (const run of frame.runs) if ('events' in run) count += run.events.length
  return count
}

function parseHead(line: string): Record<string, unknown> {
  let head: unknown
  try {
    head = JSON.parse(line)
  } catch (cause) {
    throw badFrame('the first line is not JSON', cause)
  }
  if (!isObject(head)) throw badFrame('the first line is not an object')
  return head
}

function badFrame(what: string, cause?: unknown): BusError {
  return new BusError('bad_frame', `not a frame of ${SUBPROTOCOL}: ${what}`, {
    stage: 'protocol',
    cause,
  })
}

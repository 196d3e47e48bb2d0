/** What comes in over a connection, as far as it can be judged without its room. */
import {
  BusError,
  type Decoded,
  decodeFrame,
  type Frame,
  MAX_FRAME_BYTES,
  MAX_PRESENCE_LENGTH,
  type PresenceFrame,
  type PresentDevice,
  utf8Length,
} from '@crosstown/bus/protocol'
import { isNestedOver } from '../guard/nesting.ts'

/**
 * The frame in a message; `undefined` for one that is to be passed over.
 *
 * @throws {BusError} too_large, bad_frame
 */
export function frameIn(message: unknown, nesting: number): Decoded<Frame> | undefined {
  if (typeof message === 'string') {
    if (message.length * 3 > MAX_FRAME_BYTES && utf8Length(message) > MAX_FRAME_BYTES)
      throw new BusError('too_large', `a frame is at most ${MAX_FRAME_BYTES} bytes`)
    if (isNestedOver(headOf(message), nesting))
      throw new BusError('bad_frame', `a frame is nested at most ${nesting} deep`)
  }
  return decodeFrame(message)
}

/** The first line of a message: what of it is a frame, and is parsed. */
function headOf(message: string): string {
  const end = message.indexOf('\n')
  return end < 0 ? message : message.slice(0, end)
}

/**
 * Who is there of the device that says so, and what it responds to.
 *
 * @param length characters of the whole frame
 * @throws {BusError} bad_frame, too_large
 */
export function ownEntry({ devices }: PresenceFrame, length: number): PresentDevice {
  const [own] = devices
  if (!own || devices.length > 1)
    throw new BusError('bad_frame', 'presence: a device says who is there of itself')
  if (length > MAX_PRESENCE_LENGTH)
    throw new BusError('too_large', `presence has at most ${MAX_PRESENCE_LENGTH} characters`)
  return own
}

/** Which events a room refuses for good, and why. Pure, as `room.ts` is. */
import {
  BusError,
  type BusErrorCode,
  type EventHeader,
  MAX_EVENT_BYTES,
  MAX_HEADER_BYTES,
  utf8Length,
} from '@crosstown/bus/protocol'
import type { PublishCommand } from './commands.ts'
import { isNestedOver } from './guard/nesting.ts'

/**
 * Each header as one line of JSON. A header may have fields nobody here knows, nested so deep that
 * they can be read and not be written: that must come to light before others' events are waiting.
 *
 * @throws {BusError} bad_frame
 */
export function linesOf(headers: readonly EventHeader[]): string[] {
  try {
    return headers.map((header) => JSON.stringify(header))
  } catch (cause) {
    throw new BusError('bad_frame', 'a header is nested too deep', { cause })
  }
}

/** The code each event is refused with, where any is; events of one group share their fate. */
export function judge({
  frame,
  lines,
  data,
  mayPublish,
  nesting,
}: PublishCommand): (BusErrorCode | undefined)[] | undefined {
  let codes: (BusErrorCode | undefined)[] | undefined
  let groups: Map<number, BusErrorCode> | undefined
  for (let i = 0; i < frame.events.length; i++) {
    const header = frame.events[i] as EventHeader
    const code = faultOf(header, lines[i] as string, data[i] as string, mayPublish, nesting)
    if (!code) continue
    codes ??= new Array<undefined>(frame.events.length)
    codes[i] = code
    if (header.group === undefined) continue
    groups ??= new Map()
    if (!groups.has(header.group)) groups.set(header.group, code)
  }
  if (codes && groups) {
    for (let i = 0; i < frame.events.length; i++) {
      const { group } = frame.events[i] as EventHeader
      if (group !== undefined) codes[i] ??= groups.get(group)
    }
  }
  return codes
}

/** Why an event will never be in the room, if so. */
export function faultOf(
  header: Omit<EventHeader, 'id'>,
  line: string,
  data: string,
  mayPublish: (type: string) => boolean,
  nesting: number,
): BusErrorCode | undefined {
  if (header.scope === 'device') return 'invalid_options'
  if (!mayPublish(header.type)) return 'forbidden'
  if (isNestedOver(data, nesting)) return 'invalid_data'
  // No UTF-16 unit takes more than three bytes: most events are known to be small without counting.
  if ((line.length + data.length) * 3 <= MAX_HEADER_BYTES) return undefined
  const headerBytes = utf8Length(line)
  return headerBytes > MAX_HEADER_BYTES || headerBytes + utf8Length(data) > MAX_EVENT_BYTES
    ? 'too_large'
    : undefined
}

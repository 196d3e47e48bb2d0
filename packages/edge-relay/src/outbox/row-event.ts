/** The event in a row of the outbox. */
import { BusError, isRoom, MAX_EVENT_BYTES } from '@crosstown/bus/protocol'
import type { PostedEvent } from '../commands.ts'
import { isNestedOver } from '../guard/nesting.ts'
import { postedEvent } from '../http/publish.ts'
import { UNDEFINED_TEXT, type ValueText } from '../http/value-text.ts'
import type { Platform } from '../platform.ts'
import type { OutboxRow } from './outbox.ts'

/** In place of a subject. No token has this one, so that nobody else can bring an event of the same id. */
const NOBODY = 'outbox\n'

/**
 * The event that a room is to be asked to take.
 *
 * @throws {BusError} invalid_room, invalid_type, invalid_options, invalid_data, too_large
 */
export function eventOf(
  row: OutboxRow,
  nesting: number,
  hash: Platform['sha256'],
): Promise<PostedEvent> {
  if (!isRoom(row.room)) {
    const what = 'a room is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -'
    throw new BusError('invalid_room', what)
  }
  const value = valueTextOf(row, nesting)
  const fields = {
    id: row.id,
    type: row.type,
    source: row.source,
    time: row.createdAt,
    ...given('stream', row.stream),
    ...given('expectedRevision', row.expectedRevision),
    ...given('version', row.version),
    ...given('correlationId', row.correlationId),
    ...given('causationId', row.causationId),
    ...given('traceparent', row.traceparent),
    ...(row.metadata !== null && { metadata: parsed('metadata', row.metadata) }),
  }
  return postedEvent(fields, value, { subject: NOBODY, time: row.createdAt }, hash)
}

function valueTextOf({ bytes, data, value }: OutboxRow, nesting: number): ValueText {
  if (bytes > MAX_EVENT_BYTES) {
    const what = `data has ${bytes} bytes, and an event at most ${MAX_EVENT_BYTES}`
    throw new BusError('too_large', what)
  }
  if (data !== null && value !== null) {
    throw new BusError('invalid_options', 'give either data or value')
  }
  const text = data ?? value
  if (text === null) return { text: UNDEFINED_TEXT, encoding: 'devalue' }
  const name = data === null ? 'value' : 'data'
  if (isNestedOver(text, nesting)) throw new BusError('invalid_data', `${name} is nested too deep`)
  parsed(name, text)
  // In JSON a line can only end between values: a room keeps one text a line.
  const line = text.replace(/[\r\n]/g, ' ')
  return data === null ? { text: line, encoding: 'devalue' } : { text: line }
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BusError('invalid_data', `${name} is not JSON`, { cause })
  }
}

function given(key: string, value: string | number | null): Record<string, unknown> {
  return value === null ? {} : { [key]: value }
}

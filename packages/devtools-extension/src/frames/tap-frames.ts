/** Reads frames of taps: whoever shares the origin, or the room, may have written them. */
import {
  type AnswerFrame,
  type BatchFrame,
  type ByeFrame,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectRecord,
  type MismatchFrame,
  type PeerId,
} from '@crosstown/bus/inspect'
import { commonText } from './events.ts'
import {
  Fault,
  type Fields,
  fail,
  fields,
  listOf,
  number,
  oneOf,
  type Reader,
  shape,
  shownText,
  text,
  under,
  whole,
} from './reader.ts'
import {
  monotonic,
  readRecord,
  readStatus,
  readSubscription,
  readView,
  UNKNOWN,
} from './records.ts'

/** UTF-16 units of one frame at most; taps send a small part of it. */
export const MAX_FRAME_LENGTH: number = 8 * 1024 * 1024
const MAX_RECORDS = 20_000

/** A batch whose records are read one by one, by who takes them in: there may be many. */
export interface UnreadBatch extends Omit<BatchFrame, 'records'> {
  readonly records: readonly unknown[]
}

export type ReadFrame = HelloFrame | UnreadBatch | ByeFrame | AnswerFrame | MismatchFrame

const peer: Reader<PeerId> = text(300, 1)
const place = text(2_000)

const hello: Reader<Omit<HelloFrame, 'inspect' | 'frame'>> = shape(
  {
    peer,
    library: shownText(64),
    bus: shownText(256),
    source: commonText,
    kind: oneOf('page', 'iframe', 'worker', 'service-worker', 'node', 'deno', 'bun', 'relay'),
    now: (value: unknown): [number, number] => {
      if (!Array.isArray(value) || value.length !== 2) fail('must be [wall, monotonic]')
      return [under(0, number(-8.64e15, 8.64e15), value[0]), under(1, monotonic, value[1])]
    },
    next: whole(),
    oldest: whole(),
    status: readStatus,
    subscriptions: listOf(readSubscription, 10_000),
    views: listOf(readView, 1_000),
  },
  {
    url: place,
    title: shownText(200),
    log: text(256, 1),
    device: text(256, 1),
    relay: shape({ url: place, room: text(256) }),
  },
)
const batch = shape(
  {
    peer,
    first: whole(),
    records: (value: unknown): readonly unknown[] =>
      Array.isArray(value) && value.length <= MAX_RECORDS
        ? value
        : fail(`must be a list of at most ${MAX_RECORDS} records`),
  },
  { dropped: shape({ count: whole(), from: number(), to: number() }) },
)
const bye = shape({ peer, reason: oneOf('closed', 'pagehide') })
const answer = shape(
  { peer, session: text(256), id: whole() },
  {
    more: (value: unknown): true => (value === true ? true : fail('must be true')),
    result: (value: unknown) => value,
    error: shape({ code: shownText(64), message: shownText(1_000) }),
  },
)
const mismatch = shape({ peer, library: shownText(64) })

const readers = new Map<unknown, Reader<object>>(
  Object.entries({ hello, batch, bye, answer, mismatch }),
)

/** JSON of a frame, not yet looked at. @throws {Fault} */
export function parseFrame(line: string): Fields {
  if (line.length > MAX_FRAME_LENGTH)
    throw new Fault(`a frame must not have more than ${MAX_FRAME_LENGTH} characters`)
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new Fault('is not JSON')
  }
  return fields(value)
}

/**
 * A frame of a tap; of an older version, which said less, too. One of a newer version comes back as `mismatch`, whatever it was, as long
 * as it says who sent it.
 * @throws {Fault} what is wrong with it
 */
export function readTapFrame(given: Fields): ReadFrame {
  const inspect = under('inspect', whole(1, 1_000_000), given['inspect'])
  const kind = given['frame']
  if (inspect > INSPECT_VERSION || kind === 'mismatch') {
    const library = given['library']
    const said = { peer: given['peer'], library: typeof library === 'string' ? library : '' }
    return { inspect, frame: 'mismatch', ...mismatch(said) }
  }
  const read = readers.get(kind)
  if (!read) throw new Fault("frame must be 'hello', 'batch', 'bye', 'answer' or 'mismatch'")
  return { inspect, frame: kind, ...read(given) } as ReadFrame
}

/** A whole batch, for who wants all of it or nothing. @throws {Fault} */
export function readBatchRecords(frame: UnreadBatch): InspectRecord[] {
  const records: InspectRecord[] = []
  frame.records.forEach((value, index) => {
    const record = under('records', (value) => under(index, readRecord, value), value)
    if (record !== UNKNOWN) records.push(record)
  })
  return records
}

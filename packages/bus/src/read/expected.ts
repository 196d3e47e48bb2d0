/**
 * What events on their way to a room expect of their streams, in the room's words: the event that
 * this log holds at a revision, own ones that wait included, so that what builds on an event which is
 * refused is refused with it. A number travels as it is only where nothing is held there.
 */
import type { Entry } from '../batch/batch.ts'
import type { BusError } from '../errors.ts'
import { type Expected, slotOf } from '../event.ts'
import type { Encoded, Log } from '../log/log.ts'
import { streamEvents } from './stream.ts'

/** What a log holds of a stream. */
interface Held {
  /** Ids of events that the room has, by revision. */
  readonly confirmed: ReadonlyMap<number, string>
  /** The highest of these. */
  readonly newest: number
  /** Ids of own events that wait, in the order in which they go out. */
  readonly pending: string[]
}

/** The entries of one batch with what they expect in their headers. */
export async function withExpected(
  log: Pick<Log, 'readStream' | 'state' | 'placements' | 'countStreams'>,
  entries: readonly Entry[],
  report: (error: BusError) => void,
): Promise<Encoded[]> {
  const streams = new Map<string, Held>()
  const ready: Encoded[] = []
  for (const entry of entries) {
    const { event, expected } = entry
    const { id, stream = '' } = event
    if (typeof expected === 'number' && !streams.has(stream))
      streams.set(stream, await heldOf(log, stream, entries, report))
    const held = streams.get(stream)
    ready.push(expected === undefined ? entry : saying(entry, inRoom(expected, held)))
    if (event.scope === 'room') held?.pending.push(id)
  }
  return ready
}

function inRoom(expected: Entry['expected'] & {}, held: Held | undefined): Expected {
  if (typeof expected !== 'number' || !held) return expected
  const { confirmed, newest, pending } = held
  const id = confirmed.get(expected) ?? pending[expected - newest - 1]
  return id === undefined ? expected : { id }
}

function saying(entry: Entry, expected: Expected): Encoded {
  const headerText = `${entry.headerText.slice(0, -1)},"expected":${JSON.stringify(expected)}}`
  return { ...entry, headerText }
}

/** `batch`: entries before that with which the look begins wait as well, though in no log yet. */
async function heldOf(
  log: Pick<Log, 'readStream' | 'state' | 'placements' | 'countStreams'>,
  stream: string,
  batch: readonly Entry[],
  report: (error: BusError) => void,
): Promise<Held> {
  const { confirmed: last } = (await log.state(false)).room
  const confirmed = new Map<number, string>()
  const pending: string[] = []
  let newest = 0
  for (const event of await streamEvents(log, stream, true, report)) {
    const { header, offset, revision } = event
    if (revision !== undefined) {
      confirmed.set(revision, header.id)
      newest = Math.max(newest, revision)
      continue
    }
    // What the room has at a place that nobody can name any more waits no longer.
    const waits = !event.fromRoom && slotOf(offset).batch > (last?.batch ?? 0)
    if (waits && header.scope !== 'device') pending.push(header.id)
  }
  for (const { event, expected } of batch) {
    if (event.stream !== stream) continue
    if (typeof expected === 'number') break
    if (event.scope === 'room') pending.push(event.id)
  }
  return { confirmed, newest, pending }
}

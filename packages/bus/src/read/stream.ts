/** One stream of a log: what the room has of it in the room's order, then the rest in the log's. */
import { BusError } from '../errors.ts'
import { offsetOf } from '../event.ts'
import type { Log, PlacedPart, Placement, StoredStream } from '../log/log.ts'
import { type Cut, checkOf, isCut, positionOf } from '../protocol/position.ts'
import type { LoggedEvent } from './walk.ts'

/** Where in the room an event stands, as far as this log knows. */
interface Spot {
  /** The record that says so: records of the room come in its order. */
  readonly record: number
  readonly epoch: string
  readonly place: number
  readonly revision: number | undefined
}

interface Found {
  readonly event: LoggedEvent
  readonly spot: Spot | undefined
}

/**
 * The events of a stream. Without a relay, in the order of the log. With one, confirmed events in
 * the order of the room, then others of the room's that it lost, then those that wait for it or stay
 * on this device; without those it refused.
 */
export async function streamEvents(
  log: Pick<Log, 'readStream' | 'state' | 'placements' | 'countStreams'>,
  stream: string,
  hasRelay: boolean,
  report: (error: BusError) => void,
): Promise<LoggedEvent[]> {
  const parts = await log.readStream(stream)
  const [first, last] = [parts[0], parts.at(-1)]
  if (!first || !last) return []
  if (!hasRelay) {
    const events: LoggedEvent[] = []
    let count: number | undefined
    for (const part of parts) {
      count ??= (await log.countStreams([stream], part.batch))?.[0]
      // Trimmed since: what is left is read anew.
      if (count === undefined) return streamEvents(log, stream, hasRelay, report)
      for (const { event } of found(part)) events.push({ ...event, revision: ++count })
      // How many events one that cannot be read has, the log knows.
      if (part.damaged) count = undefined
    }
    for (const { damaged } of parts) if (damaged) report(damaged)
    return events
  }
  for (const { damaged } of parts) if (damaged) report(damaged)
  const { cuts } = (await log.state(false)).room
  const placements = await log.placements(first.batch, last.batch)
  const byRecord = new Map(placements.map((placement) => [placement.batch, placement]))
  const all = parts.flatMap((part) => found(part, byRecord.get(part.batch), cuts))
  const placed = all.flatMap(({ event, spot }) => (spot ? [{ event, spot }] : []))
  placed.sort((a, b) => a.spot.record - b.spot.record || a.spot.place - b.spot.place)
  const rest = all.flatMap(({ event, spot }) => (spot ? [] : [event]))
  return [
    ...placed.map(({ event }) => event),
    ...rest.filter(({ fromRoom }) => fromRoom),
    ...rest.filter(({ fromRoom }) => !fromRoom),
  ]
}

/**
 * What stands at a revision or behind it: what waits for the room does, what the room lost has none.
 *
 * @throws {BusError} invalid_options
 */
export function fromRevisionOn(events: LoggedEvent[], from: number): LoggedEvent[] {
  if (!Number.isSafeInteger(from) || from < 0) {
    const what = 'loadStream: fromRevision must be a whole number from 0'
    throw new BusError('invalid_options', what, { stage: 'read' })
  }
  if (from <= 1) return events
  return events.filter(({ revision, fromRoom }) =>
    revision === undefined ? !fromRoom : revision >= from,
  )
}

/** The events of a record's part, without those that the room refused. */
function found(part: StoredStream, placement?: Placement, cuts: readonly Cut[] = []): Found[] {
  const { batch, indexes, headers, data, places } = part
  const parts = placement?.parts ?? []
  const refused = new Set(parts.flatMap((one) => one.refused ?? []).map(([index]) => index))
  return headers.flatMap((header, nth) => {
    const index = indexes[nth] as number
    if (refused.has(index)) return []
    const spot = ownSpot(part, nth, cuts) ?? placedSpot(parts, index)
    const position = spot && positionOf(spot.epoch, spot.place, checkOf(header.id))
    const event: LoggedEvent = {
      header,
      dataText: data[nth] as string,
      offset: offsetOf(batch, index),
      fromRoom: places !== undefined,
      ...(position !== undefined && { position }),
      ...(spot?.revision && { revision: spot.revision }),
    }
    return [{ event, spot }]
  })
}

/** What a record of the room's stream says of its own events, if that is true still. */
function ownSpot(
  { batch, headers, places }: StoredStream,
  nth: number,
  cuts: readonly Cut[],
): Spot | undefined {
  const place = places?.places[nth]
  if (!places || place === undefined || isCut(cuts, batch, places.epoch, place)) return undefined
  return { record: batch, epoch: places.epoch, place, revision: headers[nth]?.revision }
}

/** What another record says. */
function placedSpot(parts: readonly PlacedPart[], index: number): Spot | undefined {
  for (const { record, epoch, place, indexes, revisions } of parts) {
    const nth = indexes.indexOf(index)
    if (nth >= 0) return { record, epoch, place: place + nth, revision: revisions?.[nth] }
  }
  return undefined
}

/** A step of trimming: what goes is read, and one script removes it where the room still begins there. */
import type { Mark, RoomRecord } from '../record.ts'
import { cutOf } from './engine/cut.ts'
import { joinedRanges, type TrimmedRange } from './record-rows.ts'
import type { Commands } from './redis-client.ts'
import { keyOf, markText, padded, type RoomHash, rangesOf, recordIn, roomIn } from './redis-rows.ts'
import type { Keep, ReadLimit } from './store.ts'

/** Records read at a time. */
const PAGE = 200

/** Resolves whether the room is still over `keep`. */
export async function trimStep(
  client: Commands,
  prefix: string,
  room: string,
  keep: Keep,
  step: ReadLimit,
): Promise<boolean> {
  const found = await roomIn(client, prefix, room)
  if (!found) return false
  const { gone, over } = await oldest(client, prefix, room, found, keep, step)
  const cut = cutOf(gone)
  if (!cut) return false
  const { newest, first, marks, events, bytes } = cut
  const pairs = cut.pairs.map(
    (pair) => `${pair.prefix}\0${padded(pair.counter)}\0${padded(pair.place)}`,
  )
  const ranges = await joined(client, prefix, room, cut.ranges)
  const publishers = Map.groupBy(ranges, (range) => range.prefix)
  const args = [
    ...[prefix, room, found.epoch, found.first, markText(first), -events, -bytes],
    ...[newest.place, gone.length, pairs.length, publishers.size, ranges.length],
    ...gone.flatMap(({ place }, i) => {
      const mark = marks[i] as Mark
      return [mark.place, markText(mark), place]
    }),
    ...pairs,
    ...[...publishers].flatMap(([publisher, own]) => [
      publisher,
      JSON.stringify(own.map((range) => [range.first, range.last, range.place])),
    ]),
    ...ranges.flatMap((range) => [range.prefix, range.first, range.place]),
  ].map(String)
  // Where another relay was first there may be more to do.
  return (await client.cut(args)) === 0 || over
}

/** The records to remove in one step, and whether more are over the limits. */
async function oldest(
  client: Commands,
  prefix: string,
  room: string,
  found: RoomHash,
  keep: Keep,
  step: ReadLimit,
): Promise<{ readonly gone: readonly RoomRecord[]; readonly over: boolean }> {
  const gone: RoomRecord[] = []
  let events = 0
  let bytes = 0
  for (let from = '-'; ; ) {
    const page = (await client.xRange(keyOf(prefix, 'log', room), from, '+', { COUNT: PAGE })) ?? []
    for (const record of page.map(recordIn)) {
      const over =
        Number(found.events) - events > keep.events ||
        Number(found.bytes) - bytes > keep.bytes ||
        record.time < keep.since
      if (!over) return { gone, over: false }
      if (gone.length > 0 && (events >= step.events || bytes >= step.bytes)) {
        return { gone, over: true }
      }
      gone.push(record)
      events += record.headers.length
      bytes += record.bytes
    }
    const last = page.at(-1)
    if (!last) return { gone, over: false }
    from = `(${last.id}`
  }
}

/** All ranges of those whose events are among these. */
async function joined(
  client: Commands,
  prefix: string,
  room: string,
  ranges: readonly TrimmedRange[],
): Promise<TrimmedRange[]> {
  const prefixes = [...new Set(ranges.map((range) => range.prefix))]
  if (prefixes.length === 0) return []
  const texts = await client.hmGet(keyOf(prefix, 'gone', room), prefixes)
  const known = texts.flatMap((text, i) =>
    rangesOf(text).map(([first, last, place]) => {
      return { prefix: prefixes[i] as string, first, last, place }
    }),
  )
  return joinedRanges([...known, ...ranges])
}

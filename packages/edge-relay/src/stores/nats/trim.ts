/** A step of trimming: which records go is decided on the room as it is, and written as one message. */
import { lastPlace, type RoomRecord } from '../../record.ts'
import { cutOf } from '../engine/cut.ts'
import { type Keep, type ReadLimit, TRIMMED_MARKS } from '../store.ts'
import type { Bodies } from './bodies.ts'
import type { Journal } from './journal.ts'
import type { Room } from './room.ts'
import type { RoomView } from './view.ts'

/** Messages that are read at a time. */
const AT_ONCE = 32

/** Only with the lock of the room; whether it is still over `keep`. */
export async function trimStep(
  journal: Journal,
  room: Room,
  bodies: Bodies,
  keep: Keep,
  step: ReadLimit,
): Promise<boolean> {
  const view = await room.refresh(journal)
  if (!view) return false
  const oldest = await oldestOf(journal, view, bodies, keep, step)
  // Where another relay was first there may be more to do.
  if (!oldest) return true
  const cut = cutOf(oldest.gone)
  if (!cut) return false
  const { events, first, marks, bytes } = cut
  const ranges = cut.ranges.map(({ prefix, first, last }) => ({ prefix, first, last }))
  const newest = marks.slice(-TRIMMED_MARKS)
  const body = { kind: 'trim', first, marks: newest, ranges, events, bytes } as const
  const written = await room.write(journal, body, view.head)
  return oldest.over || written === undefined
}

/** The records to remove in one step, and whether more are over the limits; `undefined`: they went meanwhile. */
async function oldestOf(
  journal: Journal,
  view: RoomView,
  bodies: Bodies,
  keep: Keep,
  step: ReadLimit,
): Promise<{ readonly gone: readonly RoomRecord[]; readonly over: boolean } | undefined> {
  const gone: RoomRecord[] = []
  let events = 0
  let bytes = 0
  for (let at = view.first.place; ; ) {
    const entries = view.behind(at, AT_ONCE, step.events)
    const pages = await Promise.all(entries.map(({ seq }) => bodies.of(journal, seq)))
    for (const records of pages) {
      if (!records) return undefined
      for (const record of records) {
        if (lastPlace(record) <= at) continue
        const over =
          view.events - events > keep.events ||
          view.bytes - bytes > keep.bytes ||
          record.time < keep.since
        if (!over) return { gone, over: false }
        if (gone.length > 0 && (events >= step.events || bytes >= step.bytes))
          return { gone, over: true }
        gone.push(record)
        events += record.headers.length
        bytes += record.bytes
      }
    }
    const last = entries.at(-1)
    if (!last) return { gone, over: false }
    at = last.last
  }
}

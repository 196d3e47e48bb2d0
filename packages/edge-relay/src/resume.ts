/** Where a device's stream goes on: which of the positions it names this room still has. */
import {
  checkOf,
  type GapReason,
  type HelloFrame,
  parsePosition,
  startOf,
} from '@crosstown/bus/protocol'
import { headPosition, idAt, lastPlace, positionIn, type RoomHead } from './record.ts'
import type { Store } from './stores/store.ts'

/** A place of the room, and how the stream came to begin there. */
export interface Resume {
  readonly place: number
  readonly from: string
  readonly recovered: boolean
  readonly reason?: GapReason
}

/**
 * Finds where the stream goes on: at the newest position of the cursor and the older ones that the
 * room recognises, at its start where it recognises none; a log without cursor starts at `from`.
 */
export async function resumeAt(
  store: Store,
  room: string,
  head: RoomHead,
  hello: Pick<HelloFrame, 'cursor' | 'older' | 'from'>,
): Promise<Resume> {
  if (hello.cursor === undefined) return start(store, room, head, hello.from ?? 'start')
  for (const position of [hello.cursor, ...(hello.older ?? [])]) {
    const place = await recognise(store, room, head, position)
    if (place === undefined) continue
    const recovered = position === hello.cursor
    return {
      place,
      from: position,
      recovered,
      ...(!recovered && { reason: reasonOf(hello.cursor, head) }),
    }
  }
  return { ...atStart(head), recovered: false, reason: reasonOf(hello.cursor, head) }
}

/** The place of a position, if the room has that same event there. */
export async function recognise(
  store: Store,
  room: string,
  head: RoomHead,
  position: string,
): Promise<number | undefined> {
  const parsed = parsePosition(position)
  if (!parsed || parsed.epoch !== head.epoch || parsed.place > head.place) return undefined
  if (parsed.place === head.place) return parsed.check === head.check ? parsed.place : undefined
  if (parsed.place === 0) return position === startOf(head.epoch) ? 0 : undefined
  const record = await recordAt(store, room, parsed.place)
  return record && checkOf(idAt(record, parsed.place)) === parsed.check ? parsed.place : undefined
}

async function start(
  store: Store,
  room: string,
  head: RoomHead,
  from: NonNullable<HelloFrame['from']>,
): Promise<Resume> {
  if (from === 'start') return atStart(head)
  if (from === 'now') return at(store, room, head, head.place)
  if ('position' in from) {
    const place = await recognise(store, room, head, from.position)
    if (place !== undefined) return { place, from: from.position, recovered: true }
    return { ...atStart(head), recovered: false, reason: reasonOf(from.position, head) }
  }
  if ('last' in from) return at(store, room, head, Math.max(0, head.place - Math.floor(from.last)))
  const first = await store.findByTime(room, from.time)
  return at(store, room, head, first === undefined ? head.place : Math.min(first - 1, head.place))
}

function atStart(head: RoomHead): Resume {
  return { place: 0, from: startOf(head.epoch), recovered: true }
}

async function at(store: Store, room: string, head: RoomHead, place: number): Promise<Resume> {
  if (place === head.place) return { place, from: headPosition(head), recovered: true }
  const record = place === 0 ? undefined : await recordAt(store, room, place)
  return record
    ? { place, from: positionIn(head.epoch, record, place), recovered: true }
    : atStart(head)
}

async function recordAt(store: Store, room: string, place: number) {
  const [record] = await store.read(room, place - 1, { events: 1, bytes: 1 })
  return record && record.place <= place && lastPlace(record) >= place ? record : undefined
}

/** Why a room does not recognise a position: it was in this room once, so the room went back. */
function reasonOf(position: string, head: RoomHead): GapReason {
  const parsed = parsePosition(position)
  if (!parsed) return 'unknown_position'
  return parsed.epoch === head.epoch ? 'restored' : 'new_epoch'
}

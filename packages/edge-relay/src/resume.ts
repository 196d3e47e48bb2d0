/** Where a device's stream goes on: which of the positions it names this room still has. */
import { checkOf, type GapReason, type HelloFrame, parsePosition } from '@crosstown/bus/protocol'
import {
  firstPosition,
  headPosition,
  idAt,
  lastPlace,
  positionIn,
  type RoomFirst,
  type RoomHead,
} from './record.ts'
import type { Store } from './stores/store.ts'

/** A place of the room, and how the stream came to begin there. */
export interface Resume {
  readonly place: number
  readonly from: string
  /** The position behind which the kept history begins. */
  readonly first: string
  readonly recovered: boolean
  readonly reason?: GapReason
}

/** A room as far as positions can be looked up in it. */
export interface Span {
  readonly head: RoomHead
  readonly first: RoomFirst
}

/**
 * Finds where the stream goes on: at the newest position of the cursor and the older ones that the
 * room recognises, at its first one where it recognises none; a log without cursor starts at `from`.
 */
export async function resumeAt(
  store: Store,
  room: string,
  head: RoomHead,
  hello: Pick<HelloFrame, 'cursor' | 'older' | 'from'>,
): Promise<Resume> {
  const span = { head, first: await store.first(room) }
  const first = firstPosition(head.epoch, span.first)
  if (hello.cursor === undefined)
    return { first, ...(await start(store, room, span, hello.from ?? 'start')) }
  for (const position of [hello.cursor, ...(hello.older ?? [])]) {
    const place = await recognise(store, room, span, position)
    if (place === undefined) continue
    const recovered = position === hello.cursor
    const reason = recovered ? {} : { reason: reasonOf(hello.cursor, span) }
    return { first, place, from: position, recovered, ...reason }
  }
  return { first, ...atFirst(span), recovered: false, reason: reasonOf(hello.cursor, span) }
}

/** The place of a position, if the room has that same event there, or trimmed it away last. */
export async function recognise(
  store: Store,
  room: string,
  { head, first }: Span,
  position: string,
): Promise<number | undefined> {
  const parsed = parsePosition(position)
  if (!parsed || parsed.epoch !== head.epoch) return undefined
  const { place, check } = parsed
  if (place < first.place || place > head.place) return undefined
  for (const known of [head, first])
    if (place === known.place) return check === known.check ? place : undefined
  const record = await recordAt(store, room, place)
  return record && checkOf(idAt(record, place)) === check ? place : undefined
}

/** Why a room does not recognise a position. One that was in it, and is not now, tells that it went back. */
export function reasonOf(position: string, { head, first }: Span): GapReason {
  const parsed = parsePosition(position)
  if (!parsed) return 'unknown_position'
  if (parsed.epoch !== head.epoch) return 'new_epoch'
  return parsed.place < first.place ? 'trimmed' : 'restored'
}

type Start = Omit<Resume, 'first'>

async function start(
  store: Store,
  room: string,
  span: Span,
  from: NonNullable<HelloFrame['from']>,
): Promise<Start> {
  const { head } = span
  if (from === 'start') return atFirst(span)
  if (from === 'now') return at(store, room, span, head.place)
  if ('position' in from) {
    const place = await recognise(store, room, span, from.position)
    if (place !== undefined) return { place, from: from.position, recovered: true }
    return { ...atFirst(span), recovered: false, reason: reasonOf(from.position, span) }
  }
  if ('last' in from) return at(store, room, span, head.place - Math.floor(from.last))
  const first = await store.findByTime(room, from.time)
  return at(store, room, span, first === undefined ? head.place : Math.min(first - 1, head.place))
}

function atFirst({ head, first }: Span): Start {
  return { place: first.place, from: firstPosition(head.epoch, first), recovered: true }
}

async function at(store: Store, room: string, span: Span, place: number): Promise<Start> {
  const { head, first } = span
  if (place === head.place) return { place, from: headPosition(head), recovered: true }
  const record = place <= first.place ? undefined : await recordAt(store, room, place)
  return record
    ? { place, from: positionIn(head.epoch, record, place), recovered: true }
    : atFirst(span)
}

async function recordAt(store: Store, room: string, place: number) {
  const [record] = await store.read(room, place - 1, { events: 1, bytes: 1 })
  return record && record.place <= place && lastPlace(record) >= place ? record : undefined
}

/** Where a device's stream goes on: which of the positions it names this room still has. */
import {
  type GapReason,
  type HelloFrame,
  MAX_BATCH_BYTES,
  MAX_BATCH_EVENTS,
  type Place,
  parsePosition,
} from '@crosstown/bus/protocol'
import {
  cursorAt,
  lastPlace,
  type Mark,
  markIn,
  type RoomFirst,
  type RoomHead,
  START,
} from './record.ts'
import type { ReadLimit, Store } from './stores/store.ts'

/** A record that is looked up, and no more. */
const ONE: ReadLimit = { events: 1, bytes: 1 }
/** The record that the cursor is in, with what the device reads next: one read for both, and for all. */
const AHEAD: ReadLimit = { events: MAX_BATCH_EVENTS, bytes: MAX_BATCH_BYTES }

/** A place of the room, and how the stream came to begin there. */
export interface Resume {
  readonly place: number
  readonly from: string
  /** The position behind which the kept history begins. */
  readonly first: string
  readonly recovered: boolean
  readonly reason?: GapReason
  /**
   * Of a room that went back: the newest position up to which it had what the device had, where that
   * was trimmed away since.
   */
  readonly common?: string
}

/** A room as far as positions can be looked up in it. */
export interface Span {
  readonly head: RoomHead
  readonly first: RoomFirst
}

/**
 * Finds where the stream goes on: at the newest position of the cursor and the older ones that the
 * room recognises, at its first one where it recognises none; a log without cursor starts at `from`.
 * Without a right to history it starts at the head, but for where a position proves it was before.
 */
export async function resumeAt(
  store: Store,
  room: string,
  head: RoomHead,
  hello: Pick<HelloFrame, 'cursor' | 'older' | 'from'>,
  history = true,
): Promise<Resume> {
  while (true) {
    const span = { head, first: await store.first(room) }
    const given = history ? hello : withoutHistory(hello, span)
    const resume = await resumeIn(store, room, span, given, history)
    // What was trimmed while positions were looked up must not pass for what a room lost.
    if ((await store.first(room)).place === span.first.place) return resume
  }
}

async function resumeIn(
  store: Store,
  room: string,
  span: Span,
  hello: Pick<HelloFrame, 'cursor' | 'older' | 'from'>,
  history: boolean,
): Promise<Resume> {
  const { head } = span
  const first = cursorAt(head.epoch, span.first)
  if (hello.cursor === undefined)
    return { first, ...(await start(store, room, span, hello.from ?? 'start')) }
  for (const position of [hello.cursor, ...(hello.older ?? [])]) {
    const recovered = position === hello.cursor
    const known = await recognise(store, room, span, position, recovered ? AHEAD : ONE)
    if (known === undefined) continue
    const reason = recovered ? {} : { reason: reasonOf(hello.cursor, span) }
    return { first, ...begin(head, known), recovered, ...reason }
  }
  const begins = history ? atFirst(span) : await at(store, room, span, head.place)
  return { first, ...begins, recovered: false, ...(await lost(store, room, span, hello)) }
}

/** Why nothing of what the device has is kept: it was trimmed away, or never was in this room. */
async function lost(
  store: Store,
  room: string,
  span: Span,
  { cursor = '', older = [] }: Pick<HelloFrame, 'cursor' | 'older'>,
): Promise<Pick<Resume, 'reason' | 'common'>> {
  const reason = reasonOf(cursor, span)
  if (reason === 'new_epoch' || reason === 'unknown_position') return { reason }
  const { epoch } = span.head
  let common: Mark = START
  for (const position of [cursor, ...older]) {
    const parsed = parsePosition(position)
    if (parsed?.epoch !== epoch || parsed.place > span.first.place) continue
    const mark = await store.trimmedAt(room, parsed.place)
    // So far back nobody remembers what the room had.
    if (!mark && position === cursor) return { reason }
    if (!mark || !isAt(mark, parsed)) continue
    if (position === cursor) return { reason }
    common = mark
    break
  }
  // What the stream goes on from is the newest of all that they have in common.
  if (common.place === span.first.place) return { reason: 'restored' }
  return { reason: 'restored', common: cursorAt(epoch, common) }
}

/** Those who have a right to history may name any position, others one that proves they were there. */
function withoutHistory(
  { cursor, older = [] }: Pick<HelloFrame, 'cursor' | 'older'>,
  { first }: Span,
): Pick<HelloFrame, 'cursor' | 'older' | 'from'> {
  if (cursor === undefined) return { from: 'now' }
  const proves = (position: string): boolean => isProof(position, first)
  // One that proves nothing is kept where it stands, as one that is not recognised.
  return { cursor: proves(cursor) ? cursor : 'none', older: older.filter(proves) }
}

/**
 * Whether only who was told a position can name it: a chain cannot be guessed, as the rest can by who
 * knows ids. Where the kept history begins everybody is told.
 */
export function isProof(position: string, first: RoomFirst): boolean {
  const { place = 0, chain } = parsePosition(position) ?? {}
  return place > first.place && chain !== undefined
}

/**
 * The place of a position, if it is the room's: one of a cursor, if the room has the same history
 * up to there; one of an event, if the room has that event there, or trimmed it away last.
 */
export async function recognise(
  store: Store,
  room: string,
  { head, first }: Span,
  position: string,
  limit: ReadLimit = ONE,
): Promise<Mark | undefined> {
  const parsed = parsePosition(position)
  if (!parsed || parsed.epoch !== head.epoch) return undefined
  const mark = await markAt(store, room, { head, first }, parsed.place, limit)
  return mark && isAt(mark, parsed) ? mark : undefined
}

/** Whether a position is that of this place. One of an event has no chain. */
function isAt(mark: Mark, { place, check, chain }: Omit<Place, 'epoch'>): boolean {
  return mark.place === place && mark.check === check && (chain ?? mark.chain) === mark.chain
}

/** Why a room does not recognise a position. One that was in it, and is not now, tells that it went back. */
export function reasonOf(position: string, { head, first }: Span): GapReason {
  const parsed = parsePosition(position)
  if (!parsed) return 'unknown_position'
  if (parsed.epoch !== head.epoch) return 'new_epoch'
  return parsed.place < first.place ? 'trimmed' : 'restored'
}

/** The place behind which somebody begins who was not there before. */
export async function placeFrom(
  store: Store,
  room: string,
  head: RoomHead,
  from: NonNullable<HelloFrame['from']>,
): Promise<number> {
  return (await start(store, room, { head, first: await store.first(room) }, from)).place
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
    const known = await recognise(store, room, span, from.position)
    if (known !== undefined) return { ...begin(head, known), recovered: true }
    return { ...atFirst(span), recovered: false, reason: reasonOf(from.position, span) }
  }
  if ('last' in from) return at(store, room, span, head.place - Math.floor(from.last))
  const first = await store.findByTime(room, from.time)
  return at(store, room, span, first === undefined ? head.place : Math.min(first - 1, head.place))
}

function atFirst({ head, first }: Span): Start {
  return { ...begin(head, first), recovered: true }
}

async function at(store: Store, room: string, span: Span, place: number): Promise<Start> {
  const mark = await markAt(store, room, span, place)
  return mark ? { ...begin(span.head, mark), recovered: true } : atFirst(span)
}

/** A position that was recognised may be one of an event: the stream begins at that of a cursor. */
function begin({ epoch }: RoomHead, mark: Mark): Pick<Start, 'place' | 'from'> {
  return { place: mark.place, from: cursorAt(epoch, mark) }
}

/** What the room has at a place; `undefined` where it has none, or trimmed it away. */
async function markAt(
  store: Store,
  room: string,
  { head, first }: Span,
  place: number,
  limit: ReadLimit = ONE,
): Promise<Mark | undefined> {
  if (place < first.place || place > head.place) return undefined
  for (const known of [head, first]) if (place === known.place) return known
  const [record] = await store.read(room, place - 1, limit)
  return record && record.place <= place && lastPlace(record) >= place
    ? markIn(record, place)
    : undefined
}

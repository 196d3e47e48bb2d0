/** How the room's part of a log's state moves on; the same rule for every log. */
import { BusError } from '../errors.ts'
import type { BatchRef, Term } from '../protocol/frames.ts'
import type { Cut } from '../protocol/position.ts'
import type { RoomBatch, RoomState, WelcomeUpdate } from './log.ts'

/** Positions kept before the cursor: enough for doubling distances over any log. */
const MAX_OLDER = 32

/** Terms kept beside the welcomed one: as many leaders as there may be between two welcomes. */
const MAX_TERMS = 98

/** Cuts kept: as many restored relays as a log may meet in its life. */
const MAX_CUTS = 100

/** Gaps kept for whoever looks. */
const MAX_GAPS = 100

/** What is written of a room's state; what is pending is counted, never written. */
export type WrittenRoomState = Omit<RoomState, 'pending' | 'pendingBytes'> & {
  /** Nothing in own batches up to this one is pending; looked up with retention, to count from. */
  readonly settled?: number
}

export function emptyRoomState(): WrittenRoomState {
  return { older: [], liveAfter: 0, cuts: [], gaps: [], terms: [], term: 0 }
}

/** A state as an earlier version may have written it. */
export function readRoomState(written: unknown): WrittenRoomState {
  return { ...emptyRoomState(), ...(written as Partial<WrittenRoomState>) }
}

/** The cuts with one more; those that say nothing beyond another are left out. */
export function addCut(cuts: readonly Cut[], cut: Cut): readonly Cut[] {
  if (cuts.some((known) => covers(known, cut))) return cuts
  return [...cuts.filter((known) => !covers(cut, known)), cut].slice(-MAX_CUTS)
}

function covers(a: Cut, b: Cut): boolean {
  return a.epoch === b.epoch && a.record >= b.record && a.place <= b.place
}

/** Refuses a batch that does not follow, or a leader that is none any more. */
export function assertFollows(state: WrittenRoomState, batch: RoomBatch, term: Term): void {
  assertTerm(state, term)
  if (state.cursor !== batch.prev) {
    throw new BusError(
      'stale_cursor',
      `the cursor stands at ${state.cursor}, the batch follows ${batch.prev}`,
      {
        stage: 'log',
      },
    )
  }
}

export function assertTerm(state: WrittenRoomState, term: Term): void {
  if (state.term === term[0]) return
  throw new BusError('stale_term', `term ${term[0]} is over, the newest is ${state.term}`, {
    stage: 'log',
  })
}

export function afterTerm(
  state: WrittenRoomState,
  nonce: string,
): { state: WrittenRoomState; term: Term } {
  const term: Term = [state.term + 1, nonce]
  // The first is the one the relay knows; of those since, the newest are enough to follow on.
  const since = state.terms.slice(1).slice(-MAX_TERMS)
  const terms = [...state.terms.slice(0, 1), ...since, term]
  return { state: { ...state, term: term[0], terms }, term }
}

/** `head` is the number of the newest record. */
export function afterWelcome(
  state: WrittenRoomState,
  update: WelcomeUpdate,
  head: number,
): WrittenRoomState {
  const { confirmed: before, settled, ...rest } = state
  const { term, cursor, liveAfter, subject, reads, confirmed, cut, gap } = update
  const lost = cut !== undefined || (confirmed?.batch ?? 0) < (before?.batch ?? 0)
  // Where the relay has nothing of a fork, it sends all of its log that is not placed, as a new one does.
  const forked = state.forked !== undefined && confirmed === undefined ? head : state.forked
  return {
    ...rest,
    ...(settled === undefined || lost ? undefined : { settled }),
    ...(forked === undefined ? undefined : { forked }),
    cursor,
    liveAfter,
    subject,
    reads,
    ...(confirmed === undefined ? undefined : { confirmed }),
    older: cut ? state.older.filter((position) => !isAbove(cut, position)) : state.older,
    cuts: cut ? addCut(state.cuts, { record: head, ...cut }) : state.cuts,
    gaps: gap ? [...state.gaps, gap].slice(-MAX_GAPS) : state.gaps,
    terms: state.terms.filter((known) => known[0] >= term[0]),
  }
}

function isAbove({ epoch, place }: Pick<Cut, 'epoch' | 'place'>, position: string): boolean {
  return position.startsWith(`${epoch}.`) && placeOf(position) > place
}

/** The device is another from now on: what the relay knew of the old one says nothing of it. */
export function afterFork(state: WrittenRoomState, term: Term, head: number): WrittenRoomState {
  const { confirmed: _, settled: __, ...rest } = state
  return { ...rest, forked: head, terms: [term] }
}

/** `confirmed` is the pair of the last confirmed own batch as it is after the room batch. */
export function afterRoomBatch(
  state: WrittenRoomState,
  batch: RoomBatch,
  confirmed: BatchRef | undefined,
): WrittenRoomState {
  return {
    ...state,
    cursor: batch.position,
    older: spread(state.cursor === undefined ? state.older : [state.cursor, ...state.older]),
    ...(confirmed === undefined ? undefined : { confirmed }),
  }
}

/**
 * Thins out positions, newest first. One between two others goes where the older of these is at
 * most four times as far back as the newer: whoever looks for a position that went finds one at
 * most three times as much further back, and distances only grow, so that this stays true. Of any
 * three neighbours the last is over four times as far as the first: 32 reach back a billion places.
 */
function spread(older: readonly string[]): readonly string[] {
  const newest = placeOf(older[0] ?? '')
  const kept: string[] = []
  // How far back those are: this runs with every batch of the room.
  const distances: number[] = []
  for (const position of older) {
    const distance = newest - placeOf(position)
    while (kept.length >= 2 && distance <= 4 * (distances.at(-2) as number)) {
      kept.pop()
      distances.pop()
    }
    kept.push(position)
    distances.push(distance)
  }
  return kept.slice(0, MAX_OLDER)
}

function placeOf(position: string): number {
  const from = position.indexOf('.') + 1
  return Number(position.slice(from, position.indexOf('.', from)))
}

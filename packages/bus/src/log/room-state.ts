/** How the room's part of a log's state moves on; the same rule for every log. */
import { BusError } from '../errors.ts'
import type { BatchRef, Term } from '../protocol/frames.ts'
import type { RoomBatch, RoomState, WelcomeUpdate } from './log.ts'

/** Positions kept before the cursor: enough for doubling distances over any log. */
const MAX_OLDER = 32

/** Terms kept beside the welcomed one: as many leaders as there may be between two welcomes. */
const MAX_TERMS = 98

export function emptyRoomState(): RoomState {
  return { older: [], liveAfter: 0, terms: [], term: 0, pending: 0 }
}

/** Refuses a batch that does not follow, or a leader that is none any more. */
export function assertFollows(state: RoomState, batch: RoomBatch, term: Term): void {
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

export function assertTerm(state: RoomState, term: Term): void {
  if (state.term === term[0]) return
  throw new BusError('stale_term', `term ${term[0]} is over, the newest is ${state.term}`, {
    stage: 'log',
  })
}

export function afterTerm(state: RoomState, nonce: string): { state: RoomState; term: Term } {
  const term: Term = [state.term + 1, nonce]
  // The first is the one the relay knows; of those since, the newest are enough to follow on.
  const since = state.terms.slice(1).slice(-MAX_TERMS)
  const terms = [...state.terms.slice(0, 1), ...since, term]
  return { state: { ...state, term: term[0], terms }, term }
}

export function afterWelcome(state: RoomState, update: WelcomeUpdate): RoomState {
  return {
    ...state,
    cursor: update.cursor,
    liveAfter: update.liveAfter,
    subject: update.subject,
    terms: state.terms.filter((term) => term[0] >= update.term[0]),
  }
}

/** `confirmed` is the newest own batch in the room batch, with its last id, if there is one. */
export function afterRoomBatch(
  state: RoomState,
  batch: RoomBatch,
  confirmed: BatchRef | undefined,
  confirmedEvents: number,
): RoomState {
  return {
    ...state,
    cursor: batch.position,
    older: spread(state.cursor === undefined ? state.older : [state.cursor, ...state.older]),
    pending: Math.max(0, state.pending - confirmedEvents),
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
  for (const position of older) {
    const distance = newest - placeOf(position)
    while (kept.length >= 2 && distance <= 4 * (newest - placeOf(kept.at(-2) as string))) kept.pop()
    kept.push(position)
  }
  return kept.slice(0, MAX_OLDER)
}

function placeOf(position: string): number {
  return Number(position.split('.')[1])
}

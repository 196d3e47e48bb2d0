/**
 * What a welcome means for this log. `hello` said what the device holds, `welcome` what the relay
 * has of it; the difference decides everything. Pure; `session.ts` does what comes out.
 *
 *   welcome ──► another subject ............................. refuse
 *          ├──► our last batch, or the last term, not ours .. fork: a new device id, hello again
 *          └──► go on: from the cursor ....................... nothing was lost
 *                      from before it, trimmed .............. gap
 *                      from before it, same room ............ cut: the room went back (restored)
 *                      another epoch ........................ cut: none of our positions hold
 *
 * After a cut the stream says again where own events stand, but only of what went out under this
 * device's id. What went out under the one before a fork comes as anybody's, and not at all where the
 * device may not read it: then it forks once more at the head, and hears it in answer to sending it.
 */
import { BusError } from '../errors.ts'
import type { RoomState } from '../log/log.ts'
import type { BatchRef, Term, WelcomeFrame } from '../protocol/frames.ts'
import { isWithin } from '../protocol/pattern.ts'
import { type Cut, parsePosition } from '../protocol/position.ts'
import type { Gap } from '../types.ts'

/** What the device holds, as its hello said, and what it made of the welcome's `taken`. */
export interface Held {
  readonly room: RoomState
  /** The terms of the hello. */
  readonly terms: readonly Term[]
  /** Whether this log has the batch that the relay took last, with the same last event. */
  readonly knowsTaken: boolean
  /** What this connection asked to read, narrowing its rights. */
  readonly types: readonly string[] | undefined
}

export type Verdict =
  | { readonly do: 'refuse'; readonly error: BusError }
  | { readonly do: 'fork' }
  | {
      readonly do: 'goOn'
      readonly liveAfter: number
      readonly reads: string
      readonly confirmed: BatchRef | undefined
      readonly cut: Pick<Cut, 'epoch' | 'place'> | undefined
      readonly gap: Gap | undefined
      /**
       * Whether own batches may go out at once. Where the relay has no chain of this device, what
       * it sent under an older id, or before the room was made anew, may still come by in the
       * stream: only what is not placed at the head is sent; `anew`, under a new id.
       */
      readonly send: 'now' | 'atHead' | 'anew'
    }

export function reconcile(held: Held, welcome: WelcomeFrame): Verdict {
  const { room, types } = held
  if (room.subject !== undefined && room.subject !== welcome.subject) {
    const what =
      'this log belongs to another user of the relay: call bus.clear(), or give each user a bus of another name'
    return { do: 'refuse', error: new BusError('subject_changed', what, { stage: 'sync' }) }
  }
  if (isFork(held, welcome)) return { do: 'fork' }
  const reads = JSON.stringify([welcome.rights.subscribe, types])
  const cut = cutOf(room, welcome)
  return {
    do: 'goOn',
    liveAfter: liveAfter(room, welcome),
    reads,
    confirmed: welcome.taken,
    cut,
    gap: gapOf(room, welcome, reads),
    send: sendOf(held, welcome, cut !== undefined),
  }
}

function sendOf(
  { room: { cursor, cuts, forked }, types }: Held,
  { rights, taken }: WelcomeFrame,
  cutNow: boolean,
): 'now' | 'atHead' | 'anew' {
  if (taken === undefined) return cursor === undefined ? 'now' : 'atHead'
  if (forked === undefined || (types === undefined && rights.subscribe.includes('**'))) return 'now'
  return cutNow || cuts.some(({ record }) => record > forked) ? 'anew' : 'now'
}

/**
 * Somebody else used this identity, or this log lost what it once had committed. A term older than
 * the last one welcomed is neither: there the relay is what went back.
 */
function isFork({ terms, knowsTaken }: Held, { term, taken }: WelcomeFrame): boolean {
  if (taken !== undefined && !knowsTaken) return true
  if (term === undefined || terms.some(([n, nonce]) => n === term[0] && nonce === term[1]))
    return false
  return term[0] >= (terms[0]?.[0] ?? 0)
}

function liveAfter(room: RoomState, { epoch, head }: WelcomeFrame): number {
  if (room.cursor === undefined) return parsePosition(head)?.place ?? 0
  // In a room that was made anew, places count from 1 again, and all that is new in it is live.
  return parsePosition(room.cursor)?.epoch === epoch ? room.liveAfter : 0
}

function cutOf(
  { cursor }: RoomState,
  { recovered, reason, epoch, from, common = from }: WelcomeFrame,
): Pick<Cut, 'epoch' | 'place'> | undefined {
  if (recovered || cursor === undefined || reason === 'trimmed') return undefined
  const lost = parsePosition(cursor)
  if (!lost) return undefined
  const kept = lost.epoch === epoch ? (parsePosition(common)?.place ?? 0) : 0
  return { epoch: lost.epoch, place: kept }
}

function gapOf(room: RoomState, welcome: WelcomeFrame, reads: string): Gap | undefined {
  const { cursor } = room
  const { from, recovered, reason } = welcome
  const lost = cursor === undefined ? undefined : { lost: cursor }
  if (!recovered) return { reason: reason ?? 'unknown_position', from, ...lost }
  // What the old rights hid was passed over, and the new ones do not bring it back.
  if (cursor !== undefined && room.reads !== undefined && !readsNoMore(reads, room.reads))
    return { reason: 'rights_changed', from }
  return undefined
}

/** Patterns of the token, and of what was asked for; everything where that is `null`. */
type Reads = [string[], string[] | null]

/** Whether all that is read now was read before. */
function readsNoMore(now: string, before: string): boolean {
  if (now === before) return true
  const [rights, types] = JSON.parse(now) as Reads
  const [oldRights, oldTypes] = JSON.parse(before) as Reads
  return (
    isWithin(rights, oldRights) &&
    (oldTypes === null || (types !== null && isWithin(types, oldTypes)))
  )
}

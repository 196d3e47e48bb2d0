/** What of a peer was captured, and what nobody told this panel. */

/** By a peer's own clock: from when on it is captured, and what of it was lost since. */
export interface Capture {
  readonly firstAt?: number
  readonly missed: readonly Missed[]
}

/** Records between these two are lost; `to` is Infinity until another one comes. */
export interface Missed {
  readonly from: number
  readonly to: number
}

/** So long after an event, ms, what is lost may have told of it. */
const TOLD_WITHIN_MS = 2_000
/** Times lose that much on their way through those since 1970, ms. */
const LOST_MS = 0.01

/** Whether what became of something at that time would have been told. */
export function isCaptured({ firstAt, missed }: Capture, at: number): boolean {
  if (firstAt !== undefined && at < firstAt - LOST_MS) return false
  return !missed.some(({ from, to }) => from < at + TOLD_WITHIN_MS && at < to - LOST_MS)
}

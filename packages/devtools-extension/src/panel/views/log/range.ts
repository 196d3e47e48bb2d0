/** Which rows of a list are in the page: those in sight, and some more before and after them. */

/** From `first` on, up to but without `end`. */
export interface Range {
  readonly first: number
  readonly end: number
}

/** Rows in the page at most. */
const MOST_ROWS = 79
/** Rows before those in sight and after them. */
const MARGIN = 8
/** The rows in the page change when so many have been scrolled. */
const STEP = 4

/** Of how far a list was scrolled, in rows: what decides which rows are in the page. */
export function stepOf(top: number): number {
  return Math.floor(top / STEP)
}

/** Of a list scrolled to a step, of which so many rows are in sight. */
export function rangeAt(step: number, length: number, sight: number): Range {
  const margin = marginOf(sight)
  // It may have become shorter since.
  const top = Math.min(step * STEP, Math.max(0, length - Math.floor(sight)))
  const first = Math.max(0, top - margin)
  return { first, end: Math.min(length, top + seen(sight) + margin) }
}

/** Of a list that stands at its end. */
export function rangeAtEnd(length: number, sight: number): Range {
  return { first: Math.max(0, length - seen(sight) - marginOf(sight)), end: length }
}

/** Rows that are in sight somewhere in a step. */
function seen(sight: number): number {
  return Math.min(MOST_ROWS, Math.ceil(sight) + STEP)
}

function marginOf(sight: number): number {
  return Math.max(0, Math.min(MARGIN, Math.floor((MOST_ROWS - seen(sight)) / 2)))
}

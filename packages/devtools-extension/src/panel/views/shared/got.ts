import type { EventRow } from '../../model/model.ts'

/** `2 of 3`, `2 of 2, 1 not known`, `not known`: at how many peers it was handled. */
export function gotWords({ delivered, expected, unknown }: EventRow): string {
  if (unknown === 0) return `${delivered} of ${expected}`
  return expected === 0 ? 'not known' : `${delivered} of ${expected}, ${unknown} not known`
}

// Statistics of few, noisy numbers: medians, never means.

/** The value below which `share` of the others lie, between neighbours where it falls between. */
export function quantile(values, share) {
  if (values.length === 0) throw new Error('no values')
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)]
  const high = sorted[Math.ceil(at)]
  return low + (high - low) * (at - Math.floor(at))
}

export const median = (values) => quantile(values, 0.5)

/**
 * What the rounds of one row come to. The ratio is the median of the rounds' own ratios: the two
 * sides of a round ran next to each other, so what slowed one slowed the other.
 */
export function summarize(rounds, goal) {
  const ratios = rounds.map(({ ours, peer }) => ours / peer)
  const ratio = median(ratios)
  return {
    ours: median(rounds.map((round) => round.ours)),
    peer: median(rounds.map((round) => round.peer)),
    ratio,
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
    meets: meets(ratio, goal),
  }
}

/** A goal is `{ atLeast }` times the peer's rate, or `{ atMost }` times its time. */
export function meets(ratio, { atLeast, atMost }) {
  return atLeast === undefined ? ratio <= atMost : ratio >= atLeast
}

/** What the rounds of a budget come to: their median is what must be within it. */
export function summarizeBudget(values, budget) {
  const point = summarizePoint(values)
  return { ...point, meets: meets(point.value, budget) }
}

/** The median of some rounds, and their range. */
export function summarizePoint(values) {
  return { value: median(values), lowest: Math.min(...values), highest: Math.max(...values) }
}

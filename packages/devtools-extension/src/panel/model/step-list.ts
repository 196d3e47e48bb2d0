/** The steps of an event as views see them, in an order that has no effect before its cause. */
import type { Known } from './expected.ts'
import type { Step } from './model.ts'
import { STEP_KINDS } from './store/steps.ts'

export function stepsOf(known: Known, entry: number): readonly Step[] {
  const { entries, pool, skew, book } = known
  const publisher = entries.publisher[entry]!
  const published = publisher > 0 ? entries.ms[entry]! : Number.NEGATIVE_INFINITY
  const steps: Step[] = []
  for (let step = entries.stepHead[entry]!; step >= 0; step = pool.next(step)) {
    const { peer, is, via, origin, sub, subs, detail, why, code, to, from, stage, final } =
      pool.facet(step)
    const value = pool.value(step)
    const number = pool.num(step)
    let ms = skew.msOf(peer, pool.at(step))
    // Clocks agree only so far: nothing happens to an event before it is published.
    if (ms < published && ms >= published - skew.between(publisher, peer)) ms = published
    steps.push({
      ms,
      peer: book.idOf(peer),
      is,
      ...(via === undefined ? {} : { via }),
      ...(origin === undefined ? {} : { origin }),
      ...(sub === undefined ? {} : { sub }),
      ...(subs === undefined ? {} : { subs }),
      ...(Number.isNaN(value) ? {} : { durationMs: value }),
      ...(Number.isNaN(number) || is === 'published' ? {} : { number }),
      ...(detail === undefined ? {} : { detail }),
      ...(why === undefined ? {} : { why }),
      ...(code === undefined ? {} : { code }),
      ...(to === undefined ? {} : { to }),
      ...(from === undefined ? {} : { from }),
      ...(stage === undefined ? {} : { stage }),
      ...(final === undefined ? {} : { final }),
    })
  }
  return steps.sort((a, b) => a.ms - b.ms || RANK.get(a.is)! - RANK.get(b.is)!)
}

/** Of what happened in one moment, the order of the stages. */
const RANK: ReadonlyMap<Step['is'], number> = new Map(STEP_KINDS.map((kind, rank) => [kind, rank]))

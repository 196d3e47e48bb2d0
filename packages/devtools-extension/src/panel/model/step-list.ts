/** The steps of an event as views see them, in an order that has no effect before its cause. */
import type { Known } from './expected.ts'
import type { Step } from './model.ts'
import { offsetIn } from './offsets.ts'
import { STEP_KINDS } from './store/spans.ts'

export function stepsOf(known: Known, entry: number): readonly Step[] {
  const { entries, ids, spans, skew, book } = known
  const publisher = entries.publisher[entry]!
  const published = publisher > 0 ? entries.ms[entry]! : Number.NEGATIVE_INFINITY
  const steps: Step[] = []
  const named = ids.spansOf(entries.ids[entry]!)
  for (let i = 0; i < named.length; i += 2) {
    const span = named[i]!
    const place = named[i + 1]!
    const { peer, is, via, origin, sub, subs, detail, why, code, to, from, stage, final } =
      spans.facet(span)
    const value = spans.value(span, place)
    const number = numberOf(is, spans.num(span), spans.index(span, place))
    let ms = skew.msOf(peer, spans.at(span))
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
      ...(number === undefined ? {} : { number }),
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

/** Where an event of a record stands: counted on from its first. */
function numberOf(is: Step['is'], num: number | undefined, index: number): number | undefined {
  if (num === undefined) return undefined
  if (is === 'committed') return offsetIn(num, index)
  return is === 'confirmed' ? num + index : num
}

/**
 * What happened to events: one *span* for each run of ids that a record names, so that what happens
 * to a hundred events at once is kept once. What many spans have in common (peer, kind, link,
 * subscription, error) is a *facet*, kept once too.
 */
import type { Via } from '@crosstown/bus/inspect'

export const STEP_KINDS = [
  'published',
  'committed',
  'posted',
  'confirmed',
  'received',
  'matched',
  'handled',
  'failed',
  'retried',
  'refused',
  'dropped',
  'filtered',
] as const
export type StepKind = (typeof STEP_KINDS)[number]

export interface Facet {
  readonly peer: number
  readonly is: StepKind
  readonly via?: Via
  readonly origin?: 'device' | 'room' | 'past'
  readonly sub?: number
  readonly subs?: readonly number[]
  /** Of a failure: its message; of a confirmation: the epoch. */
  readonly detail?: string
  readonly why?: string
  readonly code?: string
  readonly stage?: string
  readonly to?: string
  readonly from?: string
  readonly final?: boolean
}

const BITS = 15
const SIZE = 1 << BITS
const MASK = SIZE - 1
/** Facets at which those that no span has any more are looked for. */
const FIRST_SWEEP = 20_000
const NO_NUMBER = 0xffffffff
/** Numbers beyond are of no log or room that people inspect. */
const MAX_NUMBER = NO_NUMBER - 1

interface Chunk {
  readonly at: Float64Array
  readonly facet: Int32Array
  /** Counter of the first id. */
  readonly first: Uint32Array
  readonly count: Uint16Array
  /** Which id of its record the first one is. */
  readonly from: Uint16Array
  /** ms of a handler or commit, where all ids have the same; NaN for none. */
  readonly value: Float32Array
  /** Batch, place, bytes, attempt or count, by kind. */
  readonly num: Uint32Array
  /** Groups of ids that name it. */
  readonly refs: Uint16Array
}

export class Spans {
  readonly #chunks: Chunk[] = []
  #made = 0
  readonly #free: number[] = []
  /** ms by id of its record, where they differ. */
  readonly #values = new Map<number, readonly number[]>()

  readonly #facets: (Facet | undefined)[] = []
  readonly #byKey = new Map<string, number>()
  readonly #freeFacets: number[] = []
  #sweepAt = FIRST_SWEEP
  /** How often facets went: indexes of before may be others' since. */
  sweeps = 0

  get used(): number {
    return this.#made - this.#free.length
  }

  facetOf(facet: Facet): number {
    const key = keyOf(facet)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= this.#sweepAt) this.#sweep()
    const index = this.#freeFacets.pop() ?? this.#facets.length
    this.#facets[index] = facet
    this.#byKey.set(key, index)
    return index
  }

  /** A span that nothing names yet: whoever keeps it retains it. */
  add(
    at: number,
    facet: number,
    first: number,
    count: number,
    from: number,
    num: number | undefined,
    value: number | readonly number[] | undefined,
  ): number {
    let span = this.#free.pop()
    if (span === undefined) {
      span = this.#made++
      if (span >> BITS === this.#chunks.length) this.#chunks.push(newChunk())
    }
    const chunk = this.#chunks[span >> BITS]!
    const i = span & MASK
    chunk.at[i] = at
    chunk.facet[i] = facet
    chunk.first[i] = first
    chunk.count[i] = count
    chunk.from[i] = from
    chunk.num[i] = num === undefined ? NO_NUMBER : Math.min(num, MAX_NUMBER)
    chunk.refs[i] = 0
    if (typeof value === 'number') chunk.value[i] = value
    else {
      const only = value && count === 1 ? value[from] : undefined
      chunk.value[i] = only ?? Number.NaN
      if (value && only === undefined) this.#values.set(span, value)
    }
    return span
  }

  retain(span: number): void {
    this.#chunks[span >> BITS]!.refs[span & MASK]!++
  }

  release(span: number): void {
    if (--this.#chunks[span >> BITS]!.refs[span & MASK]! > 0) return
    this.#values.delete(span)
    this.#free.push(span)
  }

  /** Gives back a span that nothing came to name. */
  drop(span: number): void {
    if (this.#chunks[span >> BITS]!.refs[span & MASK] === 0) {
      this.retain(span)
      this.release(span)
    }
  }

  /** Which id of the span a counter is; -1 for none. */
  placeOf(span: number, counter: number): number {
    const chunk = this.#chunks[span >> BITS]!
    const place = counter - chunk.first[span & MASK]!
    return place >= 0 && place < chunk.count[span & MASK]! ? place : -1
  }

  /** Counter of its first id, 0 of one without. */
  firstOf(span: number): number {
    return this.#chunks[span >> BITS]!.first[span & MASK]!
  }

  countOf(span: number): number {
    return this.#chunks[span >> BITS]!.count[span & MASK]!
  }

  at(span: number): number {
    return this.#chunks[span >> BITS]!.at[span & MASK]!
  }

  facet(span: number): Facet {
    return this.#facets[this.#chunks[span >> BITS]!.facet[span & MASK]!]!
  }

  /** Which id of its record the one at `place` is. */
  index(span: number, place: number): number {
    return this.#chunks[span >> BITS]!.from[span & MASK]! + place
  }

  /** ms of a handler or a commit; NaN for none. */
  value(span: number, place: number): number {
    const same = this.#chunks[span >> BITS]!.value[span & MASK]!
    if (!Number.isNaN(same)) return same
    return this.#values.get(span)?.[this.index(span, place)] ?? Number.NaN
  }

  /** What its record said beside: a batch, a place, bytes, an attempt, a count. */
  num(span: number): number | undefined {
    const num = this.#chunks[span >> BITS]!.num[span & MASK]!
    return num === NO_NUMBER ? undefined : num
  }

  /** Messages of errors differ from one to the next: facets of spans that are gone go too. */
  #sweep(): void {
    this.sweeps++
    const inUse = new Uint8Array(this.#facets.length)
    for (let span = 0; span < this.#made; span++) {
      const chunk = this.#chunks[span >> BITS]!
      if (chunk.refs[span & MASK]! > 0) inUse[chunk.facet[span & MASK]!] = 1
    }
    for (const [key, index] of this.#byKey) {
      if (inUse[index] === 1) continue
      this.#byKey.delete(key)
      this.#facets[index] = undefined
      this.#freeFacets.push(index)
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#byKey.size * 2)
  }
}

function keyOf(facet: Facet): string {
  const { peer, is, via, sub, subs, detail, why, code, to, from, origin, stage, final } = facet
  switch (is) {
    case 'published':
    case 'committed':
      return `${peer} ${is}`
    case 'handled':
      return `${peer} h ${sub}`
    case 'matched':
      return `${peer} m ${subs!.join()}`
    default:
      return `${peer} ${is} ${via ?? ''} ${sub ?? ''} ${origin ?? ''} ${why ?? ''} ${code ?? ''} ${stage ?? ''} ${final ?? ''}\n${to ?? ''}\n${from ?? ''}\n${detail ?? ''}`
  }
}

function newChunk(): Chunk {
  return {
    at: new Float64Array(SIZE),
    facet: new Int32Array(SIZE),
    first: new Uint32Array(SIZE),
    count: new Uint16Array(SIZE),
    from: new Uint16Array(SIZE),
    value: new Float32Array(SIZE),
    num: new Uint32Array(SIZE),
    refs: new Uint16Array(SIZE),
  }
}

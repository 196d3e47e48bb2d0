/**
 * What happened to events, some ten steps for each: a pool of numbers, each step the next of its
 * event's list. What many steps have in common (peer, kind, link, subscription, error) is a *facet*,
 * kept once.
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
/** Facets at which those that no step has any more are looked for. */
const FIRST_SWEEP = 20_000

interface Chunk {
  readonly at: Float64Array
  readonly facet: Int32Array
  /** ms of a handler or a commit; NaN for none. */
  readonly value: Float32Array
  /** Batch number, place, bytes, attempt or count, by kind. */
  readonly num: Float64Array
  readonly next: Int32Array
}

export class Steps {
  readonly #chunks: Chunk[] = []
  #made = 0
  #free = -1
  #used = 0

  readonly #facets: (Facet | undefined)[] = []
  readonly #byKey = new Map<string, number>()
  readonly #freeFacets: number[] = []
  #sweepAt = FIRST_SWEEP

  /** Steps there are. */
  get used(): number {
    return this.#used
  }

  facetOf(facet: Facet): number {
    const { peer, is, via, sub, subs, detail, why, code, to, from, origin, stage, final } = facet
    const key = `${peer} ${is} ${via ?? ''} ${sub ?? ''} ${origin ?? ''} ${why ?? ''} ${code ?? ''} ${stage ?? ''} ${final ?? ''} ${subs?.join() ?? ''}\n${to ?? ''}\n${from ?? ''}\n${detail ?? ''}`
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= this.#sweepAt) this.#sweep()
    const index = this.#freeFacets.pop() ?? this.#facets.length
    this.#facets[index] = facet
    this.#byKey.set(key, index)
    return index
  }

  kindOf(facet: number): StepKind {
    return this.#facets[facet]!.is
  }

  /** A new step, not in any list. */
  add(at: number, facet: number, value: number, num: number): number {
    let step = this.#free
    if (step >= 0) this.#free = this.#chunks[step >> BITS]!.next[step & MASK]!
    else {
      step = this.#made++
      if (step >> BITS === this.#chunks.length) this.#chunks.push(newChunk())
    }
    const chunk = this.#chunks[step >> BITS]!
    const index = step & MASK
    chunk.at[index] = at
    chunk.facet[index] = facet
    chunk.value[index] = value
    chunk.num[index] = num
    chunk.next[index] = -1
    this.#used++
    return step
  }

  /** Puts `step` behind `tail`. */
  link(tail: number, step: number): void {
    this.#chunks[tail >> BITS]!.next[tail & MASK] = step
  }

  /** Gives a list back. */
  free(head: number, tail: number, count: number): void {
    if (head < 0) return
    this.#chunks[tail >> BITS]!.next[tail & MASK] = this.#free
    this.#free = head
    this.#used -= count
  }

  next(step: number): number {
    return this.#chunks[step >> BITS]!.next[step & MASK]!
  }

  at(step: number): number {
    return this.#chunks[step >> BITS]!.at[step & MASK]!
  }

  facet(step: number): Facet {
    return this.#facets[this.#chunks[step >> BITS]!.facet[step & MASK]!]!
  }

  facetIndex(step: number): number {
    return this.#chunks[step >> BITS]!.facet[step & MASK]!
  }

  value(step: number): number {
    return this.#chunks[step >> BITS]!.value[step & MASK]!
  }

  num(step: number): number {
    return this.#chunks[step >> BITS]!.num[step & MASK]!
  }

  /** Everything is given back. */
  clear(): void {
    this.#chunks.length = 0
    this.#made = 0
    this.#free = -1
    this.#used = 0
    this.#facets.length = 0
    this.#byKey.clear()
    this.#freeFacets.length = 0
    this.#sweepAt = FIRST_SWEEP
  }

  /** Messages of errors differ from one to the next: facets of steps that are gone go too. */
  #sweep(): void {
    const inUse = new Uint8Array(this.#facets.length)
    const isFree = new Uint8Array(this.#made)
    for (let step = this.#free; step >= 0; step = this.next(step)) isFree[step] = 1
    for (let step = 0; step < this.#made; step++) {
      if (isFree[step] === 0) inUse[this.facetIndex(step)] = 1
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

function newChunk(): Chunk {
  return {
    at: new Float64Array(SIZE),
    facet: new Int32Array(SIZE),
    value: new Float32Array(SIZE),
    num: new Float64Array(SIZE),
    next: new Int32Array(SIZE),
  }
}

/** Finds entries by event id, without keeping the ids: `prefix-counter` is two numbers and a map. */
import type { Ids } from '@crosstown/bus/inspect'
import { parseId } from '@crosstown/bus/protocol'

const CHUNK = 64
/** Prefixes of which it is remembered how far they were forgotten. */
const MAX_FLOORS = 10_000

interface Chunk {
  readonly slots: Int32Array
  used: number
}

interface Prefix {
  readonly chunks: Map<number, Chunk>
  /** The chunk used last: ids come in runs. */
  last: Chunk | undefined
  lastNumber: number
}

export class IdIndex {
  readonly #prefixes = new Map<string, Prefix>()
  /** Ids without a counter. */
  readonly #others = new Map<string, number>()
  /** The highest counter of each prefix that was here and is not any more. */
  readonly #floors = new Map<string, number>()

  /** The entry of an id, -1 for none. */
  find(id: string): number {
    const [prefix, counter] = parseId(id)
    return counter === 0 ? (this.#others.get(id) ?? -1) : this.at(prefix, counter)
  }

  at(prefix: string, counter: number): number {
    const known = this.#prefixes.get(prefix)
    if (!known) return -1
    const chunk = chunkOf(known, Math.floor(counter / CHUNK))
    return chunk ? chunk.slots[counter % CHUNK]! - 1 : -1
  }

  set(id: string, entry: number): void {
    const [prefix, counter] = parseId(id)
    if (counter === 0) {
      this.#others.set(id, entry)
      return
    }
    let known = this.#prefixes.get(prefix)
    if (!known) {
      known = { chunks: new Map(), last: undefined, lastNumber: -1 }
      this.#prefixes.set(prefix, known)
    }
    const number = Math.floor(counter / CHUNK)
    let chunk = chunkOf(known, number)
    if (!chunk) {
      chunk = { slots: new Int32Array(CHUNK), used: 0 }
      known.chunks.set(number, chunk)
      known.last = chunk
      known.lastNumber = number
    }
    if (chunk.slots[counter % CHUNK] === 0) chunk.used++
    chunk.slots[counter % CHUNK] = entry + 1
  }

  /** Forgets an id; later facts about it are about nothing. */
  delete(id: string): void {
    const [prefix, counter] = parseId(id)
    if (counter === 0) {
      this.#others.delete(id)
      return
    }
    this.#raise(prefix, counter)
    const known = this.#prefixes.get(prefix)
    const number = Math.floor(counter / CHUNK)
    const chunk = known && chunkOf(known, number)
    if (!chunk || chunk.slots[counter % CHUNK] === 0) return
    chunk.slots[counter % CHUNK] = 0
    if (--chunk.used > 0) return
    known.chunks.delete(number)
    known.last = undefined
    known.lastNumber = -1
    if (known.chunks.size === 0) this.#prefixes.delete(prefix)
  }

  /** Whether an id is one that was forgotten, or older than one of its publisher that was. */
  isForgotten(prefix: string, counter: number): boolean {
    return counter > 0 && counter <= (this.#floors.get(prefix) ?? 0)
  }

  #raise(prefix: string, counter: number): void {
    const floor = this.#floors.get(prefix)
    if (floor !== undefined && floor >= counter) return
    if (floor === undefined && this.#floors.size >= MAX_FLOORS) {
      const [oldest] = this.#floors.keys()
      this.#floors.delete(oldest!)
    }
    this.#floors.set(prefix, counter)
  }
}

function chunkOf(known: Prefix, number: number): Chunk | undefined {
  if (known.lastNumber === number) return known.last
  const chunk = known.chunks.get(number)
  if (chunk) {
    known.last = chunk
    known.lastNumber = number
  }
  return chunk
}

/** Calls back with each id: its prefix and counter, or the id whole and 0. */
export function eachId(
  ids: Ids,
  each: (prefix: string, counter: number, index: number) => void,
): void {
  let index = 0
  for (const entry of ids) {
    if (typeof entry === 'string') {
      const [prefix, counter] = parseId(entry)
      each(counter === 0 ? entry : prefix, counter, index++)
    } else {
      const [prefix, first, count] = entry
      for (let k = 0; k < count; k++) each(prefix, first + k, index++)
    }
  }
}

export function idOf(prefix: string, counter: number): string {
  return counter === 0 ? prefix : `${prefix}-${counter}`
}

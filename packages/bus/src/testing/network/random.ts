/** Chance from a seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A number from 0 to 1, by Mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** Letters and digits. */
  text(length: number): string {
    let text = ''
    while (text.length < length) text += Math.floor(this.next() * 36 ** 5).toString(36)
    return text.slice(0, length)
  }
}

/**
 * Chance of its own for each part of a run: what one part draws does not change what another
 * gets, so that a run with one fault less is the same run in all else.
 */
export function randomFor(seed: number, name: string): Random {
  return new Random(fnv1a(name, fnv1a(String(seed))))
}

/** FNV-1a, 32 bits; `hash` goes on from another text's. */
export function fnv1a(text: string, hash: number = 0x811c9dc5): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

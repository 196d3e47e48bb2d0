import { parseId } from '@crosstown/bus/protocol'
import type { IdRange } from '../record.ts'
import { TRIMMED_RANGES } from './store.ts'

/** Ids of events that a room had and trimmed away, as ranges of counters. */
export class TrimmedIds {
  readonly #of = new Map<string, IdRange[]>()
  /** The one that was trimmed last comes last. */
  readonly #all = new Set<IdRange>()

  /** Ranges that overlap or touch become one. */
  add({ prefix, first, last }: IdRange): void {
    let all: IdRange = { prefix, first, last }
    const apart: IdRange[] = []
    for (const range of this.#of.get(prefix) ?? []) {
      if (range.last < first - 1 || range.first > last + 1) apart.push(range)
      else {
        this.#all.delete(range)
        all = {
          prefix,
          first: Math.min(all.first, range.first),
          last: Math.max(all.last, range.last),
        }
      }
    }
    this.#of.set(prefix, [...apart, all])
    this.#all.add(all)
    if (this.#all.size > TRIMMED_RANGES) this.#forgetOldest()
  }

  has(id: string): boolean {
    const [prefix, counter] = parseId(id)
    return (
      this.#of.get(prefix)?.some(({ first, last }) => first <= counter && counter <= last) ?? false
    )
  }

  /** The one that was trimmed last comes last. */
  [Symbol.iterator](): Iterator<IdRange> {
    return this.#all.values()
  }

  #forgetOldest(): void {
    const [oldest] = this.#all
    if (!oldest) return
    const { prefix } = oldest
    this.#all.delete(oldest)
    const rest = this.#of.get(prefix)?.filter((range) => range !== oldest) ?? []
    if (rest.length > 0) this.#of.set(prefix, rest)
    else this.#of.delete(prefix)
  }
}

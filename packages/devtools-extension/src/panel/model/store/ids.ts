/**
 * Finds entries by event id, and spans by entry, without keeping the ids: a publisher's ids are its
 * prefix and a counter, and neighbours share a group.
 */
import type { Ids } from '@crosstown/bus/inspect'
import { parseId } from '@crosstown/bus/protocol'
import type { Spans } from './spans.ts'

const BITS = 5
const SIZE = 1 << BITS
const MASK = SIZE - 1
/** Counters beyond are taken as parts of a name: no bus publishes so many. */
const MAX_COUNTER = 2 ** 32 - 2
/** Prefixes of which it is remembered how far they were forgotten. */
const MAX_FLOORS = 10_000

interface Group {
  /** Entries, -1 for none. */
  readonly entries: number[]
  used: number
  /** Spans that name some of them. */
  readonly spans: number[]
}

interface Prefix {
  readonly groups: Map<number, Group>
  /** The group used last: ids come in runs. */
  last: Group | undefined
  lastNumber: number
}

export class IdIndex {
  readonly #spans: Spans
  readonly #prefixes = new Map<string, Prefix>()
  /** Ids without a counter have groups of their own. */
  readonly #others = new Map<string, Group>()
  /** The highest counter of each prefix that was here and is not any more. */
  readonly #floors = new Map<string, number>()
  #lastPrefix = ''
  #lastKnown: Prefix | undefined

  constructor(spans: Spans) {
    this.#spans = spans
  }

  /** The entry of an id, -1 for none. */
  find(id: string): number {
    const [prefix, counter] = partsOf(id)
    if (counter === 0) return this.#others.get(id)?.entries[0] ?? -1
    return this.#groupOf(prefix, counter >>> BITS)?.entries[counter & MASK] ?? -1
  }

  findOrMake(id: string, make: (id: string) => number): number {
    const known = this.find(id)
    return known >= 0 ? known : make(id)
  }

  set(id: string, entry: number): void {
    const [prefix, counter] = partsOf(id)
    const group = counter === 0 ? this.#other(id) : this.#makeGroup(prefix, counter >>> BITS)
    const place = counter & MASK
    if (group.entries[place]! < 0) group.used++
    group.entries[place] = entry
  }

  /** Forgets an id; later facts about it are about nothing. */
  delete(id: string): void {
    const [prefix, counter] = partsOf(id)
    if (counter === 0) {
      const group = this.#others.get(id)
      if (group) this.#release(group)
      this.#others.delete(id)
      return
    }
    this.#raise(prefix, counter)
    const number = counter >>> BITS
    const group = this.#groupOf(prefix, number)
    if (!group || group.entries[counter & MASK]! < 0) return
    group.entries[counter & MASK] = -1
    if (--group.used > 0) return
    this.#release(group)
    const known = this.#prefixOf(prefix)!
    known.groups.delete(number)
    known.last = undefined
    known.lastNumber = -1
    if (known.groups.size === 0) {
      this.#prefixes.delete(prefix)
      this.#lastKnown = undefined
      this.#lastPrefix = ''
    }
  }

  /**
   * Keeps a span with the ids it names, and puts their entries into `into`: -1 for those that were
   * forgotten, `make(id)` for those that are new.
   */
  name(
    span: number,
    prefix: string,
    first: number,
    count: number,
    into: Int32Array,
    make: (id: string) => number,
  ): void {
    if (first === 0) {
      let group = this.#others.get(prefix)
      if (!group) {
        make(prefix)
        group = this.#others.get(prefix)!
      }
      into[0] = group.entries[0]!
      this.#keep(group, span)
      return
    }
    const floor = this.#floors.get(prefix) ?? 0
    let k = 0
    while (k < count) {
      const counter = first + k
      const number = counter >>> BITS
      const end = Math.min(count, k + SIZE - (counter & MASK))
      let group = this.#groupOf(prefix, number)
      if (!group && first + end - 1 <= floor) {
        into.fill(-1, k, end)
        k = end
        continue
      }
      for (; k < end; k++) {
        const place = (first + k) & MASK
        let entry = group ? group.entries[place]! : -1
        if (entry < 0 && first + k > floor) {
          entry = make(`${prefix}-${first + k}`)
          group = this.#groupOf(prefix, number)!
        }
        into[k] = entry
      }
      if (group) this.#keep(group, span)
    }
  }

  /** Spans that name an id, and which of theirs it is: in turns. */
  spansOf(id: string): number[] {
    const [prefix, counter] = partsOf(id)
    const group = counter === 0 ? this.#others.get(id) : this.#groupOf(prefix, counter >>> BITS)
    const found: number[] = []
    if (!group) return found
    for (const span of group.spans) {
      const place = counter === 0 ? 0 : this.#spans.placeOf(span, counter)
      if (place >= 0) found.push(span, place)
    }
    return found
  }

  #keep(group: Group, span: number): void {
    group.spans.push(span)
    this.#spans.retain(span)
  }

  #release(group: Group): void {
    for (const span of group.spans) this.#spans.release(span)
  }

  #prefixOf(prefix: string): Prefix | undefined {
    if (this.#lastPrefix === prefix && this.#lastKnown) return this.#lastKnown
    const known = this.#prefixes.get(prefix)
    if (known) {
      this.#lastPrefix = prefix
      this.#lastKnown = known
    }
    return known
  }

  #groupOf(prefix: string, number: number): Group | undefined {
    const known = this.#prefixOf(prefix)
    if (!known) return undefined
    if (known.lastNumber === number) return known.last
    const group = known.groups.get(number)
    if (group) {
      known.last = group
      known.lastNumber = number
    }
    return group
  }

  #makeGroup(prefix: string, number: number): Group {
    let known = this.#prefixOf(prefix)
    if (!known) {
      known = { groups: new Map(), last: undefined, lastNumber: -1 }
      this.#prefixes.set(prefix, known)
    }
    let group = this.#groupOf(prefix, number)
    if (!group) {
      group = { entries: new Array<number>(SIZE).fill(-1), used: 0, spans: [] }
      known.groups.set(number, group)
      known.last = group
      known.lastNumber = number
    }
    return group
  }

  #other(id: string): Group {
    let group = this.#others.get(id)
    if (!group) {
      group = { entries: [-1], used: 0, spans: [] }
      this.#others.set(id, group)
    }
    return group
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

function partsOf(id: string): [prefix: string, counter: number] {
  const parts = parseId(id)
  return parts[1] > MAX_COUNTER ? [id, 0] : parts
}

/** A run of ids of a record: `first` 0 is one id without a counter, whole in `prefix`. */
export function eachRun(
  ids: Ids,
  each: (prefix: string, first: number, count: number, from: number) => void,
): void {
  let from = 0
  for (const entry of ids) {
    if (typeof entry === 'string') {
      const [prefix, counter] = partsOf(entry)
      each(prefix, counter, 1, from++)
      continue
    }
    const [prefix, first, count] = entry
    // Written as a run, an id is the same as written out.
    if (first === 0 || first + count > MAX_COUNTER) {
      for (let k = 0; k < count; k++) each(`${prefix}-${first + k}`, 0, 1, from + k)
    } else each(prefix, first, count, from)
    from += count
  }
}

export function idOf(prefix: string, counter: number): string {
  return counter === 0 ? prefix : `${prefix}-${counter}`
}

/** What an id shares with its neighbours; all of one without a counter. */
export function prefixOf(id: string): string {
  return partsOf(id)[0]
}

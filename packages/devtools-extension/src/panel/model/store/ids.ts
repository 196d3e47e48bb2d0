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
/** Publishers whose ids are looked for first: there are mostly few. */
const RECENT = 8

/** An entry for the id of a counter, the `k`th of its run; 0 is an id without one, whole in `prefix`. */
export type Make = (prefix: string, counter: number, k: number) => number

interface Group {
  /** Entries, -1 for none. */
  readonly entries: number[]
  used: number
  /** Spans that name some of them. */
  readonly spans: number[]
}

interface Prefix {
  readonly text: string
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
  readonly #recent: Prefix[] = []

  constructor(spans: Spans) {
    this.#spans = spans
  }

  /** The entry of an id, -1 for none. */
  find(id: string): number {
    for (const prefix of this.#recent) {
      const { text } = prefix
      if (id.charCodeAt(text.length) !== DASH || !id.startsWith(text)) continue
      const counter = counterAt(id, text.length + 1)
      if (counter === 0) continue
      const number = counter >>> BITS
      const group = prefix.lastNumber === number ? prefix.last : prefix.groups.get(number)
      if (group === undefined) return -1
      prefix.last = group
      prefix.lastNumber = number
      return group.entries[counter & MASK]!
    }
    const [prefix, counter] = partsOf(id)
    if (counter === 0) return this.#others.get(id)?.entries[0] ?? -1
    return this.#groupOf(prefix, counter >>> BITS)?.entries[counter & MASK] ?? -1
  }

  set(id: string, entry: number): void {
    const [prefix, counter] = partsOf(id)
    const group = counter === 0 ? this.#other(id) : this.#makeGroup(prefix, counter >>> BITS)
    put(group, counter & MASK, entry)
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
      const recent = this.#recent.indexOf(known)
      if (recent >= 0) this.#recent.splice(recent, 1)
      this.#lastKnown = undefined
      this.#lastPrefix = ''
    }
  }

  /**
   * Keeps a span with the ids it names, and puts their entries into `into`: -1 for those that were
   * forgotten, what `make` gives for those that are new. With `again`, ids that were forgotten are new.
   */
  name(
    span: number,
    prefix: string,
    first: number,
    count: number,
    into: Int32Array,
    make: Make,
    again = false,
  ): void {
    if (first === 0) {
      let group = this.#others.get(prefix)
      if (!group) {
        const entry = make(prefix, 0, 0)
        group = this.#other(prefix)
        put(group, 0, entry)
      }
      into[0] = group.entries[0]!
      this.#keep(group, span)
      return
    }
    const floor = again || this.#floors.size === 0 ? 0 : (this.#floors.get(prefix) ?? 0)
    for (let k = 0; k < count; ) {
      const counter = first + k
      const end = Math.min(count, k + SIZE - (counter & MASK))
      let group = this.#groupOf(prefix, counter >>> BITS)
      if (!group && first + end - 1 <= floor) into.fill(-1, k, end)
      else {
        const known = group ? copied(group.entries, counter & MASK, into, k, end) : k
        if (known < end) group = this.#name(prefix, first, known, end, into, make, floor)
      }
      if (group) this.#keep(group, span)
      k = end
    }
  }

  /** The same for ids of one group, from the first that is new. */
  #name(
    prefix: string,
    first: number,
    from: number,
    end: number,
    into: Int32Array,
    make: Make,
    floor: number,
  ): Group | undefined {
    const number = (first + from) >>> BITS
    let group = this.#groupOf(prefix, number)
    for (let k = from; k < end; k++) {
      const place = (first + k) & MASK
      let entry = group ? group.entries[place]! : -1
      if (entry < 0 && first + k > floor) {
        entry = make(prefix, first + k, k)
        // What was made may have taken the place of others: the group itself may be another one.
        group = this.#makeGroup(prefix, number)
        put(group, place, entry)
      }
      into[k] = entry
    }
    return group
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
      if (!this.#recent.includes(known)) {
        if (this.#recent.length === RECENT) this.#recent.pop()
        this.#recent.unshift(known)
      }
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
      known = { text: prefix, groups: new Map(), last: undefined, lastNumber: -1 }
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

/** Copies entries from `place` on until one is missing; gives where it stopped. */
function copied(
  entries: readonly number[],
  place: number,
  into: Int32Array,
  from: number,
  end: number,
): number {
  const shift = place - from
  for (let k = from; k < end; k++) {
    const entry = entries[k + shift]!
    if (entry < 0) return k
    into[k] = entry
  }
  return end
}

function put(group: Group, place: number, entry: number): void {
  if (group.entries[place]! < 0) group.used++
  group.entries[place] = entry
}

const DASH = 45
const [ZERO, NINE] = [48, 57]
const MAX_DIGITS = 10

/** The counter that is all the rest of an id, as we write counters; 0 for none. */
function counterAt(id: string, from: number): number {
  if (id.length - from > MAX_DIGITS || id.charCodeAt(from) === ZERO) return 0
  let counter = 0
  for (let i = from; i < id.length; i++) {
    const digit = id.charCodeAt(i)
    if (digit < ZERO || digit > NINE) return 0
    counter = counter * 10 + digit - ZERO
  }
  return counter > MAX_COUNTER ? 0 : counter
}

function partsOf(id: string): [prefix: string, counter: number] {
  const parts = parseId(id)
  return parts[1] > MAX_COUNTER ? [id, 0] : parts
}

/** A run of ids of a record: `first` 0 is one id without a counter, whole in `prefix`. */
type Run = (prefix: string, first: number, count: number, from: number) => void

/** The runs of events that are told with their ids written out. */
export function eachRunOf(events: readonly { readonly id: string }[], each: Run): void {
  let from = 0
  while (from < events.length) {
    const [prefix, first] = partsOf(events[from]!.id)
    let end = from + 1
    while (first > 0 && end < events.length) {
      const { id } = events[end]!
      if (id.charCodeAt(prefix.length) !== DASH || !id.startsWith(prefix)) break
      if (counterAt(id, prefix.length + 1) !== first + end - from) break
      end++
    }
    each(prefix, first, end - from, from)
    from = end
  }
}

export function eachRun(ids: Ids, each: Run): void {
  let from = 0
  for (const entry of ids) {
    if (typeof entry === 'string') {
      const [prefix, counter] = partsOf(entry)
      each(prefix, counter, 1, from++)
      continue
    }
    const [prefix, first, count] = entry
    // Written as a run, an id is the same as written out.
    const named = first === 0 || first + count > MAX_COUNTER || prefix === 'h'
    if (named || prefix.startsWith('h-')) {
      for (let k = 0; k < count; k++) each(`${prefix}-${first + k}`, 0, 1, from + k)
    } else each(prefix, first, count, from)
    from += count
  }
}

/** How many ids there are. */
export function countOf(ids: Ids): number {
  let count = 0
  for (const entry of ids) count += typeof entry === 'string' ? 1 : entry[2]
  return count
}

export function idOf(prefix: string, counter: number): string {
  return counter === 0 ? prefix : `${prefix}-${counter}`
}

/** What an id shares with its neighbours; all of one without a counter. */
export function prefixOf(id: string): string {
  return partsOf(id)[0]
}

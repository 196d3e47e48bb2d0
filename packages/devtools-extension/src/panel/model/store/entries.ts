/**
 * What is known of each event, in columns. An entry is made when an event is first heard of; while
 * only its id is known it has no row. Entries keep their numbers until they are forgotten.
 */
import type { EventColumns, InspectedEvent } from '@crosstown/bus/inspect'
import { grown } from './grown.ts'
import { Links } from './links.ts'

export const COMMITTED = 1
export const CONFIRMED = 2
export const REFUSED = 4
/** Its publisher could not write or keep it. */
export const UNWRITTEN = 8
/** Its publisher's own `published` was heard. */
export const PUBLISHED = 16
/** Some peers of it are beyond those that the masks have bits for. */
export const MANY = 32

export const VIA_BITS = { tabs: 1, relay: 2, log: 4, link: 8 } as const

/** Columns are copied as they grow, each into memory that was not touched yet: that is what costs. */
const GROWTH = 4

type Fields = Omit<InspectedEvent, 'id'>

export class Entries {
  readonly ids: string[] = []
  /** Envelopes as they came, mostly many in one; undefined while only the id is known. */
  readonly #envelopes: (InspectedEvent | EventColumns | undefined)[] = []
  /** Which of its envelopes is the entry's. */
  #place = new Int32Array(0)
  row = new Int32Array(0)
  type = new Int32Array(0)
  source = new Int32Array(0)
  /** Index of the peer that published it, 0 where that is not inspected. */
  publisher = new Uint16Array(0)
  ms = new Float64Array(0)
  /** By the clock of the peer `msPeer`, as it was told. */
  rawAt = new Float64Array(0)
  msPeer = new Uint16Array(0)
  duration = new Float32Array(0)
  /** When the last peer began to handle it for the first time, ms; NaN where none did. */
  lastFirst = new Float64Array(0)
  /** The same by the clock of the peer `lastPeer`. */
  lastAt = new Float64Array(0)
  lastPeer = new Uint16Array(0)
  flags = new Uint8Array(0)
  vias = new Uint8Array(0)
  failures = new Uint16Array(0)
  drops = new Uint16Array(0)
  /** Peers, a bit for each index from 1 to 31. */
  handled = new Uint32Array(0)
  matched = new Uint32Array(0)
  unmatched = new Uint32Array(0)
  excluded = new Uint32Array(0)
  received = new Uint32Array(0)
  /** Bytes of its envelope, about. */
  size = new Float32Array(0)
  /** Where its newest change stands in the session's list of changes. */
  changedAt = new Float64Array(0)
  /** Grows with each change of the entry. */
  stamp = new Uint32Array(0)
  /** The event of the same type that came before. */
  typePrev = new Int32Array(0)
  readonly effects: Links = new Links()
  readonly conversation: Links = new Links()

  readonly #free: number[] = []
  #made = 0

  get used(): number {
    return this.#made - this.#free.length
  }

  /** A new entry with nothing known but its id. */
  add(id: string): number {
    const entry = this.#free.pop() ?? this.#made++
    if (entry >= this.row.length) this.#grow(Math.max(8_192, this.row.length * GROWTH))
    this.ids[entry] = id
    this.#envelopes[entry] = undefined
    this.stamp[entry]!++
    this.effects.known(id, entry)
    this.conversation.known(id, entry)
    return entry
  }

  /** Its envelope is the one at `place` of `envelopes`. */
  describe(entry: number, envelopes: InspectedEvent | EventColumns, place: number): void {
    this.#envelopes[entry] = envelopes
    this.#place[entry] = place
  }

  isDescribed(entry: number): boolean {
    return this.#envelopes[entry] !== undefined
  }

  /** A field of its envelope; undefined where that is not known either. */
  field<Key extends keyof Fields>(entry: number, key: Key): Fields[Key] | undefined {
    return fieldAt(this.#envelopes[entry], key, this.#place[entry]!)
  }

  /** Its envelope, made for the one who asks. */
  header(entry: number): InspectedEvent | undefined {
    const envelopes = this.#envelopes[entry]
    if (envelopes === undefined || !('ids' in envelopes)) return envelopes
    const header: { [key: string]: unknown } = { id: this.ids[entry] }
    for (const key in envelopes) {
      if (key === 'ids') continue
      const value = fieldAt(envelopes, key as keyof Fields, this.#place[entry]!)
      if (value !== undefined) header[key] = value
    }
    return header as unknown as InspectedEvent
  }

  free(entry: number): void {
    this.effects.forgotten(this.ids[entry]!, entry)
    this.conversation.forgotten(this.ids[entry]!, entry)
    this.ids[entry] = ''
    this.#envelopes[entry] = undefined
    this.#empty(entry, entry + 1)
    this.publisher[entry] = 0
    this.msPeer[entry] = 0
    this.flags[entry] = 0
    this.vias[entry] = 0
    this.failures[entry] = 0
    this.drops[entry] = 0
    this.handled[entry] = 0
    this.matched[entry] = 0
    this.unmatched[entry] = 0
    this.excluded[entry] = 0
    this.received[entry] = 0
    this.#free.push(entry)
  }

  /** What is not 0 where nothing is known. */
  #empty(from: number, end: number): void {
    this.row.fill(-1, from, end)
    this.type.fill(-1, from, end)
    this.source.fill(-1, from, end)
    this.ms.fill(Number.NaN, from, end)
    this.rawAt.fill(Number.NaN, from, end)
    this.duration.fill(Number.NaN, from, end)
    this.lastFirst.fill(Number.NaN, from, end)
    this.changedAt.fill(-1, from, end)
    this.typePrev.fill(-1, from, end)
  }

  #grow(size: number): void {
    const before = this.row.length
    this.#place = grown(this.#place, size)
    this.row = grown(this.row, size)
    this.type = grown(this.type, size)
    this.source = grown(this.source, size)
    this.publisher = grown(this.publisher, size)
    this.ms = grown(this.ms, size)
    this.rawAt = grown(this.rawAt, size)
    this.msPeer = grown(this.msPeer, size)
    this.duration = grown(this.duration, size)
    this.lastFirst = grown(this.lastFirst, size)
    this.lastAt = grown(this.lastAt, size)
    this.lastPeer = grown(this.lastPeer, size)
    this.flags = grown(this.flags, size)
    this.vias = grown(this.vias, size)
    this.failures = grown(this.failures, size)
    this.drops = grown(this.drops, size)
    this.handled = grown(this.handled, size)
    this.matched = grown(this.matched, size)
    this.unmatched = grown(this.unmatched, size)
    this.excluded = grown(this.excluded, size)
    this.received = grown(this.received, size)
    this.size = grown(this.size, size)
    this.changedAt = grown(this.changedAt, size)
    this.stamp = grown(this.stamp, size)
    this.typePrev = grown(this.typePrev, size)
    this.effects.grow(size)
    this.conversation.grow(size)
    this.#empty(before, size)
  }
}

/** A field of one of several envelopes. */
export function fieldAt<Key extends keyof Fields>(
  envelopes: InspectedEvent | EventColumns | undefined,
  key: Key,
  place: number,
): Fields[Key] | undefined {
  const column: unknown = envelopes?.[key]
  return (Array.isArray(column) ? (column[place] ?? undefined) : column) as Fields[Key] | undefined
}

const OTHERS = '(others)'

/** Texts by number. */
export class Names {
  readonly texts: string[] = []
  readonly #numbers = new Map<string, number>()

  /** Beyond `limit` texts, all others have one number. */
  of(text: string, limit: number): number {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      if (this.texts.length >= limit && text !== OTHERS) return this.of(OTHERS, limit)
      number = this.texts.length
      this.texts.push(text)
      this.#numbers.set(text, number)
    }
    return number
  }

  find(text: string): number {
    return this.#numbers.get(text) ?? -1
  }
}

/** A room as the messages of its log make it, but for the texts of events: what the relay holds in memory. */
import { idPairs, parseId } from '@crosstown/bus/protocol'
import { lastPlace, type Mark, type RoomFirst, type RoomHead, UNTRIMMED } from '../../record.ts'
import { TRIMMED_MARKS } from '../store.ts'
import { TrimmedIds } from '../trimmed-ids.ts'
import type { AppendBody, LogMessage, TrimBody } from './messages.ts'

/** A message that has records. */
export interface Entry {
  readonly seq: number
  /** Its first and its last place. */
  readonly place: number
  readonly last: number
  /** When its last record was written. */
  readonly time: number
  /** Sequence of the first part of its body; 0 where it has none. */
  readonly part: number
}

interface Pair {
  /** Highest counter of a publisher in a record. */
  readonly counter: number
  readonly place: number
}

/** A view as a snapshot has it; of the many things each is its numbers in a row. */
export interface ViewData {
  readonly start: number
  readonly seq: number
  readonly id: string
  readonly number: number
  readonly head: RoomHead
  readonly first: RoomFirst
  readonly events: number
  readonly bytes: number
  readonly state: readonly (readonly [key: string, value: string])[]
  /** Of each entry `seq, place, last, time, part`. */
  readonly entries: readonly number[]
  /** Of each pair `counter, place`. */
  readonly ids: readonly (readonly [prefix: string, pairs: readonly number[]])[]
  readonly gone: readonly (readonly [prefix: string, first: number, last: number])[]
  readonly marks: readonly (readonly [place: number, check: string, chain: string])[]
}

export class RoomView {
  /** Sequence after which this log of the room began. */
  readonly start: number
  /** Sequence, id and number of the newest message in it. */
  seq: number
  id = ''
  number = 0
  head: RoomHead
  first: RoomFirst = UNTRIMMED
  events = 0
  bytes = 0
  /** Messages whose events were all trimmed since the last snapshot. */
  spent = 0
  /** Sequences of messages without events since then: a snapshot has all that they say. */
  bare: number[] = []
  readonly state: Map<string, string> = new Map()
  readonly gone: TrimmedIds = new TrimmedIds()
  #entries: Entry[] = []
  #ids = new Map<string, Pair[]>()
  #marks: Mark[] = [UNTRIMMED]

  constructor(start: number, head: RoomHead) {
    this.start = start
    this.seq = start
    this.head = head
  }

  static from(data: ViewData): RoomView {
    const view = new RoomView(data.start, data.head)
    view.seq = data.seq
    view.id = data.id
    view.number = data.number
    view.first = data.first
    view.events = data.events
    view.bytes = data.bytes
    for (const [key, value] of data.state) view.state.set(key, value)
    for (const [prefix, first, last] of data.gone) view.gone.add({ prefix, first, last })
    view.#entries = inRows(data.entries, 5).map(
      ([seq = 0, place = 0, last = 0, time = 0, part = 0]) => {
        return { seq, place, last, time, part }
      },
    )
    for (const [prefix, pairs] of data.ids) {
      const own = inRows(pairs, 2).map(([counter = 0, place = 0]) => ({ counter, place }))
      view.#ids.set(prefix, own)
    }
    view.#marks = data.marks.map(([place, check, chain]) => ({ place, check, chain }))
    return view
  }

  data(): ViewData {
    this.#forgetIds()
    const { start, seq, id, number, head, first, events, bytes, state, gone } = this
    const pairsIn = (pairs: readonly Pair[]): number[] =>
      pairs.flatMap(({ counter, place }) => [counter, place])
    return {
      ...{ start, seq, id, number, head, first, events, bytes },
      state: [...state],
      entries: this.#entries.flatMap(({ seq, place, last, time, part }) => [
        seq,
        place,
        last,
        time,
        part,
      ]),
      ids: [...this.#ids].map(([prefix, pairs]) => [prefix, pairsIn(pairs)] as const),
      gone: [...gone].map(({ prefix, first, last }) => [prefix, first, last] as const),
      marks: this.#marks.map(({ place, check, chain }) => [place, check, chain] as const),
    }
  }

  /** Messages in order of place, beginning with the one that has the first place that is kept. */
  get entries(): readonly Entry[] {
    return this.#entries
  }

  /** How much memory it takes, in parts of some hundred bytes. */
  get weight(): number {
    return this.#entries.length + this.#ids.size + this.state.size + this.#marks.length
  }

  /** Takes the message that comes after `seq`. */
  take({ seq, meta, body }: LogMessage): void {
    if (body.kind === 'append') this.#append(seq, meta.parts?.[0] ?? 0, body)
    if (body.kind === 'trim') this.#trim(body)
    if (body.kind !== 'append' || body.records.length === 0) this.bare.push(seq)
    this.seq = seq
    this.id = meta.id
    this.number = meta.number
    this.head = meta.head
  }

  #append(seq: number, part: number, { records, state }: AppendBody): void {
    const first = records[0]
    const last = records.at(-1)
    if (first && last) {
      const { place } = first
      this.#entries.push({ seq, place, last: lastPlace(last), time: last.time, part })
    }
    for (const record of records) {
      this.events += record.headers.length
      this.bytes += record.bytes
      for (const [prefix, counter] of idPairs(record.headers)) {
        const pairs = this.#ids.get(prefix)
        const pair = { counter, place: record.place }
        if (!pairs) this.#ids.set(prefix, [pair])
        else
          pairs.splice(
            firstIndex(pairs, (known) => known.counter > counter),
            0,
            pair,
          )
      }
    }
    for (const [key, value] of state) {
      if (value === '') this.state.delete(key)
      else this.state.set(key, value)
    }
  }

  #trim({ first, marks, ranges, events, bytes }: TrimBody): void {
    const kept = firstIndex(this.#entries, ({ last }) => last > first.place)
    this.spent += this.#entries.splice(0, kept).length
    this.first = first
    this.events -= events
    this.bytes -= bytes
    for (const range of ranges) this.gone.add(range)
    this.#marks.push(...marks)
    this.#marks.splice(0, Math.max(0, this.#marks.length - TRIMMED_MARKS))
  }

  /** Ids of trimmed events are passed over until there is time to look for them. */
  #forgetIds(): void {
    const { place } = this.first
    for (const [prefix, pairs] of this.#ids) {
      const kept = pairs.filter((pair) => pair.place > place)
      if (kept.length === 0) this.#ids.delete(prefix)
      else if (kept.length < pairs.length) this.#ids.set(prefix, kept)
    }
  }

  /** Up to `most` messages from the one on that has the place behind `after`, with `places` or a few more. */
  behind(after: number, most: number, places: number): readonly Entry[] {
    const from = firstIndex(this.#entries, ({ last }) => last > after)
    const entries = this.#entries.slice(from, from + most)
    const enough = entries.findIndex(({ last }) => last - after >= places)
    return enough < 0 ? entries : entries.slice(0, enough + 1)
  }

  /** The message with the first record of that time or later. */
  atTime(time: number): Entry | undefined {
    return this.#entries[firstIndex(this.#entries, (entry) => entry.time >= time)]
  }

  /** Places of records that may have the event, the likeliest first, at most so many. */
  candidates(id: string, most: number): number[] {
    const [prefix, counter] = parseId(id)
    const pairs = this.#ids.get(prefix) ?? []
    const found: number[] = []
    for (let i = firstIndex(pairs, (pair) => pair.counter >= counter); i < pairs.length; i++) {
      const { place } = pairs[i] as Pair
      if (place > this.first.place && found.push(place) === most) break
    }
    return found
  }

  markAt(place: number): Mark | undefined {
    return this.#marks[firstIndex(this.#marks, (mark) => mark.place > place) - 1]
  }
}

function inRows(numbers: readonly number[], length: number): number[][] {
  return Array.from({ length: numbers.length / length }, (_, i) =>
    numbers.slice(i * length, (i + 1) * length),
  )
}

/** Index of the first element that passes, in a list where all that pass stand at the end. */
function firstIndex<T>(list: readonly T[], passes: (element: T) => boolean): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (passes(list[middle] as T)) high = middle
    else low = middle + 1
  }
  return low
}

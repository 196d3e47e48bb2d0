/** The part of a room that a group looks at next: records in memory, without a hole. */
import type { RoomRecord } from '../record.ts'
import { lastPlace } from '../record.ts'
import type { Supplied } from './core.ts'

/** Places held at most; what comes beyond is read from the store when its turn is there. */
const MAX_PLACES = 2_000
/** Places left below which more is read. */
const LOW_PLACES = 500

/** UTF-8 bytes held of records that were looked at, for what of them is still to be leased. */
const MAX_PAST_BYTES = 1024 * 1024

/** Records behind a place, up to `end`. */
export class Window {
  #records: RoomRecord[] = []
  /** Records before these with something pending; there may be others. */
  #past: RoomRecord[] = []
  /** Newest place that the records stand for; behind it nothing is known. */
  #end: number

  constructor(end: number) {
    this.#end = end
  }

  get end(): number {
    return this.#end
  }

  /** Whether so little is left that more should be read. */
  isLow(next: number): boolean {
    return this.#end - next < LOW_PLACES
  }

  /** What is held, and these where they go on from there. */
  with(more: readonly RoomRecord[]): { records: readonly RoomRecord[]; end: number } {
    const newest = more.at(-1)
    if (!newest || (more[0] as RoomRecord).place !== this.#end + 1)
      return { records: this.#records, end: this.#end }
    return { records: [...this.#records, ...more], end: lastPlace(newest) }
  }

  /** The record that takes a place, of those held and these. */
  find(place: number, more: readonly RoomRecord[]): RoomRecord | undefined {
    return recordAt(this.#past, place) ?? recordAt(this.#records, place) ?? recordAt(more, place)
  }

  /**
   * Takes in what goes on from where it ends, up to so many places, and lets go of what was looked at,
   * but for records with something pending.
   */
  move(next: number, more: readonly RoomRecord[] = [], pending: Iterable<number> = []): void {
    if (next > this.#end + 1) {
      // It was looked at before it was held.
      this.#records = [...this.#records, ...more].filter((record) => lastPlace(record) < next)
      this.#end = next - 1
    }
    for (const record of more) {
      const end = lastPlace(record)
      if (end <= this.#end) continue
      if (record.place > this.#end + 1 || this.#end + 1 - next > MAX_PLACES) break
      this.#records.push(record)
      this.#end = end
    }
    let seen = 0
    for (const record of this.#records) {
      if (lastPlace(record) >= next) break
      seen += 1
    }
    if (seen > 0) this.#past.push(...this.#records.splice(0, seen))
    if (this.#past.length > 0) this.#forget(pending)
  }

  #forget(pending: Iterable<number>): void {
    const wanted = new Set<RoomRecord | undefined>()
    for (const place of pending) wanted.add(recordAt(this.#past, place))
    let bytes = 0
    const kept: RoomRecord[] = []
    for (const record of this.#past.reverse()) {
      if (!wanted.has(record)) continue
      bytes += record.bytes
      if (bytes > MAX_PAST_BYTES) break
      kept.push(record)
    }
    this.#past = kept.reverse()
  }

  /** Begins anew behind a place: the room is another, or was looked at by others. */
  reset(end: number): void {
    this.#past = []
    this.#records = []
    this.#end = end
  }
}

/** The events of records, from a place on. */
export function* eventsOf(records: readonly RoomRecord[], next: number): Generator<Supplied> {
  for (const { headers, place } of records) {
    for (let i = Math.max(0, next - place); i < headers.length; i++) {
      const { stream, type } = headers[i] as { type: string; stream?: string }
      yield { place: place + i, type, stream }
    }
  }
}

/** The record that takes a place. */
export function recordAt(records: readonly RoomRecord[], place: number): RoomRecord | undefined {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (lastPlace(records[middle] as RoomRecord) < place) low = middle + 1
    else high = middle
  }
  const found = records[low]
  return found && found.place <= place ? found : undefined
}

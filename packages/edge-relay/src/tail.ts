/** The newest records of a room, without a hole, as many as fit. */
import { lastPlace, type RoomRecord } from './record.ts'
import type { ReadLimit } from './stores/store.ts'

/** Records that follow each other. */
export class Tail {
  bytes = 0
  readonly #most: number
  #records: RoomRecord[] = []
  /** Index of the first one that is still kept. */
  #start = 0
  /** Bytes that were added since somebody read. */
  #unread = 0

  /** @param records at least one; the oldest are left out where they are more than `most` bytes */
  constructor(records: readonly RoomRecord[], most: number) {
    this.#most = most
    this.#set(records)
  }

  /**
   * What a store would read; `undefined` where that is not to be had from here.
   *
   * @param head where the room ends, as far as that is known: behind what is kept there may be more
   */
  read(after: number, limit: ReadLimit, head?: number): readonly RoomRecord[] | undefined {
    if (after < this.#from || after >= this.#to) return undefined
    const found: RoomRecord[] = []
    let events = 0
    let bytes = 0
    for (let i = this.#indexOf(after + 1); i < this.#records.length; i++) {
      const record = this.#records[i] as RoomRecord
      events += record.count
      bytes += record.bytes
      if (found.length > 0 && (events > limit.events || bytes > limit.bytes)) {
        this.#unread = 0
        return found
      }
      found.push(record)
    }
    if (head !== this.#to) return undefined
    this.#unread = 0
    return found
  }

  /** Takes others in where there is no hole between, and in its place where they are newer. */
  join(records: readonly RoomRecord[]): void {
    const first = (records[0] as RoomRecord).place
    const last = lastPlace(records.at(-1) as RoomRecord)
    const kept = this.#records.slice(this.#start)
    if (last > this.#to) {
      const follows = first <= this.#to + 1
      this.#set(follows ? [...kept.filter(({ place }) => place < first), ...records] : records)
    } else if (first <= this.#from && last >= this.#from) {
      this.#set([...records.filter(({ place }) => place <= this.#from), ...kept])
    }
  }

  /** Takes in what was appended behind `place`; `false` where it does not follow, or nobody reads. */
  grow(place: number, records: readonly RoomRecord[]): boolean {
    if (records.length > 0 && place !== this.#to) return false
    for (const record of records) {
      this.#records.push(record)
      this.bytes += record.bytes
      this.#unread += record.bytes
    }
    this.#fit()
    return this.#unread <= this.#most
  }

  #set(records: readonly RoomRecord[]): void {
    this.#records = [...records]
    this.#start = 0
    this.bytes = records.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#fit()
  }

  #fit(): void {
    while (this.bytes > this.#most && this.#start < this.#records.length - 1) {
      this.bytes -= (this.#records[this.#start] as RoomRecord).bytes
      this.#start += 1
    }
    if (this.#start <= this.#records.length / 2) return
    this.#records.splice(0, this.#start)
    this.#start = 0
  }

  /** The place behind which it begins. */
  get #from(): number {
    return (this.#records[this.#start] as RoomRecord).place - 1
  }

  get #to(): number {
    return lastPlace(this.#records.at(-1) as RoomRecord)
  }

  /** Of the record that takes a place. */
  #indexOf(place: number): number {
    let low = this.#start
    let high = this.#records.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (lastPlace(this.#records[middle] as RoomRecord) < place) low = middle + 1
      else high = middle
    }
    return low
  }
}

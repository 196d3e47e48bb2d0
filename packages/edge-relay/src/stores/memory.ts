import { BusError, type Durability, idPairs, parseId } from '@crosstown/bus/protocol'
import {
  firstAfter,
  lastPlace,
  type Mark,
  type RoomFirst,
  type RoomHead,
  type RoomRecord,
  rangesIn,
  UNTRIMMED,
} from '../record.ts'
import {
  type Append,
  DELETED_EPOCHS,
  DELETED_LOGS,
  DEVICE_KEY,
  FIND_CANDIDATES,
  type Found,
  type Keep,
  type LoadedRoom,
  ON_DEMAND,
  type ReadLimit,
  type RoomStats,
  type Store,
  TRIMMED_MARKS,
} from './store.ts'
import { TrimmedIds } from './trimmed-ids.ts'

interface MemoryRoom {
  head: RoomHead
  first: RoomFirst
  /** Records that were trimmed away: what `ids` counts from. */
  trimmed: number
  readonly records: RoomRecord[]
  readonly state: Map<string, string>
  /** By prefix, in order of counter: the highest counter of a record, and its index from the start. */
  readonly ids: Map<string, { counter: number; index: number }[]>
  readonly gone: TrimmedIds
  /** Where records ended that were trimmed away, in order of place. */
  readonly marks: Mark[]
  events: number
  bytes: number
}

/**
 * A store that is gone with the process: for development, tests, and rooms nobody will miss.
 *
 * @example
 * const relay = createRelay({ store: memoryStore() })
 */
export function memoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly engine = 'memory'
  readonly durability: Durability = 'memory'
  readonly #rooms = new Map<string, MemoryRoom>()
  /** Logs that were deleted, by room, the one deleted last at the end; numbered as they were. */
  readonly #deleted = new Map<
    string,
    readonly { readonly epoch: string; readonly number: number }[]
  >()
  #deletions = 0
  /** The names of all rooms in order; absent where a room was made since. */
  #names: string[] | undefined
  #closed = false

  async load(room: string): Promise<LoadedRoom | undefined> {
    const found = this.#room(room)
    if (!found) return undefined
    const state = [...found.state].filter(
      ([key]) => !ON_DEMAND.some((prefix) => key.startsWith(prefix)),
    )
    return { head: found.head, state }
  }

  async state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const found = this.#room(room)
    return keys.map((key) => found?.state.get(key))
  }

  async head(room: string): Promise<RoomHead | undefined> {
    return this.#room(room)?.head
  }

  async append(name: string, append: Append): Promise<boolean> {
    let room = this.#room(name)
    if (room ? !isHead(room.head, append.expected) : append.expected.version !== 0) return false
    if (!room) {
      room = {
        head: append.head,
        first: UNTRIMMED,
        trimmed: 0,
        records: [],
        state: new Map(),
        ids: new Map(),
        gone: new TrimmedIds(),
        marks: [UNTRIMMED],
        events: 0,
        bytes: 0,
      }
      this.#rooms.set(name, room)
      this.#names = undefined
    }
    for (const record of append.records) {
      indexIds(room, record, room.trimmed + room.records.length)
      room.records.push(record)
      room.events += record.headers.length
      room.bytes += record.bytes
    }
    for (const [key, value] of append.state) {
      if (value === '') room.state.delete(key)
      else room.state.set(key, value)
    }
    room.head = append.head
    return true
  }

  async read(name: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    const records = this.#room(name)?.records ?? []
    const found: RoomRecord[] = []
    let events = 0
    let bytes = 0
    for (
      let i = firstIndex(records, (record) => lastPlace(record) > after);
      i < records.length;
      i++
    ) {
      const record = records[i] as RoomRecord
      events += record.count
      bytes += record.bytes
      if (found.length > 0 && (events > limit.events || bytes > limit.bytes)) break
      found.push(record)
    }
    return found
  }

  async first(name: string): Promise<RoomFirst> {
    return this.#room(name)?.first ?? UNTRIMMED
  }

  async trimmedAt(name: string, place: number): Promise<Mark | undefined> {
    const marks = this.#room(name)?.marks ?? []
    return marks[firstIndex(marks, (mark) => mark.place > place) - 1]
  }

  async find(name: string, id: string): Promise<Found | undefined> {
    const room = this.#room(name)
    const [prefix, counter] = parseId(id)
    const pairs = room?.ids.get(prefix) ?? []
    const from = firstIndex(pairs, (pair) => pair.counter >= counter)
    for (const pair of pairs.slice(from, from + FIND_CANDIDATES)) {
      const record = room?.records[pair.index - room.trimmed] as RoomRecord
      const index = record.headers.findIndex((header) => header.id === id)
      if (index >= 0) return { record, index }
    }
    return undefined
  }

  async wasTrimmed(name: string, id: string): Promise<boolean> {
    return this.#room(name)?.gone.has(id) ?? false
  }

  async findByTime(name: string, time: number): Promise<number | undefined> {
    const records = this.#room(name)?.records ?? []
    return records[firstIndex(records, (record) => record.time >= time)]?.place
  }

  async stats(name: string): Promise<RoomStats | undefined> {
    const room = this.#room(name)
    if (!room) return undefined
    let devices = 0
    for (const key of room.state.keys()) if (key.startsWith(DEVICE_KEY)) devices += 1
    return { head: room.head, events: room.events, bytes: room.bytes, devices }
  }

  async trim(name: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    const room = this.#room(name)
    if (!room) return false
    let events = 0
    let bytes = 0
    let count = 0
    let over = false
    for (const record of room.records) {
      over = isOver(room, record, keep)
      if (!over || (count > 0 && (events >= step.events || bytes >= step.bytes))) break
      over = false
      dropIds(room, record, room.trimmed + count)
      for (const range of rangesIn(record)) room.gone.add(range)
      count += 1
      events += record.headers.length
      bytes += record.bytes
      room.events -= record.headers.length
      room.bytes -= record.bytes
      room.first = firstAfter(record)
      room.marks.push(room.first)
    }
    room.records.splice(0, count)
    room.marks.splice(0, Math.max(0, room.marks.length - TRIMMED_MARKS))
    room.trimmed += count
    return over
  }

  async delete(name: string): Promise<boolean> {
    const room = this.#room(name)
    if (!room) return false
    this.#rooms.delete(name)
    this.#names = undefined
    const before = this.#deleted.get(name) ?? []
    this.#deletions += 1
    const logs = [...before, { epoch: room.head.epoch, number: this.#deletions }]
    this.#deleted.delete(name)
    this.#deleted.set(name, logs.slice(-DELETED_EPOCHS))
    for (const [oldest, logs] of this.#deleted) {
      if (logs.some(({ number }) => this.#remembers(number))) break
      this.#deleted.delete(oldest)
    }
    return true
  }

  async wasDeleted(name: string, epoch: string): Promise<boolean> {
    this.#check()
    const logs = this.#deleted.get(name) ?? []
    return logs.some((log) => log.epoch === epoch && this.#remembers(log.number))
  }

  #remembers(deletion: number): boolean {
    return deletion > this.#deletions - DELETED_LOGS
  }

  async purge(): Promise<boolean> {
    return false
  }

  async rooms(after: string, limit: number): Promise<readonly string[]> {
    this.#check()
    this.#names ??= [...this.#rooms.keys()].sort((a, b) => (a < b ? -1 : 1))
    const from = firstIndex(this.#names, (name) => name > after)
    return this.#names.slice(from, from + limit)
  }

  signal(): void {
    // One process only: there is nobody else to tell.
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#rooms.clear()
  }

  #room(name: string): MemoryRoom | undefined {
    this.#check()
    return this.#rooms.get(name)
  }

  #check(): void {
    if (this.#closed)
      throw new BusError('unavailable', 'the memory store is closed', { stage: 'log' })
  }
}

function isOver(room: MemoryRoom, oldest: RoomRecord, keep: Keep): boolean {
  return room.events > keep.events || room.bytes > keep.bytes || oldest.time < keep.since
}

function isHead(head: RoomHead, expected: RoomHead): boolean {
  return head.epoch === expected.epoch && head.version === expected.version
}

function indexIds(room: MemoryRoom, record: RoomRecord, index: number): void {
  for (const [prefix, counter] of idPairs(record.headers)) {
    const pairs = room.ids.get(prefix)
    if (!pairs) room.ids.set(prefix, [{ counter, index }])
    else
      pairs.splice(
        firstIndex(pairs, (pair) => pair.counter > counter),
        0,
        { counter, index },
      )
  }
}

function dropIds(room: MemoryRoom, record: RoomRecord, index: number): void {
  for (const [prefix, counter] of idPairs(record.headers)) {
    const pairs = room.ids.get(prefix) ?? []
    const from = firstIndex(pairs, (pair) => pair.counter >= counter)
    const at = pairs.findIndex((pair, i) => i >= from && pair.index === index)
    pairs.splice(at, 1)
    if (pairs.length === 0) room.ids.delete(prefix)
  }
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

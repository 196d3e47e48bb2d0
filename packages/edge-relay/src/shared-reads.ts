/**
 * A store whose reads are shared: when a thousand devices come back to a room at once, it is read once
 * for all of them. Kept are the newest records of rooms in which somebody was behind, for as long as
 * they are read, and of stores that nobody else writes to, where each room begins and ends.
 */
import type { Durability } from '@crosstown/bus/protocol'
import type { Mark, RoomFirst, RoomHead, RoomRecord } from './record.ts'
import type {
  Append,
  Found,
  Keep,
  LoadedRoom,
  ReadLimit,
  RoomStats,
  Store,
  StoreConnection,
} from './stores/store.ts'
import { Tail } from './tail.ts'

/** How much is kept, of headers and data in UTF-8 bytes. */
export interface SharedReadsLimits {
  /** Of one room. @default 4 MiB */
  readonly roomBytes?: number
  /** Of all rooms. @default 32 MiB */
  readonly bytes?: number
  /** Rooms of which something is kept. @default 1000 */
  readonly rooms?: number
}

interface Entry {
  tail: Tail | undefined
  /** Where the room ended when that was last seen. */
  head: RoomHead | undefined
  /** Where it begins; known only where nobody else trims it. */
  first: RoomFirst | undefined
  /** Being asked for; of stores that nobody else trims. */
  asking: Promise<RoomFirst> | undefined
  /** Another one whenever what is being read may be what the room no longer is. */
  turn: number
  /** Reads that are under way, by what they ask for. */
  readonly reading: Map<string, Promise<readonly RoomRecord[]>>
}

/**
 * The same store, read as seldom as can be. Of a store that others write to as well, what is kept of a
 * room is dropped as soon as its head is seen to be another than it was.
 */
export function sharedReads(store: Store, limits: SharedReadsLimits = {}): Store {
  return new SharedReads(store, limits)
}

class SharedReads implements Store {
  readonly connection?: StoreConnection
  readonly exclusive: boolean
  readonly engine: string
  readonly listen?: NonNullable<Store['listen']>
  readonly hasOutbox?: NonNullable<Store['hasOutbox']>
  readonly #store: Store
  readonly #limits: Required<SharedReadsLimits>
  /** In order of last use. */
  readonly #rooms = new Map<string, Entry>()
  #bytes = 0

  constructor(store: Store, limits: SharedReadsLimits) {
    this.#store = store
    if (store.connection) this.connection = store.connection
    this.exclusive = store.exclusive === true
    this.engine = store.engine ?? 'other'
    if (store.listen) this.listen = (heard) => store.listen?.(heard)
    if (store.hasOutbox) this.hasOutbox = async (id) => store.hasOutbox?.(id) ?? false
    this.#limits = { roomBytes: 4 * 1024 * 1024, bytes: 32 * 1024 * 1024, rooms: 1_000, ...limits }
  }

  get durability(): Durability {
    return this.#store.durability
  }

  async read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    const entry = this.#entry(room)
    const kept = entry.tail?.read(after, limit, entry.head?.place)
    if (kept) return kept
    const key = `${after} ${limit.events} ${limit.bytes}`
    // It may have begun before what is asked for was there: what it found is enough, nothing is not.
    const others = entry.reading.get(key)
    const shared = others ? await others : []
    if (shared.length > 0) return shared
    const { turn } = entry
    const reading = this.#store.read(room, after, limit)
    entry.reading.set(key, reading)
    try {
      const records = await reading
      // Who looks one record up does not read on.
      const goesOn = limit.events > 1 && records[0] !== undefined && records[0].place <= after + 1
      if (goesOn && entry.turn === turn) this.#keep(entry, records)
      return records
    } finally {
      if (entry.reading.get(key) === reading) entry.reading.delete(key)
    }
  }

  async append(room: string, append: Append): Promise<boolean> {
    let appended = false
    try {
      appended = await this.#store.append(room, append)
    } finally {
      // Asked for now: while it was written, what was known of it may have made room for others.
      const entry = this.#entry(room)
      // What became of one that failed is not known.
      if (!appended) this.#forget(entry)
      else {
        entry.head = append.head
        this.#resize(entry, (tail) =>
          tail?.grow(append.expected.place, append.records) ? tail : undefined,
        )
      }
    }
    return appended
  }

  async load(room: string): Promise<LoadedRoom | undefined> {
    const entry = this.#entry(room)
    const { head, turn } = entry
    const loaded = await this.#store.load(room)
    if (entry.turn === turn && entry.head === head) this.#saw(entry, loaded?.head)
    return loaded
  }

  async head(room: string): Promise<RoomHead | undefined> {
    const entry = this.#entry(room)
    if (this.exclusive && entry.head) return entry.head
    const { head: before, turn } = entry
    const head = await this.#store.head(room)
    if (entry.turn === turn && entry.head === before) this.#saw(entry, head)
    return head
  }

  async first(room: string): Promise<RoomFirst> {
    const entry = this.#entry(room)
    if (entry.first) return entry.first
    if (!this.exclusive) return this.#store.first(room)
    const { turn } = entry
    entry.asking ??= this.#store.first(room)
    const { asking } = entry
    try {
      const first = await asking
      if (entry.turn === turn) entry.first = first
      return first
    } finally {
      if (entry.asking === asking) entry.asking = undefined
    }
  }

  async trim(room: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    try {
      return await this.#store.trim(room, keep, step)
    } finally {
      const entry = this.#rooms.get(room)
      if (entry) {
        const { head } = entry
        this.#forget(entry)
        // What goes is at the other end.
        entry.head = head
      }
    }
  }

  async delete(room: string): Promise<boolean> {
    try {
      return await this.#store.delete(room)
    } finally {
      this.#drop(room)
    }
  }

  wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.#store.wasDeleted(room, epoch)
  }

  purge(step: ReadLimit): Promise<boolean> {
    return this.#store.purge(step)
  }

  state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#store.state(room, keys)
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.#store.trimmedAt(room, place)
  }

  find(room: string, id: string): Promise<Found | undefined> {
    return this.#store.find(room, id)
  }

  wasTrimmed(room: string, id: string): Promise<boolean> {
    return this.#store.wasTrimmed(room, id)
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#store.findByTime(room, time)
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.#store.stats(room)
  }

  rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.#store.rooms(after, limit)
  }

  signal(room: string, text: string): void {
    this.#store.signal(room, text)
  }

  async close(): Promise<void> {
    await this.#store.close()
    for (const room of [...this.#rooms.keys()]) this.#drop(room)
  }

  /** What is known of a room; now the one that was used last. */
  #entry(room: string): Entry {
    const found = this.#rooms.get(room)
    const entry = found ?? {
      tail: undefined,
      head: undefined,
      first: undefined,
      asking: undefined,
      turn: 0,
      reading: new Map(),
    }
    if (found) this.#rooms.delete(room)
    else if (this.#rooms.size >= this.#limits.rooms)
      this.#drop(this.#rooms.keys().next().value as string)
    this.#rooms.set(room, entry)
    return entry
  }

  /** The head as the store has it: where it is not the one that was known, somebody else was here. */
  #saw(entry: Entry, head: RoomHead | undefined): void {
    if (entry.head && !isSame(entry.head, head)) this.#forget(entry)
    entry.head = head
  }

  #keep(entry: Entry, records: readonly RoomRecord[]): void {
    this.#resize(entry, (tail) => {
      tail?.join(records)
      return tail ?? new Tail(records, this.#limits.roomBytes)
    })
    for (const other of this.#rooms.values()) {
      if (this.#bytes <= this.#limits.bytes) return
      this.#resize(other, () => undefined)
    }
  }

  #resize(entry: Entry, change: (tail: Tail | undefined) => Tail | undefined): void {
    this.#bytes -= entry.tail?.bytes ?? 0
    entry.tail = change(entry.tail)
    this.#bytes += entry.tail?.bytes ?? 0
  }

  #forget(entry: Entry): void {
    this.#resize(entry, () => undefined)
    entry.head = undefined
    entry.first = undefined
    entry.asking = undefined
    entry.turn += 1
    entry.reading.clear()
  }

  #drop(room: string): void {
    const entry = this.#rooms.get(room)
    if (entry) this.#forget(entry)
    this.#rooms.delete(room)
  }
}

function isSame(known: RoomHead, seen: RoomHead | undefined): boolean {
  return (
    known.epoch === seen?.epoch &&
    known.version === seen.version &&
    known.place === seen.place &&
    known.chain === seen.chain
  )
}

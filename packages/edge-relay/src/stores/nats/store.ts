/** What a relay asks of JetStream, room by room. */
import { BusError } from '@crosstown/bus/protocol'
import {
  lastPlace,
  type Mark,
  type RoomFirst,
  type RoomHead,
  type RoomRecord,
  UNTRIMMED,
} from '../../record.ts'
import { EngineStore } from '../engine/engine-store.ts'
import type { EngineLink } from '../engine/link.ts'
import {
  type Append,
  DEVICE_KEY,
  FIND_CANDIDATES,
  type Found,
  type Keep,
  type LoadedRoom,
  ON_DEMAND,
  type ReadLimit,
  type RoomStats,
  type Store,
} from '../store.ts'
import { Bodies } from './bodies.ts'
import type { NatsClient } from './client.ts'
import { deleteRoom, purgeStep, wasDeleted } from './deletions.ts'
import type { Journal } from './journal.ts'
import type { Room } from './room.ts'
import { Rooms } from './rooms.ts'
import { trimStep } from './trim.ts'
import type { RoomView } from './view.ts'

/** Lost races for one append, and readings that others removed something under. */
const TRIES = 20
/** Messages that are read at a time. */
const AT_ONCE = 32

export class NatsStore extends EngineStore<NatsClient> implements Store {
  readonly #bodies = new Bodies()
  readonly #rooms: Rooms
  /** By which a room was asked for last: another one for each connection. */
  #journal: Journal | undefined
  /** Names of all rooms, while they are gone through. */
  #names: readonly string[] | undefined

  constructor(link: EngineLink<NatsClient>) {
    super(link)
    this.#rooms = new Rooms(this.#bodies, link.node)
  }

  load(room: string): Promise<LoadedRoom | undefined> {
    return this.#seen('load', room, async (_, view) => {
      const state = [...view.state].filter(
        ([key]) => !ON_DEMAND.some((kind) => key.startsWith(kind)),
      )
      return { head: view.head, state }
    })
  }

  async state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const values = await this.#seen('read', room, async (_, { state }) =>
      keys.map((key) => state.get(key)),
    )
    return values ?? keys.map(() => undefined)
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.#seen('read', room, async (_, { head }) => head)
  }

  append(name: string, { expected, head, records, state }: Append): Promise<boolean> {
    const isExpected = (view: RoomView | undefined): boolean =>
      view
        ? view.head.epoch === expected.epoch && view.head.version === expected.version
        : expected.version === 0
    if (expected.version === 0) this.#names = undefined
    return this.#do('append', name, (journal, room) =>
      room.locked(async () => {
        // What was last seen may be old, but no write that was decided on it comes through then.
        const view = room.isSure ? room.view : await room.refresh(journal)
        if (!isExpected(view) && !isExpected(await room.refresh(journal))) return false
        for (let tries = 0; tries < TRIES; tries++) {
          if (await room.write(journal, { kind: 'append', records, state }, head)) {
            if (room.wantsSnapshot) this.#snap(name)
            return true
          }
          if (!isExpected(room.view)) return false
        }
        throw new BusError(
          'unavailable',
          'other processes wrote to this room first, again and again',
        )
      }),
    )
  }

  async read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    const found = await this.#seen('read', room, (journal, view) =>
      this.#recordsOf(journal, view, after, limit),
    )
    return found ?? []
  }

  async first(room: string): Promise<RoomFirst> {
    return (await this.#seen('read', room, async (_, { first }) => first)) ?? UNTRIMMED
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.#seen('read', room, async (_, view) => view.markAt(place))
  }

  find(room: string, id: string): Promise<Found | undefined> {
    return this.#seen('read', room, async (journal, view) => {
      for (const place of view.candidates(id, FIND_CANDIDATES)) {
        const [entry] = view.behind(place - 1, 1, 1)
        const records = entry && (await this.#bodies.of(journal, entry.seq))
        if (!records) return REMOVED
        const record = records.find((each) => each.place === place)
        const index = record?.headers.findIndex((header) => header.id === id) ?? -1
        if (record && index >= 0) return { record, index }
      }
      return undefined
    })
  }

  async wasTrimmed(room: string, id: string): Promise<boolean> {
    return (await this.#seen('read', room, async (_, { gone }) => gone.has(id))) ?? false
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#seen('read', room, async (journal, view) => {
      const entry = view.atTime(time)
      if (!entry) return undefined
      const records = await this.#bodies.of(journal, entry.seq)
      if (!records) return REMOVED
      return records.find((record) => record.time >= time && record.place > view.first.place)?.place
    })
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.#seen('read', room, async (_, { head, events, bytes, state }) => {
      const devices = [...state.keys()].filter((key) => key.startsWith(DEVICE_KEY)).length
      return { head, events, bytes, devices }
    })
  }

  trim(name: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    return this.#do('trim', name, async (journal, room) => {
      const over = await room.locked(() => trimStep(journal, room, this.#bodies, keep, step))
      // At the end of a round, however little went: it is not to be kept longer than was asked for.
      if (room.wantsSnapshot || (!over && room.hasSpent)) this.#snap(name)
      return over
    })
  }

  delete(name: string): Promise<boolean> {
    this.#names = undefined
    return this.#do('delete', name, (journal, room) => room.locked(() => deleteRoom(journal, room)))
  }

  wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.call('read', (client) => wasDeleted(journalOf(client), room, epoch))
  }

  purge(step: ReadLimit): Promise<boolean> {
    return this.call('delete', (client) => purgeStep(journalOf(client), step))
  }

  /** Asked for page by page, they are those of the first page. */
  rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.call('read', async (client) => {
      const journal = journalOf(client)
      if (after === '') this.#names = undefined
      const names = this.#names ?? (await namesIn(journal))
      this.#names = names
      const from = names.findIndex((name) => name > after)
      const page = from < 0 ? [] : names.slice(from, from + limit)
      if (page.length < limit) this.#names = undefined
      return page
    })
  }

  /** What the room as it is now has to say; `undefined` where it has no log. */
  #seen<T>(
    what: string,
    name: string,
    look: (journal: Journal, view: RoomView) => Promise<T | typeof REMOVED>,
  ): Promise<T | undefined> {
    return this.#do(what, name, async (journal, room) => {
      for (let tries = 0; tries < TRIES; tries++) {
        const view = await room.current(journal)
        if (!view) return undefined
        const seen = await look(journal, view)
        if (seen !== REMOVED) return seen
      }
      throw new BusError('unavailable', 'other processes changed this room again and again')
    })
  }

  #do<T>(
    what: string,
    name: string,
    run: (journal: Journal, room: Room) => Promise<T>,
  ): Promise<T> {
    return this.call(what, (client) => {
      const journal = journalOf(client)
      if (journal !== this.#journal) {
        this.#bodies.clear()
        this.#rooms.doubt()
      }
      this.#journal = journal
      return run(journal, this.#rooms.get(name))
    })
  }

  /** Nobody waits for it; where it fails, the next one has more to do. */
  #snap(name: string): void {
    this.#do('snapshot', name, (journal, room) => room.snap(journal)).catch(() => {})
  }

  async #recordsOf(
    journal: Journal,
    view: RoomView,
    after: number,
    limit: ReadLimit,
  ): Promise<readonly RoomRecord[] | typeof REMOVED> {
    const found: RoomRecord[] = []
    let events = 0
    let bytes = 0
    for (let at = Math.max(after, view.first.place); ; ) {
      const entries = view.behind(at, AT_ONCE, limit.events - events)
      const pages = await Promise.all(entries.map(({ seq }) => this.#bodies.of(journal, seq)))
      for (const records of pages) {
        if (!records) return REMOVED
        for (const record of records) {
          if (lastPlace(record) <= at) continue
          const before = found.at(-1)
          // What lay between was trimmed since the page before: who reads on is to see where it begins now.
          if (before && record.place !== lastPlace(before) + 1) return found
          events += record.count
          bytes += record.bytes
          if (found.length > 0 && (events > limit.events || bytes > limit.bytes)) return found
          found.push(record)
        }
      }
      const last = entries.at(-1)
      if (!last) return found
      at = last.last
    }
  }
}

/** Something that was looked for had just been removed by another relay. */
const REMOVED = Symbol('removed')

/** A log that ends stays on its subject until it is purged. */
async function namesIn(journal: Journal): Promise<readonly string[]> {
  const [all, dying] = await Promise.all([journal.rooms('log'), journal.rooms('dead')])
  const gone = new Set<string>()
  for (const name of new Set(dying)) {
    if (!(await journal.isAlive(name))) gone.add(name)
  }
  return all.filter((name) => !gone.has(name)).sort(byCodeUnits)
}

function byCodeUnits(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function journalOf({ journal }: NatsClient): Journal {
  // Only a client that is open is given to calls.
  return journal as Journal
}

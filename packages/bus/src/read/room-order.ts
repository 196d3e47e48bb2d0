/**
 * A log in the order of its room. The records of the room's stream come in that order, and say
 * where events of other records stand: these are put in there. What the room lost and did not get
 * again comes after all it has, and own events that it has not confirmed come last.
 */
import type { BusError } from '../errors.ts'
import { offsetOf, slotOf } from '../event.ts'
import type {
  LogState,
  PlacedPart,
  Placement,
  StoredOwnBatch,
  StoredRoomBatch,
  StoredRun,
} from '../log/log.ts'
import { type Cut, isCut } from '../protocol/position.ts'
import { StreamCounts, type StreamHeader } from './stream-counts.ts'
import {
  ALL,
  eventsOf,
  type LoggedEvent,
  type PlacedRecord,
  type ReadableLog,
  readRecords,
  recordsFrom,
  type Wanted,
} from './walk.ts'

/** Neighbours in the room's order, written at one time. */
export interface RoomPortion {
  readonly events: readonly LoggedEvent[]
  /** When the room wrote them, or this log where they are not in the room: milliseconds since 1970. */
  readonly time: number
  /**
   * `room`: in the room. `gone`: there too, at a place that is not to be had any more. `lost`: not in
   * the room any more. `pending`: waits to be confirmed.
   */
  readonly part: 'room' | 'gone' | 'lost' | 'pending'
  /** Number of the record up to which the log was read for it. */
  readonly read: number
}

/** Records kept for the placeholders that name them: own ones wait about as long as a round trip. */
const KEPT_RECORDS = 128

/**
 * The events of a room up to a state of the log: what came or was confirmed since does not count.
 *
 * @param wanted asked of each header
 */
export async function* roomOrder(
  log: ReadableLog,
  state: LogState,
  wanted: Wanted,
  report: (error: BusError) => void,
): AsyncGenerator<RoomPortion, void, void> {
  const walk = new RoomWalk(log, { wanted, report })
  yield* walk.to(state)
  yield* walk.rest('lost')
  yield* walk.rest('pending')
}

export interface RoomWalkOptions {
  readonly wanted: Wanted
  readonly report: (error: BusError) => void
  /** Whether there is a room; without one, the order is that of the log. @default true */
  readonly hasRoom?: boolean
  /** The last record that is passed over, and the position at which the room stood there. */
  readonly through?: number
  readonly position?: string | undefined
}

/** Goes through a log from its beginning, or from a record on, as far as it is, and later further. */
export class RoomWalk {
  readonly #log: ReadableLog
  readonly #options: RoomWalkOptions
  #head = 0
  #cuts: readonly Cut[] = []
  /** Absent where the room gives revisions. */
  readonly #counts: StreamCounts | undefined
  /** The least recently used first. */
  readonly #kept = new Map<number, PlacedRecord>()
  /** When the room wrote what the walk came by last. */
  #time = 0
  /** Offsets of what stands after the room's own order. */
  readonly #rest = { lost: new Set<number>(), pending: new Set<number>() }
  /** Those that the room has at a place that is not known, as was thought. */
  readonly #gone = new Set<number>()
  #astray = false
  /** Number of the last record that was walked. */
  through: number
  /** Position up to which the room was walked. */
  position: string | undefined

  constructor(log: ReadableLog, options: RoomWalkOptions) {
    this.#log = log
    this.#options = options
    this.#counts = options.hasRoom === false ? new StreamCounts(log) : undefined
    this.through = options.through ?? 0
    this.position = options.position
  }

  /**
   * On to the head of this state, which has all the cuts that the one before it had, and no others
   * that concern what was walked. Then `rest` has what stands behind all that.
   */
  async *to({ head, first, room }: LogState): AsyncGenerator<RoomPortion, void, void> {
    const { hasRoom = true, report, wanted } = this.#options
    const confirmed = room.confirmed?.batch ?? 0
    this.#head = head.batch
    this.#cuts = room.cuts
    // Where the room has their events may have changed since.
    this.#kept.clear()
    const next = Math.max(first, this.through + 1)
    if (next <= head.batch) {
      const counts = this.#counts
      for await (const record of recordsFrom(this.#log, next, room.cuts, report, counts, wanted)) {
        const { batch, placement } = record
        if (batch.batch > head.batch) break
        this.#keep(record)
        if (!hasRoom) {
          const { time, batch: read } = batch
          yield { events: this.#eventsOf(record), time, part: 'room', read }
        } else if (batch.kind === 'room') yield* this.#streamed(batch, placement)
        else if (batch.roomEvents > 0) {
          yield* this.#written(batch, placement, batch.batch <= confirmed, first)
        }
        this.through = batch.batch
      }
    }
    this.through = Math.max(this.through, head.batch)
    for (const offset of this.#rest.pending) {
      // The room has it, and the records that were walked do not say where.
      if (slotOf(offset).batch <= confirmed) this.#astray = true
    }
  }

  /** Whether a walk from the beginning would give something else than this one did. */
  get astray(): boolean {
    return this.#astray
  }

  /**
   * Revisions of the events in the next record, which need not be read; `undefined` where it must,
   * for one that is wanted.
   */
  revisionsNext(
    headers: readonly StreamHeader[],
    wanted: (header: StreamHeader) => boolean,
  ): readonly number[] | undefined {
    return this.#counts?.revisionsNext(this.through + 1, headers, wanted)
  }

  /** Own events that wait to be confirmed, in a record that need not be read. */
  wrote(batch: number, offsets: readonly number[]): void {
    this.through = batch
    for (const offset of offsets) this.#rest.pending.add(offset)
  }

  /** Lets go of records that are kept until it goes on. */
  release(): void {
    this.#kept.clear()
  }

  /** What comes after the room's own order, by offset. */
  offsets(part: 'lost' | 'pending'): ReadonlySet<number> {
    return this.#rest[part]
  }

  #keep(record: PlacedRecord): void {
    const { batch } = record.batch
    this.#kept.delete(batch)
    this.#kept.set(batch, record)
    if (this.#kept.size > KEPT_RECORDS) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest)
        return
      }
    }
  }

  /**
   * An own record, as the walk comes by. Pending events are noted for the end. What the room has at
   * a place that is not to be had any more, here or there, is older than all that follows.
   */
  *#written(
    batch: StoredOwnBatch,
    placement: Placement | undefined,
    confirmed: boolean,
    first: number,
  ): Generator<RoomPortion, void, void> {
    const parts = this.#partsIn(placement?.parts)
    const gone: number[] = []
    const known = new Set<number>()
    for (const { record, indexes, refused = [] } of parts) {
      for (const index of indexes) {
        known.add(index)
        if (record < first) gone.push(index)
      }
      for (const [index] of refused) known.add(index)
    }
    batch.headers.forEach(({ scope }, index) => {
      if (known.has(index) || scope === 'device') return
      const offset = offsetOf(batch.batch, index)
      if (!confirmed) {
        this.#rest.pending.add(offset)
        return
      }
      gone.push(index)
      this.#gone.add(offset)
    })
    if (gone.length === 0) return
    const offsets = new Set(gone.map((index) => offsetOf(batch.batch, index)))
    const events = this.#eventsAt({ batch, placement }, (offset) => offsets.has(offset))
    if (events.length > 0) yield { events, time: this.#time, part: 'gone', read: batch.batch }
  }

  /** A record of the room's stream: its own events, and those it places. */
  async *#streamed(
    batch: StoredRoomBatch,
    placement: Placement | undefined,
  ): AsyncGenerator<RoomPortion, void, void> {
    const { wanted } = this.#options
    // What the room lost may be wanted later.
    const own = this.#eventsOf({ batch, placement }, this.#cuts.length > 0 ? ALL : wanted)
    let next = 0
    let slot = 0
    for (const run of batch.runs) {
      let events: LoggedEvent[] = []
      if ('events' in run) {
        slot += run.events
        const end = offsetOf(batch.batch, slot)
        for (let event = own[next]; event && event.offset < end; event = own[++next]) {
          const place = run.place + run.events - (end - event.offset)
          if (!isCut(this.#cuts, batch.batch, batch.epoch, place)) {
            if (wanted(event.header, event.offset)) events.push(event)
          } else if (event.position === undefined) this.#rest.lost.add(event.offset)
        }
      } else {
        events = await this.#placedBy(batch, run)
        slot += ('own' in run ? run.own : run.held).indexes.length
      }
      this.#time = run.time
      if (events.length > 0) yield { events, time: run.time, part: 'room', read: batch.batch }
    }
    this.position = batch.position
  }

  /** The events of another record that stand where a run says: each has one place that holds. */
  async #placedBy(
    { batch, epoch }: StoredRoomBatch,
    run: Exclude<StoredRun, { events: unknown }>,
  ): Promise<LoggedEvent[]> {
    const target = 'own' in run ? run.own : run.held
    const places = new Map<number, number>()
    target.indexes.forEach((index, k) => {
      const place = run.place + k
      if (isCut(this.#cuts, batch, epoch, place)) return
      const offset = offsetOf(target.batch, index)
      places.set(offset, place)
      this.#settled(offset)
    })
    if ('own' in run) {
      const { refused = [], earlier = [] } = run.own
      const said = [...refused.map(([index]) => [index, run.place] as const), ...earlier]
      for (const [index, place] of said) {
        if (!isCut(this.#cuts, batch, epoch, place)) this.#settled(offsetOf(target.batch, index))
      }
    }
    const record = places.size === 0 ? undefined : await this.#record(target.batch)
    if (!record) return []
    const placeOf = ({ offset }: LoggedEvent): number => places.get(offset) as number
    return this.#eventsAt(record, (offset) => places.has(offset))
      .filter((event) => event.position?.startsWith(`${epoch}.${placeOf(event)}.`))
      .sort((a, b) => placeOf(a) - placeOf(b))
  }

  /** The room decided on it, here. */
  #settled(offset: number): void {
    this.#rest.lost.delete(offset)
    this.#rest.pending.delete(offset)
    if (this.#gone.has(offset)) this.#astray = true
  }

  /** What comes after the room's own order, in the log's: all, or of these offsets. */
  async *rest(
    part: 'lost' | 'pending',
    offsets: ReadonlySet<number> = this.#rest[part],
  ): AsyncGenerator<RoomPortion, void, void> {
    const numbers = new Set([...offsets].map((offset) => slotOf(offset).batch))
    for (const number of [...numbers].sort((a, b) => a - b)) {
      const record = await this.#record(number)
      if (!record) continue
      const events = this.#eventsAt(record, (offset) => offsets.has(offset))
      if (events.length > 0) {
        yield { events, time: record.batch.time, part, read: this.#head }
      }
    }
  }

  /** A record of this number; reading it reads those behind it, too, which are asked for next. */
  async #record(number: number): Promise<PlacedRecord | undefined> {
    const kept = this.#kept.get(number)
    if (kept) {
      this.#keep(kept)
      return kept
    }
    const { records } = await readRecords(this.#log, number, this.#cuts)
    for (const record of [...records].reverse()) this.#keep(record)
    const [first] = records
    return first?.batch.batch === number ? first : undefined
  }

  #eventsOf(record: PlacedRecord, wanted = this.#options.wanted): LoggedEvent[] {
    const { batch, placement, revisions } = record
    const parts = this.#partsIn(placement?.parts)
    const known = parts.length === 0 ? undefined : { batch: batch.batch, parts }
    return eventsOf(batch, known, this.#cuts, wanted, revisions)
  }

  /** Those at some offsets. */
  #eventsAt(record: PlacedRecord, has: (offset: number) => boolean): LoggedEvent[] {
    const { wanted } = this.#options
    return this.#eventsOf(record, (header, offset) => has(offset) && wanted(header, offset))
  }

  /** What was said of a record's places up to the head. */
  #partsIn(parts: readonly PlacedPart[] = []): readonly PlacedPart[] {
    return parts.filter(({ record }) => record <= this.#head)
  }
}

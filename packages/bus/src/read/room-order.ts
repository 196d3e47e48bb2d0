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
import {
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
  /** `room`: in the room. `lost`: not any more. `pending`: waits to be confirmed. */
  readonly part: 'room' | 'lost' | 'pending'
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
  const { head, room } = state
  const walk = new RoomWalk(log, head.batch, room.cuts, wanted)
  const confirmed = room.confirmed?.batch ?? 0
  for await (const { batch, placement } of recordsFrom(log, state.first, room.cuts, report)) {
    if (batch.batch > head.batch) break
    walk.keep({ batch, placement })
    if (batch.kind === 'room') yield* walk.streamed(batch, placement)
    else if (batch.roomEvents > 0) {
      yield* walk.written(batch, placement, batch.batch <= confirmed, state.first)
    }
  }
  yield* walk.rest('lost')
  yield* walk.rest('pending')
}

class RoomWalk {
  readonly #log: ReadableLog
  readonly #head: number
  readonly #cuts: readonly Cut[]
  readonly #wanted: Wanted
  /** The least recently used first. */
  readonly #kept = new Map<number, PlacedRecord>()
  /** When the room wrote what the walk came by last. */
  #time = 0
  /** Offsets of what stands after the room's own order. */
  readonly #rest = { lost: new Set<number>(), pending: new Set<number>() }

  constructor(log: ReadableLog, head: number, cuts: readonly Cut[], wanted: Wanted) {
    this.#log = log
    this.#head = head
    this.#cuts = cuts
    this.#wanted = wanted
  }

  keep(record: PlacedRecord): void {
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
  *written(
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
      if (confirmed) gone.push(index)
      else this.#rest.pending.add(offsetOf(batch.batch, index))
    })
    if (gone.length === 0) return
    const offsets = new Set(gone.map((index) => offsetOf(batch.batch, index)))
    const events = this.#eventsOf({ batch, placement }, (offset) => offsets.has(offset))
    if (events.length > 0) yield { events, time: this.#time, part: 'room', read: batch.batch }
  }

  /** A record of the room's stream: its own events, and those it places. */
  async *streamed(
    batch: StoredRoomBatch,
    placement: Placement | undefined,
  ): AsyncGenerator<RoomPortion, void, void> {
    const own = this.#eventsOf({ batch, placement })
    let next = 0
    let slot = 0
    for (const run of batch.runs) {
      let events: LoggedEvent[] = []
      if ('events' in run) {
        slot += run.events
        const end = offsetOf(batch.batch, slot)
        for (let event = own[next]; event && event.offset < end; event = own[++next]) {
          const place = run.place + run.events - (end - event.offset)
          if (!isCut(this.#cuts, batch.batch, batch.epoch, place)) events.push(event)
          else if (event.position === undefined) this.#rest.lost.add(event.offset)
        }
      } else {
        events = await this.#placedBy(batch, run)
        slot += ('own' in run ? run.own : run.held).indexes.length
      }
      this.#time = run.time
      if (events.length > 0) yield { events, time: run.time, part: 'room', read: batch.batch }
    }
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
      const cut = isCut(this.#cuts, batch, epoch, place)
      if (!cut) places.set(offsetOf(target.batch, index), place)
    })
    const record = places.size === 0 ? undefined : await this.#record(target.batch)
    if (!record) return []
    const placeOf = ({ offset }: LoggedEvent): number => places.get(offset) as number
    return this.#eventsOf(record, (offset) => places.has(offset))
      .filter((event) => event.position?.startsWith(`${epoch}.${placeOf(event)}.`))
      .sort((a, b) => placeOf(a) - placeOf(b))
  }

  /** What comes after the room's own order, in the log's. */
  async *rest(part: 'lost' | 'pending'): AsyncGenerator<RoomPortion, void, void> {
    const offsets = this.#rest[part]
    const numbers = new Set([...offsets].map((offset) => slotOf(offset).batch))
    for (const number of [...numbers].sort((a, b) => a - b)) {
      const record = await this.#record(number)
      if (!record) continue
      const events = this.#eventsOf(record, (offset) => offsets.has(offset))
      if (events.length > 0) {
        yield { events, time: record.batch.time, part, read: this.#head }
      }
    }
  }

  /** A record of this number; reading it reads those behind it, too, which are asked for next. */
  async #record(number: number): Promise<PlacedRecord | undefined> {
    const kept = this.#kept.get(number)
    if (kept) {
      this.keep(kept)
      return kept
    }
    const { records } = await readRecords(this.#log, number, this.#cuts)
    for (const record of [...records].reverse()) this.keep(record)
    const [first] = records
    return first?.batch.batch === number ? first : undefined
  }

  #eventsOf({ batch, placement }: PlacedRecord, has?: (offset: number) => boolean): LoggedEvent[] {
    const parts = this.#partsIn(placement?.parts)
    const known = parts.length === 0 ? undefined : { batch: batch.batch, parts }
    const wanted: Wanted = has
      ? (header, offset) => has(offset) && this.#wanted(header, offset)
      : this.#wanted
    return eventsOf(batch, known, this.#cuts, wanted)
  }

  /** What was said of a record's places up to the head. */
  #partsIn(parts: readonly PlacedPart[] = []): readonly PlacedPart[] {
    return parts.filter(({ record }) => record <= this.#head)
  }
}

/**
 * Hands events of other contexts to this one's handlers, each once: a publisher's events count up,
 * and what is not above the highest one heard of it was heard. In come frames of the other
 * contexts and records of the log, out go events and confirmations.
 */
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import { type EventHeader, offsetOf, parseId } from '../event.ts'
import type { Via } from '../inspect/frames.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { RoomState, StoredBatch, StoredOwnBatch, StoredRoomBatch } from '../log/log.ts'
import type { BatchFrame } from '../protocol/peer-frames.ts'
import { checkOf, parsePosition, pastThrough, positionOf } from '../protocol/position.ts'
import type { Confirmation, PeerEvents, RoomNews } from './sync.ts'

/** Publishers remembered at most; the longest silent one goes first. */
const MAX_PUBLISHERS = 10_000

export type DeliveryEvents = Pick<PeerEvents, 'deliver' | 'past' | 'confirmed' | 'report'>

export class Delivery {
  readonly #prefix: string
  readonly #events: DeliveryEvents
  readonly #highest = new Map<string, number>()
  readonly #taps: TapHolder

  /** `prefix` is that of this context, whose own events are handed on elsewhere. */
  constructor(prefix: string, events: DeliveryEvents, taps: TapHolder) {
    this.#prefix = prefix
    this.#events = events
    this.#taps = taps
  }

  /** The highest counter heard of a publisher. */
  highest(prefix: string): number {
    return this.#highest.get(prefix) ?? 0
  }

  /** Events of one publisher, whose counter is looked up and remembered once for all of them. */
  batch({ prefix, events }: Pick<BatchFrame, 'prefix' | 'events'>, data: readonly string[]): void {
    if (prefix === this.#prefix) return
    const known = this.highest(prefix)
    let highest = known
    for (let i = 0; i < events.length; i++) {
      const header = events[i] as EventHeader
      if (!header.id.startsWith(`${prefix}-`)) {
        this.#once(header, data[i] as string, 'device', 'tabs')
        continue
      }
      const counter = Number(header.id.slice(prefix.length + 1))
      const { tap } = this.#taps
      if (!(counter > highest)) {
        if (tap) tap.dropped([header.id], 'duplicate')
        continue
      }
      highest = counter
      const incoming = { header, dataText: data[i] as string, ...saidIn(header) }
      if (tap) tap.received('tabs', 'device', incoming, prefix)
      this.#events.deliver(incoming, 'device')
    }
    if (highest > known) this.#remember(prefix, highest)
  }

  /** A batch of the room, as the leader tells it. */
  room({ batch, epoch, liveAfter, runs }: RoomNews, data: readonly string[], via: Via): void {
    let slot = 0
    let line = 0
    for (const run of runs) {
      if ('own' in run) {
        slot += run.own.indexes.length
        this.#confirmed(epoch, run.place, run.own, !('part' in run.own))
        continue
      }
      run.events.forEach((header, k) => {
        const at = { batch, slot: slot++, epoch, place: run.place + k }
        this.#fromRoom(header, data[line++] as string, at, liveAfter, via)
      })
    }
  }

  /** A record of the log, of which nothing or only a part was heard. */
  record(record: StoredBatch, room: RoomState | undefined): void {
    if (record.damaged) this.#events.report(record.damaged)
    else if (record.kind === 'own') this.#ownRecord(record)
    else this.#roomRecord(record, room)
  }

  #ownRecord({ batch, headers, data }: StoredOwnBatch): void {
    headers.forEach((header, index) => {
      const at = { offset: offsetOf(batch, index), ...saidIn(header) }
      this.#once(header, data[index] as string, 'device', 'log', at)
    })
  }

  #roomRecord({ batch, epoch, runs, headers, data }: StoredRoomBatch, room?: RoomState): void {
    const current = room?.cursor === undefined ? undefined : parsePosition(room.cursor)?.epoch
    // Of a room that was made anew since, all was live.
    const liveAfter = room && current === epoch ? pastThrough(room, epoch, batch) : 0
    let slot = 0
    let line = 0
    for (const run of runs) {
      if ('events' in run) {
        for (let k = 0; k < run.events; k++, line++) {
          const at = { batch, slot: slot++, epoch, place: run.place + k }
          this.#fromRoom(headers[line] as EventHeader, data[line] as string, at, liveAfter, 'log')
        }
        continue
      }
      const placed = 'own' in run ? run.own : run.held
      slot += placed.indexes.length
      this.#confirmed(epoch, run.place, placed, 'own' in run)
    }
  }

  #confirmed(epoch: string, place: number, placed: Placed, whole: boolean): void {
    const { batch, indexes, revisions, refused = [], earlier } = placed
    const more = { ...(revisions && { revisions }), ...(earlier && { earlier }) }
    this.#events.confirmed({ batch, epoch, place, indexes, refused, ...more, whole })
  }

  #fromRoom(
    header: EventHeader,
    dataText: string,
    at: RoomPlace,
    liveAfter: number,
    via: Via,
  ): void {
    const { batch, slot, epoch, place } = at
    const position = positionOf(epoch, place, checkOf(header.id))
    const origin = place <= liveAfter ? 'past' : 'room'
    const told = { offset: offsetOf(batch, slot), position, ...saidIn(header) }
    this.#once(header, dataText, origin, via, told)
  }

  #once(
    header: EventHeader,
    dataText: string,
    origin: Origin | 'past',
    via: Via,
    at?: Pick<Incoming, 'offset' | 'position' | 'revision'>,
  ): void {
    const [prefix, counter] = parseId(header.id)
    const incoming: Incoming = { header, dataText, ...at }
    const { tap } = this.#taps
    if (origin === 'past') {
      // Heard only by who asked for it, who knows what of it is old. In a log that comes after, it
      // may be news, and may stand behind what was heard in the last one.
      tap?.received(via, origin, incoming)
      this.#events.past(incoming)
      return
    }
    if (counter > 0) {
      if (counter <= this.highest(prefix) || prefix === this.#prefix) {
        // What the log has of what was heard is no second copy of it.
        if (tap && via !== 'log' && prefix !== this.#prefix) tap.dropped([header.id], 'duplicate')
        return
      }
      this.#remember(prefix, counter)
    }
    tap?.received(via, origin, incoming)
    this.#events.deliver(incoming, origin)
  }

  #remember(prefix: string, counter: number): void {
    this.#highest.delete(prefix)
    this.#highest.set(prefix, counter)
    if (this.#highest.size <= MAX_PUBLISHERS) return
    for (const oldest of this.#highest.keys()) {
      this.#highest.delete(oldest)
      return
    }
  }
}

/** The revision that a header says: the room's, or that of a log which decided over the event. */
function saidIn({ revision }: EventHeader): { revision: number } | undefined {
  return revision === undefined ? undefined : { revision }
}

interface Placed {
  readonly batch: number
  readonly indexes: readonly number[]
  readonly revisions?: readonly number[]
  readonly refused?: Confirmation['refused']
  readonly earlier?: Confirmation['earlier']
}

interface RoomPlace {
  readonly batch: number
  readonly slot: number
  readonly epoch: string
  readonly place: number
}

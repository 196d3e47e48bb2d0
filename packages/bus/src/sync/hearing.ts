/**
 * What this context has heard of its device: each persisted event once, in each publisher's order.
 * The channel may lose and delay what the others post. The log has all of it: what does not
 * connect to what was heard is held back, the log is read, and both go on from there. In come
 * frames, numbers of records and the log; out goes what `Delivery` may hand on.
 *
 *   a frame that connects ──────────────► delivered ──► its record is heard
 *   one that does not ──► held ──► log read up to its head ──► delivered from there
 *   a hole in the records heard ──50 ms─────────┘
 */
import { toBusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Via } from '../inspect/frames.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Log, StoredBatch } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { BatchFrame, InLog } from '../protocol/peer-frames.ts'
import { Delivery } from './delivery.ts'
import type { PeerEvents, RoomNews } from './sync.ts'

export interface HearingOptions {
  /** Of this context. */
  readonly prefix: string
  readonly platform: Platform
  readonly events: PeerEvents
  readonly taps: TapHolder
}

/** How long a hole may be one before the log is read: what fills it is mostly on its way. */
const HOLE_MS = 50
/** Wait before the log is read again for what is not in it yet, doubled each time up to the longest. */
const MAX_AGAIN_MS = 5_000
/** Readings after which what is held back counts as in no log. */
const MAX_TRIES = 12
/** Frames held back at most; past it, what they have comes from the log like all else. */
const MAX_HELD = 1_000
/** Records of the room that a context without a log remembers. */
const MAX_HEARD = 1_000
/** Records read at once. */
const CHUNK = 32

type Held =
  | { readonly kind: 'batch'; readonly frame: BatchFrame; readonly data: readonly string[] }
  | {
      readonly kind: 'room'
      readonly frame: RoomNews
      readonly data: readonly string[]
      readonly via: Via
    }

const NOTHING: ReadonlyMap<string, number> = new Map()

export class Hearing {
  readonly #options: HearingOptions
  readonly #delivery: Delivery
  #log: Log | undefined
  /** Every record up to this one was heard, or is past. */
  #through = 0
  /** Records behind a hole that were heard; without a log, the last ones that were. */
  readonly #heard = new Set<number>()
  /** Records behind `through` of which whoever leads was told. */
  readonly #told = new Set<number>()
  /** The newest record that is said to be there. */
  #known = 0
  /** The newest record of the room that was heard. */
  #room = 0
  #held: Held[] = []
  #reading: Promise<void> | undefined
  #readAgain = false
  /** Readings that left something held back. */
  #tries = 0
  #due = 0
  #cancel: (() => void) | undefined

  constructor(options: HearingOptions) {
    this.#options = options
    this.#delivery = new Delivery(options.prefix, options.events, options.taps)
  }

  /** The log is open; what is in it up to record `past` is past. */
  begin(log: Log, past: number): void {
    this.#log = log
    this.#through = past
    this.#known = past
    this.#room = 0
    this.#held = []
    this.#heard.clear()
    this.#told.clear()
  }

  /** The same log is open again. */
  resume(log: Log): void {
    this.#log = log
    void this.look()
  }

  /** The log is gone, or let go of; what is heard next is of another one, unless `again`. */
  end(again = true): void {
    this.#log = undefined
    if (!again) this.#heard.clear()
    // What is read of it still is for nobody.
    this.#reading = undefined
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** A batch of another context; `early` if it came before the log was open. */
  batch(frame: BatchFrame, data: readonly string[], early: boolean): void {
    const known = this.#delivery.highest(frame.prefix)
    // What came before this context listened is none of its business.
    const connects = frame.prev <= known || (early && known === 0)
    if (!this.#log || connects) this.#delivery.batch(frame, data)
    else this.#hold({ kind: 'batch', frame, data }, 0)
    this.#release()
  }

  /** A batch that is for another log, where this context cannot look anything up. */
  foreign(frame: BatchFrame, data: readonly string[]): void {
    this.#delivery.batch(frame, data)
  }

  /** Another context's batch is in the log. */
  committed(prefix: string, { last, batch, time, roomEvents, bytes }: InLog): void {
    this.#options.events.sawTime(time)
    this.#tell(batch, roomEvents, bytes, prefix)
    if (this.#delivery.highest(prefix) >= last) this.wrote(batch)
    else this.exists(batch)
  }

  /** A batch is in the log whose events were heard, or are this context's own. */
  wrote(batch: number): void {
    if (!this.#log || batch <= this.#through) return
    this.#heard.add(batch)
    this.#advance()
    this.exists(batch)
    this.#release()
  }

  /** The log is said to have a record of this number. */
  exists(batch: number): void {
    if (!this.#log) return
    this.#known = Math.max(this.#known, batch)
    if (this.#through < batch) this.#lookIn(HOLE_MS)
  }

  /** A batch of the room is in the log. */
  room(frame: RoomNews, data: readonly string[], via: Via = 'tabs'): void {
    if (!this.#log) {
      this.#hearOnce(frame, data, via)
      return
    }
    this.#options.events.sawTime(frame.time)
    if (frame.batch <= this.#room) return
    if (this.#follows(frame)) this.#hearRoom(frame, data, via)
    else this.#hold({ kind: 'room', frame, data, via }, frame.prev === undefined ? HOLE_MS : 0)
    this.#release()
  }

  /** Events that were posted, and are in no log. */
  withdrawn(ids: readonly string[]): void {
    const gone = new Set(ids)
    this.#held = this.#held.filter(
      ({ kind, frame }) => kind === 'room' || !frame.events.some(({ id }) => gone.has(id)),
    )
  }

  /** Reads what the log has behind all that was heard; resolves when that is heard as well. */
  look(): Promise<void> {
    const log = this.#log
    if (!log) return Promise.resolve()
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#reading) {
      this.#readAgain = true
      return this.#reading
    }
    const reading = this.#readAll(log).finally(() => {
      if (this.#reading !== reading) return
      this.#reading = undefined
      this.#lookAgain()
    })
    this.#reading = reading
    return reading
  }

  async #readAll(log: Log): Promise<void> {
    do {
      this.#readAgain = false
      try {
        await this.#readOn(log)
      } catch (error) {
        if (log !== this.#log) return
        this.#options.events.report(
          toBusError(error, 'log_failed', 'what was missed could not be read', { stage: 'sync' }),
        )
      }
    } while (this.#readAgain && log === this.#log)
  }

  async #readOn(log: Log): Promise<void> {
    const [heard, known] = [[...this.#heard], this.#known]
    // First: all that a publisher has in the log by now is then past, or among what is read.
    const inLog = await this.#countersOfHeld(log)
    for (let more = true; more; ) {
      const records = await log.read(this.#through + 1, CHUNK)
      const ofRoom = records.some(({ kind }) => kind === 'room')
      const room = ofRoom ? (await log.state(false)).room : undefined
      if (log !== this.#log) return
      for (const record of records) {
        if (record.batch <= this.#through) continue
        if (record.kind === 'own') this.#tellOf(record)
        // What others said of it before was heard already, and is passed over.
        if (record.kind === 'own' || record.batch > this.#room) this.#delivery.record(record, room)
        if (record.kind === 'room') this.#room = Math.max(this.#room, record.batch)
        this.#through = record.batch
      }
      more = records.length === CHUNK
    }
    // Numbers that were named and are not there were wrong.
    for (const batch of heard) this.#heard.delete(batch)
    this.#advance()
    if (this.#known === known) this.#known = this.#through
    this.#room = Math.min(this.#room, this.#through)
    this.#release(inLog)
  }

  /** Highest counters in the log, of those whose batches are held back. */
  async #countersOfHeld(log: Log): Promise<ReadonlyMap<string, number>> {
    const counters = new Map<string, number>()
    for (const held of this.#held) {
      if (held.kind === 'room' || counters.has(held.frame.prefix)) continue
      counters.set(held.frame.prefix, await log.highest(held.frame.prefix))
    }
    return counters
  }

  /** What is still held back was posted before it was committed: it comes, or it never does. */
  #lookAgain(): void {
    if (!this.#log) return
    if (this.#held.length === 0) this.#tries = 0
    else if (++this.#tries > MAX_TRIES) this.#held = []
    if (this.#held.length > 0 || this.#through < this.#known) {
      this.#lookIn(Math.min(MAX_AGAIN_MS, HOLE_MS * 2 ** this.#tries))
    }
  }

  #lookIn(ms: number): void {
    if (ms === 0) {
      void this.look()
      return
    }
    const { platform } = this.#options
    const due = platform.monotonic() + ms
    if (this.#reading || (this.#cancel && this.#due <= due)) return
    this.#cancel?.()
    this.#due = due
    const missing = this.#through + 1
    this.#cancel = platform.timer(ms, () => {
      this.#cancel = undefined
      if (this.#held.length > 0 || this.#through < missing) void this.look()
      // What was missing has come; what is missing now has a while yet.
      else if (this.#through < this.#known) this.#lookIn(HOLE_MS)
    })
  }

  /** Whether nothing of the room can be missing before it. */
  #follows({ batch, prev }: RoomNews): boolean {
    if (batch <= this.#through + 1) return true
    return prev !== undefined && prev <= Math.max(this.#room, this.#through)
  }

  #hearRoom(frame: RoomNews, data: readonly string[], via: Via): void {
    this.#room = frame.batch
    this.#delivery.room(frame, data, via)
    this.wrote(frame.batch)
  }

  /** Without a log there is no order to hold up to, but what is posted by HTTP has no counter. */
  #hearOnce(frame: RoomNews, data: readonly string[], via: Via): void {
    if (this.#heard.has(frame.batch)) return
    this.#heard.add(frame.batch)
    this.#delivery.room(frame, data, via)
    for (const oldest of this.#heard) {
      if (this.#heard.size <= MAX_HEARD) return
      this.#heard.delete(oldest)
    }
  }

  #hold(held: Held, readInMs: number): void {
    if (held.kind === 'room') this.#known = Math.max(this.#known, held.frame.batch)
    this.#held.push(held)
    if (this.#held.length > MAX_HELD) this.#held.shift()
    this.#lookIn(readInMs)
  }

  /** Hands on what connects by now; `inLog` has what was read, by publisher. */
  #release(inLog: ReadonlyMap<string, number> = NOTHING): void {
    for (let i = 0; i < this.#held.length; i++) {
      const held = this.#held[i] as Held
      if (!this.#connects(held, inLog)) continue
      this.#held.splice(i, 1)
      if (held.kind === 'batch') this.#delivery.batch(held.frame, held.data)
      else if (held.frame.batch > this.#room) this.#hearRoom(held.frame, held.data, held.via)
      // One may have waited for the other.
      i = -1
    }
  }

  #connects(held: Held, inLog: ReadonlyMap<string, number>): boolean {
    if (held.kind === 'room') return held.frame.batch <= this.#room || this.#follows(held.frame)
    const { prefix, prev } = held.frame
    return prev <= Math.max(this.#delivery.highest(prefix), inLog.get(prefix) ?? 0)
  }

  #advance(): void {
    while (this.#heard.delete(this.#through + 1)) this.#through += 1
    for (const batch of this.#told) if (batch <= this.#through) this.#told.delete(batch)
  }

  #tellOf(record: Extract<StoredBatch, { kind: 'own' }>): void {
    const own = record.headers[0]?.id.startsWith(`${this.#options.prefix}-`)
    this.#options.events.sawTime(record.time)
    // What this context wrote it tells itself.
    if (own) return
    const bytes = JSON.stringify(record.headers).length + record.data.join('\n').length
    const [prefix] = parseId(record.headers[0]?.id ?? '')
    this.#tell(record.batch, record.roomEvents, bytes, prefix)
  }

  /** Tells whoever leads of another context's batch, once. */
  #tell(batch: number, roomEvents: number, bytes: number, prefix: string): void {
    if (this.#log) {
      if (batch <= this.#through || this.#told.has(batch)) return
      this.#told.add(batch)
    }
    this.#options.events.committed(batch, roomEvents, bytes, prefix)
  }
}

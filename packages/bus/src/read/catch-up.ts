/**
 * A subscription that starts in the log and goes on live, each event once. Live events wait while
 * the log is read; what they and the log have in common is told apart by offset where it is known
 * yet, else by publisher and counter: a publisher's events come in the same order both ways.
 */
import type { Delivery, Origin } from '../dispatch/dispatch.ts'
import { type BusError, type BusErrorCode, isBusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import { type EventHeader, parseId } from '../event.ts'
import type { Log } from '../log/log.ts'
import type { ReadFrom } from '../types.ts'
import { startOffset } from './bounds.ts'
import { StreamCounts } from './stream-counts.ts'
import { type LoggedEvent, walk } from './walk.ts'

/** Live events kept while the log is read; past it, they are read from the log as well. */
const MAX_WAITING = 10_000

export interface CatchUpOptions {
  readonly from: ReadFrom
  /** Of the ids that this context gives. */
  readonly prefix: string
  readonly matches: (type: string) => boolean
  /** Decodes an event; `undefined` for one that is damaged and was reported. */
  readonly open: (event: LoggedEvent) => BusEvent | undefined
  readonly where: ((event: BusEvent) => boolean) | undefined
  readonly deliver: (delivery: Delivery) => void
  /** Resolves when the handler can take more; `undefined` where it can. */
  readonly room?: () => Promise<void> | undefined
  /** Told of a live event that was read already. */
  readonly known?: (id: string) => void
  readonly ended: () => boolean
  /** Whether revisions are those of a room. */
  readonly hasRelay: boolean
  /** Told of records that cannot be read. */
  readonly report: (error: BusError) => void
}

const GONE: ReadonlySet<BusErrorCode> = new Set(['log_cleared', 'log_lost', 'closed'])

/** What stands between the dispatcher and the subscription. */
export class CatchUp {
  readonly #options: CatchUpOptions
  #waiting: Delivery[] | undefined = []
  #overflowed = false
  /**
   * Counters read or heard of each publisher, from first to last of each row of them, in order. What
   * a room gives again after a clear is old, but for what was never heard here.
   */
  readonly #heard = new Map<string, [first: number, last: number][]>()
  /** The offset behind the last event read. */
  #next = 0
  /** Where reading begins, or goes on. */
  #from: ReadFrom
  /** Counts logs: what is being read may be of one that is gone. */
  #logs = 0

  constructor(options: CatchUpOptions) {
    this.#options = options
    this.#from = options.from
  }

  /** A live event for this subscription. */
  readonly intercept = (delivery: Delivery): boolean => {
    if (!this.#waiting) {
      const read = this.#wasRead(delivery.event)
      if (read) this.#options.known?.(delivery.event.id)
      else this.#remember(delivery.event.id)
      return read
    }
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting = []
      this.#overflowed = true
    }
    this.#waiting.push(delivery)
    return true
  }

  /** The log is another one, in which all is new: offsets of the last one say nothing of it. */
  renewed(): void {
    const waiting = this.#waiting
    if (waiting) {
      this.#deliver(waiting)
      this.#waiting = []
    }
    this.#next = 0
    this.#from = 'start'
    this.#logs += 1
  }

  /**
   * Reads the log to its head, then lets what waited through.
   *
   * @returns false where the log went meanwhile: it is to be called again with the next one
   */
  async run(log: Log): Promise<boolean> {
    const logs = this.#logs
    try {
      return await this.#read(log, () => logs !== this.#logs)
    } catch (error) {
      // Renewed, lost, or let go of by a page that stands still: the next one is read on from here.
      if (isBusError(error) && GONE.has(error.code)) return false
      throw error
    }
  }

  async #read(log: Log, renewed: () => boolean): Promise<boolean> {
    const { matches, open, where, deliver, room, ended, hasRelay, report } = this.#options
    /** Offsets of events that do not open, which was reported. */
    const passedOver = new Set<number>()
    const ofType = ({ type }: EventHeader): boolean => matches(type)
    const wanted = (event: LoggedEvent) => {
      if (!matches(event.header.type)) return false
      if (!where) return true
      const opened = open(event)
      if (!opened) passedOver.add(event.offset)
      try {
        return opened !== undefined && where(opened)
      } catch {
        // Reported when the event is handed on.
        return false
      }
    }
    let start = await startOffset(log, this.#from, wanted)
    if (renewed()) return false
    do {
      this.#overflowed = false
      const counts = hasRelay ? undefined : new StreamCounts(log)
      for await (const events of walk(log, start, report, counts, ofType)) {
        for (const event of events) {
          if (ended()) return true
          if (renewed()) return false
          start = event.offset + 1
          this.#next = start
          this.#from = start
          const again = this.#logs > 0 && this.#isKnown(event.header.id)
          this.#remember(event.header.id)
          if (again || !matches(event.header.type) || passedOver.has(event.offset)) continue
          const opened = open(event)
          if (!opened) continue
          deliver({ event: opened, origin: this.#originOf(event), replaying: true })
          // The log is the buffer: nothing that is read from it is lost by being read too fast.
          await room?.()
        }
      }
      await this.#drain(() => ended() || renewed() || this.#overflowed)
    } while (this.#overflowed)
    if (renewed()) return false
    this.release()
    return true
  }

  /** Hands on what waited, as fast as the handler takes it. */
  async #drain(isOver: () => boolean): Promise<void> {
    for (;;) {
      await this.#options.room?.()
      const next = isOver() ? undefined : this.#waiting?.shift()
      if (!next) return
      this.#deliver([next])
    }
  }

  /** Lets what waited through, without the log where it could not be read. */
  release(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    this.#deliver(waiting)
  }

  #deliver(waiting: readonly Delivery[]): void {
    for (const delivery of waiting) {
      if (this.#wasRead(delivery.event)) {
        this.#options.known?.(delivery.event.id)
        continue
      }
      this.#remember(delivery.event.id)
      this.#options.deliver(delivery)
    }
  }

  #originOf({ header, fromRoom }: LoggedEvent): Origin {
    if (fromRoom) return 'room'
    return parseId(header.id)[0] === this.#options.prefix ? 'self' : 'device'
  }

  #remember(id: string): void {
    const [prefix, counter] = parseId(id)
    const rows = this.#heard.get(prefix)
    if (!rows) {
      // What is before the point to begin at is not for this subscription in any log.
      const first = this.#options.from === 'start' ? counter : 0
      this.#heard.set(prefix, [[first, counter]])
      return
    }
    // Events of a publisher come in order: between the row's last and this one there is nothing else.
    const row = rows.findLast(([first]) => first <= counter)
    if (row) row[1] = Math.max(row[1], counter)
    else rows.unshift([counter, counter])
  }

  #wasRead({ id, offset }: BusEvent): boolean {
    const read = offset !== undefined && this.#logs === 0 && offset < this.#next
    return read || this.#isKnown(id)
  }

  #isKnown(id: string): boolean {
    const [prefix, counter] = parseId(id)
    if (counter === 0) return false
    const rows = this.#heard.get(prefix)
    return rows?.some(([first, last]) => first <= counter && counter <= last) ?? false
  }
}

/**
 * Keeps the events of contexts without a log in this one's: each submission as one own batch, its
 * ids as they are, and each event once, however often it is submitted. In come submissions, out
 * go answers and, for everybody who hears this context, the same frames as for its own batches.
 */
import { BusError, isBusError, toBusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Encoded, OwnBatch } from '../log/log.ts'
import type { SubmitFrame, WhereFrame } from '../protocol/link-frames.ts'
import { encodeEvents, encodePeerFrame } from '../protocol/peer-frames.ts'
import type { Host, HostOptions, Keeper, Way } from './sync.ts'

/** Guests remembered at most; the longest silent one goes first. */
const MAX_GUESTS = 1_000

export class LogHost implements Host {
  readonly #options: HostOptions
  /** The last submission of each guest: one at a time. */
  readonly #line = new Map<string, Promise<void>>()
  /** What was declined last of each guest: the same again, from before it heard, stays declined. */
  readonly #declined = new Map<string, number>()

  constructor(options: HostOptions) {
    this.#options = options
  }

  submitted(frame: SubmitFrame, data: readonly string[], way: Way): void {
    const { prefix } = frame
    if (frame.to !== this.#options.prefix) return
    const before = this.#line.get(prefix) ?? Promise.resolve()
    const line = before.then(() => this.#take(frame, data, way))
    this.#line.set(prefix, line)
    void line.then(() => {
      if (this.#line.get(prefix) === line) this.#line.delete(prefix)
    })
  }

  async #take(frame: SubmitFrame, data: readonly string[], way: Way): Promise<void> {
    const keeper = this.#options.keeper()
    if (keeper?.id !== frame.of) return
    const { prefix } = frame
    const log = keeper.id
    const last = parseId(frame.events.at(-1)?.id ?? '')[1]
    try {
      if (!isChain(frame)) throw new BusError('bad_frame', 'not the ids of a guest, in order')
      const batch = await this.#alone(prefix, () => this.#append(keeper, frame, data))
      const all = { frame: 'taken', log, prefix, last } as const
      way.send(batch === undefined ? all : { ...all, batch })
    } catch (error) {
      // Whether it is in the log is not known: the guest asks again, and the log then says.
      if (isBusError(error, 'log_lost')) return
      const { code } = toBusError(error, 'log_failed', 'the log did not take a batch')
      this.#remember(prefix, Math.max(1, last, this.#declined.get(prefix) ?? 0))
      const by = this.#options.prefix
      way.send({ frame: 'declined', log, by, prefix, last: Math.max(1, last), code })
    }
  }

  asked(frame: WhereFrame, way: Way): void {
    const keeper = this.#options.keeper()
    // A log that fails now is asked again.
    if (keeper?.id === frame.of) this.#answer(keeper, frame, way).catch(() => {})
  }

  async #answer({ log, id }: Keeper, { batches }: WhereFrame, way: Way): Promise<void> {
    // Asked before the log is: what is confirmed by now has its place in there.
    const confirmed = this.#options.confirmed()
    for (const batch of batches) {
      const parts = (await log.placement(batch))?.parts ?? []
      const frame = { frame: 'placed', log: id, batch, parts } as const
      if (batch <= confirmed) way.send({ ...frame, whole: true })
      else if (parts.length > 0) way.send(frame)
      // What is in the log no more the room has, or had.
      else if ((await log.read(batch, 1))[0]?.batch !== batch) way.send({ ...frame, whole: true })
    }
  }

  #remember(prefix: string, last: number): void {
    this.#declined.delete(prefix)
    this.#declined.set(prefix, last)
    if (this.#declined.size <= MAX_GUESTS) return
    for (const oldest of this.#declined.keys()) {
      this.#declined.delete(oldest)
      return
    }
  }

  /**
   * Two contexts that share a log could both be asked, one of them late: neither may look between
   * the other's look and its write.
   */
  #alone<T>(prefix: string, run: () => Promise<T>): Promise<T> {
    const { locks } = this.#options.platform
    return locks ? locks.request(`crosstown-guest:${prefix}`, run) : run()
  }

  /** The record that has all of them; `undefined` where some were in the log before. */
  async #append(
    { log, writer, id }: Keeper,
    { prefix, events }: SubmitFrame,
    data: readonly string[],
  ): Promise<number | undefined> {
    const known = await log.highest(prefix)
    const first = events.findIndex((header) => parseId(header.id)[1] > known)
    if (first < 0) {
      const found = await log.find(events[0]?.id ?? '')
      return found?.index === 0 && found.batch.headers.length >= events.length
        ? found.batch.batch
        : undefined
    }
    const declined = this.#declined.get(prefix) ?? 0
    if (parseId(events[first]?.id ?? '')[1] <= declined) {
      throw new BusError('log_failed', 'the batch was declined before', { stage: 'sync' })
    }
    if (this.#options.outboxFull() && events.some(({ scope }) => scope !== 'device')) {
      throw new BusError('outbox_full', 'what waits for the relay fills the log', { stage: 'sync' })
    }
    const entries: Encoded[] = events.slice(first).map((header, i) => ({
      event: header,
      headerText: JSON.stringify(header),
      dataText: data[first + i] as string,
    }))
    const record = writer.record(entries)
    const write = writer.write(record, () => this.#tellPosted(id, prefix, known, record))
    const batch = await write.catch((error: unknown) => {
      this.#tellWithdrawn(id, entries, error)
      throw error
    })
    this.#tellCommitted(id, prefix, record, batch)
    return first === 0 ? batch : undefined
  }

  #tellPosted(log: string, prefix: string, prev: number, record: OwnBatch): void {
    const frame = { frame: 'batch', log, prefix, prev } as const
    this.#options.tell(encodeEvents(frame, record.headers, record.data))
  }

  #tellWithdrawn(log: string, entries: readonly Encoded[], error: unknown): void {
    if (isBusError(error, 'log_lost')) return
    const ids = entries.map(({ event }) => event.id)
    const { code } = toBusError(error, 'log_failed', '')
    this.#options.tell(encodePeerFrame({ frame: 'withdrawn', log, ids, code }))
  }

  #tellCommitted(log: string, prefix: string, record: OwnBatch, batch: number): void {
    const { time, roomEvents, count, headers, data } = record
    const bytes = headers.length + data.length
    const last = parseId(record.lastId)[1]
    const counters = { prefix, first: last - count + 1, last }
    this.#options.tell(
      encodePeerFrame({ frame: 'committed', log, ...counters, batch, time, roomEvents, bytes }),
    )
  }
}

/** Whether the ids are the guest's, one after the other. */
function isChain({ prefix, events }: SubmitFrame): boolean {
  const first = parseId(events[0]?.id ?? '')[1]
  return (
    first > 0 &&
    events.every(
      ({ id, revision, expected }, i) =>
        id === `${prefix}-${first + i}` &&
        // The one is for the log to say, and for the other nobody looks here.
        revision === undefined &&
        expected === undefined,
    )
  )
}

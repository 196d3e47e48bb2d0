/**
 * The pipeline: one batch is in flight; while it commits, the next one fills. Idle, an event
 * leaves in the microtask after its `publish`; busy, batches grow by themselves. Speed, order and
 * back-pressure are this one mechanism. In come entries, out go batches to the sinks, in order.
 */
import { BusError } from '../errors.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS } from '../event.ts'
import type { Batch, BatchSinks, Entry } from './batch.ts'

export interface PipelineLimits {
  /** Events and bytes waiting at most before `publish` rejects with `buffer_overflow`. */
  readonly queueEvents: number
  readonly queueBytes: number
}

export class Pipeline {
  readonly #sinks: BatchSinks
  readonly #limits: PipelineLimits
  /** Entries waiting; a `publishBatch` is one item, so that it never straddles batches. */
  #queue: Entry[][] = []
  #taken = 0
  #events = 0
  #bytes = 0
  #scheduled = false
  #inFlight = 0
  readonly #idle: (() => void)[] = []

  constructor(sinks: BatchSinks, limits: PipelineLimits) {
    this.#sinks = sinks
    this.#limits = limits
  }

  /** Events not yet committed: waiting or in flight. */
  get busy(): boolean {
    return this.#events > 0 || this.#inFlight > 0
  }

  /** @throws {BusError} buffer_overflow */
  add(entries: Entry[]): void {
    if (this.#events >= this.#limits.queueEvents || this.#bytes >= this.#limits.queueBytes) {
      throw new BusError(
        'buffer_overflow',
        `${this.#events} events wait for the log already: await publish, or raise limits.queueEvents and limits.queueBytes`,
        { stage: 'batch' },
      )
    }
    this.#queue.push(entries)
    this.#events += entries.length
    for (const entry of entries) this.#bytes += entry.bytes
    if (this.#scheduled || !this.#free) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.run()
    })
  }

  /** Hands on what waits, as far as the gate and the batch in flight allow. */
  run(): void {
    while (this.#events > 0 && this.#free && this.#sinks.gate !== 'held') {
      this.#hand(this.#take())
    }
    if (!this.busy) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /**
   * Whether the next batch need not wait for one in flight. A log that is late opening must not
   * hold live delivery back: its commits wait by themselves.
   */
  get #free(): boolean {
    return this.#inFlight === 0 || this.#sinks.gate === 'late'
  }

  /** Resolves when nothing waits and nothing is in flight. */
  drained(): Promise<void> {
    return this.busy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  /** Gives up what was not handed on yet. */
  abandon(error: BusError): void {
    for (const entries of this.#queue.splice(0).slice(this.#taken)) {
      for (const entry of entries) entry.ticket.reject(error)
    }
    this.#taken = 0
    this.#events = 0
    this.#bytes = 0
    this.run()
  }

  #take(): Batch {
    const entries: Entry[] = []
    let bytes = 0
    while (this.#taken < this.#queue.length) {
      const next = this.#queue[this.#taken] as Entry[]
      let more = 0
      for (const entry of next) more += entry.bytes
      const full = entries.length + next.length > MAX_BATCH_EVENTS || bytes + more > MAX_BATCH_BYTES
      if (full && entries.length > 0) break
      for (const entry of next) entries.push(entry)
      bytes += more
      this.#taken += 1
    }
    if (this.#taken === this.#queue.length) {
      this.#queue = []
      this.#taken = 0
    }
    this.#events -= entries.length
    this.#bytes -= bytes
    return {
      entries,
      persisted: entries.every((entry) => entry.persisted)
        ? entries
        : entries.filter((entry) => entry.persisted),
      casts: entries.filter((entry) => !entry.persisted && entry.event.scope !== 'context'),
    }
  }

  #hand(batch: Batch): void {
    const commit = this.#sinks.commit(batch)
    this.#sinks.post(batch)
    this.#sinks.deliver(batch)
    if (!commit) {
      this.#sinks.committed(batch, undefined)
      return
    }
    this.#inFlight += 1
    const after = () => {
      this.#inFlight -= 1
      this.run()
    }
    commit.then(
      (number) => {
        this.#sinks.committed(batch, number)
        after()
      },
      (error: unknown) => {
        this.#sinks.failed(batch, error)
        after()
      },
    )
  }
}

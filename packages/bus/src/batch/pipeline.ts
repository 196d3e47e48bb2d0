/**
 * The pipeline: one batch is in flight; while it commits, the next one fills. Idle, an event
 * leaves in the microtask after its `publish`; busy, batches grow by themselves. Speed, order and
 * back-pressure are this one mechanism. In come entries, out go batches to the sinks, in order.
 */
import { BusError } from '../errors.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Batch, BatchSinks, Entry } from './batch.ts'

/** Items at the front of the queue that are let go of together. */
const FORGET_AFTER = 10_000

export interface PipelineLimits {
  /** Events and bytes waiting at most before `publish` rejects with `buffer_overflow`. */
  readonly queueEvents: number
  readonly queueBytes: number
}

/** Told of what is published: as it is queued, or, where it may be refused, when it is decided. */
export type Accepted = (entries: readonly Entry[]) => void

export class Pipeline {
  readonly #sinks: BatchSinks
  readonly #limits: PipelineLimits
  readonly #taps: TapHolder
  readonly #accepted: Accepted | undefined
  /** Entries waiting; a `publishBatch` is one item, so that it never straddles batches. */
  #queue: (Entry | Entry[])[] = []
  #taken = 0
  #events = 0
  #bytes = 0
  /** Batches handed on whose handlers wait for the microtask. */
  readonly #undelivered: (() => void)[] = []
  #scheduled = false
  readonly #inFlight = new Set<Batch>()
  /** For each judged batch in flight, what was handed on after it and is not delivered yet. */
  readonly #judging: (() => void)[][] = []
  readonly #idle: (() => void)[] = []

  constructor(
    sinks: BatchSinks,
    limits: PipelineLimits,
    taps: TapHolder = { tap: undefined },
    accepted?: Accepted,
  ) {
    this.#sinks = sinks
    this.#limits = limits
    this.#taps = taps
    this.#accepted = accepted
  }

  /** Events not yet committed: waiting or in flight. */
  get busy(): boolean {
    return this.#events > 0 || this.#inFlight.size > 0
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#events
  }

  /** @throws {BusError} buffer_overflow */
  add(entries: Entry | Entry[]): void {
    if (this.#events >= this.#limits.queueEvents || this.#bytes >= this.#limits.queueBytes) {
      throw new BusError(
        'buffer_overflow',
        `${this.#events} events wait for the log already: await publish, or raise limits.queueEvents and limits.queueBytes`,
        { stage: 'batch' },
      )
    }
    this.#queue.push(entries)
    this.#events += Array.isArray(entries) ? entries.length : 1
    this.#bytes += bytesOf(entries)
    if (this.#accepted && !isJudged(entries)) this.#accepted([entries].flat())
    if (!this.#free) return
    // A batch that is full gains nothing by waiting for the microtask: its commit and its post
    // begin while the caller makes the next one. Handlers still run after `publish` returned.
    if (this.#events >= MAX_BATCH_EVENTS && this.#sinks.gate === 'open')
      this.#hand(this.#take(), true)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.run()
    })
  }

  /** Hands on what waits, as far as the gate and the batch in flight allow. */
  run(): void {
    this.#pump()
    this.#rest()
  }

  /** Hands on all that waits, behind what is in flight: for when nothing may run after this task. */
  urge(): void {
    while (this.#events > 0 && this.#sinks.gate !== 'held') this.#hand(this.#take())
    this.run()
  }

  #pump(): void {
    for (const deliver of this.#undelivered.splice(0)) this.#deliver(deliver)
    while (this.#events > 0 && this.#free && this.#sinks.gate !== 'held') {
      this.#hand(this.#take())
    }
  }

  /**
   * Whether the next batch need not wait for one in flight. A log that is late opening must not
   * hold live delivery back: its commits wait by themselves.
   */
  get #free(): boolean {
    return this.#inFlight.size === 0 || this.#sinks.gate === 'late'
  }

  /** Resolves when nothing waits and nothing is in flight. */
  drained(): Promise<void> {
    return this.busy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  /**
   * Gives up what was not handed on yet, and the promises of what is in flight.
   *
   * @returns how many events nobody waited for are lost
   */
  abandon(error: BusError): number {
    const lost = this.#queue.splice(0).slice(this.#taken).flat()
    const waiting = [...this.#inFlight].flatMap((batch) => batch.entries)
    for (const { ticket } of [...waiting, ...lost]) ticket.reject(error)
    this.#taps.tap?.dropped(idsOf(lost), 'closed')
    this.#taken = 0
    this.#events = 0
    this.#bytes = 0
    this.run()
    return lost.filter(({ ticket }) => ticket.until === 'accepted').length
  }

  #take(): Batch {
    const entries: Entry[] = []
    let bytes = 0
    let judged = false
    while (this.#taken < this.#queue.length && entries.length < MAX_BATCH_EVENTS && !judged) {
      const next = this.#queue[this.#taken] as Entry | Entry[]
      judged = isJudged(next)
      // One that is refused must not take others with it.
      if (judged && entries.length > 0) {
        judged = false
        break
      }
      const more = bytesOf(next)
      const count = Array.isArray(next) ? next.length : 1
      const full = entries.length + count > MAX_BATCH_EVENTS || bytes + more > MAX_BATCH_BYTES
      if (full && entries.length > 0) break
      if (Array.isArray(next)) entries.push(...next)
      else entries.push(next)
      bytes += more
      this.#taken += 1
    }
    this.#forgetTaken()
    this.#events -= entries.length
    this.#bytes -= bytes
    return split(entries, judged)
  }

  /** Taken one by one from the front, a list of a hundred thousand would be moved each time. */
  #forgetTaken(): void {
    if (this.#taken === this.#queue.length) this.#queue = []
    else if (this.#taken >= FORGET_AFTER) this.#queue.splice(0, this.#taken)
    else return
    this.#taken = 0
  }

  #hand(batch: Batch, deliverLater = false): void {
    this.#taps.tap?.published(batch)
    const commit = this.#commit(batch)
    const deliver = (): void => {
      this.#sinks.deliver(batch)
      if (!commit) this.#sinks.committed(batch, undefined)
    }
    const waits = commit !== undefined && batch.judged === true
    if (waits) this.#judging.push([])
    else if (deliverLater) this.#undelivered.push(deliver)
    else this.#deliver(deliver)
    if (!commit) return
    this.#inFlight.add(batch)
    commit.then(
      (number) => {
        if (waits) {
          this.#accepted?.(batch.entries)
          this.#judged(deliver)
        }
        this.#landed(batch, () => this.#sinks.committed(batch, number))
      },
      (error: unknown) => {
        if (waits) this.#judged(undefined)
        this.#landed(batch, () => this.#sinks.failed(batch, error))
      },
    )
  }

  /** What follows a batch that is judged is heard after it. */
  #deliver(deliver: () => void): void {
    const last = this.#judging.at(-1)
    if (last) last.push(deliver)
    else deliver()
  }

  /** The oldest batch that was judged is in the log, or refused: they are decided in order. */
  #judged(deliver: (() => void) | undefined): void {
    deliver?.()
    for (const next of this.#judging.shift() ?? []) next()
  }

  /** A sink that throws fails its batch, not the pipeline. */
  #commit(batch: Batch): Promise<number | undefined> | undefined {
    try {
      return this.#sinks.commit(batch)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #landed(batch: Batch, settle: () => void): void {
    this.#inFlight.delete(batch)
    // First the next batch, so that the log works while this one's promises are settled.
    this.#pump()
    settle()
    this.#rest()
  }

  /** Tells those who wait for nothing to be left. */
  #rest(): void {
    if (!this.busy) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function idsOf(entries: readonly Entry[]): string[] {
  return entries.map(({ event }) => event.id)
}

function bytesOf(next: Entry | readonly Entry[]): number {
  if (!Array.isArray(next)) return (next as Entry).bytes
  let bytes = 0
  for (const entry of next) bytes += entry.bytes
  return bytes
}

function isJudged(next: Entry | readonly Entry[]): boolean {
  return Array.isArray(next)
    ? next.some(({ expected }) => expected !== undefined)
    : (next as Entry).expected !== undefined
}

const NONE: readonly Entry[] = []

function split(entries: readonly Entry[], judged: boolean): Batch {
  let persisted = 0
  for (const entry of entries) if (entry.persisted) persisted += 1
  const common = judged ? { entries, judged } : { entries }
  if (persisted === entries.length) return { ...common, persisted: entries, casts: NONE }
  return {
    ...common,
    persisted: persisted === 0 ? NONE : entries.filter((entry) => entry.persisted),
    casts: entries.filter((entry) => !entry.persisted && entry.event.scope !== 'context'),
  }
}

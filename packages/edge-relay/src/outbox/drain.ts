/**
 * Drains an outbox: as long as there are rows, step by step, and then when somebody says that there are
 * more, or it is time to look.
 *
 * ```
 * rows, oldest first -> events -> the queue of each room -> its append -> the rows go
 * ```
 *
 * Where store and outbox are one database, the last two are one statement. Else a relay that ends between
 * them finds the rows again, and each room the events, by their ids.
 */
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS } from '@crosstown/bus/protocol'
import type { Log } from '../log.ts'
import type { Meter, Reading } from '../metrics.ts'
import type { Store } from '../stores/store.ts'
import type { Outbox, OutboxRow, Verdict } from './outbox.ts'
import { type Publishing, publishRows } from './publish.ts'

/** What draining needs of the relay. */
export interface DrainContext extends Omit<Publishing, 'wait' | 'report' | 'together'> {
  readonly store: Pick<Store, 'hasOutbox'>
  readonly meter: Meter
  readonly log: Log
  readonly report: (error: unknown, room?: string) => void
}

const STEP = { events: MAX_BATCH_EVENTS, bytes: MAX_BATCH_BYTES }
const MEASURE_MS = 5_000
/** Between tries where the table cannot be reached: doubled each time, up to the last. */
const RETRY_MS = 250
const MAX_RETRY_MS = 5_000

/** The outbox of one relay. */
export class Drain {
  readonly #outbox: Outbox
  readonly #context: DrainContext
  readonly #publishing: Omit<Publishing, 'together'>
  /** Rooms that take nothing until then, by `Platform.monotonic`. */
  readonly #waiting = new Map<string, number>()
  readonly #stopTimers: (() => void)[] = []
  #stopRetry = (): void => {}
  #running: Promise<void> | undefined
  #woken = false
  #stopped = false
  #failures = 0
  #retryAtMs = Number.NEGATIVE_INFINITY
  #known: { readonly id: string; readonly together: boolean } | undefined
  #rows = 0
  #oldest: number | undefined

  constructor(outbox: Outbox, context: DrainContext) {
    this.#outbox = outbox
    this.#context = context
    const { platform, report } = context
    this.#publishing = {
      ...context,
      report: (error, room) => report(error, room),
      wait: (room, ms) => this.#waiting.set(room, platform.monotonic() + ms),
    }
    outbox.listen?.(() => {
      // Whoever says so is there.
      this.#retryAtMs = Number.NEGATIVE_INFINITY
      this.wake()
    })
    this.#stopTimers.push(
      platform.every(outbox.pollMs, () => this.wake()),
      platform.every(MEASURE_MS, () => void this.#measure()),
    )
    this.wake()
    void this.#measure()
  }

  /** There may be more. */
  wake(): void {
    this.#woken = true
    if (this.#stopped || this.#context.platform.monotonic() < this.#retryAtMs) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      // Said while the rest was counted. After a failure it waits for the next try.
      if (this.#woken) this.wake()
    })
  }

  /** What waits, as of some seconds ago. */
  gauges(): { readonly outbox_pending: Reading[]; readonly outbox_lag_seconds: Reading[] } {
    const now = this.#context.platform.now()
    const lagMs = this.#oldest === undefined ? 0 : Math.max(0, now - this.#oldest)
    return { outbox_pending: [[this.#rows]], outbox_lag_seconds: [[lagMs / 1_000]] }
  }

  /** Ends the step under way, then lets go of the table. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const stop of this.#stopTimers) stop()
    this.#stopRetry()
    await this.#running
    await this.#outbox.close()
  }

  async #run(): Promise<void> {
    let more = false
    do {
      this.#woken = false
      try {
        more = await this.#step()
        this.#failures = 0
      } catch (error) {
        this.#failed(error)
        return
      }
    } while ((more || this.#woken) && !this.#stopped)
    if (this.#rows > 0) await this.#measure()
  }

  async #step(): Promise<boolean> {
    const nowMs = this.#context.platform.monotonic()
    for (const [room, untilMs] of this.#waiting) if (untilMs <= nowMs) this.#waiting.delete(room)
    let rows: readonly OutboxRow[] = []
    let verdicts: readonly Verdict[] = []
    const { more } = await this.#outbox.step(STEP, [...this.#waiting.keys()], async (read) => {
      rows = read
      verdicts = await publishRows(read, { ...this.#publishing, together: await this.#together() })
      return verdicts
    })
    // Rows that did not go are read again, and told of then.
    this.#tell(rows, verdicts)
    return more
  }

  /** Whether store and outbox are one database, in which one statement writes both. */
  async #together(): Promise<boolean> {
    const { store } = this.#context
    const { id } = this.#outbox
    if (id === undefined || !store.hasOutbox) return false
    if (this.#known?.id !== id) this.#known = { id, together: await store.hasOutbox(id) }
    return this.#known.together
  }

  #tell(rows: readonly OutboxRow[], verdicts: readonly Verdict[]): void {
    const { log, meter } = this.#context
    let taken = 0
    for (const [i, verdict] of verdicts.entries()) {
      if (verdict === 'taken') taken += 1
      if (typeof verdict !== 'object') continue
      const { code, message } = verdict
      const { id, room } = rows[i] as OutboxRow
      meter.count('outbox_refused_total', 1, code)
      log('outbox', { room, id, code, message })
    }
    if (taken > 0) meter.count('outbox_drained_total', taken)
  }

  #failed(error: unknown): void {
    const { platform, report } = this.#context
    // Once for each time that it is away, and not for each try.
    if (this.#failures === 0) report(error)
    const ms = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** this.#failures)
    this.#failures += 1
    this.#retryAtMs = platform.monotonic() + ms
    // Whoever said meanwhile that the table is there may have been wrong: the try before still waits.
    this.#stopRetry()
    if (this.#stopped) return
    const stop = platform.every(ms, () => {
      stop()
      this.wake()
    })
    this.#stopRetry = stop
  }

  async #measure(): Promise<void> {
    if (this.#stopped) return
    try {
      const { oldest, rows } = await this.#outbox.waiting()
      this.#rows = rows
      this.#oldest = oldest
    } catch (error) {
      // Where it is away, whoever drains says so.
      if (this.#failures === 0 && !this.#stopped) this.#context.report(error)
    }
  }
}

/** What a relay without an outbox measures of it: nothing. */
export const NO_OUTBOX: ReturnType<Drain['gauges']> = {
  outbox_pending: [],
  outbox_lag_seconds: [],
}

/**
 * Keeps the log within its limits, and then its records few, from the context that leads and out
 * of the way of everything else: a few records at a time, with a pause after each step.
 */
import { type BusError, toBusError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { Platform } from '../platform.ts'

/** How much of the log is kept. */
export interface Retention {
  readonly events: number
  /** Characters of headers and value texts. */
  readonly bytes: number
  readonly days: number
}

export interface UpkeepOptions {
  readonly platform: Platform
  readonly retention: Retention
  /** Whether own events for the room wait for a relay. */
  readonly outbox: boolean
  readonly report: (error: BusError) => void
}

/** The first look waits until a page has started, and later ones follow what it writes. */
const FIRST_MS = 10_000
const AGAIN_MS = 60_000
const STEP_MS = 50
const DAY_MS = 24 * 60 * 60 * 1_000

export class Upkeep {
  readonly #options: UpkeepOptions
  #cancel: (() => void) | undefined
  #log: Log | undefined

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  start(log: Log): void {
    this.stop()
    this.#log = log
    this.#in(FIRST_MS)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#log = undefined
  }

  #in(ms: number): void {
    const log = this.#log
    if (log) this.#cancel = this.#options.platform.timer(ms, () => void this.#step(log))
  }

  async #step(log: Log): Promise<void> {
    const { outbox, platform, report, retention } = this.#options
    const { events, bytes, days } = retention
    let more = false
    try {
      const before = Math.max(0, platform.now() - days * DAY_MS)
      more = (await log.trim({ events, bytes, before }, outbox)).more
      if (!more && log === this.#log) more = (await log.merge?.(outbox))?.more ?? false
    } catch (error) {
      if (log !== this.#log) return
      report(toBusError(error, 'log_failed', 'old records could not be removed', { stage: 'log' }))
    }
    if (log === this.#log) this.#in(more ? STEP_MS : AGAIN_MS)
  }
}

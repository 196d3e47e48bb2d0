/** The pauses of a replay that takes its time. */
import type { Platform } from '../platform.ts'

/**
 * Waits until an event is due: as long after the first as it was written after that, at `speed`
 * times the speed. Measured from the first, so that neither timers nor a slow reader add up.
 */
export class Pace {
  readonly #platform: Platform
  readonly #speed: number
  #first: { readonly written: number; readonly given: number } | undefined
  #wake: (() => void) | undefined
  #stopped = false

  constructor(platform: Platform, speed: number) {
    this.#platform = platform
    this.#speed = speed
  }

  /** What comes next was timed by another clock: it is due at once. */
  restart(): void {
    this.#first = undefined
  }

  /** Resolves when an event written at `written` is due, or `stop` is called. */
  async until(written: number): Promise<void> {
    const platform = this.#platform
    this.#first ??= { written, given: platform.monotonic() }
    const due = this.#first.given + (written - this.#first.written) / this.#speed
    // Whoever waits for the next event means to live to see it.
    const release = platform.hold()
    // More than once where a pause is longer than a timer can be.
    for (let ms = due - platform.monotonic(); ms > 0 && !this.#stopped; ) {
      await new Promise<void>((resolve) => {
        const cancel = platform.timer(ms, resolve)
        this.#wake = () => {
          cancel()
          resolve()
        }
      })
      ms = due - platform.monotonic()
    }
    release()
  }

  /** Nothing is waited for any more. */
  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }
}

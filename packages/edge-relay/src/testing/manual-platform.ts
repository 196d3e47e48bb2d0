import { type Platform, systemPlatform } from '../platform.ts'

/** Its clock stands still until a test moves it; chance is a counter. */
export class ManualPlatform implements Platform {
  #now = 0
  /** The wall clock is so far ahead of the one that nobody sets. */
  #ahead = 1_700_000_000_000
  #names = 0
  readonly #timers = new Set<{
    readonly everyMs: number
    readonly run: () => void
    dueMs: number
  }>()

  /** Number of timers that run. */
  get timers(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#now + this.#ahead
  }

  monotonic(): number {
    return this.#now
  }

  every(intervalMs: number, run: () => void): () => void {
    const timer = { everyMs: intervalMs, run, dueMs: this.#now + intervalMs }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  soon(run: () => void): void {
    setImmediate(run)
  }

  randomName(length: number): string {
    this.#names += 1
    return `n${this.#names}`.padEnd(Math.min(length, 4), '_')
  }

  sha256(text: string): Promise<string> {
    return systemPlatform.sha256(text)
  }

  /** Moves on, and runs what is due on the way. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = [...this.#timers]
        .filter(({ dueMs }) => dueMs <= end)
        .sort((a, b) => a.dueMs - b.dueMs)[0]
      if (!next) break
      this.#now = next.dueMs
      next.dueMs += next.everyMs
      next.run()
    }
    this.#now = end
  }

  /** Sets the wall clock, back as well. */
  set(ms: number): void {
    this.#ahead = ms - this.#now
  }

  /** Time passes in which the process did not run: what is due runs once, at the next `advance`. */
  sleep(ms: number): void {
    this.#now += ms
    for (const timer of this.#timers) timer.dueMs = Math.max(timer.dueMs, this.#now)
  }
}

/** A clock that stands still until it is told, and turns that come when they are asked for. */
import type { Timing } from '../timing.ts'

export class ManualTiming implements Timing {
  #now: number
  #soon: (() => void)[] = []
  #frames: (() => void)[] = []
  #timers: { readonly at: number; readonly run: () => void }[] = []

  constructor(now: number = Date.UTC(2026, 0, 15, 9)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  frame(run: () => void): void {
    this.#frames.push(run)
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  later(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** All turns and frames, until there are none. */
  settle(): void {
    for (;;) {
      const next = this.#soon.shift() ?? this.#frames.shift()
      if (!next) return
      next()
    }
  }

  /** Lets time pass, with all that falls into it. */
  pass(ms: number): void {
    const until = this.#now + ms
    this.settle()
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (!next) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      this.settle()
    }
    this.#now = until
  }
}

import type { ContextKind, Platform } from '../platform.ts'
import { VirtualLifecycle } from './virtual-lifecycle.ts'

interface Timer {
  readonly due: number
  readonly run: () => void
}

/**
 * A platform whose clock stands still until a test moves it, and whose random numbers come from
 * a seed. It has no locks, no database, no channel and no sockets.
 */
export class VirtualPlatform implements Platform {
  readonly kind: ContextKind
  hold(): () => void {
    return () => {}
  }

  readonly lifecycle: VirtualLifecycle
  readonly locks: LockManager | undefined = undefined
  readonly indexedDB = undefined
  readonly BroadcastChannel = undefined
  readonly WebSocket = undefined
  /** What the wall clock shows; may be set back, as users do. */
  wall = 1_700_000_000_000
  #elapsed = 0
  #state: number
  readonly #timers = new Set<Timer>()

  constructor({ seed = 1, kind = 'node' }: { seed?: number; kind?: ContextKind } = {}) {
    this.#state = seed
    this.kind = kind
    const isPage = kind === 'page' || kind === 'iframe'
    this.lifecycle = new VirtualLifecycle(isPage ? 'visible' : 'none')
  }

  now(): number {
    return this.wall
  }

  monotonic(): number {
    return this.#elapsed
  }

  /** Mulberry32. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  randomText(length: number): string {
    return Array.from({ length }, () => Math.floor(this.random() * 36).toString(36)).join('')
  }

  timer(ms: number, run: () => void): () => void {
    const timer = { due: this.#elapsed + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Timers that have not run yet. */
  get timers(): number {
    return this.#timers.size
  }

  /** When the next timer is due, by the monotonic clock; Infinity without one. */
  get next(): number {
    return Math.min(...[...this.#timers].map((timer) => timer.due))
  }

  /** Moves both clocks on and runs what falls due, in order, each at its own time. */
  advance(ms: number): void {
    const end = this.#elapsed + ms
    while (true) {
      let next: Timer | undefined
      for (const timer of this.#timers) {
        if (timer.due <= end && (!next || timer.due < next.due)) next = timer
      }
      if (!next) break
      this.#timers.delete(next)
      this.#passTo(Math.max(next.due, this.#elapsed))
      next.run()
    }
    this.#passTo(end)
  }

  /** Moves both clocks on to the next timer and runs what falls due then. */
  advanceToNext(): void {
    const due = this.next
    if (Number.isFinite(due)) this.advance(Math.max(0, due - this.#elapsed))
  }

  #passTo(time: number): void {
    this.wall += time - this.#elapsed
    this.#elapsed = time
  }
}

/** Events a second, over the last five whole and started seconds. */
const SECONDS = 5

export type Counted = 'published' | 'received' | 'handled'
const KINDS: readonly Counted[] = ['published', 'received', 'handled']

export class Rates {
  readonly #counts = new Uint32Array((SECONDS + 1) * KINDS.length)
  #second = 0

  count(kind: Counted, events: number, now: number): void {
    this.#turn(now)
    this.#counts[(this.#second % (SECONDS + 1)) * KINDS.length + KINDS.indexOf(kind)]! += events
  }

  at(now: number): {
    readonly published: number
    readonly received: number
    readonly handled: number
  } {
    this.#turn(now)
    const sums = [0, 0, 0]
    for (let i = 0; i < this.#counts.length; i++) sums[i % KINDS.length]! += this.#counts[i]!
    const share = (sum: number) => Math.round((sum / SECONDS) * 10) / 10
    return { published: share(sums[0]!), received: share(sums[1]!), handled: share(sums[2]!) }
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1_000)
    if (second <= this.#second) return
    const passed = Math.min(second - this.#second, SECONDS + 1)
    for (let k = 0; k < passed; k++) {
      const slot = (second - k) % (SECONDS + 1)
      this.#counts.fill(0, slot * KINDS.length, (slot + 1) * KINDS.length)
    }
    this.#second = second
  }
}

/** Which rows changed, for those that follow: each reads on from where it was. */
const SIZE = 1 << 16

export class Changes {
  readonly #rows = new Int32Array(SIZE)
  #count = 0
  /** Up to here somebody has read: what changes again is told again. */
  #read = 0

  get count(): number {
    return this.#count
  }

  /** Whether a change that stands at `position` was read by nobody yet. */
  isFresh(position: number): boolean {
    return position >= this.#read
  }

  add(row: number): number {
    this.#rows[this.#count % SIZE] = row
    return this.#count++
  }

  /** Rows that changed from position `from` on; `undefined` where these are too many to be known. */
  since(from: number): Int32Array | undefined {
    this.#read = this.#count
    if (this.#count - from > SIZE) return undefined
    const rows = new Int32Array(this.#count - from)
    for (let i = 0; i < rows.length; i++) rows[i] = this.#rows[(from + i) % SIZE]!
    return rows
  }
}

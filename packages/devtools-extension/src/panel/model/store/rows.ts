/** The list of rows: a ring of entries and notes, that ends and begins where the session says. */
import { grown } from './grown.ts'

/** A row that is no event. */
export const NOTE = -2

export class RowRing {
  #slots = new Int32Array(1_024)
  first = 0
  next = 0

  get length(): number {
    return this.next - this.first
  }

  /** The entry of a row, or {@link NOTE}; -1 where there is no such row. */
  at(row: number): number {
    return row >= this.first && row < this.next ? this.#slots[row % this.#slots.length]! : -1
  }

  push(entry: number): number {
    if (this.length === this.#slots.length) this.#grow()
    const row = this.next++
    this.#slots[row % this.#slots.length] = entry
    return row
  }

  /** The oldest row goes; gives its entry. */
  shift(): number {
    const entry = this.at(this.first)
    this.first++
    return entry
  }

  /** All go; the numbers go on. */
  clear(): void {
    this.first = this.next
  }

  #grow(): void {
    const before = this.#slots
    const larger = grown(new Int32Array(0), before.length * 2)
    for (let row = this.first; row < this.next; row++) {
      larger[row % larger.length] = before[row % before.length]!
    }
    this.#slots = larger
  }
}

/** Items let go of together: one by one, a long list would be moved each time. */
const FORGET_AFTER = 1_024

/** A queue: in at the end, out at the front. */
export class Fifo<T> {
  #items: T[] = []
  #taken = 0

  get length(): number {
    return this.#items.length - this.#taken
  }

  get first(): T | undefined {
    return this.#items[this.#taken]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#taken]
    this.#items[this.#taken++] = undefined as T
    if (this.length === 0 || this.#taken >= FORGET_AFTER) {
      this.#items.splice(0, this.#taken)
      this.#taken = 0
    }
    return item
  }

  /** Takes all out. */
  empty(): T[] {
    const items = this.#items.slice(this.#taken)
    this.#items = []
    this.#taken = 0
    return items
  }
}

/**
 * Lists of entries under the id of another event, as effects are under their cause: in numbers
 * where that event is known, in a map while it is not.
 */
import { grown } from './grown.ts'

interface List {
  head: number
  tail: number
}

export class Links {
  #head = new Int32Array(0)
  #tail = new Int32Array(0)
  #next = new Int32Array(0)
  readonly #unknown = new Map<string, List>()

  grow(size: number): void {
    const before = this.#head.length
    this.#head = grown(this.#head, size)
    this.#tail = grown(this.#tail, size)
    this.#next = grown(this.#next, size)
    this.#head.fill(-1, before)
    this.#tail.fill(-1, before)
    this.#next.fill(-1, before)
  }

  /** Puts `entry` last under the event `id`, which is the entry `owner`, or -1 where it is unknown. */
  add(owner: number, id: string, entry: number): void {
    this.#next[entry] = -1
    if (owner >= 0) {
      if (this.#tail[owner]! < 0) this.#head[owner] = entry
      else this.#next[this.#tail[owner]!] = entry
      this.#tail[owner] = entry
      return
    }
    const list = this.#unknown.get(id)
    if (!list) this.#unknown.set(id, { head: entry, tail: entry })
    else {
      this.#next[list.tail] = entry
      list.tail = entry
    }
  }

  /** The event `id` is now the entry `owner`. */
  known(id: string, owner: number): void {
    const list = this.#unknown.size === 0 ? undefined : this.#unknown.get(id)
    if (!list) return
    this.#head[owner] = list.head
    this.#tail[owner] = list.tail
    this.#unknown.delete(id)
  }

  /** The entry `owner` is not known any more; what is under it stays under its id. */
  forgotten(id: string, owner: number): void {
    const head = this.#head[owner]!
    if (head >= 0) this.#unknown.set(id, { head, tail: this.#tail[owner]! })
    this.#head[owner] = -1
    this.#tail[owner] = -1
  }

  remove(owner: number, id: string, entry: number): void {
    const list = owner >= 0 ? undefined : this.#unknown.get(id)
    let at = owner >= 0 ? this.#head[owner]! : (list?.head ?? -1)
    let before = -1
    while (at >= 0 && at !== entry) {
      before = at
      at = this.#next[at]!
    }
    if (at < 0) return
    const next = this.#next[entry]!
    if (before >= 0) this.#next[before] = next
    else if (owner >= 0) this.#head[owner] = next
    else if (next < 0) this.#unknown.delete(id)
    else list!.head = next
    if (next < 0) {
      if (owner >= 0) this.#tail[owner] = before
      else if (before >= 0) list!.tail = before
    }
    this.#next[entry] = -1
  }

  /** Entries under an event, in the order in which they were added. */
  *under(owner: number, id: string): Generator<number> {
    let at = owner >= 0 ? this.#head[owner]! : (this.#unknown.get(id)?.head ?? -1)
    while (at >= 0) {
      yield at
      at = this.#next[at]!
    }
  }

  has(owner: number): boolean {
    return this.#head[owner]! >= 0
  }

  clear(): void {
    this.#head.fill(-1)
    this.#tail.fill(-1)
    this.#next.fill(-1)
    this.#unknown.clear()
  }
}

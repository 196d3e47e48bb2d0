/** Numbers of rows, ascending; the oldest go as the session forgets them. */
import { grown } from '../store/grown.ts'

export class RowList {
  #rows = new Int32Array(1_024)
  #start = 0
  #end = 0

  clear(): void {
    this.#start = 0
    this.#end = 0
  }

  /** How many there are, without those before `first`. */
  lengthFrom(first: number): number {
    this.trim(first)
    return this.#end - this.#start
  }

  at(first: number, index: number): number {
    this.trim(first)
    return this.#rows[this.#start + index]!
  }

  indexOf(first: number, row: number): number {
    this.trim(first)
    const place = this.#place(row)
    return place < this.#end && this.#rows[place] === row ? place - this.#start : -1
  }

  push(row: number): void {
    if (this.#end === this.#rows.length) this.#makeRoom()
    this.#rows[this.#end++] = row
  }

  trim(first: number): void {
    while (this.#start < this.#end && this.#rows[this.#start]! < first) this.#start++
  }

  /** Puts rows in or takes them out as `test` says now. */
  rejudge(rows: readonly number[], test: (row: number) => boolean): void {
    const sorted = [...new Set(rows)].sort((a, b) => a - b)
    const into: number[] = []
    const out = new Set<number>()
    for (const row of sorted) {
      const place = this.#place(row)
      const there = place < this.#end && this.#rows[place] === row
      if (test(row) === there) continue
      if (there) out.add(row)
      else into.push(row)
    }
    if (into.length === 0 && out.size === 0) return
    const from = this.#place(Math.min(into[0] ?? Number.POSITIVE_INFINITY, ...firstOf(out)))
    const tail = this.#rows.slice(from, this.#end)
    this.#end = from
    let next = 0
    for (const row of tail) {
      while (next < into.length && into[next]! < row) this.push(into[next++]!)
      if (!out.has(row)) this.push(row)
    }
    while (next < into.length) this.push(into[next++]!)
  }

  /** Where a row is, or would be. */
  #place(row: number): number {
    let low = this.#start
    let high = this.#end
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rows[middle]! < row) low = middle + 1
      else high = middle
    }
    return low
  }

  #makeRoom(): void {
    const length = this.#end - this.#start
    if (this.#start > this.#rows.length / 2) this.#rows.copyWithin(0, this.#start, this.#end)
    else {
      const larger = grown(new Int32Array(0), this.#rows.length * 2)
      larger.set(this.#rows.subarray(this.#start, this.#end))
      this.#rows = larger
    }
    this.#start = 0
    this.#end = length
  }
}

/** The first of a set that was filled in order. */
function firstOf(rows: ReadonlySet<number>): number[] {
  const [first] = rows
  return first === undefined ? [] : [first]
}

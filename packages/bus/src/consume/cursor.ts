/**
 * Where a durable consumer stands, pure: the floor, below which all is settled, and above it what is
 * settled, in ranges, between what is not. What was read is an entry until it is settled.
 *
 * A place is a number that ascends in the consumer's order. Places are *claimed* before their events
 * are given: the claim is written, so that whoever carries on after a crash knows which events may
 * have been given. Those are given one at a time, each noted before: an event that kills its context
 * is found out, and does not take others with it.
 */
import type { Settling } from './options.ts'

/** An event that is not settled; or, once it is, a range of settled ones. */
export interface Entry<Item> {
  /** Its place; of a range, the first. */
  readonly at: number
  /** The last place of a range. */
  through: number
  readonly item: Item
  readonly stream: string | undefined
  /** How often it was given, as far as is known. */
  attempts: number
  /** Not to be given before, milliseconds since 1970; 0 for at once. */
  due: number
  state: 'waiting' | 'running' | 'settled'
  /** A context that had it died, or stands still: it may be why. */
  suspect: boolean
  prev: Entry<Item> | undefined
  next: Entry<Item> | undefined
}

/** What is kept of a cursor. */
export interface Kept {
  readonly floor: number
  /** Places below it were claimed. */
  readonly next: number
  /** Settled ones above the floor. */
  readonly settled: readonly (readonly [from: number, through: number])[]
  /** Of those that are not: how often they were given, where it was not once, and when they are due. */
  readonly given: readonly (readonly [at: number, attempts: number, due: number])[]
  /** Counted since it was made. */
  readonly redelivered: number
  readonly dead: number
  /** Its context let go in peace: what `given` does not name was not given. */
  readonly clean?: true
}

/** Events read ahead at most. Each crash may make suspects of all of them. */
const AHEAD = 256

export class Cursor<Item> {
  readonly #settling: Settling
  readonly #ahead: number
  /** What a context before this one claimed. */
  readonly #kept: Kept
  readonly #given: Map<number, readonly [attempts: number, due: number]>
  #first: Entry<Item> | undefined
  #last: Entry<Item> | undefined
  readonly #streams = new Map<string, Entry<Item>[]>()
  #open = 0
  #fresh = 0
  #suspects = 0
  #next: number
  #claimed: number
  redelivered: number
  dead: number

  constructor(settling: Settling, kept: Kept) {
    this.#settling = settling
    // Where nothing is given twice, what is claimed must be what is given.
    this.#ahead = settling.maxDeliver === 1 ? settling.concurrency : AHEAD
    this.#kept = kept
    this.#given = new Map(kept.given.map(([at, ...rest]) => [at, rest]))
    this.#next = kept.floor
    this.#claimed = kept.next
    this.redelivered = kept.redelivered
    this.dead = kept.dead
  }

  /** Below it all is settled. */
  get floor(): number {
    return this.#first ? this.#first.at : this.#next
  }

  /** Where reading goes on. */
  get next(): number {
    return this.#next
  }

  /** What was read and is not settled. */
  get pending(): number {
    return this.#open
  }

  /** Whether something was read that may not be given yet: its claim is not written. */
  get unclaimed(): boolean {
    return this.#fresh > 0 && (this.#last?.through ?? 0) >= this.#claimed
  }

  /** Whether another event may be read. */
  get hasRoom(): boolean {
    const { maxAckPending, byStream, maxDeliver } = this.#settling
    // Those that wait for their stream keep no others waiting.
    const ahead = byStream && maxDeliver > 1 ? maxAckPending : this.#ahead
    return this.#open < maxAckPending && this.#fresh < ahead
  }

  /** Takes an event that was read, behind all taken before; `undefined` if it is settled already. */
  take(at: number, stream: string | undefined, item: Item): Entry<Item> | undefined {
    const { next, settled, clean = false } = this.#kept
    this.#next = at + 1
    const known = at < next
    const range = known && settled.find(([from, through]) => from <= at && at <= through)
    const [attempts, due] = this.#given.get(at) ?? [known && !clean ? 1 : 0, 0]
    const suspect = known && !range && due === 0 && !clean
    const last = this.#last
    const entry: Entry<Item> = {
      at,
      through: at,
      item,
      stream: this.#settling.byStream ? stream : undefined,
      attempts,
      due,
      state: 'waiting',
      suspect,
      prev: last,
      next: undefined,
    }
    if (last) last.next = entry
    else this.#first = entry
    this.#last = entry
    this.#open += 1
    if (due === 0) this.#fresh += 1
    if (suspect) this.#suspects += 1
    if (range) {
      this.settle(entry)
      return undefined
    }
    if (entry.stream !== undefined) {
      const others = this.#streams.get(entry.stream)
      if (others) others.push(entry)
      else this.#streams.set(entry.stream, [entry])
    }
    return entry
  }

  /** There is nothing else up to `next`. */
  passed(next: number): void {
    this.#next = Math.max(this.#next, next)
  }

  /** What was read up to `next` may be given: that is written. */
  claim(next: number): void {
    this.#claimed = Math.max(this.#claimed, next)
  }

  /** What is to be given next, where one more may be. `running` calls have not ended. */
  startable(now: number, running: number): Entry<Item> | undefined {
    if (running >= this.#settling.concurrency) return undefined
    if (this.#suspects > 0) {
      const suspect = this.#find(now, true)
      // Alone, so that it is known of whom a context dies.
      if (suspect) return running === 0 ? suspect : undefined
    }
    return this.#find(now, false)
  }

  #find(now: number, suspect: boolean): Entry<Item> | undefined {
    for (let entry = this.#first; entry && entry.at < this.#claimed; entry = entry.next) {
      if (entry.state !== 'settled' && entry.suspect === suspect) {
        if (suspect && entry.state === 'running') return entry
        if (entry.state === 'waiting' && entry.due <= now && this.#isTurn(entry)) return entry
      }
    }
    return undefined
  }

  #isTurn(entry: Entry<Item>): boolean {
    return entry.stream === undefined || this.#streams.get(entry.stream)?.[0] === entry
  }

  /** When the next one is due that waits for its time; `undefined` where none does. */
  nextDue(now: number): number | undefined {
    let next: number | undefined
    for (let entry = this.#first; entry; entry = entry.next) {
      if (entry.state === 'waiting' && entry.due > now && entry.due < (next ?? Infinity))
        next = entry.due
    }
    return next
  }

  /** It is given, for the so-manieth time. */
  start(entry: Entry<Item>): void {
    this.#begun(entry)
    entry.state = 'running'
    entry.due = 0
    if (entry.attempts > 0) this.redelivered += 1
    entry.attempts += 1
  }

  /** It is given again later. */
  again(entry: Entry<Item>, due: number, counts: boolean): void {
    if (entry.state === 'settled') return
    entry.state = 'waiting'
    entry.due = due
    if (!counts) entry.attempts -= 1
    this.#unsuspect(entry)
  }

  settle(entry: Entry<Item>): void {
    if (entry.state === 'settled') return
    if (entry.state === 'waiting') this.#begun(entry)
    entry.state = 'settled'
    this.#open -= 1
    this.#unsuspect(entry)
    this.#leaveStream(entry)
    this.#merge(entry)
  }

  #begun(entry: Entry<Item>): void {
    if (entry.due === 0) this.#fresh -= 1
  }

  #unsuspect(entry: Entry<Item>): void {
    if (entry.suspect) this.#suspects -= 1
    entry.suspect = false
  }

  #leaveStream(entry: Entry<Item>): void {
    const others = entry.stream === undefined ? undefined : this.#streams.get(entry.stream)
    const nth = others?.indexOf(entry) ?? -1
    if (nth >= 0) others?.splice(nth, 1)
    if (others?.length === 0) this.#streams.delete(entry.stream as string)
  }

  /** Settled neighbours are one range; at the floor none is needed. */
  #merge(entry: Entry<Item>): void {
    const { prev, next } = entry
    if (next?.state === 'settled') {
      entry.through = next.through
      this.#unlink(next)
    }
    if (prev?.state === 'settled') {
      prev.through = entry.through
      this.#unlink(entry)
    } else if (!prev) this.#unlink(entry)
  }

  #unlink(entry: Entry<Item>): void {
    const { prev, next } = entry
    if (prev) prev.next = next
    else this.#first = next
    if (next) next.prev = prev
    else this.#last = prev
  }

  /**
   * As it is to be written. What is running counts as given.
   *
   * @param clean nothing runs any more
   * @param also an entry as if it were settled
   */
  keep(clean = false, also?: Entry<Item>): Kept {
    const settled: [number, number][] = []
    const given: [number, number, number][] = []
    let floor: number | undefined
    for (let entry = this.#first; entry; entry = entry.next) {
      const { at, through, attempts, due, state } = entry
      if (state === 'settled' || entry === also) {
        if (floor !== undefined) settled.push([at, through])
        continue
      }
      floor ??= at
      if (attempts > (clean ? 0 : 1) || due > 0)
        given.push([at, attempts, state === 'running' ? 0 : due])
    }
    // What was claimed before and is not read again yet is as it was.
    const { next, settled: before } = this.#kept
    if (next > this.#next) {
      for (const [from, through] of before) {
        if (through >= this.#next) settled.push([Math.max(from, this.#next), through])
      }
      for (const [at, rest] of this.#given) if (at >= this.#next) given.push([at, ...rest])
    }
    return {
      floor: floor ?? this.#next,
      next: Math.max(this.#next, next),
      settled,
      given,
      redelivered: this.redelivered,
      dead: this.dead,
      // Nothing is known of what was claimed before and is not read again yet.
      ...(clean && next <= this.#next && { clean }),
    }
  }
}

/** One that begins at a place. */
export function keptAt(at: number): Kept {
  return { floor: at, next: at, settled: [], given: [], redelivered: 0, dead: 0 }
}

/** What was kept, from its text; `undefined` where that is something else. */
export function readKept(text: string): Kept | undefined {
  try {
    const kept: unknown = JSON.parse(text)
    return isKept(kept) ? kept : undefined
  } catch {
    return undefined
  }
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false
  const { floor, next, settled, given, redelivered, dead } = value as Record<keyof Kept, unknown>
  return (
    isAmount(floor) &&
    isAmount(next) &&
    isAmount(redelivered) &&
    isAmount(dead) &&
    isRows(settled, 2) &&
    isRows(given, 3)
  )
}

function isRows(value: unknown, size: number): boolean {
  return (
    Array.isArray(value) &&
    value.every((row) => Array.isArray(row) && row.length === size && row.every(isAmount))
  )
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/**
 * The pure core of a group: what becomes of its state when members come and go, settle, and have room
 * for more. No clock, no store, no sockets: `groups.ts` writes what is decided here in the append of the
 * room, and sends leases only after that.
 *
 * ```
 * next ... --scan--> leased --ack--> done
 *                      |  ^
 *     nak, lapse, gone v  | delay over, credit
 *                     due     --maxDeliver--> dead
 * ```
 */
import type { LeaseRef, Settlement } from '@crosstown/bus/protocol'
import type { DeadLetter, DeadRange, GroupRules, GroupState, Pending } from './state.ts'

/** Who can be leased something now. */
export interface Candidate {
  readonly key: string
  /** How many more it can hold. */
  readonly credit: number
  readonly mayRead: (type: string) => boolean
}

/** An event of the room, behind all that was looked at. */
export interface Supplied {
  readonly place: number
  readonly type: string
  readonly stream?: string | undefined
}

/** One lease, as it is to be sent once it is committed. */
export interface Granted {
  readonly member: string
  readonly place: number
  readonly generation: number
  readonly attempt: number
  readonly waitMs: number
}

/** What happened, to be counted and told. */
export interface Happened {
  acked: number
  /** Leases of what had been leased before. */
  redelivered: number
  /** Leases that ended by their time. */
  lapsed: number
  trimmed: number
}

/** Characters of a reason that is kept while its event is not given up. */
const MAX_PENDING_REASON = 100
/** Places moved on over before that is worth a write of its own. */
const SAVE_PLACES = 1_000

/** A group that does not exist yet, which begins behind a place. */
export function newGroup(rules: GroupRules, after: number): GroupState {
  return {
    rules,
    next: after + 1,
    generation: 0,
    pending: new Map(),
    nodes: new Map(),
    dead: { first: 1, next: 1, gone: new Set() },
    redelivered: 0,
  }
}

/** The pending changes of one decision over a state that is only read. */
export class GroupDraft {
  readonly granted: Granted[] = []
  /** Letters that are new, in order; the first one has the number `letters`. */
  readonly died: DeadLetter[] = []
  /** Numbers of letters that are no more. */
  readonly dropped: number[] = []
  readonly happened: Happened = { acked: 0, redelivered: 0, lapsed: 0, trimmed: 0 }
  readonly #before: GroupState | undefined
  readonly #now: number
  readonly #maxDead: number
  readonly #pending: Map<number, Pending>
  readonly #nodes: Map<string, string>
  /** How many each member holds. */
  readonly #held = new Map<string, number>()
  #rules: GroupRules
  #next: number
  #generation: number
  #dead: DeadRange
  #changed: boolean

  /**
   * @param state as it is committed; absent where the group does not exist
   * @param made what it begins as then
   * @param now milliseconds since 1970
   * @param maxDead letters kept at most
   */
  constructor(
    state: GroupState | undefined,
    made: GroupState | undefined,
    { now, maxDead }: { readonly now: number; readonly maxDead: number },
  ) {
    const from = (state ?? made) as GroupState
    this.#before = state
    this.#changed = state === undefined
    this.#now = now
    this.#maxDead = maxDead
    this.#pending = new Map(from.pending)
    this.#nodes = new Map(from.nodes)
    this.#rules = from.rules
    this.#next = from.next
    this.#generation = from.generation
    this.#dead = from.dead
    for (const { member } of this.#pending.values())
      if (member !== undefined) this.#count(member, 1)
  }

  get rules(): GroupRules {
    return this.#rules
  }

  get next(): number {
    return this.#next
  }

  /** How many events a member holds. */
  held(member: string): number {
    return this.#held.get(member) ?? 0
  }

  /** The state after all of it, and whether it has to be written. */
  done(): { readonly state: GroupState; readonly changed: boolean } {
    for (const member of this.#nodes.keys()) if (this.held(member) === 0) this.#nodes.delete(member)
    const moved = this.#next - (this.#before?.next ?? 0) >= SAVE_PLACES
    return {
      state: {
        rules: this.#rules,
        next: this.#next,
        generation: this.#generation,
        pending: this.#pending,
        nodes: this.#nodes,
        dead: this.#dead,
        redelivered: (this.#before?.redelivered ?? 0) + this.happened.redelivered,
      },
      changed: this.#changed || moved,
    }
  }

  /**
   * A member joins, or joins anew: its options hold from now on. Of the leases it says it holds those
   * that ended are returned; what it was leased and does not know of is given back.
   *
   * @param isHere over the connection that it has: then what is given back may be on its way, and is returned
   */
  join(
    member: string,
    node: string,
    rules: GroupRules,
    holds: readonly LeaseRef[] | undefined,
    isHere = false,
  ): LeaseRef[] {
    if (JSON.stringify(rules) !== JSON.stringify(this.#rules)) {
      this.#rules = rules
      this.#changed = true
    }
    if (this.#nodes.has(member) && this.#nodes.get(member) !== node) {
      this.#nodes.set(member, node)
      this.#changed = true
    }
    if (!holds) return []
    const known = new Map(holds)
    const back: LeaseRef[] = []
    for (const one of [...this.#pending.values()]) {
      if (one.member !== member || known.get(one.place) === one.generation) continue
      this.#release(one)
      if (isHere) back.push([one.place, one.generation])
    }
    const ended = holds.filter(([place, generation]) => !this.#isLease(place, generation, member))
    return [...ended, ...back]
  }

  /**
   * A member is no more, as far as it was connected to this process: what it holds is due.
   *
   * @param node absent where it left by itself
   */
  gone(member: string, node?: string): void {
    if (node !== undefined && this.#nodes.get(member) !== node) return
    for (const one of [...this.#pending.values()])
      if (one.member === member) this.#failed(one, 0, one.reason ?? 'its member went away')
  }

  /** What a member says became of its leases; returns those that came too late. */
  settle(member: string, settlements: readonly Settlement[]): LeaseRef[] {
    const late: LeaseRef[] = []
    for (const [place, generation, outcome, delayMs = 0, reason] of settlements) {
      if (!this.#isLease(place, generation, member)) {
        // Done is done, whoever did it: an answer that was lost is asked for once more.
        if (this.#pending.has(place) || place >= this.#next) late.push([place, generation])
        continue
      }
      const one = this.#pending.get(place) as Pending
      if (outcome === 'ack') {
        this.#end(one)
        this.happened.acked += 1
      } else if (outcome === 'term') this.#die(one, reason ?? 'its member gave it up')
      else if (outcome === 'nak') this.#failed(one, delayMs, reason ?? 'its member refused it')
      else if (outcome === 'release') this.#release(one)
      else this.#put({ ...one, until: this.#now + this.#waitMs(one.attempt) })
    }
    return late
  }

  /** Ends the leases whose time is over. */
  lapse(): void {
    for (const one of [...this.#pending.values()]) {
      if (one.member === undefined || one.until > this.#now) continue
      this.happened.lapsed += 1
      this.#failed(one, 0, one.reason ?? 'it was not settled in time')
    }
  }

  /** What the room does not keep any more is done. */
  trim(first: number): void {
    for (const one of [...this.#pending.values()]) if (one.place <= first) this.lost(one.place)
    if (this.#next > first) return
    this.happened.trimmed += first + 1 - this.#next
    this.#next = first + 1
    this.#changed = true
  }

  /** A pending event is not to be had any more. */
  lost(place: number): void {
    const one = this.#pending.get(place)
    // Whoever holds it has it.
    if (!one || one.member !== undefined) return
    this.#end(one)
    this.happened.trimmed += 1
  }

  /** An event that was leased was not to be had when it was to be sent. */
  missing(member: string, [place, generation]: LeaseRef): void {
    if (!this.#isLease(place, generation, member)) return
    this.#end(this.#pending.get(place) as Pending)
    this.happened.trimmed += 1
  }

  /** A dead letter is to be leased once more, from its first attempt. */
  redrive(number: number, letter: Pick<DeadLetter, 'place' | 'type' | 'stream'>): void {
    this.drop(number)
    if (this.#pending.has(letter.place)) return
    const { place, type, stream } = letter
    this.#put({ place, type, stream, attempt: 0, generation: 0, until: 0 })
  }

  /** A dead letter goes. */
  drop(number: number): void {
    const { first, next, gone } = this.#dead
    if (number < first || number >= next || gone.has(number)) return
    this.dropped.push(number)
    this.#dead = withoutGone(first, next, new Set(gone).add(number))
    this.#changed = true
  }

  /**
   * Leases what is due, then what is new, to members in turn.
   *
   * @param supplied events of the room from `next` on, without a hole but for those of no type
   * @param scanned the last place that they stand for
   * @param turn which candidate is first; returns who is next
   */
  lease(
    candidates: readonly Candidate[],
    supplied: Iterable<Supplied>,
    scanned: number,
    node: string,
    turn: number,
    matches: (type: string) => boolean,
  ): number {
    const takers = candidates.map((one) => ({ ...one, free: one.credit - this.held(one.key) }))
    let free = takers.reduce((sum, one) => sum + Math.max(0, one.free), 0)
    let at = turn
    const generation = this.#generation + 1
    const inOrder = this.#rules.orderBy === 'stream'
    /** Streams of which something before is not done. */
    const busy = new Set<string>()
    if (inOrder) {
      for (const { member, stream } of this.#pending.values())
        if (member !== undefined && stream !== undefined) busy.add(stream)
    }
    const offer = (one: Pending): boolean => {
      const { place, stream, type } = one
      // The options were others when it was leased before.
      if (one.attempt >= this.#rules.maxDeliver) {
        this.#die(one, one.reason ?? 'it was tried too often')
        return true
      }
      const isBusy = inOrder && stream !== undefined && busy.has(stream)
      if (inOrder && stream !== undefined) busy.add(stream)
      if (isBusy || one.until > this.#now) return false
      for (let i = 0; i < takers.length; i++) {
        const taker = takers[(at + i) % takers.length] as (typeof takers)[number]
        if (taker.free <= 0 || !taker.mayRead(type)) continue
        at += i + 1
        taker.free -= 1
        free -= 1
        const attempt = one.attempt + 1
        const waitMs = this.#waitMs(attempt)
        this.#put({ ...one, attempt, generation, member: taker.key, until: this.#now + waitMs })
        this.#nodes.set(taker.key, node)
        this.#generation = generation
        if (attempt > 1) this.happened.redelivered += 1
        this.granted.push({ member: taker.key, place, generation, attempt, waitMs })
        return true
      }
      return false
    }
    if (free > 0) {
      for (const one of this.#waiting()) {
        if (free === 0) break
        offer(one)
      }
    }
    let last = this.#next - 1
    let ended = true
    for (const { place, type, stream } of supplied) {
      if (place < this.#next) continue
      if (!matches(type)) {
        last = place
        continue
      }
      if (free === 0 || this.#pending.size >= this.#rules.maxAckPending) {
        ended = false
        break
      }
      last = place
      const one: Pending = { place, type, stream, attempt: 0, generation: 0, until: 0 }
      // Kept either way: what stands behind it must not be leased before it.
      if (!offer(one)) this.#put(one)
    }
    this.#next = Math.max(this.#next, (ended ? Math.max(last, scanned) : last) + 1)
    return takers.length === 0 ? 0 : at % takers.length
  }

  /** Nobody holds them, in the order of the room. */
  #waiting(): Pending[] {
    const waiting: Pending[] = []
    let sorted = true
    let before = 0
    for (const one of this.#pending.values()) {
      if (one.member !== undefined) continue
      if (one.place < before) sorted = false
      before = one.place
      waiting.push(one)
    }
    return sorted ? waiting : waiting.sort((a, b) => a.place - b.place)
  }

  #isLease(place: number, generation: number, member: string): boolean {
    const one = this.#pending.get(place)
    return one?.member === member && one.generation === generation
  }

  #waitMs(attempt: number): number {
    const { ackWait, backoff } = this.#rules
    return backoff?.[Math.min(attempt, backoff.length) - 1] ?? ackWait
  }

  #release(one: Pending): void {
    this.#put({ ...one, attempt: one.attempt - 1, member: undefined, until: 0 })
  }

  #failed(one: Pending, delayMs: number, reason: string): void {
    if (one.attempt >= this.#rules.maxDeliver) {
      this.#die(one, reason)
      return
    }
    const until = delayMs > 0 ? this.#now + delayMs : 0
    // All of them are written with each lease: the whole of it is for the letter.
    const short = reason.slice(0, MAX_PENDING_REASON)
    this.#put({ ...one, member: undefined, reason: short, until })
  }

  #die(one: Pending, reason: string): void {
    const { attempt, member, place, stream, type } = one
    this.#end(one)
    this.died.push({ place, type, stream, reason, attempts: attempt, member, time: this.#now })
    const { first, next, gone } = this.#dead
    this.#dead = { first, next: next + 1, gone }
    const span = next + 1 - first
    if (span - gone.size > this.#maxDead || span > 2 * this.#maxDead) this.drop(first)
  }

  #end(one: Pending): void {
    this.#pending.delete(one.place)
    if (one.member !== undefined) this.#count(one.member, -1)
    this.#changed = true
  }

  #put(one: Pending): void {
    const before = this.#pending.get(one.place)?.member
    if (before !== one.member) {
      if (before !== undefined) this.#count(before, -1)
      if (one.member !== undefined) this.#count(one.member, 1)
    }
    this.#pending.set(one.place, one)
    this.#changed = true
  }

  #count(member: string, by: number): void {
    this.#held.set(member, this.held(member) + by)
  }
}

/** A range that begins with a letter that is there. */
function withoutGone(first: number, next: number, gone: Set<number>): DeadRange {
  let begin = first
  while (gone.delete(begin)) begin += 1
  return { first: begin, next, gone }
}

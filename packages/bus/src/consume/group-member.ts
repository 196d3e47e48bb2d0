/**
 * A member of a group, in its conversation with the relay: it joins by each connection anew, takes what
 * it is leased, and says what became of it until the relay has that. One `settle` is under way at a time;
 * meanwhile the next one fills.
 *
 *   away ──connected──► joining ──grouped──► member ──connection gone──► away
 *                          ▲  │ code                 (work goes on)
 *                          └──┴─► refused (until the next connection, or later)
 */
import { BusError } from '../errors.ts'
import type { Platform } from '../platform.ts'
import type {
  From,
  GroupedFrame,
  GroupJoin,
  LeaseFrame,
  LeaseRef,
  SettledFrame,
  Settlement,
} from '../protocol/frames.ts'
import type { Line, MemberFrame, ToMemberFrame } from '../sync/sync.ts'
import { GroupWork, type GroupWorkOptions } from './group-work.ts'
import type { GroupState, GroupStats } from './types.ts'

export interface GroupMemberOptions extends Omit<GroupWorkOptions, 'settle'> {
  readonly platform: Pick<Platform, 'monotonic' | 'timer'>
  readonly group: string
  /** Its name among the members of the device. */
  readonly member: string
  /** Where a group begins that does not exist yet. */
  readonly from: From | undefined
  readonly say: (frame: MemberFrame) => void
}

/** How long a relay may take to answer, before it is asked again. */
const ANSWER_MS = 5_000
/** Wait before what was not taken is said again, where the relay says none. */
const AGAIN_MS = 1_000
/** Settlements in one frame at most. */
const MAX_SETTLEMENTS = 1_000
/** Events that it holds at most at first, and ever. */
const FIRST_CREDIT = 16
const MAX_CREDIT = 1_000
/** A call takes at least so many milliseconds, as far as is reckoned. */
const MIN_CALL_MS = 0.05

interface Flight {
  readonly number: number
  readonly settlements: readonly Settlement[]
}

export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #work: GroupWork
  #state: GroupState = 'away'
  #line: Line | undefined
  /** The epoch in which its leases are. */
  #epoch = ''
  /** By place: what is to be told. */
  readonly #unsaid = new Map<number, Settlement>()
  #flight: Flight | undefined
  #number = 0
  #credit: number
  #sentAt = 0
  #cancel: (() => void) | undefined
  #flushes = false
  #ended = false

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.#credit = this.#within(Math.max(FIRST_CREDIT, 2 * options.settling.concurrency))
    this.#work = new GroupWork({ ...options, settle: (settlement) => this.#settle(settlement) })
  }

  get stats(): GroupStats {
    const { group, member } = this.#options
    const { counts, running, waiting } = this.#work
    const unsettled = this.#unsaid.size + (this.#flight?.settlements.length ?? 0)
    return { group, member, state: this.#state, waiting, running, unsettled, ...counts }
  }

  /** The device is connected by that line, or by none as far as is known. */
  connected(line: Line | undefined): void {
    if (this.#ended || isSame(line, this.#line)) return
    this.#line = line
    this.#state = 'away'
    this.#cancelWait()
    if (!line) return
    if (line.epoch !== this.#epoch) this.#startAnew(line.epoch)
    this.#join()
  }

  heard(frame: ToMemberFrame, data: readonly string[], line: Line): void {
    if (this.#ended || !isSame(line, this.#line)) return
    if (frame.frame === 'grouped') this.#grouped(frame)
    else if (frame.frame === 'lease') this.#leased(frame, data)
    else this.#settled(frame)
  }

  /** Leaves at once: what it holds is for others. What it has done it says again when it is back. */
  leave(reason: BusError): void {
    const { group, member, say } = this.#options
    const left = this.#work.leave(reason)
    this.#landed()
    for (const [place, [, , outcome]] of this.#unsaid)
      if (outcome === 'progress') this.#unsaid.delete(place)
    const all = [...this.#unsaid.values(), ...left]
    if (this.#line) {
      for (let from = 0; from < all.length; from += MAX_SETTLEMENTS)
        this.#send(all.slice(from, from + MAX_SETTLEMENTS))
      say({ frame: 'group', group, member })
    }
    this.#line = undefined
    this.#state = 'away'
    this.#cancelWait()
  }

  end(reason: BusError): void {
    if (this.#ended) return
    this.leave(reason)
    this.#ended = true
  }

  /** Another room of the same name: what was leased in the last one is nobody's. */
  #startAnew(epoch: string): void {
    this.#epoch = epoch
    this.#landed()
    this.#unsaid.clear()
    const what = 'the room is another one: its leases are no more'
    this.#work.forget(new BusError('unavailable', what, { stage: 'consume' }))
  }

  #join(): void {
    const { group, member, say } = this.#options
    this.#state = 'joining'
    this.#landed()
    const holds = this.#work.holds
    say({ frame: 'group', group, member, join: { ...this.#joinWith(), holds } })
    this.#wait(ANSWER_MS, () => this.#join())
  }

  /** What was under way may have come, or not. */
  #landed(): void {
    for (const settlement of this.#flight?.settlements ?? []) this.#tellAgain(settlement)
    this.#flight = undefined
  }

  #joinWith(): GroupJoin {
    const { from, given, settling } = this.#options
    const { ackWait, backoff, byStream, maxAckPending, maxDeliver } = settling
    return {
      types: given.patterns,
      credit: this.#credit,
      ...(from !== undefined && { from }),
      ackWait,
      ...(backoff.length > 0 && { backoff }),
      maxDeliver: Math.min(maxDeliver, Number.MAX_SAFE_INTEGER),
      maxAckPending,
      ...(byStream && { orderBy: 'stream' }),
    }
  }

  #grouped({ code, message, lapsed = [], retryAfterMs }: GroupedFrame): void {
    // Its credit was changed, or it is the answer to a question that was asked twice.
    if (code === undefined && this.#state === 'member') {
      this.#tell(lapsed)
      return
    }
    this.#cancelWait()
    if (code !== undefined) {
      this.#state = 'refused'
      const { group, report } = this.#options
      const error = new BusError(code, `group ${group}: ${message ?? code}`, { stage: 'consume' })
      report(error)
      const ms = retryAfterMs ?? (error.retryable ? AGAIN_MS : undefined)
      if (ms !== undefined) this.#wait(ms, () => this.#join())
      return
    }
    this.#state = 'member'
    this.#tell(lapsed)
    this.#flush()
  }

  /** Of what is still to be told, the relay says then whether it came too late. */
  #tell(lapsed: readonly LeaseRef[]): void {
    for (const ref of lapsed) if (!this.#unsaid.has(ref[0])) this.#work.lapsed(ref)
  }

  #leased(frame: LeaseFrame, data: readonly string[]): void {
    // Before it is a member again, the relay does not count on it: that is leased to somebody else.
    if (this.#state === 'member') this.#work.take(frame, data, this.#epoch)
  }

  #settle(settlement: Settlement): void {
    this.#unsaid.set(settlement[0], settlement)
    if (this.#flushes) return
    this.#flushes = true
    queueMicrotask(() => {
      this.#flushes = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#state !== 'member' || this.#flight || this.#unsaid.size === 0) return
    const settlements: Settlement[] = []
    for (const [place, settlement] of this.#unsaid) {
      if (settlements.length === MAX_SETTLEMENTS) break
      settlements.push(settlement)
      this.#unsaid.delete(place)
    }
    this.#sentAt = this.#options.platform.monotonic()
    this.#flight = { number: this.#send(settlements), settlements }
    // No answer: whatever became of the connection, by joining anew it is found out.
    this.#wait(ANSWER_MS, () => this.#join())
  }

  #send(settlements: readonly Settlement[]): number {
    const { group, member, say } = this.#options
    this.#number += 1
    say({ frame: 'settle', group, member, number: this.#number, settlements })
    return this.#number
  }

  #settled({ code, lapsed = [], number, retryAfterMs = AGAIN_MS }: SettledFrame): void {
    const flight = this.#flight
    if (!flight || flight.number !== number) return
    // Refused meanwhile, it waits to join anew, and says then what is left.
    const isMember = this.#state === 'member'
    if (isMember) this.#cancelWait()
    if (code !== undefined) {
      this.#landed()
      if (isMember) this.#wait(retryAfterMs, () => this.#flush())
      return
    }
    this.#flight = undefined
    for (const ref of lapsed) this.#work.lapsed(ref)
    for (const [place, generation, outcome] of flight.settlements)
      if (outcome !== 'progress') this.#work.confirmed([place, generation])
    this.#flush()
    if (isMember) this.#adjust(this.#options.platform.monotonic() - this.#sentAt)
  }

  /** Holds as many as it handles while others are on their way to the relay and back. */
  #adjust(roundTripMs: number): void {
    const { group, member, say, settling } = this.#options
    const callMs = Math.max(MIN_CALL_MS, this.#work.callMs)
    const credit = this.#within(Math.ceil(settling.concurrency * (1 + (2 * roundTripMs) / callMs)))
    if (credit < 2 * this.#credit && 4 * credit > this.#credit) return
    this.#credit = credit
    say({ frame: 'group', group, member, join: this.#joinWith() })
  }

  #within(credit: number): number {
    const { concurrency, maxAckPending } = this.#options.settling
    return Math.min(MAX_CREDIT, maxAckPending, Math.max(concurrency + 1, credit))
  }

  /** Unless there is something newer to be told. */
  #tellAgain(settlement: Settlement): void {
    if (!this.#unsaid.has(settlement[0])) this.#unsaid.set(settlement[0], settlement)
  }

  #wait(ms: number, run: () => void): void {
    this.#cancelWait()
    this.#cancel = this.#options.platform.timer(ms, () => {
      this.#cancel = undefined
      if (this.#line) run()
    })
  }

  #cancelWait(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}

function isSame(a: Line | undefined, b: Line | undefined): boolean {
  return a === b || (a?.term === b?.term && a?.round === b?.round && a?.epoch === b?.epoch)
}

/**
 * The work of a member of a group: events that it was leased wait for their turn in order, some are
 * handled at once, and what becomes of each is told. In come leases, out go settlements.
 */
import type { Delivery, Given, Incoming } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { Lease, LeaseFrame, LeaseRef, Settlement } from '../protocol/frames.ts'
import type { Policy } from '../types.ts'
import { Call } from './call.ts'
import type { Settling } from './options.ts'
import { detailOf, type Outcome, verdictOf } from './settlement.ts'
import type { GroupCounts } from './types.ts'

export interface GroupWorkOptions {
  readonly platform: Pick<Platform, 'monotonic' | 'timer'>
  /** Of the ids that this context gives. */
  readonly prefix: string
  readonly settling: Settling
  readonly policy: Policy | undefined
  readonly given: Given
  /** Decodes an event; `undefined` for one that cannot be read, which was reported. */
  readonly open: (incoming: Incoming) => BusEvent | undefined
  /** Whether events of that type are for this bus at all. */
  readonly admits: (header: EventHeader) => boolean
  readonly positionOf: (epoch: string, place: number, id: string) => string
  /** To be told to the relay; in place of what was to be told of the same event before. */
  readonly settle: (settlement: Settlement) => void
  readonly report: (error: BusError) => void
}

/** An event that was leased to this member. */
interface Held {
  lease: Lease
  readonly header: EventHeader
  readonly delivery: Delivery
  /** When the lease lapses, as far as is known. */
  until: number
  call: Call | undefined
  /** Its call has not ended. */
  running: boolean
  /** What became of it. */
  said: Settlement | undefined
  /** The relay has committed that. */
  confirmed: boolean
  /** The lease ended, and the event is somebody else's. */
  lost: boolean
  /** Its call took too long; `passed` once the event came again, and was left to others. */
  late: false | 'late' | 'passed'
  /** It came again while its call, of which nothing is expected any more, ran on. */
  next: (() => void) | undefined
}

/** Of its time, what an event may wait for its turn before it is given back. */
const PATIENCE = 0.5
/** An event that waited longer than this part of its time gets all of it anew when its turn comes. */
const FRESH = 0.25
/** Calls whose mean is reckoned with, about. */
const MEAN_OF = 16

export class GroupWork {
  readonly counts: { -readonly [Key in keyof GroupCounts]: number } = {
    leased: 0,
    again: 0,
    acked: 0,
    naked: 0,
    terminated: 0,
    released: 0,
    lapsed: 0,
  }
  readonly #options: GroupWorkOptions
  /** By place. */
  readonly #held = new Map<number, Held>()
  #waiting: Held[] = []
  #running = 0
  #callMs = 0
  #cancelSweep: (() => void) | undefined
  /** Pauses before events that a breaker kept from the handler. */
  readonly #pauses = new Set<() => void>()

  constructor(options: GroupWorkOptions) {
    this.#options = options
  }

  /** Leases that are not settled, or of which the relay has not said that they are. */
  get holds(): LeaseRef[] {
    return [...this.#held.values()].flatMap(({ lost, lease }) => (lost ? [] : [refOf(lease)]))
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get running(): number {
    return this.#running
  }

  /** How long calls take, in the mean of the last ones. */
  get callMs(): number {
    return this.#callMs
  }

  take({ leases, events }: LeaseFrame, data: readonly string[], epoch: string): void {
    leases.forEach((lease, i) => {
      this.#take(lease, events[i] as EventHeader, data[i] as string, epoch)
    })
    this.#pump()
  }

  #take(lease: Lease, header: EventHeader, dataText: string, epoch: string): void {
    const { platform } = this.#options
    const [place, , attempt, , waitMs] = lease
    this.counts.leased += 1
    if (attempt > 1) this.counts.again += 1
    const until = platform.monotonic() + waitMs
    const known = this.#held.get(place)
    if (known?.header.id === header.id && !known.lost && known.said?.[2] !== 'nak') {
      known.lease = lease
      if (!known.said && known.late === 'late') {
        // Whoever else is there may be quicker; where nobody is, it comes back.
        known.late = 'passed'
        this.counts.released += 1
        this.#options.settle([...refOf(lease), 'release'])
        return
      }
      known.until = until
      // It was done here, and the relay did not hear of it in time.
      if (known.said) this.#say(known, known.said[2], known.said[3], known.said[4])
      return
    }
    if (known?.running) {
      known.next = () => this.#take(lease, header, dataText, epoch)
      return
    }
    const delivery = this.#open(lease, header, dataText, epoch)
    if (!delivery) return
    const held: Held = {
      ...{ lease, header, delivery, until },
      ...{ call: undefined, running: false, said: undefined },
      ...{ confirmed: false, lost: false, late: false, next: undefined },
    }
    this.#held.set(place, held)
    this.#waiting.push(held)
  }

  #open(lease: Lease, header: EventHeader, dataText: string, epoch: string): Delivery | undefined {
    const { admits, given, open, positionOf, prefix, settle, settling } = this.#options
    const [place, generation, attempt] = lease
    const { id, revision } = header
    const position = positionOf(epoch, place, id)
    const incoming = { header, dataText, position, ...(revision !== undefined && { revision }) }
    let error: unknown = new Error('it could not be read')
    try {
      const event = admits(header) ? open(incoming) : 'unknown'
      if (event === 'unknown' || (event && !given.wants(event))) {
        settle([place, generation, 'ack'])
        return undefined
      }
      if (event) {
        const origin = id.startsWith(`${prefix}-`) ? 'self' : 'room'
        return { event, origin, replaying: false }
      }
    } catch (thrown) {
      error = thrown
      this.#options.report(failedFilter(header, error))
    }
    const verdict = verdictOf(settling, attempt, { is: 'threw', error, called: false })
    const delayMs = 'delayMs' in verdict ? verdict.delayMs : 0
    this.counts.naked += 1
    settle([place, generation, 'nak', delayMs, detailOf(error) ?? ''])
    return undefined
  }

  /** The relay has committed what became of it. */
  confirmed([place, generation]: LeaseRef): void {
    const held = this.#of(place, generation)
    if (!held?.said) return
    held.confirmed = true
    if (!held.running) this.#held.delete(place)
  }

  /** A lease ended before it was settled; the event if it was handled here all the same. */
  lapsed([place, generation]: LeaseRef): void {
    const held = this.#of(place, generation)
    if (!held || held.lost) return
    this.counts.lapsed += 1
    held.lost = true
    const what = `the lease of event ${held.header.id} ended: it is, or will be, handled again`
    const error = new BusError('timeout', what, aboutOf(held.header))
    if (held.said?.[2] === 'ack') this.#options.report(error)
    if (held.running) held.call?.abandon(error)
    else this.#drop(held)
  }

  /** Of what it holds only what is done is its own any more. Gives what is to be said of the rest. */
  leave(reason: BusError): Settlement[] {
    const left: Settlement[] = []
    for (const held of this.#held.values()) {
      const { lease, call, lost, running, said } = held
      held.next = undefined
      if (said && !lost) continue
      if (!lost) left.push([...refOf(lease), running ? 'nak' : 'release'])
      held.lost = true
      if (running) call?.abandon(reason)
      this.#held.delete(lease[0])
    }
    this.#waiting = []
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    for (const end of [...this.#pauses]) end()
    return left
  }

  /** Nothing that it holds is anything any more. */
  forget(reason: BusError): void {
    this.leave(reason)
    this.#held.clear()
  }

  #of(place: number, generation: number): Held | undefined {
    const held = this.#held.get(place)
    return held?.lease[1] === generation ? held : undefined
  }

  #drop(held: Held): void {
    const [place] = held.lease
    if (this.#held.get(place) === held) this.#held.delete(place)
    this.#waiting = this.#waiting.filter((one) => one !== held)
  }

  /** Starts what can start, in order. */
  #pump(): void {
    while (this.#waiting.length > 0 && this.#running < this.#options.settling.concurrency)
      this.#begin(this.#waiting.shift() as Held)
    this.#sweepLater()
  }

  #begin(held: Held): void {
    const { given, platform, policy } = this.#options
    const [, , attempt, , waitMs] = held.lease
    const { delivery } = held
    const began = platform.monotonic()
    let left = held.until - began
    if (left < waitMs * (1 - FRESH)) {
      this.#progress(held)
      left = waitMs
    }
    if (attempt > 1) given.told.retried([delivery], attempt)
    held.running = true
    this.#running += 1
    const call = new Call({
      platform,
      waitMs: left,
      policy,
      run: (settle, signal) => given.call(delivery, attempt, settle, signal),
      settled: (outcome) => this.#settled(held, outcome, platform.monotonic() - began),
      progress: () => this.#progress(held),
      ended: () => this.#ended(held),
    })
    held.call = call
    call.begin()
  }

  #progress(held: Held): void {
    if (held.lost) return
    held.until = this.#options.platform.monotonic() + held.lease[4]
    this.#options.settle([...refOf(held.lease), 'progress'])
  }

  #settled(held: Held, outcome: Outcome, ms: number): void {
    const { given, settling } = this.#options
    const { told } = given
    const deliveries = [held.delivery]
    const [, , attempt] = held.lease
    this.#callMs += (ms - this.#callMs) / MEAN_OF
    if (held.lost) return
    switch (outcome.is) {
      case 'ack':
        this.counts.acked += 1
        told.handled(deliveries, ms)
        this.#say(held, 'ack')
        return
      case 'term':
        this.counts.terminated += 1
        told.gaveUp(deliveries, new Error(outcome.reason ?? 'it was given up'), ms)
        this.#say(held, 'term', 0, outcome.reason)
        return
      case 'lapsed':
        told.failed(deliveries)
        held.late = 'late'
        return
    }
    if (outcome.is === 'threw' && !outcome.called) return
    this.counts.naked += 1
    told.failed(deliveries)
    const isLast = attempt >= settling.maxDeliver
    const verdict = verdictOf(
      { ...settling, maxDeliver: Number.POSITIVE_INFINITY },
      attempt,
      outcome,
    )
    const error = outcome.is === 'threw' ? outcome.error : new Error('it was given back')
    if (isLast) told.gaveUp(deliveries, error, ms)
    const reason = outcome.is === 'threw' ? detailOf(outcome.error) : undefined
    this.#say(held, 'nak', 'delayMs' in verdict ? verdict.delayMs : 0, reason)
  }

  #say(held: Held, outcome: Settlement[2], delayMs = 0, reason?: string): void {
    held.confirmed = false
    const [place, generation] = held.lease
    held.said =
      reason !== undefined
        ? [place, generation, outcome, delayMs, reason]
        : delayMs > 0
          ? [place, generation, outcome, delayMs]
          : [place, generation, outcome]
    this.#options.settle(held.said)
  }

  #ended(held: Held): void {
    held.running = false
    this.#running -= 1
    const { late, lost, confirmed, next, said, until } = held
    // A timer may fire a moment before its time by the clock.
    const isLive = late !== 'late' && until > this.#options.platform.monotonic()
    if (lost || (said && confirmed) || !(said || isLive)) this.#drop(held)
    // Nothing was said of it, and its lease is good still: a breaker kept it from the handler, or it
    // came again while it took too long, and the call came to nothing.
    else if (!said) this.#again(held)
    held.next = undefined
    next?.()
    this.#pump()
  }

  #again(held: Held): void {
    const { platform } = this.#options
    const [, , , , waitMs] = held.lease
    const end = (): void => {
      cancel()
      this.#pauses.delete(end)
    }
    const cancel = platform.timer(waitMs * FRESH, () => {
      end()
      if (held.lost || this.#held.get(held.lease[0]) !== held) return
      this.#waiting.push(held)
      this.#pump()
    })
    this.#pauses.add(end)
  }

  /** What would wait too long goes back: others may have time for it. */
  #sweepLater(): void {
    const first = this.#waiting[0]
    if (!first || this.#cancelSweep) return
    const { platform } = this.#options
    const patience = (held: Held): number => held.until - held.lease[4] * (1 - PATIENCE)
    const wait = Math.max(1, patience(first) - platform.monotonic())
    this.#cancelSweep = platform.timer(wait, () => {
      this.#cancelSweep = undefined
      const now = platform.monotonic()
      const late = this.#waiting.filter((held) => patience(held) <= now)
      for (const held of late) {
        this.counts.released += 1
        this.#drop(held)
        this.#options.settle([...refOf(held.lease), 'release'])
      }
      this.#sweepLater()
    })
  }
}

function refOf([place, generation]: Lease): LeaseRef {
  return [place, generation]
}

function aboutOf({ id, type }: EventHeader): object {
  return { stage: 'consume', eventId: id, eventType: type }
}

function failedFilter(header: EventHeader, cause: unknown): BusError {
  const what = `the filter of a group threw on event ${header.id}`
  return new BusError('handler_failed', what, { ...aboutOf(header), cause })
}

/** What became of an event at a handler: counted, told to who inspects, and reported where it failed. */
import { BusError, type ErrorContext, isBusError } from '../errors.ts'
import type { TapHolder, TappedSubscription } from '../inspect/tap.ts'
import type { Delivery } from './dispatch.ts'
import type { Told } from './queue.ts'
import type { Counted, Stats, Tally, TypeTally } from './stats.ts'

export interface OutcomesOptions {
  readonly stats: Stats
  readonly taps: TapHolder
  readonly report: (error: BusError, context: ErrorContext) => void
  /** Milliseconds of the clock that the tap has, too. */
  readonly now: () => number
}

interface Subject extends Omit<Counted, 'calls' | 'queue'>, TappedSubscription {}

export class Outcomes {
  readonly #options: OutcomesOptions

  constructor(options: OutcomesOptions) {
    this.#options = options
  }

  /** @param timed how many calls this one stands for in the histogram; 0 where `began` is not known */
  handled(subscription: Subject, delivery: Delivery, began: number, timed: number): void {
    subscription.tally.handled += 1
    this.#tallyOf(delivery).handled += 1
    if (timed > 0) subscription.times.add(this.#options.now() - began, timed)
    this.#options.taps.tap?.handled(subscription, delivery.event.id, began)
  }

  /** Of a handler that is called once. */
  failed(
    error: unknown,
    subscription: Subject,
    delivery: Delivery,
    began: number,
    timed: number,
  ): void {
    if (timed > 0) subscription.times.add(this.#options.now() - began, timed)
    this.#count(subscription, 'failed', [delivery])
    this.#gaveUp(error, subscription, [delivery], began)
  }

  /** Tells `onError` of events that the handler does not get again. */
  report(error: unknown, [{ event }, ...others]: readonly [Delivery, ...Delivery[]]): void {
    const about = { stage: 'dispatch', eventId: event.id, eventType: event.type } as const
    const more = others.length > 0 ? ` and ${others.length} more` : ''
    const what = `a handler of ${event.type} failed on event ${event.id}${more}`
    const told = isOfHandling(error)
      ? error
      : new BusError('handler_failed', what, { ...about, cause: error })
    this.#options.report(told, about)
  }

  /** What the queue of a subscription tells. */
  told(subscription: Subject): Told {
    const { now, report, taps } = this.#options
    return {
      retried: (deliveries, attempt) => {
        this.#count(subscription, 'retried', deliveries)
        for (const { event } of deliveries) taps.tap?.retried(subscription, event.id, attempt)
      },
      failed: (deliveries) => this.#count(subscription, 'failed', deliveries),
      handled: (deliveries, ms) => {
        this.#count(subscription, 'handled', deliveries)
        subscription.times.add(ms)
        const began = now() - ms
        for (const { event } of deliveries) taps.tap?.handled(subscription, event.id, began)
      },
      gaveUp: (deliveries, error, ms) => {
        subscription.times.add(ms)
        this.#gaveUp(error, subscription, deliveries, now() - ms)
      },
      dropped: (delivery, error, tell) => {
        this.#count(subscription, 'dropped', [delivery])
        const { id, type } = delivery.event
        taps.tap?.dropped([id], 'overflow', subscription)
        if (tell) report(error, { stage: 'dispatch', eventId: id, eventType: type })
      },
      unheard: ({ event }) => taps.tap?.filtered(subscription, event.id, 'ended'),
    }
  }

  #gaveUp(
    error: unknown,
    subscription: Subject,
    deliveries: readonly Delivery[],
    began: number,
  ): void {
    subscription.failures += deliveries.length
    this.#count(subscription, 'dead', deliveries)
    const { tap } = this.#options.taps
    for (const { event } of deliveries) tap?.failed(subscription, event.id, began, error)
    this.report(error, deliveries as [Delivery, ...Delivery[]])
  }

  #count({ tally }: Subject, what: keyof Tally, deliveries: readonly Delivery[]): void {
    tally[what] += deliveries.length
    for (const delivery of deliveries) this.#tallyOf(delivery)[what] += 1
  }

  #tallyOf({ event, tally }: Delivery): TypeTally {
    return tally ?? this.#options.stats.of(event.type)
  }
}

/** Whether an error was made by what calls handlers rather than by one of them. */
function isOfHandling(error: unknown): error is BusError {
  return (
    isBusError(error) &&
    error.stage === 'dispatch' &&
    (error.code === 'timeout' || error.code === 'circuit_open')
  )
}

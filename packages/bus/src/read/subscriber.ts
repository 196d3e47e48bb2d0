/**
 * Subscriptions as callers make them: live, or beginning in the log; with a handler, as a promise
 * or as a loop. All of them end when the bus closes.
 */
import type { Delivery, Incoming, Subscribed } from '../dispatch/dispatch.ts'
import { BusError, isBusError, toBusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { TappedSubscription } from '../inspect/tap.ts'
import type { Log } from '../log/log.ts'
import { type Part, type Waiter, whenLoaded } from '../part.ts'
import type { HandlerOptions, ReadFrom } from '../types.ts'
import type { CatchUp } from './catch-up.ts'

export interface SubscriberOptions<Handler> extends Waiter {
  /** Makes a live subscription; `ended` is called when it ends. */
  readonly attach: (
    patterns: unknown,
    handler: Handler,
    where: ((event: BusEvent) => boolean) | undefined,
    kind: TappedSubscription['kind'] | undefined,
    options: HandlerOptions | undefined,
  ) => Subscribed
  /** Decodes an event; `undefined` for one that is damaged and was reported. */
  readonly decode: (event: Incoming) => BusEvent | undefined
  readonly hasLog: boolean
  readonly hasRelay: boolean
  /** Opens the log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  /** Of the ids that this context gives. */
  readonly prefix: string
  /** What reads the log for those that begin in it. */
  readonly part: Part<{ readonly CatchUp: typeof CatchUp }>
}

export interface Subscription {
  readonly signal?: AbortSignal | undefined
  readonly from?: ReadFrom | undefined
  readonly where?: ((event: BusEvent) => boolean) | undefined
  readonly kind?: TappedSubscription['kind']
  readonly handling?: HandlerOptions
  /** Told instead of `onError` when reading the log fails. */
  readonly failed?: (error: BusError) => void
}

/** Live events kept until the log can be read. */
const MAX_EARLY = 10_000

export class Subscriber<Handler> {
  readonly #options: SubscriberOptions<Handler>
  /** What ends each subscription and each wait. */
  readonly #endings = new Set<() => void>()
  readonly #catchUps = new Map<Subscribed, Pick<CatchUp, 'renewed'>>()
  #closed = false

  constructor(options: SubscriberOptions<Handler>) {
    this.#options = options
  }

  /** @throws {BusError} closed, invalid_pattern, unreachable */
  subscribe(patterns: unknown, handler: Handler, options: Subscription): () => void {
    const { signal, from, where, failed, kind, handling } = options
    const { attach, hasLog, open } = this.#options
    this.#assertOpen()
    const reads = from !== undefined && from !== 'now'
    if (reads && !hasLog) {
      const what = "subscribe with 'from' reads the log, and this bus has none"
      throw new BusError('unreachable', what, { stage: 'read' })
    }
    const subscribed = attach(patterns, handler, where, kind, handling)
    const end = (): void => {
      subscribed.end()
      this.#catchUps.delete(subscribed)
      signal?.removeEventListener('abort', end)
      this.#endings.delete(end)
    }
    if (signal?.aborted) {
      end()
      return end
    }
    signal?.addEventListener('abort', end, { once: true })
    this.#endings.add(end)
    if (reads) this.#catchUp(subscribed, from, where, failed)
    else open().catch(() => {})
    return end
  }

  #catchUp(
    subscribed: Subscribed,
    from: ReadFrom,
    where: Subscription['where'],
    failed: Subscription['failed'],
  ): void {
    // Live events wait here; of more than it takes it reads from the log again.
    const early: Delivery[] = []
    let renewed = false
    subscribed.intercept = (delivery) => early.length > MAX_EARLY || early.push(delivery) > 0
    this.#catchUps.set(subscribed, { renewed: () => (renewed = true) })
    whenLoaded(this.#options.part, this.#options, ({ CatchUp: Made }) => {
      if (subscribed.ended) return
      const catchUp = this.#begin(Made, subscribed, from, where, failed)
      for (const delivery of early) catchUp.intercept(delivery)
      if (renewed) catchUp.renewed()
    })
  }

  #begin(
    Made: typeof CatchUp,
    subscribed: Subscribed,
    from: ReadFrom,
    where: Subscription['where'],
    failed: Subscription['failed'],
  ): CatchUp {
    const { decode, hasRelay, open, prefix, report } = this.#options
    const catchUp = new Made({
      from,
      prefix,
      matches: (type) => subscribed.matches(type),
      open: decode,
      where,
      deliver: (delivery) => subscribed.call(delivery),
      room: () => subscribed.room(),
      known: (id) => subscribed.known(id),
      ended: () => subscribed.ended,
      hasRelay,
      report,
    })
    subscribed.intercept = catchUp.intercept
    this.#catchUps.set(subscribed, catchUp)
    const run = async (): Promise<void> => {
      let last: Log | undefined
      while (!this.#closed && !subscribed.ended) {
        const log = await open()
        if (!log || (log !== last && (await catchUp.run(log)))) return
        if (log === last) throw new BusError('log_lost', 'the log went, and no other came')
        last = log
      }
    }
    run().catch((error: unknown) => {
      if (subscribed.ended) return
      catchUp.release()
      if (failed && isBusError(error)) failed(error)
      else report(toBusError(error, 'log_failed', 'the log could not be read', { stage: 'read' }))
    })
    return catchUp
  }

  /** The log was cleared, and the next one is another. */
  renewed(): void {
    for (const catchUp of this.#catchUps.values()) catchUp.renewed()
  }

  /** Calls back when the bus closes; the returned function takes that back. */
  readonly onClose = (run: () => void): (() => void) => {
    this.#assertOpen()
    this.#endings.add(run)
    return () => this.#endings.delete(run)
  }

  /** Ends everything, for good. */
  close(): void {
    this.#closed = true
    for (const end of [...this.#endings]) end()
    this.#endings.clear()
  }

  #assertOpen(): void {
    if (this.#closed) throw new BusError('closed', 'the bus was closed')
  }
}

/**
 * The short way, for a bus with log, tabs and relay all off: events go by reference to this
 * context's handlers in the next microtask, without being encoded or checked.
 */
import type { Blocking } from '../dispatch/dispatch.ts'
import { BusError, toBusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { EventOptions, PublishOptions } from '../types.ts'
import type { Composer } from './composer.ts'
import type { Draft } from './publisher.ts'
import { createTicket, rejectedTicket, type Ticket, type TicketContext } from './ticket.ts'

export class DirectQueue {
  #events: BusEvent[] = []
  #tickets: Map<BusEvent, Ticket> | undefined
  #scheduled = false
  readonly #deliver: (event: BusEvent, ticket?: Ticket) => void
  readonly #settle: (ticket: Ticket) => void
  readonly #taps: TapHolder

  constructor(
    deliver: (event: BusEvent, ticket?: Ticket) => void,
    settle: (ticket: Ticket) => void,
    taps: TapHolder = { tap: undefined },
  ) {
    this.#deliver = deliver
    this.#settle = settle
    this.#taps = taps
  }

  add(event: BusEvent, ticket?: Ticket): void {
    this.#events.push(event)
    if (ticket) {
      this.#tickets ??= new Map()
      this.#tickets.set(event, ticket)
    }
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#run)
  }

  readonly #run = (): void => {
    const events = this.#events
    const tickets = this.#tickets
    this.#events = []
    this.#tickets = undefined
    this.#scheduled = false
    this.#taps.tap?.passed(events)
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as BusEvent
      const ticket = tickets?.get(event)
      this.#deliver(event, ticket)
      // Events of one `publishBatch` share a ticket; the last of them settles it.
      if (ticket && tickets?.get(events[i + 1] as BusEvent) !== ticket) this.#settle(ticket)
    }
  }
}

export interface DirectOptions extends TicketContext {
  readonly composer: Composer
  readonly queue: DirectQueue
  readonly handlers: Blocking
}

const LEVELS: ReadonlySet<unknown> = new Set([undefined, 'accepted', 'handled'])

/** `publish` and `publishBatch` of a bus that takes the short way. */
export class DirectPublisher {
  readonly #options: DirectOptions

  constructor(options: DirectOptions) {
    this.#options = options
  }

  publish(type: string, data: unknown, options?: PublishOptions): Promise<BusEvent> {
    const { composer, queue, handlers } = this.#options
    try {
      if (options?.until !== undefined || (handlers.blocking > 0 && handlers.waits(type))) {
        return this.#start(options ?? {}, () => [composer.reference(type, data, options)], first)
      }
      const event = composer.reference(type, data, options)
      queue.add(event)
      return Promise.resolve(event)
    } catch (error) {
      return this.#rejected(error)
    }
  }

  publishBatch(drafts: readonly Draft[], level: PublishOptions): Promise<BusEvent[]> {
    const { composer } = this.#options
    const make = () =>
      drafts.map(({ type, data, options }) => composer.reference(type, data, options))
    return this.#start(level, make, (events) => events)
  }

  /** An event of ours. */
  publishSystem(type: string, data: unknown, options: EventOptions = {}): Promise<BusEvent> {
    const { composer, queue } = this.#options
    const event = composer.reference(type, data, { ...options, scope: 'device' }, true)
    queue.add(event)
    return Promise.resolve(event)
  }

  #start<T>(
    level: PublishOptions,
    make: () => BusEvent[],
    value: (events: BusEvent[]) => T,
  ): Promise<T> {
    const { queue, later, report, handlers } = this.#options
    const { until, signal } = level
    try {
      if (!LEVELS.has(until)) {
        throw new BusError('unreachable', `publish cannot reach '${until}': this bus has no log`, {
          stage: 'batch',
        })
      }
      const events = make()
      const holds = until === undefined && events.some(({ type }) => handlers.waits(type))
      if ((until !== 'handled' && !holds) || events.length === 0) {
        for (const event of events) queue.add(event)
        return Promise.resolve(value(events))
      }
      const { ticket, promise } = createTicket({
        until: until ?? 'accepted',
        signal,
        value: () => value(events),
        later,
        report,
      })
      for (const event of events) queue.add(event, ticket)
      return promise
    } catch (error) {
      return this.#rejected(error)
    }
  }

  #rejected<T>(error: unknown): Promise<T> {
    const { later, report } = this.#options
    const reason = toBusError(error, 'invalid_options', 'publish failed', { stage: 'batch' })
    return rejectedTicket(reason, later, report)
  }
}

function first(events: BusEvent[]): BusEvent {
  return events[0] as BusEvent
}

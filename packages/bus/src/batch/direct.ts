/**
 * The short way, for a bus with log, tabs and relay all off: events go by reference to this
 * context's handlers in the next microtask, without being encoded or checked.
 */
import type { BusEvent } from '../event.ts'
import type { Ticket } from './ticket.ts'

export class DirectQueue {
  #events: BusEvent[] = []
  #tickets: Map<BusEvent, Ticket> | undefined
  #scheduled = false
  readonly #deliver: (event: BusEvent, handled?: Promise<unknown>[]) => void
  readonly #settle: (ticket: Ticket) => void

  constructor(
    deliver: (event: BusEvent, handled?: Promise<unknown>[]) => void,
    settle: (ticket: Ticket) => void,
  ) {
    this.#deliver = deliver
    this.#settle = settle
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
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as BusEvent
      const ticket = tickets?.get(event)
      this.#deliver(event, ticket?.handled)
      // Events of one `publishBatch` share a ticket; the last of them settles it.
      if (ticket && tickets?.get(events[i + 1] as BusEvent) !== ticket) this.#settle(ticket)
    }
  }
}

/** Promises that wait for the room to confirm own events. */
import type { Entry } from '../batch/batch.ts'
import { BusError } from '../errors.ts'
import { checkOf, positionOf } from '../protocol/position.ts'
import type { Confirmation, Waiters } from './sync.ts'

export class RelayedWaiters implements Waiters {
  /** Entries by own batch number, at their index in the record; only of batches waited for. */
  readonly #waiting = new Map<number, readonly Entry[]>()
  /** The newest own batch with events for the room, and the newest one confirmed. */
  #newest = 0
  #confirmed = 0
  #idle: { batch: number; resolve: () => void; reject: (error: BusError) => void }[] = []
  readonly #hold: () => () => void
  #release: (() => void) | undefined

  /** `hold` keeps the process alive: one that waits for the relay must not end before it answers. */
  constructor(hold: () => () => void) {
    this.#hold = hold
  }

  add(batch: number, entries: readonly Entry[]): boolean {
    if (!entries.some((entry) => entry.event.scope === 'room')) return false
    this.#newest = Math.max(this.#newest, batch)
    if (!entries.some((entry) => entry.ticket.until === 'relayed')) return false
    this.#waiting.set(batch, entries)
    this.#keep()
    return true
  }

  batches(): number[] {
    const idle = this.#idle.length > 0 && !this.#waiting.has(this.#newest) ? [this.#newest] : []
    return [...this.#waiting.keys(), ...idle]
  }

  #keep(): void {
    const waits = this.#waiting.size > 0 || this.#idle.length > 0
    if (waits) this.#release ??= this.#hold()
    else {
      this.#release?.()
      this.#release = undefined
    }
  }

  confirm(confirmation: Confirmation): void {
    this.#confirmed = Math.max(this.#confirmed, confirmation.batch)
    const entries = this.#waiting.get(confirmation.batch)
    this.#waiting.delete(confirmation.batch)
    this.#wake()
    this.#keep()
    if (!entries) return
    confirmation.indexes.forEach((index, k) => {
      const entry = entries[index]
      if (!entry) return
      const { epoch, place } = confirmation
      entry.event.position = positionOf(epoch, place + k, checkOf(entry.event.id))
      if (entry.ticket.until === 'relayed') entry.ticket.resolve()
    })
    for (const [index, code] of confirmation.refused) {
      const entry = entries[index]
      if (entry?.ticket.until !== 'relayed') continue
      entry.ticket.reject(
        new BusError(code, `the relay refused ${entry.event.type}: ${code}`, {
          stage: 'sync',
          eventId: entry.event.id,
          eventType: entry.event.type,
        }),
      )
    }
  }

  /** Resolves when every batch of this context so far is confirmed. */
  drained(): Promise<void> {
    const batch = this.#newest
    if (batch <= this.#confirmed) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#idle.push({ batch, resolve, reject })
      this.#keep()
    })
  }

  #wake(): void {
    const ready = this.#idle.filter((idle) => idle.batch <= this.#confirmed)
    this.#idle = this.#idle.filter((idle) => idle.batch > this.#confirmed)
    for (const idle of ready) idle.resolve()
  }

  /** The bus closes, or its log was cleared: what waits is rejected, and numbers begin anew. */
  abandon(error: BusError): void {
    this.#newest = 0
    this.#confirmed = 0
    for (const entries of this.#waiting.values()) {
      for (const entry of entries) if (entry.ticket.until === 'relayed') entry.ticket.reject(error)
    }
    this.#waiting.clear()
    for (const idle of this.#idle.splice(0)) idle.reject(error)
    this.#keep()
  }
}

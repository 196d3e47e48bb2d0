/**
 * Promises that wait for the room to confirm own events. A batch is mostly confirmed as a whole;
 * after a fork its events may be found in the room in several runs.
 */
import type { Entry } from '../batch/batch.ts'
import { BusError } from '../errors.ts'
import { checkOf, positionOf } from '../protocol/position.ts'
import type { Confirmation, Waiters } from './sync.ts'

/** An own batch of this context that the room has not confirmed as a whole. */
interface Unconfirmed {
  /** By their index in the record; absent where nobody waits for them. */
  readonly entries: readonly Entry[] | undefined
  /** How many of its events are for the room. */
  readonly events: number
  /** Indexes confirmed or refused so far, once it was some and not all. */
  settled?: Set<number>
}

/** Confirmations kept of batches not known yet: a writer may hear of its commit after the leader. */
const MAX_EARLY = 64

export class RelayedWaiters implements Waiters {
  readonly #unconfirmed = new Map<number, Unconfirmed>()
  readonly #early: Confirmation[] = []
  #waiting = 0
  #idle: { batches: Set<number>; resolve: () => void; reject: (error: BusError) => void }[] = []
  readonly #hold: () => () => void
  #release: (() => void) | undefined

  /** `hold` keeps the process alive: one that waits for the relay must not end before it answers. */
  constructor(hold: () => () => void) {
    this.#hold = hold
  }

  add(batch: number, entries: readonly Entry[]): boolean {
    let events = 0
    let waits = false
    for (const { event, ticket } of entries) {
      if (event.scope !== 'room') continue
      events += 1
      if (ticket.until === 'relayed') waits = true
    }
    if (events === 0) return false
    this.#unconfirmed.set(batch, { entries: waits ? entries : undefined, events })
    if (waits) this.#waiting += 1
    this.#keep()
    for (const early of this.#early) if (early.batch === batch) this.confirm(early)
    return waits && this.#unconfirmed.has(batch)
  }

  batches(): number[] {
    const drained = new Set(this.#idle.flatMap(({ batches }) => [...batches]))
    return [...this.#unconfirmed].flatMap(([batch, { entries }]) =>
      entries || drained.has(batch) ? [batch] : [],
    )
  }

  #keep(): void {
    const waits = this.#waiting > 0 || this.#idle.length > 0
    if (waits) this.#release ??= this.#hold()
    else {
      this.#release?.()
      this.#release = undefined
    }
  }

  confirm(confirmation: Confirmation): void {
    const { batch, epoch, place, indexes, revisions, refused, earlier = [], whole } = confirmation
    const unconfirmed = this.#unconfirmed.get(batch)
    if (!unconfirmed) {
      this.#early.push(confirmation)
      if (this.#early.length > MAX_EARLY) this.#early.shift()
      return
    }
    const { entries } = unconfirmed
    if (entries) {
      indexes.forEach((index, k) => {
        const entry = entries[index]
        if (!entry) return
        entry.event.position ??= positionOf(epoch, place + k, checkOf(entry.event.id))
        if (revisions?.[k]) entry.event.revision ??= revisions[k]
        if (entry.ticket.until === 'relayed') entry.ticket.resolve()
      })
      for (const [index, at] of earlier) {
        const event = entries[index]?.event
        if (event) event.position ??= positionOf(epoch, at, checkOf(event.id))
      }
      for (const [index, code, currentRevision] of refused) {
        const entry = entries[index]
        if (entry?.ticket.until !== 'relayed') continue
        const { id, type } = entry.event
        const context = { stage: 'sync', eventId: id, eventType: type, currentRevision } as const
        entry.ticket.reject(new BusError(code, `the relay refused ${type}: ${code}`, context))
      }
    }
    if (whole) resolveAll(entries)
    else if (indexes.length + refused.length < unconfirmed.events) {
      unconfirmed.settled ??= new Set()
      for (const index of indexes) unconfirmed.settled.add(index)
      for (const [index] of refused) unconfirmed.settled.add(index)
      if (unconfirmed.settled.size < unconfirmed.events) return
    }
    this.#end(batch)
  }

  /**
   * Every own batch up to this one is in the room, or was: where history was trimmed away, nobody
   * can say at which position any more.
   */
  confirmThrough(through: number): void {
    for (const [batch, { entries }] of [...this.#unconfirmed]) {
      if (batch > through) continue
      resolveAll(entries)
      this.#end(batch)
    }
  }

  #end(batch: number): void {
    if (this.#unconfirmed.get(batch)?.entries) this.#waiting -= 1
    this.#unconfirmed.delete(batch)
    for (const idle of this.#idle) idle.batches.delete(batch)
    const done = this.#idle.filter(({ batches }) => batches.size === 0)
    this.#idle = this.#idle.filter(({ batches }) => batches.size > 0)
    for (const { resolve } of done) resolve()
    this.#keep()
  }

  /** Resolves when every batch of this context so far is confirmed. */
  drained(): Promise<void> {
    if (this.#unconfirmed.size === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#idle.push({ batches: new Set(this.#unconfirmed.keys()), resolve, reject })
      this.#keep()
    })
  }

  /** The bus closes, or its log was cleared: what waits is rejected, and numbers begin anew. */
  abandon(error: BusError): void {
    for (const { entries } of this.#unconfirmed.values()) {
      for (const { ticket } of entries ?? []) if (ticket.until === 'relayed') ticket.reject(error)
    }
    this.#unconfirmed.clear()
    this.#early.length = 0
    this.#waiting = 0
    for (const idle of this.#idle.splice(0)) idle.reject(error)
    this.#keep()
  }
}

/** Of events that are in the room, though nobody can say where: they have no position. */
function resolveAll(entries: readonly Entry[] | undefined): void {
  for (const { event, ticket } of entries ?? [])
    if (event.scope === 'room' && ticket.until === 'relayed') ticket.resolve()
}

/**
 * One read model. What stands is folded once and kept as its base; what may yet change its place,
 * or go, is folded on top of that, and anew when it did. In come events in order, out goes a state.
 */
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import type { ProjectOptions } from '../types.ts'
import type { Point } from './point.ts'
import type { RoomPortion } from './room-order.ts'

export type Reducer = (state: unknown, event: BusEvent) => unknown

/** Events remembered at most whose failure was told: they are folded again and again. */
const MAX_TOLD = 1_000

export class View {
  /** Of the views of its bus, from 1. */
  number = 0
  readonly patterns: readonly string[]
  readonly matches: (type: string) => boolean
  readonly key: string | undefined
  readonly version: number
  /** Under which the log keeps its snapshot. */
  readonly name: string | undefined
  /** Up to where it was folded already when the log gave its snapshot. */
  begun: Point | undefined
  /** The last record that a snapshot has, and the events folded since. */
  kept = 0
  folded = 0
  /**
   * Whether it can be kept: one that once could not is not tried again, and one with events of newer
   * versions is for those who know them to keep.
   */
  keeps: boolean
  /** Settles when the log is folded for the first time. */
  readonly ready: Promise<void>
  /** Whether what is shown is of the log. */
  #shown = false
  readonly #reducer: Reducer
  readonly #initial: unknown
  readonly #report: (error: BusError) => void
  readonly #folded: PromiseWithResolvers<void> = Promise.withResolvers()
  #base: unknown
  /** The base with the first events of the rest; `undefined` where it has to be folded anew. */
  #top: { readonly state: unknown; readonly events: number } | undefined
  #state: unknown
  /** What is shown in its place. */
  #instead: { readonly was: unknown } | undefined
  readonly #callbacks = new Set<(state: unknown) => void>()
  readonly #told = new Set<string>()

  /** @throws {BusError} invalid_pattern, invalid_options */
  constructor(
    patterns: unknown,
    reducer: unknown,
    initial: unknown,
    { key, version = 1 }: ProjectOptions,
    report: (error: BusError) => void,
  ) {
    this.patterns = parsePatterns(patterns)
    this.matches = typeMatcher(this.patterns)
    if (typeof reducer !== 'function') throw invalid('give a function that folds')
    if (key !== undefined && !(typeof key === 'string' && key !== '' && key.length <= 256))
      throw invalid('key must have 1 to 256 characters')
    if (!(Number.isSafeInteger(version) && version > 0)) throw invalid('version counts from 1')
    this.#reducer = reducer as Reducer
    this.key = key
    this.version = version
    this.name = key === undefined ? undefined : JSON.stringify([key, ...this.patterns.toSorted()])
    this.keeps = key !== undefined
    this.#initial = this.#base = this.#state = initial
    this.#report = report
    this.ready = this.#folded.promise
    // Whoever does not wait for it hears of it otherwise.
    this.ready.catch(() => {})
  }

  get(): unknown {
    return this.#instead ? this.#instead.was : this.#state
  }

  /** What was folded, whatever is shown. */
  get state(): unknown {
    return this.#state
  }

  /** The state that these events make. */
  async stateOf(events: AsyncIterable<BusEvent>): Promise<unknown> {
    let state = this.#initial
    for await (const event of events) state = this.#add(state, event)
    return state
  }

  /** Shows another state than it has; without one, its own again. */
  showInstead(instead?: { readonly was: unknown }): void {
    if (instead === this.#instead) return
    this.#instead = instead
    this.#tellAll()
  }

  subscribe(callback: (state: unknown) => void): () => void {
    // A function of its own, so that subscribing one callback twice makes two subscriptions.
    const own = (state: unknown): void => callback(state)
    this.#callbacks.add(own)
    this.#call(own)
    return () => this.#callbacks.delete(own)
  }

  /** Begins again, with what was there at the beginning; what is shown stays. */
  restart(): void {
    this.begun = undefined
    this.kept = this.folded = 0
    this.#base = this.#initial
    this.#top = undefined
  }

  /** Goes on from a snapshot. */
  begin(state: unknown, point: Point): void {
    this.restart()
    this.begun = point
    this.kept = point.through
    this.#base = state
  }

  /** What of the log's stands, folded: what a snapshot has. */
  get base(): unknown {
    return this.#base
  }

  /** Whether its snapshot has the events of a portion, which were read for others or for the rest. */
  has({ part, read }: RoomPortion): boolean {
    if (!this.begun || read > this.begun.through) return false
    // Of what has no place any more it has what was confirmed when it was made.
    return part !== 'gone' || read <= this.begun.confirmed
  }

  /** What stands from now on. */
  fold(event: BusEvent): void {
    this.folded += 1
    this.#base = this.#reduce(this.#base, event)
    this.#top = undefined
  }

  /**
   * What stands behind that, of which the first `same` events are those of the last time.
   *
   * @returns whether the state is another one, for `tell`
   */
  show(rest: readonly BusEvent[], same: number, behind: readonly BusEvent[]): boolean {
    let { state, events } = this.#top ?? { state: this.#base, events: 0 }
    if (events > same) ({ state, events } = { state: this.#base, events: 0 })
    for (; events < rest.length; events++) state = this.#add(state, rest[events] as BusEvent)
    this.#top = { state, events }
    this.#shown = true
    for (const event of behind) state = this.#add(state, event)
    return this.#set(state)
  }

  /** What came behind all that is shown, until `show` says it all anew. */
  push(events: readonly BusEvent[]): boolean {
    if (!this.#shown) return false
    return this.#set(events.reduce((state, event) => this.#add(state, event), this.#state))
  }

  /** Shows nothing of the log any more. */
  clear(): boolean {
    this.restart()
    this.#shown = false
    return this.#set(this.#initial)
  }

  /** Tells those who follow it. */
  tell(): void {
    if (!this.#instead) this.#tellAll()
  }

  #tellAll(): void {
    for (const callback of [...this.#callbacks]) {
      if (this.#callbacks.has(callback)) this.#call(callback)
    }
  }

  settle(error?: BusError): void {
    if (error) this.#folded.reject(error)
    else this.#folded.resolve()
  }

  close(): void {
    this.#callbacks.clear()
    this.settle(new BusError('closed', 'the view was closed before it was ready'))
  }

  #set(state: unknown): boolean {
    const changed = !Object.is(state, this.#state)
    this.#state = state
    return changed
  }

  #add(state: unknown, event: BusEvent): unknown {
    return this.matches(event.type) ? this.#reduce(state, event) : state
  }

  #reduce(state: unknown, event: BusEvent): unknown {
    try {
      return this.#reducer(state, event)
    } catch (cause) {
      const { id, type } = event
      if (!this.#told.has(id)) {
        if (this.#told.size >= MAX_TOLD) this.#told.clear()
        this.#told.add(id)
        const at = { stage: 'read', eventId: id, eventType: type, cause } as const
        const what = `a reducer failed on event ${id}, which it passes over`
        this.#report(new BusError('handler_failed', what, at))
      }
      return state
    }
  }

  #call(callback: (state: unknown) => void): void {
    try {
      callback(this.get())
    } catch (cause) {
      const what = 'a subscriber of a view threw'
      this.#report(new BusError('handler_failed', what, { stage: 'read', cause }))
    }
  }
}

function invalid(what: string): BusError {
  return new BusError('invalid_options', `project: ${what}`, { stage: 'read' })
}

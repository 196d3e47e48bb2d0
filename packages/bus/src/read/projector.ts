/**
 * The read models of a bus. They share one walk through the log, which goes on when the log has
 * more: however many there are, it is read once. A walk that turns out to be of a history that is
 * true no longer (the room was restored, the log cleared) is begun anew.
 *
 *   the room's order ──► base of each view
 *   lost, pending    ──► rest, folded on top of it
 *   written here and not walked yet ──► behind the rest, at once
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import { type BusError, type BusErrorCode, isBusError, toBusError } from '../errors.ts'
import { type BusEvent, type EventHeader, offsetOf, slotOf } from '../event.ts'
import type { Encoded, LogState } from '../log/log.ts'
import { type Point, pointOf, stands } from './point.ts'
import { RoomWalk } from './room-order.ts'
import { begin, type Codec, keep } from './snapshot.ts'
import { type OpenLog, steadyLog, type ViewableLog } from './steady-log.ts'
import type { StreamHeader } from './stream-counts.ts'
import type { View } from './view.ts'

export interface ProjectorOptions {
  /** Opens the log, where there is one. */
  readonly open: OpenLog
  readonly hasRelay: boolean
  /** Decodes an event; `undefined` for one that is damaged and was reported. */
  readonly decode: (event: Incoming) => BusEvent | undefined
  /** Whether an event is of a newer version of its type than this context knows. */
  readonly isNewer?: ((header: EventHeader) => boolean) | undefined
  /** Of states, for the log. */
  readonly codec: Codec
  /** Whether this context leads its device. */
  readonly leads: () => boolean
  readonly report: (error: BusError) => void
}

/** Own events in the log, in a record that was not walked yet. */
interface Written {
  readonly batch: number
  readonly offsets: readonly number[]
  readonly events: readonly BusEvent[]
  /** Of all its events, wanted or not. */
  readonly headers: readonly StreamHeader[]
}

/**
 * The leader keeps a snapshot when so many events were folded since the last one, or so many records
 * read; another context when it is twice as many, and at its end when it is a few.
 */
const KEEP_EVENTS = 1_000
const KEEP_RECORDS = 250
const AT_END = 0.02

/** Types remembered at most, with the views that they are for. */
const MAX_TYPES = 10_000

export class Projector {
  readonly #options: ProjectorOptions
  readonly #views = new Set<View>()
  /** Those whose base is not what was walked. */
  readonly #fresh = new Set<View>()
  readonly #byType = new Map<string, readonly View[]>()
  #log: ViewableLog
  #walk: RoomWalk | undefined
  /** The log as it was when it was walked to its end; absent while it is walked. */
  #state: LogState | undefined
  /** What stands behind the room's order, by offset; without an event where no view wants it. */
  #known = new Map<number, BusEvent | undefined>()
  #rest: BusEvent[] = []
  #written: Written[] = []
  /** Snapshots that are being written. */
  readonly #keeping = new Set<Promise<void>>()
  /** Why the log could not be read last; told once. */
  #failure: BusErrorCode | undefined
  #running = false
  /** Whether the log has to be looked at, whatever its head. */
  #again = false
  /** The newest record that was heard of since the last look. */
  #head = 0
  /** Counts logs: what is being read may be of one that is gone. */
  #logs = 0

  constructor(options: ProjectorOptions) {
    this.#options = options
    this.#log = steadyLog(options.open)
  }

  /** Folds a view from now on. */
  add(view: View): void {
    this.#views.add(view)
    this.#fresh.add(view)
    this.#byType.clear()
    this.changed()
  }

  /** Ends a view. */
  end(view: View): void {
    const point = this.#point
    if (point && this.#views.has(view) && !this.#fresh.has(view)) this.#keep(view, point, AT_END)
    this.#views.delete(view)
    this.#fresh.delete(view)
    this.#byType.clear()
    view.close()
  }

  /** The log has records up to `head`, or its room's part may be another than it was. */
  readonly changed = (head?: number): void => {
    if (this.#views.size === 0) return
    if (head === undefined) this.#again = true
    else this.#head = Math.max(this.#head, head)
    if (!this.#running && this.#isBehind) void this.#run()
  }

  get #isBehind(): boolean {
    return this.#again || this.#head > (this.#walk?.through ?? 0)
  }

  /** Own events are in the log, and in the views when this returns. */
  readonly logged = (batch: number, entries: readonly Encoded[]): void => {
    if (this.#views.size === 0 || batch <= (this.#walk?.through ?? 0)) return
    const { decode, hasRelay } = this.#options
    const offsets: number[] = []
    const events: BusEvent[] = []
    entries.forEach(({ event: { type, scope, revision }, headerText, dataText }, index) => {
      if (hasRelay && scope !== 'room') return
      const offset = offsetOf(batch, index)
      offsets.push(offset)
      if (this.#viewsOf(type).length === 0) return
      // What the publisher has may have been changed since; its text has not.
      const header = JSON.parse(headerText) as EventHeader
      const said = revision === undefined ? undefined : { revision }
      const event = decode({ header, dataText, offset, ...said })
      if (event) events.push(event)
    })
    const headers = hasRelay
      ? []
      : entries.map(({ event: { type, stream } }) =>
          stream === undefined ? { type } : { type, stream },
        )
    this.#written.push({ batch, offsets, events, headers })
    if (!this.#running && this.#walk?.through === batch - 1) this.#show(this.#takeIn())
    else this.#tell((view) => view.push(events))
    this.changed(batch)
  }

  /** The log was cleared, and the next one is another. */
  renewed(): void {
    this.#logs += 1
    this.#log = steadyLog(this.#options.open)
    this.#written = []
    this.#restart()
    this.#tell((view) => view.clear())
    this.changed()
  }

  /** Ends all views, for good; resolves when nothing of them is being written any more. */
  async close(): Promise<void> {
    this.#logs += 1
    for (const view of [...this.#views]) this.end(view)
    await Promise.all(this.#keeping)
  }

  async #run(): Promise<void> {
    this.#running = true
    // A log that is just being cleared is not to be had any more after this task.
    await undefined
    while (this.#isBehind && this.#views.size > 0) {
      this.#again = false
      this.#head = 0
      const logs = this.#logs
      try {
        await this.#read(() => logs !== this.#logs)
        this.#failure = undefined
        this.#keepSome()
      } catch (error) {
        if (logs === this.#logs) this.#failed(error)
      }
    }
    this.#running = false
  }

  #failed(error: unknown): void {
    const again = this.#again
    // What was read half is not known.
    this.#restart()
    if (isBusError(error, 'log_cleared')) {
      this.renewed()
      return
    }
    this.#again = again
    // It is in the log, and read with the rest.
    this.#written = []
    const reason = toBusError(error, 'log_failed', 'the log could not be read', { stage: 'read' })
    for (const view of this.#fresh) view.settle(reason)
    if (this.#failure !== reason.code) this.#options.report(reason)
    this.#failure = reason.code
  }

  /** Begins again, with the next reading. */
  #restart(): void {
    this.#again = true
    this.#walk = this.#state = undefined
    this.#rest = []
    this.#known.clear()
    for (const view of this.#views) {
      view.restart()
      this.#fresh.add(view)
    }
  }

  /** Folds what the log has by now. */
  async #read(over: () => boolean): Promise<void> {
    const state = await this.#log.state(false)
    if (over()) return
    const point = this.#point
    if (point && !stands(point, state)) this.#restart()
    this.#state = undefined
    const fresh = new Set(this.#fresh)
    const old = this.#walk
    if (old && !(await this.#fold(old, state, (view) => !this.#fresh.has(view), over))) return
    if (old?.astray) return this.#restart()
    if (fresh.size > 0) {
      const walk = await this.#begin([...fresh], state)
      if (over()) return
      if (!(await this.#fold(walk, state, (view) => fresh.has(view), over))) return
      this.#walk = walk
      this.#known.clear()
    }
    const walk = this.#walk
    if (!walk) return
    if (walk.astray) return this.#restart()
    const rest = await this.#restOf(walk, over)
    if (!rest) return
    this.#state = state
    this.#written = this.#written.filter(({ batch }) => batch > walk.through)
    for (const view of fresh) this.#fresh.delete(view)
    this.#show(Math.min(this.#take(rest), this.#takeIn()))
    for (const view of fresh) view.settle()
  }

  /** A walk from where the first of these views begins. */
  async #begin(fresh: readonly View[], state: LogState): Promise<RoomWalk> {
    const { codec, report, hasRelay } = this.#options
    for (const view of fresh) view.restart()
    await Promise.all(fresh.map((view) => begin(view, this.#log, state, codec, report)))
    const points = fresh.map(({ begun }) => begun)
    const last = points.toSorted((a, b) => (a?.through ?? 0) - (b?.through ?? 0)).at(-1)
    return new RoomWalk(this.#log, {
      wanted: ({ type }) => this.#viewsOf(type).length > 0,
      report,
      hasRoom: hasRelay,
      through: Math.min(...points.map((point) => (point ? point.rest - 1 : 0))),
      position: last?.position,
    })
  }

  /** Up to where the views are folded, unless they are just being so. */
  get #point(): Point | undefined {
    return this.#walk && this.#state && pointOf(this.#walk, this.#state)
  }

  /** Keeps those of which enough was folded, when there is nothing else to do. */
  #keepSome(): void {
    const often = this.#options.leads() ? 1 : 2
    const point = this.#isBehind ? undefined : this.#point
    if (point) for (const view of this.#views) this.#keep(view, point, often)
  }

  #keep(view: View, point: Point, often: number): void {
    const records = point.through - view.kept
    const enough = view.folded >= KEEP_EVENTS * often || records >= KEEP_RECORDS * often
    if (!view.keeps || !enough || this.#fresh.has(view)) return
    const { codec, report } = this.#options
    const keeping = keep(view, point, this.#log, codec, report)
    this.#keeping.add(keeping)
    void keeping.then(() => this.#keeping.delete(keeping))
  }

  /** Folds what stands up to this state; false where it is for nobody any more. */
  async #fold(
    walk: RoomWalk,
    state: LogState,
    isFor: (view: View) => boolean,
    over: () => boolean,
  ): Promise<boolean> {
    const { decode, isNewer } = this.#options
    for await (const portion of walk.to(state)) {
      if (over()) return false
      for (const logged of portion.events) {
        const views = this.#viewsOf(logged.header.type)
        // Who knows that version makes another state of it.
        if (isNewer?.(logged.header))
          for (const view of views) if (isFor(view) && !view.has(portion)) view.keeps = false
        let event: BusEvent | undefined
        for (const view of views) {
          if (!isFor(view) || view.has(portion)) continue
          event ??= decode(logged)
          // One that is damaged is not asked for again.
          if (!event) break
          view.fold(event)
        }
      }
    }
    return !over()
  }

  /** What stands behind the room's order; what of it is not known is read. */
  async #restOf(walk: RoomWalk, over: () => boolean): Promise<BusEvent[] | undefined> {
    const known = new Map<number, BusEvent | undefined>()
    for (const part of ['lost', 'pending'] as const) {
      const offsets = [...walk.offsets(part)].sort((a, b) => a - b)
      const missing = new Set(offsets.filter((offset) => !this.#known.has(offset)))
      const read = new Map<number, BusEvent | undefined>()
      if (missing.size > 0) {
        for await (const { events } of walk.rest(part, missing)) {
          if (over()) return undefined
          for (const logged of events) read.set(logged.offset, this.#options.decode(logged))
        }
      }
      for (const offset of offsets) known.set(offset, this.#known.get(offset) ?? read.get(offset))
    }
    walk.release()
    if (over()) return undefined
    this.#known = known
    return [...known.values()].filter((event) => event !== undefined)
  }

  /** @returns how many events at the beginning of the rest are the same as before */
  #take(rest: BusEvent[]): number {
    const before = this.#rest
    this.#rest = rest
    const differs = rest.findIndex((event, nth) => event !== before[nth])
    return differs < 0 ? Math.min(rest.length, before.length) : differs
  }

  /** What was written here right behind what was walked needs not be read. */
  #takeIn(): number {
    const same = this.#rest.length
    const walk = this.#walk
    for (
      let [next] = this.#written;
      walk && next?.batch === walk.through + 1;
      [next] = this.#written
    ) {
      const { batch, offsets, events, headers } = next
      if (this.#options.hasRelay) {
        walk.wrote(batch, offsets)
        for (const offset of offsets) this.#known.set(offset, undefined)
        for (const event of events) this.#known.set(event.offset as number, event)
        this.#rest.push(...events)
      } else {
        const revisions = walk.revisionsNext(headers, ({ type }) => this.#viewsOf(type).length > 0)
        if (!revisions) {
          this.#head = Math.max(this.#head, batch)
          break
        }
        walk.wrote(batch, [])
        for (const event of events) {
          const revision = revisions[slotOf(event.offset as number).index]
          const said = revision ? { ...event, revision } : event
          for (const view of this.#viewsOf(event.type)) if (!this.#fresh.has(view)) view.fold(said)
        }
      }
      this.#written.shift()
    }
    return same
  }

  #show(same: number): void {
    const behind = this.#written.flatMap(({ events }) => events)
    this.#tell((view) => !this.#fresh.has(view) && view.show(this.#rest, same, behind))
  }

  /** All views have their new state before anybody hears of one. */
  #tell(change: (view: View) => boolean): void {
    for (const view of [...this.#views].filter(change)) view.tell()
  }

  #viewsOf(type: string): readonly View[] {
    let views = this.#byType.get(type)
    if (!views) {
      if (this.#byType.size >= MAX_TYPES) this.#byType.clear()
      views = [...this.#views].filter((view) => view.matches(type))
      this.#byType.set(type, views)
    }
    return views
  }
}

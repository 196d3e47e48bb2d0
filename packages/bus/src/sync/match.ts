/**
 * Which events of a stream batch this log holds already, so that each is in it once. They come a
 * second time after a fork, from a cloned profile, and in a room that went back and is fed again.
 * In comes a stream batch, out goes the same one with such events as runs that point to them.
 */
import { type EventHeader, parseId } from '../event.ts'
import type { HeldRun, Log } from '../log/log.ts'
import type { EventRun, Run, StreamFrame } from '../protocol/frames.ts'

export type MatchedRun = Run | HeldRun

/** A stream batch as it goes into the log: value texts of events that are new only. */
export interface Matched {
  readonly runs: readonly MatchedRun[]
  readonly data: readonly string[]
}

/** Where an event stands in the log. */
interface Slot {
  readonly batch: number
  readonly index: number
}

/** Where an event of a stream batch is already: in the log, or earlier in the same batch. */
type Where = Slot | 'repeated'

/** Publishers remembered at most; a forgotten one costs a look into the log. */
const MAX_PUBLISHERS = 10_000

export class Matcher {
  readonly #log: Pick<Log, 'find' | 'highest'>
  /**
   * Highest counter in the log of each publisher on other devices. Only this context writes their
   * events into the log, so that it is known without asking.
   */
  readonly #highest = new Map<string, number>()
  /** Publishers on this device: their counters move on without this context. */
  readonly #own = new Set<string>()

  constructor(log: Pick<Log, 'find' | 'highest'>) {
    this.#log = log
  }

  /**
   * A context of this device publishes under this prefix. Where the log was cleared under it, what
   * it published before is in the new one as events of another device.
   */
  publishedHere(prefix: string): void {
    this.#highest.delete(prefix)
    this.#own.add(prefix)
  }

  /** `restored`: whether the room ever lost events, so that posts by HTTP may come again too. */
  async match(
    frame: Pick<StreamFrame, 'runs'>,
    data: readonly string[],
    restored: boolean,
  ): Promise<Matched> {
    let held: Map<EventHeader, Where> | undefined
    for (const run of frame.runs) {
      if ('own' in run) continue
      for (const header of run.events) {
        const asked = this.#lookUp(header.id, restored)
        if (!asked) continue
        const found = (await asked) ?? (isRepeat(frame.runs, header) ? 'repeated' : undefined)
        if (found) held = (held ?? new Map()).set(header, found)
      }
    }
    return held ? split(frame.runs, data, held) : { runs: frame.runs, data }
  }

  /** Awaits only where the log must be asked. */
  #lookUp(id: string, restored: boolean): Promise<Slot | undefined> | undefined {
    const [prefix, counter] = parseId(id)
    if (counter === 0) return restored ? this.#find(id) : undefined
    if (this.#own.has(prefix)) return this.#find(id)
    const highest = this.#highest.get(prefix)
    if (highest === undefined) return this.#ask(id, prefix, counter)
    if (counter <= highest) return this.#find(id)
    this.#highest.set(prefix, counter)
    return undefined
  }

  async #ask(id: string, prefix: string, counter: number): Promise<Slot | undefined> {
    const highest = await this.#log.highest(prefix)
    const newest = highest > 0 ? await this.#log.find(`${prefix}-${highest}`) : undefined
    if (this.#own.has(prefix) || newest?.batch.kind === 'own') this.#own.add(prefix)
    else {
      if (this.#highest.size >= MAX_PUBLISHERS) this.#highest.clear()
      this.#highest.set(prefix, Math.max(highest, counter))
    }
    return counter <= highest ? this.#find(id) : undefined
  }

  async #find(id: string): Promise<Slot | undefined> {
    const found = await this.#log.find(id)
    return found && { batch: found.batch.batch, index: found.index }
  }
}

/** Whether the same event stands earlier in this very stream batch. */
function isRepeat(runs: readonly Run[], header: EventHeader): boolean {
  for (const run of runs) {
    if ('own' in run) continue
    for (const earlier of run.events) {
      if (earlier === header) return false
      if (earlier.id === header.id) return true
    }
  }
  return false
}

function split(
  runs: readonly Run[],
  data: readonly string[],
  held: ReadonlyMap<EventHeader, Where>,
): Matched {
  const matched: MatchedRun[] = []
  const kept: string[] = []
  let line = 0
  for (const run of runs) {
    if ('own' in run) {
      matched.push(run)
      continue
    }
    let events: EventHeader[] = []
    let place = run.place
    let indexes: number[] = []
    let revisions: number[] = []
    let batch = 0
    const endEvents = (next: number): void => {
      if (events.length > 0)
        matched.push({ place: next - events.length, time: run.time, events } satisfies EventRun)
      events = []
    }
    const endHeld = (next: number): void => {
      if (indexes.length > 0)
        matched.push({
          place: next - indexes.length,
          time: run.time,
          held: { batch, indexes, ...(revisions.some((one) => one > 0) && { revisions }) },
        })
      indexes = []
      revisions = []
    }
    for (const header of run.events) {
      const found = held.get(header)
      const text = data[line++] as string
      if (found === 'repeated') {
        endEvents(place)
        endHeld(place)
      } else if (found) {
        endEvents(place)
        if (found.batch !== batch) endHeld(place)
        batch = found.batch
        indexes.push(found.index)
        revisions.push(header.revision ?? 0)
      } else {
        endHeld(place)
        events.push(header)
        kept.push(text)
      }
      place += 1
    }
    endEvents(place)
    endHeld(place)
  }
  return { runs: matched, data: kept }
}

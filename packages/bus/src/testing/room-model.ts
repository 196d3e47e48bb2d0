/**
 * A device and its room as a list of lists, beside a log that is told the same: what reads of the
 * log must give, whatever happened.
 */
import * as fc from 'fast-check'
import type { EventHeader } from '../event.ts'
import type { HeldRun, Log } from '../log/log.ts'
import type { Refusal, Run, Term } from '../protocol/frames.ts'
import { header, own, room } from './log-records.ts'

/** All events are of one stream, which has the order of the room, too. */
export const STREAM = 's'

/** An own batch: ids of its events, those of scope device included, and their indexes. */
interface OwnRecord {
  readonly number: number
  readonly ids: readonly string[]
  readonly forRoom: readonly number[]
}

/** What the room has at its places, an event each or a refusal. */
interface Entry {
  readonly ids: readonly string[]
  /** The own batch it settles. */
  readonly own?: OwnRecord
  readonly places: number
}

export class RoomModel {
  readonly #log: Log
  #term: Term = [0, '']
  #cursor = 'E.0.0'
  #epoch = 'E'
  #made = 0
  #room: Entry[] = []
  readonly #own: OwnRecord[] = []
  /** Events of others, by where the log has them, in its order. */
  readonly #others = new Map<string, { batch: number; slot: number }>()

  constructor(log: Log) {
    this.#log = log
  }

  async join(): Promise<void> {
    this.#term = await this.#log.takeTerm('n')
    await this.#welcome()
  }

  /** @returns the record's number and headers; `true` is an event for the room */
  async publish(
    scopes: readonly boolean[],
  ): Promise<{ readonly batch: number; readonly headers: readonly EventHeader[] }> {
    const ids = scopes.map(() => `a-${++this.#made}`)
    const forRoom = scopes.flatMap((isForRoom, index) => (isForRoom ? [index] : []))
    const events = ids.map((id, i): [string, Partial<EventHeader>] => [
      id,
      scopes[i] ? { stream: STREAM } : { scope: 'device', stream: STREAM },
    ])
    const batch = await this.#log.append(own(events))
    this.#own.push({ number: batch, ids, forRoom })
    return { batch, headers: events.map(([id, rest]) => header(id, rest)) }
  }

  /** A batch of the stream: events of others, the next own batches, and what the room lost. */
  async hear(others: number, owns: number, refuse: boolean): Promise<void> {
    const entries: Entry[] = []
    const runs: (Run | HeldRun)[] = []
    let place = this.#places
    const add = (entry: Entry, run: (at: number) => Run | HeldRun): void => {
      entries.push(entry)
      runs.push(run(place + 1))
      place += entry.places
    }
    for (const [id, held] of this.#lost.slice(0, others)) {
      const { batch, slot } = held
      add({ ids: [id], places: 1 }, (at) => ({
        place: at,
        time: 5,
        held: { batch, indexes: [slot] },
      }))
    }
    for (const record of this.#pending.slice(0, owns)) {
      const { forRoom, number, ids } = record
      const refused = refuse ? forRoom.slice(0, 1) : []
      const indexes = forRoom.slice(refused.length)
      const places = Math.max(1, indexes.length)
      const run = { batch: number, indexes, refused: refused.map((i): Refusal => [i, 'forbidden']) }
      const entry = { ids: indexes.map((i) => ids[i] as string), own: record, places }
      add(entry, (at) => ({ place: at, time: 5, own: run }))
      const id = `z-${++this.#made}`
      add({ ids: [id], places: 1 }, (at) => ({
        place: at,
        time: 5,
        events: [header(id, { stream: STREAM })],
      }))
    }
    const added = Array.from({ length: others }, () => `z-${++this.#made}`)
    if (added.length > 0) {
      add({ ids: added, places: added.length }, (at) => ({
        place: at,
        time: 5,
        events: added.map((id) => header(id, { stream: STREAM })),
      }))
    }
    if (runs.length === 0) return
    const position = `${this.#epoch}.${place}.x`
    const batch = await this.#log.appendRoom(
      room(this.#cursor, position, runs, this.#epoch),
      this.#term,
    )
    this.#cursor = position
    this.#room.push(...entries)
    let slot = 0
    for (const run of runs) {
      if ('events' in run) {
        for (const { id } of run.events) this.#others.set(id, { batch, slot: slot++ })
      } else slot += ('own' in run ? run.own : run.held).indexes.length
    }
  }

  /** The relay is put back from an older copy, or its room is made anew. */
  async restore(kept: number, anew: boolean): Promise<void> {
    const before = this.#epoch
    this.#room = this.#room.slice(0, anew ? 0 : kept)
    if (anew) this.#epoch = `${this.#epoch}E`
    this.#cursor = `${this.#epoch}.${this.#places}.x`
    await this.#welcome({ epoch: before, place: anew ? 0 : this.#places })
  }

  async #welcome(cut?: { epoch: string; place: number }): Promise<void> {
    const last = this.#room.findLast((entry) => entry.own)?.own
    const id = last?.ids[last.forRoom.at(-1) as number]
    await this.#log.welcomed({
      term: this.#term,
      cursor: this.#cursor,
      liveAfter: 0,
      subject: 'u',
      reads: '[]',
      ...(last && id !== undefined && { confirmed: { batch: last.number, id } }),
      ...(cut && { cut }),
    })
  }

  get #places(): number {
    return this.#room.reduce((sum, { places }) => sum + places, 0)
  }

  get #pending(): OwnRecord[] {
    return this.#own.filter(
      (record) => record.forRoom.length > 0 && !this.#room.some((entry) => entry.own === record),
    )
  }

  get #lost(): [string, { batch: number; slot: number }][] {
    const there = new Set(this.#room.flatMap(({ ids }) => ids))
    return [...this.#others].filter(([id]) => !there.has(id))
  }

  get order(): string[] {
    return [
      ...this.#room.flatMap(({ ids }) => ids),
      ...this.#lost.map(([id]) => id),
      ...this.#pending.flatMap(({ ids, forRoom }) => forRoom.map((i) => ids[i] as string)),
    ]
  }
}

export type Step =
  | { readonly do: 'publish'; readonly scopes: readonly boolean[] }
  | {
      readonly do: 'hear'
      readonly others: number
      readonly owns: number
      readonly refuse: boolean
    }
  | { readonly do: 'restore'; readonly kept: number; readonly anew: boolean }

export const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('publish' as const),
    scopes: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    do: fc.constant('hear' as const),
    others: fc.nat(3),
    owns: fc.nat(3),
    refuse: fc.boolean(),
  }),
  fc.record({ do: fc.constant('restore' as const), kept: fc.nat(12), anew: fc.boolean() }),
)

/** Does a step; what was published by it. */
export async function take(
  model: RoomModel,
  step: Step,
): Promise<{ readonly batch: number; readonly headers: readonly EventHeader[] } | undefined> {
  if (step.do === 'publish') return model.publish(step.scopes)
  if (step.do === 'hear') await model.hear(step.others, step.owns, step.refuse)
  else await model.restore(step.kept, step.anew)
  return undefined
}

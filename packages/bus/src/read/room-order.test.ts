import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventHeader } from '../event.ts'
import type { HeldRun, Log } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { sqliteLog } from '../log/sqlite.ts'
import { runtimePlatform } from '../platform.ts'
import type { Refusal, Run, Term } from '../protocol/frames.ts'
import { header, own, room } from '../testing/log-records.ts'
import { idsOf } from '../testing/read-contract.ts'
import { streamEvents } from './stream.ts'

const platform = runtimePlatform()

/** All events are of one stream, which has the order of the room, too. */
const STREAM = 's'

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

/** A device and its room as a list of lists, beside a log that is told the same. */
class Model {
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

  async publish(scopes: readonly boolean[]): Promise<void> {
    const ids = scopes.map(() => `a-${++this.#made}`)
    const forRoom = scopes.flatMap((isForRoom, index) => (isForRoom ? [index] : []))
    const events = ids.map((id, i): [string, Partial<EventHeader>] => [
      id,
      scopes[i] ? { stream: STREAM } : { scope: 'device', stream: STREAM },
    ])
    this.#own.push({ number: await this.#log.append(own(events)), ids, forRoom })
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

type Step = (model: Model) => Promise<void>
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }).map(
    (scopes): Step =>
      (model) =>
        model.publish(scopes),
  ),
  fc.tuple(fc.nat(3), fc.nat(3), fc.boolean()).map(
    ([others, owns, refuse]): Step =>
      (model) =>
        model.hear(others, owns, refuse),
  ),
  fc.tuple(fc.nat(12), fc.boolean()).map(
    ([kept, anew]): Step =>
      (model) =>
        model.restore(kept, anew),
  ),
)

describe.each<[string, () => Log]>([
  ['memory', () => new MemoryLog(platform)],
  ['sqlite', () => sqliteLog(':memory:').create('a', '', platform)],
])('the order of the room, over %s', (_, create) => {
  it('is that of the room, then what it lost, then what is pending, whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 30 }), async (script) => {
        const log = create()
        await log.open()
        const model = new Model(log)
        await model.join()
        for (const step of script) await step(model)
        expect(await idsOf(log, { order: 'room' }, true)).toEqual(model.order)
        const stream = await streamEvents(log, STREAM, true, () => {})
        const inRoom = stream.filter(({ header }) => header.scope !== 'device')
        expect(inRoom.map(({ header }) => header.id)).toEqual(model.order)
        await log.close()
      }),
      { numRuns: 300 },
    )
  })

  it('is the same where own events were confirmed long after they were written', async () => {
    const log = create()
    await log.open()
    const model = new Model(log)
    await model.join()
    for (let n = 0; n < 400; n++) await model.publish([true, true])
    for (let n = 0; n < 390; n++) await model.hear(1, 1, n % 7 === 0)
    expect(await idsOf(log, { order: 'room' }, true)).toEqual(model.order)
    await log.close()
  })
})

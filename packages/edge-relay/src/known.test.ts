import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Term } from '@crosstown/bus/protocol'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Reply } from './commands.ts'
import { linesOf } from './judge.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { Meter } from './metrics.ts'
import { RoomHost } from './room-host.ts'
import { memoryStore } from './stores/memory.ts'
import { sqliteStore } from './stores/sqlite.ts'
import type { Store } from './stores/store.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { publishOf } from './testing/probe.ts'

const TERM: Term = [1, 'one']
const ALL = { events: 1e6, bytes: 1e9 }
const errors: unknown[] = []
let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-known-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** `taken` gets the ids of all that comes into the room. */
function hostOf(store: Store, taken: string[] = []): RoomHost {
  const report = (error: unknown): void => void errors.push(error)
  return new RoomHost('r', {
    meter: new Meter(),
    store,
    platform: new ManualPlatform(),
    limits: DEFAULT_LIMITS,
    report,
    grew: (_, records) => {
      for (const { headers } of records) taken.push(...headers.map(({ id }) => id))
    },
  })
}

interface Batch {
  readonly number: number
  readonly ids: readonly string[]
}

/** One of the devices that came of one log: it sends the events of that log, batch by batch. */
class Copy {
  readonly id: string
  readonly #batches: Batch[]
  #next = 0

  constructor(id: string, batches: readonly (readonly string[])[]) {
    this.id = id
    this.#batches = batches.map((ids, i) => ({ number: i + 1, ids }))
  }

  get done(): boolean {
    return this.#next === this.#batches.length
  }

  join(host: RoomHost): Promise<unknown> {
    const { id } = this
    return host.hello({ device: id, secretHash: 'h', subject: 's', log: 'one log', terms: [TERM] })
  }

  /** Its log has the next so many batches no more. */
  forget(batches: number): void {
    this.#batches.splice(this.#next, batches)
  }

  /** Sends the next batch; `again` the last one once more, as after a lost ack. */
  async send(host: RoomHost, again: boolean): Promise<void> {
    if (again && this.#next > 0) this.#next -= 1
    if (this.done) return
    const { number, ids } = this.#batches[this.#next] as Batch
    const prev = this.#batches[this.#next - 1]?.number
    this.#next += 1
    const frame = publishOf(number, prev, ids, { term: TERM })
    const command = {
      device: this.id,
      mayPublish: () => true,
      frame,
      lines: linesOf(frame.events),
      data: ids.map(() => '0'),
    }
    const reply = await new Promise<Reply>((resolve) => host.publish(command, 10, resolve))
    expect(reply).toEqual({ frame: 'ack', batch: number })
  }
}

/** The ids of one log, of several publishers, each publisher's in order. */
const logged = fc
  .array(fc.constantFrom('p', 'q', 'h-'), { minLength: 1, maxLength: 40 })
  .map((prefixes) =>
    prefixes.map((prefix, i) => {
      const counter = prefixes.slice(0, i + 1).filter((one) => one === prefix).length
      return prefix === 'h-' ? `h-${i}` : `${prefix}-${counter}`
    }),
  )
const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 40, maxLength: 40 })
const step = fc.record({
  who: fc.nat(2),
  again: fc.boolean(),
  together: fc.boolean(),
  restart: fc.nat(9),
  trim: fc.nat(9),
})

function cut(ids: readonly string[], lengths: readonly number[]): string[][] {
  const batches: string[][] = []
  let from = 0
  for (const length of lengths) {
    if (from < ids.length) batches.push(ids.slice(from, from + length))
    from += length
  }
  return batches
}

test.each([
  ['memory', 300, memoryStore],
  ['SQLite', 10, () => sqliteStore(join(folder, `${++files}.db`))],
] as const)(
  'devices with one log bring each of its events once, in order, into a room in %s, be it trimmed meanwhile',
  async (_, numRuns, open) => {
    await fc.assert(
      fc.asyncProperty(
        logged,
        fc.boolean(),
        fc.tuple(sizes, sizes, sizes),
        fc.array(step, { minLength: 60, maxLength: 60 }),
        async (all, trims, partitions, steps) => {
          // What has no counter is forgotten with its place, and comes from no device.
          const ids = trims ? all.filter((id) => !id.startsWith('h')) : all
          const store = open()
          const taken: string[] = []
          let host = hostOf(store, taken)
          const copies = partitions.map((lengths, i) => new Copy(`d${i}`, cut(ids, lengths)))
          for (const copy of copies) await copy.join(host)
          for (const { who, again, together, restart, trim } of steps) {
            // Another process takes over: what it knows it has from the store.
            if (restart === 0) host = hostOf(store, taken)
            const trimmed =
              trims && trim === 0 && store.trim('r', { ...ALL, since: 0, events: 3 }, ALL)
            const sending = together ? copies : [copies[who] as Copy]
            await Promise.all([trimmed, ...sending.map((copy) => copy.send(host, again))])
          }
          for (const copy of copies) while (!copy.done) await copy.send(host, false)
          expect(new Set(taken).size).toBe(taken.length)
          for (const prefix of ['p', 'q', 'h'])
            expect(taken.filter((id) => id.startsWith(prefix))).toEqual(
              ids.filter((id) => id.startsWith(prefix)),
            )
          expect(errors).toEqual([])
          await store.close()
        },
      ),
      { numRuns },
    )
  },
)

test.each([
  ['memory', memoryStore],
  ['SQLite', () => sqliteStore(join(folder, `${++files}.db`))],
] as const)(
  'what was trimmed away from a room in %s does not come into it again from a copy',
  async (_, open) => {
    const store = open()
    const host = hostOf(store)
    const original = new Copy('original', [['p-1', 'q-1'], ['p-2'], ['p-3']])
    await original.join(host)
    for (let i = 0; i < 3; i++) await original.send(host, false)
    await store.trim('r', { ...ALL, since: 0, events: 1 }, ALL)
    const copy = new Copy('copy', [['p-1', 'q-1'], ['p-2', 'p-3', 'p-4', 'q-2'], ['p-5']])
    await copy.join(host)
    while (!copy.done) await copy.send(host, false)
    const records = await store.read('r', 0, ALL)
    expect(
      records.map(({ place, batch, indexes, earlier, headers }) => [
        place,
        batch,
        indexes,
        earlier,
        headers.map(({ id }) => id),
      ]),
    ).toEqual([
      [4, 3, [0], undefined, ['p-3']],
      // Of what is not there any more nobody can say where it stood.
      [5, 1, [], undefined, []],
      [6, 2, [2, 3], [[1, 4]], ['p-4', 'q-2']],
      [8, 3, [0], undefined, ['p-5']],
    ])
    expect(errors).toEqual([])
    await store.close()
  },
)

test.each([
  ['memory', memoryStore],
  ['SQLite', () => sqliteStore(join(folder, `${++files}.db`))],
] as const)(
  'what a room in %s lost, and its publisher had trimmed, comes into it from a copy, though what followed it was trimmed away there',
  async (_, open) => {
    const store = open()
    const taken: string[] = []
    const host = hostOf(store, taken)
    // The room is restored from a backup that has batch 1 only; of batches 2 and 3 the original's log
    // has nothing any more, so that it goes on with batch 4.
    const all = [['p-1'], ['p-2', 'p-3'], ['p-4'], ['p-5'], ['p-6']]
    const original = new Copy('original', all)
    await original.join(host)
    await original.send(host, false)
    original.forget(2)
    while (!original.done) await original.send(host, false)
    await store.trim('r', { ...ALL, since: 0, events: 1 }, ALL)
    expect(taken).toEqual(['p-1', 'p-5', 'p-6'])

    const copy = new Copy('copy', all)
    await copy.join(host)
    while (!copy.done) await copy.send(host, false)
    expect(taken).toEqual(['p-1', 'p-5', 'p-6', 'p-2', 'p-3', 'p-4'])
    expect(errors).toEqual([])
    await store.close()
  },
)

test('a post that comes again is found by its first event, and one that only began before by each', async () => {
  const store = memoryStore()
  const find = store.find.bind(store)
  const asked: string[] = []
  store.find = (room, id) => {
    asked.push(id)
    return find(room, id)
  }
  const host = hostOf(store)
  const post = (...ids: string[]) => {
    const header = { type: 'a.b', source: 's', time: 1 }
    const events = ids.map((id) => ({ id: `h-${id}`, header, data: id }))
    return host.post({ mayPublish: () => true, events }, 1)
  }
  const first = await post('1', '2', '3')
  asked.length = 0
  const again = await post('1', '2', '3')
  expect(asked).toEqual(['h-1'])
  expect(again.events).toEqual(first.events.map((event) => ({ ...event, existing: true })))
  const more = await post('2', '3', '4', '5')
  expect(more.events.map(({ existing }) => existing)).toEqual([true, true, false, false])
  expect(asked).toEqual(['h-1', 'h-2', 'h-4', 'h-5'])
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AckFrame, EventHeader, Expected, Refusal } from '@crosstown/bus/protocol'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Reply } from './commands.ts'
import { linesOf } from './judge.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { Meter } from './metrics.ts'
import { createRelay } from './relay.ts'
import { conflictsOf } from './revisions.ts'
import { RoomHost } from './room-host.ts'
import { memoryStore } from './stores/memory.ts'
import { sqliteStore } from './stores/sqlite.ts'
import type { Store } from './stores/store.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, publishOf, TERM } from './testing/probe.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-revisions-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const errors: unknown[] = []

function hostOf(store: Store): RoomHost {
  return new RoomHost('r', {
    meter: new Meter(),
    store,
    platform: new ManualPlatform(),
    limits: DEFAULT_LIMITS,
    report: (error) => void errors.push(error),
  })
}

interface Spec {
  readonly stream: string | undefined
  readonly expected?: Expected | undefined
  readonly group?: number | undefined
}

/** A device in a room that may end and be read again. */
class Device {
  readonly #id: string
  #batch = 0
  #counter = 0

  constructor(id: string) {
    this.#id = id
  }

  async join(host: RoomHost): Promise<void> {
    const device = { device: this.#id, secretHash: 'h', subject: 's', log: this.#id }
    await host.hello({ ...device, terms: [TERM] })
  }

  /** The next headers, numbered. */
  headers(specs: readonly Spec[]): EventHeader[] {
    return specs.map(({ stream, expected, group }) =>
      headerOf(`${this.#id}-${++this.#counter}`, 'a.b', {
        ...(stream !== undefined && { stream }),
        ...(expected !== undefined && { expected }),
        ...(group !== undefined && { group }),
      }),
    )
  }

  async send(host: RoomHost, events: readonly EventHeader[]): Promise<readonly Refusal[]> {
    const prev = this.#batch === 0 ? undefined : this.#batch
    const frame = publishOf(++this.#batch, prev, events)
    const data = events.map(() => '1')
    const reply = await new Promise<Reply>((done) =>
      host.publish(
        { device: this.#id, mayPublish: () => true, frame, lines: linesOf(frame.events), data },
        1,
        done,
      ),
    )
    expect(reply).toMatchObject({ frame: 'ack', batch: this.#batch })
    return (reply as AckFrame).refused ?? []
  }
}

async function roomWith(store = memoryStore()): Promise<{ host: RoomHost; device: Device }> {
  const host = hostOf(store)
  const device = new Device('d')
  await device.join(host)
  return { host, device }
}

async function revisionsIn(store: Store): Promise<[string, number | undefined][]> {
  const records = await store.read('r', 0, { events: 100_000, bytes: 100_000_000 })
  return records.flatMap(({ headers }) =>
    headers.map(({ id, revision }): [string, number | undefined] => [id, revision]),
  )
}

describe('the revisions of a room', () => {
  it('count the events of each stream from 1, and say so in header and line', async () => {
    const store = memoryStore()
    const { host, device } = await roomWith(store)
    await device.send(
      host,
      device.headers([{ stream: 's' }, { stream: undefined }, { stream: 't' }, { stream: 's' }]),
    )
    expect(await revisionsIn(store)).toEqual([
      ['d-1', 1],
      ['d-2', undefined],
      ['d-3', 1],
      ['d-4', 2],
    ])
    const [record] = await store.read('r', 0, { events: 10, bytes: 1_000_000 })
    expect(record?.headerLines.map((line) => JSON.parse(line))).toEqual(record?.headers)
  })

  it('are what the room says, not what a publisher does', async () => {
    const store = memoryStore()
    const { host, device } = await roomWith(store)
    const [one, other] = device.headers([{ stream: 's', expected: 'none' }, { stream: undefined }])
    const said = [one, other].map((header) => ({ ...(header as EventHeader), revision: 9 }))
    await device.send(host, said)
    const [record] = await store.read('r', 0, { events: 10, bytes: 1_000_000 })
    expect(record?.headers).toEqual([
      headerOf('d-1', 'a.b', { stream: 's', revision: 1 }),
      headerOf('d-2', 'a.b'),
    ])
    expect(record?.headerLines.map((line) => JSON.parse(line))).toEqual(record?.headers)
  })

  const held: [string, Expected, boolean][] = [
    ['none', 'none', false],
    ['exists', 'exists', true],
    ['the newest event', { id: 'd-2' }, true],
    ['an older event', { id: 'd-1' }, false],
    ['the newest revision', 2, true],
    ['an older revision', 1, false],
    ['a later revision', 3, false],
  ]
  it.each(held)('judge an event that expects %s', async (_, expected, holds) => {
    const { host, device } = await roomWith()
    await device.send(host, device.headers([{ stream: 's' }, { stream: 's' }]))
    const refused = await device.send(host, device.headers([{ stream: 's', expected }]))
    expect(refused).toEqual(holds ? [] : [[0, 'conflict', 2]])
  })

  it.each<[string, Expected, boolean]>([
    ['none', 'none', true],
    ['exists', 'exists', false],
    ['an event', { id: 'd-1' }, false],
    ['revision 0', 0, true],
    ['revision 1', 1, false],
  ])('judge the first event of a stream that expects %s', async (_, expected, holds) => {
    const { host, device } = await roomWith()
    const refused = await device.send(host, device.headers([{ stream: 's', expected }]))
    expect(refused).toEqual(holds ? [] : [[0, 'conflict', 0]])
  })

  it('refuse a chain of which the first is refused, within a batch and over several', async () => {
    const { host, device } = await roomWith()
    await device.send(host, device.headers([{ stream: 's' }]))
    const chain = device.headers([
      { stream: 's', expected: 'none' },
      { stream: 's', expected: { id: 'd-2' } },
      { stream: 's', expected: { id: 'd-3' } },
    ])
    expect(await device.send(host, chain.slice(0, 2))).toEqual([
      [0, 'conflict', 1],
      [1, 'conflict', 1],
    ])
    expect(await device.send(host, chain.slice(2))).toEqual([[0, 'conflict', 1]])
  })

  it('refuse a group whole, and what counted on the first of it', async () => {
    const { host, device } = await roomWith()
    const events = device.headers([
      { stream: 's', expected: 'none', group: 1 },
      { stream: 't', expected: 'exists', group: 1 },
      { stream: 's', expected: { id: 'd-1' } },
      { stream: 's', expected: 'none' },
    ])
    expect(await device.send(host, events)).toEqual([
      [0, 'conflict', 0],
      [1, 'conflict', 0],
      [2, 'conflict', 0],
    ])
  })

  it('do not judge again what another copy of the device brought before', async () => {
    const store = memoryStore()
    const host = hostOf(store)
    const frame = publishOf(1, undefined, [headerOf('x-1', 'a', { stream: 's', expected: 'none' })])
    for (const device of ['one', 'two']) {
      const hello = { device, secretHash: 'h', subject: 's', log: 'one log', terms: [TERM] }
      await host.hello(hello)
    }
    for (const device of ['one', 'two']) {
      const command = { device, mayPublish: () => true, frame, data: ['1'] }
      const reply = await new Promise<Reply>((done) =>
        host.publish({ ...command, lines: linesOf(frame.events) }, 1, done),
      )
      expect(reply).toEqual({ frame: 'ack', batch: 1 })
    }
    expect(await revisionsIn(store)).toEqual([['x-1', 1]])
  })

  it('judge a post with all that is in it, and take none of it or all', async () => {
    const store = memoryStore()
    const host = hostOf(store)
    const post = (...specs: Spec[]) =>
      host.post(
        {
          mayPublish: () => true,
          events: specs.map(({ stream, expected }) => ({
            header: {
              type: 'a.b',
              source: 's',
              time: 1,
              ...(stream !== undefined && { stream }),
              ...(expected !== undefined && { expected }),
            },
            data: '1',
          })),
        },
        1,
      )
    const { events } = await post({ stream: 's', expected: 'none' }, { stream: 's', expected: 1 })
    expect(events.map(({ revision }) => revision)).toEqual([1, 2])
    const failed = post({ stream: 't', expected: 'none' }, { stream: 's', expected: 1 })
    await expect(failed).rejects.toMatchObject({ code: 'conflict', currentRevision: 2 })
    expect(await revisionsIn(store)).toHaveLength(2)
  })

  it('cost a batch of conflicts in groups no more than a moment', () => {
    const headers = Array.from({ length: 1_000 }, (_, i) =>
      headerOf(`d-${i}`, 'a', {
        stream: `s-${i}`,
        group: Math.floor(i / 2) + 1,
        ...(i % 2 === 1 && { expected: 'exists' as const }),
      }),
    )
    const all = conflictsOf(
      headers,
      (i) => `d-${i}`,
      () => false,
      () => undefined,
    )
    expect(all.size).toBe(1_000)
  })
})

describe('a post that expects a revision', () => {
  const relay = createRelay()
  afterAll(() => relay.close())
  const post = async (body: object): Promise<[number, unknown]> => {
    const response = await relay.request('http://127.0.0.1/rooms/r/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const { events, error } = (await response.json()) as {
      events?: { revision?: number }[]
      error?: { code: string; currentRevision?: number }
    }
    const said = error ? [error.code, error.currentRevision] : events?.map((one) => one.revision)
    return [response.status, said]
  }
  const event = (expectedRevision: unknown, more: object = {}) => ({
    type: 'a.b',
    stream: 's',
    expectedRevision,
    ...more,
  })

  it('answers with revisions, or with the current one', async () => {
    expect(await post({ type: 'a.b', id: 'x', stream: 's', expectedRevision: 'none' })).toEqual([
      201,
      [1],
    ])
    expect(await post(event('none'))).toEqual([409, ['conflict', 1]])
    expect(await post(event(0))).toEqual([409, ['conflict', 1]])
    expect(await post(event('any'))).toEqual([201, [2]])
    expect(await post([event(2), event(3), { type: 'a.b' }])).toEqual([201, [3, 4, undefined]])
    expect(await post([event(4), event(4)])).toEqual([409, ['conflict', 4]])
    expect(await post(event('exists'))).toEqual([201, [5]])
    // Sent again after a lost answer, it is answered as before.
    expect(await post(event('none', { id: 'x' }))).toEqual([200, [1]])
  })

  it.each([
    ['without a stream', { type: 'a.b', expectedRevision: 1 }],
    ['below 0', event(-1)],
    ['that is a text', event('1')],
    ['that is nothing', event(null)],
  ])('is refused with one %s', async (_, body) => {
    expect(await post(body)).toEqual([400, ['invalid_options', undefined]])
  })

  it('says revisions to who reads, in pages and single events', async () => {
    const get = async (path: string) =>
      (await relay.request(`http://127.0.0.1/rooms/r/events${path}`)).json() as Promise<{
        events: { id: string; revision?: number }[]
        revision?: number
      }>
    const { events } = await get('?stream=s')
    expect(events.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5])
    expect(await get(`/${events[2]?.id}`)).toMatchObject({ revision: 3 })
  })
})

describe('any traffic in a room', () => {
  /** Neighbours that are published together, or one event. */
  const unit = fc.array(
    fc.record({
      stream: fc.constantFrom('s', 's', 't', undefined),
      expects: fc.constantFrom('any', 'none', 'exists', 'head', 'older', 'next', 'number', 'wrong'),
    }),
    { minLength: 1, maxLength: 3 },
  )
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        who: fc.nat(2),
        units: fc.array(unit, { minLength: 1, maxLength: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const) }) },
  )

  it.each([
    ['memory', () => memoryStore()],
    ['SQLite', (n: number) => sqliteStore(join(folder, `${n}.db`))],
  ] as [string, (n: number) => Store][])(
    'gives each stream revisions without a gap, and refuses just what is not as expected, in %s',
    async (_, make) => {
      let runs = 0
      const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const store = make(++runs)
        let host = hostOf(store)
        const devices = [new Device('d'), new Device('e'), new Device('f')]
        for (const device of devices) await device.join(host)
        /** Ids of all events that each stream ever had: the revision is the index, from 1. */
        const model = new Map<string, string[]>()
        for (const one of steps) {
          if (one.do === 'restart') host = hostOf(store)
          else if (one.do === 'trim') {
            await store.trim(
              'r',
              { events: 2, bytes: 1_000_000, since: 0 },
              { events: 100, bytes: 1_000_000 },
            )
          } else {
            const device = devices[one.who] as Device
            const refusals: [number, number][] = []
            const headers: EventHeader[] = []
            for (const [u, specs] of one.units.entries()) {
              const first = headers.length
              // All of a unit or nothing: it is tried on a copy.
              const tried = new Map([...model].map(([stream, ids]) => [stream, [...ids]]))
              let failed: number | undefined
              for (const { stream, expects } of specs) {
                const ids = stream === undefined ? [] : (tried.get(stream) ?? [])
                const [header] = device.headers([
                  {
                    stream,
                    expected: stream === undefined ? undefined : expectedOf(expects, ids),
                    group: specs.length > 1 ? u + 1 : undefined,
                  },
                ]) as [EventHeader]
                headers.push(header)
                if (stream === undefined || failed !== undefined) continue
                if (!isRight(expects, ids)) failed = model.get(stream)?.length ?? 0
                tried.set(stream, [...ids, header.id])
              }
              if (failed === undefined) for (const [stream, ids] of tried) model.set(stream, ids)
              else for (let i = first; i < headers.length; i++) refusals.push([i, failed])
            }
            expect(await device.send(host, headers)).toEqual(
              refusals.map(([i, revision]) => [i, 'conflict', revision]),
            )
          }
          for (const [id, revision] of await revisionsIn(store)) {
            const stream = [...model].find(([, ids]) => ids.includes(id))
            expect(revision).toBe(stream && stream[1].indexOf(id) + 1)
          }
        }
        await store.close()
      })
      await fc.assert(property)
      expect(errors).toEqual([])
    },
  )

  function expectedOf(expects: string, ids: readonly string[]): Expected | undefined {
    if (expects === 'any') return undefined
    if (expects === 'none' || expects === 'exists') return expects
    if (expects === 'head') return { id: ids.at(-1) ?? 'nobody' }
    if (expects === 'older') return { id: ids.at(-2) ?? 'nobody' }
    if (expects === 'next') return ids.length + 1
    return expects === 'number' ? ids.length : { id: 'nobody' }
  }

  function isRight(expects: string, ids: readonly string[]): boolean {
    if (expects === 'none') return ids.length === 0
    if (expects === 'exists' || expects === 'head') return ids.length > 0
    return expects === 'any' || expects === 'number'
  }
})

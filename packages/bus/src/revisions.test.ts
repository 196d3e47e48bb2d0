/** `expectedRevision` and `revision` where no relay decides: the log of the device does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { BusError, isBusError } from './errors.ts'
import type { BusEvent } from './event.ts'
import type { LogSource } from './log/log.ts'
import { MemoryLog, memoryLog } from './log/memory.ts'
import { MemoryRows } from './log/memory-rows.ts'
import { sqliteLog } from './log/sqlite.ts'
import type { BusOptions } from './options.ts'
import { runtimePlatform } from './platform.ts'
import { createBusOn } from './testing/whole-bus.ts'
import type { Bus, PublishOptions } from './types.ts'

type AnyBus = Bus<Record<string, unknown>>

let folder = ''
let made = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bus-revisions-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const buses: AnyBus[] = []
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
})

function busOf(options: Partial<BusOptions> = {}): AnyBus {
  const name = options.name ?? `r${++made}`
  const bus = createBusOn({ onError: () => {}, ...options, name }, runtimePlatform())
  buses.push(bus)
  return bus
}

const at = (expectedRevision: 'any' | 'none' | 'exists' | number): PublishOptions => ({
  stream: 's',
  expectedRevision,
})

async function failure(promise: Promise<unknown>): Promise<BusError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (isBusError(error)) return error
  throw new Error('it did not fail')
}

describe.each<[string, () => LogSource | undefined]>([
  ['memory', () => undefined],
  ['SQLite', () => sqliteLog(join(folder, `${++made}.db`))],
])('ten contexts that write to one stream in %s', (_, log) => {
  test('have each revision once, and who loses hears of the one there is', async () => {
    const source = log()
    const name = `ten${++made}`
    const writers = Array.from({ length: 10 }, () =>
      busOf({ name, ...(source && { log: source }) }),
    )
    const conflicts: number[] = []
    const write = async (bus: AnyBus): Promise<number[]> => {
      const revisions: number[] = []
      let known = 0
      while (revisions.length < 10) {
        try {
          const event = await bus.publish('a', 1, at(known))
          known = event.revision as number
          revisions.push(known)
        } catch (error) {
          if (!isBusError(error, 'conflict')) throw error
          known = error.currentRevision as number
          conflicts.push(known)
        }
      }
      return revisions
    }
    const all = (await Promise.all(writers.map(write))).flat()
    const whole = Array.from({ length: 100 }, (_, i) => i + 1)
    expect(all.sort((a, b) => a - b)).toEqual(whole)
    expect(conflicts.length).toBeGreaterThan(0)
    const events = await (writers[0] as AnyBus).loadStream('s')
    expect(events.map(({ revision }) => revision)).toEqual(whole)
  })
})

describe('without a relay', () => {
  test('handlers hear nothing of a refused event, and what follows in its order', async () => {
    const name = `heard${++made}`
    const [bus, other] = [busOf({ name }), busOf({ name })]
    const heard: unknown[] = []
    const theirs: unknown[] = []
    bus.subscribe('**', ({ data, revision }) => heard.push([data, revision]))
    other.subscribe('**', ({ data, revision }) => theirs.push([data, revision]))
    await other.publish('a', 0, { stream: 't' })
    const results = await Promise.allSettled([
      bus.publish('a', 1, at('none')),
      bus.publish('a', 2),
      bus.publish('a', 3, at(7)),
      bus.publish('a', 4),
      bus.publish('a', 5, at(1)),
      bus.publish('a', 6, { persist: false }),
    ])
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
    ])
    const whole = [
      [1, 1],
      [2, undefined],
      [4, undefined],
      [5, 2],
      [6, undefined],
    ]
    await expect.poll(() => heard).toEqual([[0, undefined], ...whole])
    await expect.poll(() => theirs).toEqual([[0, undefined], ...whole])
  })

  /** Two contexts of a device; the first judged write is cut off, and then `meanwhile` happens. */
  function cutOff(meanwhile: (other: AnyBus) => Promise<unknown> = async () => {}) {
    const rows = new MemoryRows(runtimePlatform())
    const name = `cut${++made}`
    const reported: BusError[] = []
    let cut = false
    const create = (): MemoryLog => {
      const log = new MemoryLog(runtimePlatform(), rows)
      const lost = Promise.withResolvers<BusError>()
      const watch = log.watch.bind(log)
      log.watch = (tell) => {
        watch(tell)
        void lost.promise.then(tell)
      }
      const append = log.appendExpected.bind(log)
      log.appendExpected = async (expected, make, begun) => {
        if (cut) return append(expected, make, begun)
        cut = true
        make(new Map([['s', 0]]))
        begun?.()
        await meanwhile(other)
        const error = new BusError('log_lost', 'cut off', { stage: 'log' })
        lost.resolve(error)
        throw error
      }
      return log
    }
    const log: LogSource = { kind: 'memory', required: true, available: () => true, create }
    const bus = busOf({ name, log })
    const other = busOf({ name, log, onError: (error) => reported.push(error) })
    return { bus, other, reported }
  }

  test('an event whose write was cut off is written again, and what follows goes on', async () => {
    const { bus } = cutOff()
    await bus.publish('begin')
    const all = await Promise.all([bus.publish('a', 1, at('none')), bus.publish('a', 2, at(1))])
    expect(all.map(({ revision }) => revision)).toEqual([1, 2])
    expect((await bus.loadStream('s')).map(({ data }) => data)).toEqual([1, 2])
  })

  test('an event that others heard before its write was cut off is withdrawn if it is refused', async () => {
    const { bus, other, reported } = cutOff((faster) => faster.publish('a', 2, { stream: 's' }))
    const heard: unknown[] = []
    other.subscribe('a', ({ data }) => heard.push(data))
    await Promise.all([bus, other].map((one) => one.publish('begin')))
    expect(await failure(bus.publish('a', 1, at('none')))).toMatchObject({ code: 'conflict' })
    await expect.poll(() => heard).toContain(1)
    await expect.poll(() => reported).toMatchObject([{ code: 'conflict', stage: 'log' }])
    expect((await other.loadStream('s')).map(({ data }) => data)).toEqual([2])
  })

  test('a refused publish is told with the event type and the revision there is', async () => {
    const bus = busOf()
    await bus.publish('a', 1, at('none'))
    expect(await failure(bus.publish('a.b', 2, at('none')))).toMatchObject({
      code: 'conflict',
      currentRevision: 1,
      retryable: false,
      message: expect.stringContaining('s is not as expected'),
    })
    expect(bus.status.lastError).toBe(undefined)
  })

  test('one that nobody awaits is reported', async () => {
    const errors: BusError[] = []
    const bus = busOf({ onError: (error) => errors.push(error) })
    await bus.publish('a', 1, { ...at(1), until: 'accepted' })
    void bus.publish('a', 2, at(1))
    await expect.poll(() => errors.map(({ code }) => code)).toEqual(['conflict', 'conflict'])
  })

  test('publishBatch is in the log as a whole or not at all', async () => {
    const bus = busOf()
    await failure(
      bus.publishBatch([
        { type: 'a', data: 1, ...at('none') },
        { type: 'a', data: 2, stream: 't', expectedRevision: 'exists' },
      ]),
    )
    expect(await bus.loadStream('s')).toEqual([])
    const events = await bus.publishBatch([
      { type: 'a', data: 1, ...at('none') },
      { type: 'a', data: 2, stream: 't' },
      { type: 'a', data: 3, ...at(1) },
    ])
    expect(events.map(({ revision }) => revision)).toEqual([1, undefined, 2])
    expect((await bus.loadStream('t')).map(({ revision }) => revision)).toEqual([1])
  })

  test('events have their revisions wherever they are read', async () => {
    const bus = busOf()
    for (let i = 0; i < 40; i++) await bus.publish('a', i, { stream: `s${i % 3}` })
    await bus.publish('a', 40)
    const expected = Array.from({ length: 41 }, (_, i) =>
      i === 40 ? undefined : Math.floor(i / 3) + 1,
    )
    const revisions = async (events: AsyncIterable<BusEvent>): Promise<unknown[]> => {
      const found: unknown[] = []
      for await (const { revision } of events) found.push(revision)
      return found
    }
    const all: BusEvent[] = []
    for await (const event of bus.replay()) all.push(event)
    expect(all.map(({ revision }) => revision)).toEqual(expected)
    expect(await revisions(bus.replay({ from: { last: 5 } }))).toEqual(expected.slice(-5))
    expect(await revisions(bus.replay({ from: all[35]?.offset, order: 'room' }))).toEqual(
      expected.slice(35),
    )
    expect(await revisions(bus.replay({ stream: 's1', limit: 3 }))).toEqual([1, 2, 3])
    const caught: unknown[] = []
    bus.subscribe('a', ({ revision }) => caught.push(revision), { from: all[20]?.offset })
    await expect.poll(() => caught).toEqual(expected.slice(20))
    for (const { id, revision } of all) expect((await bus.get(id))?.revision).toBe(revision)
    const loaded = await bus.loadStream('s0', { fromRevision: 12 })
    expect(loaded.map(({ revision }) => revision)).toEqual([12, 13, 14])
  })

  test('go on after retention took all that a stream had', async () => {
    const log = memoryLog()
    const name = `trimmed${++made}`
    const keeper = log.create(name, '', runtimePlatform())
    const bus = busOf({ name, log: { ...log, create: () => keeper } })
    for (let i = 0; i < 5; i++) await bus.publish('a', i, { stream: 's' })
    await bus.publish('a', 5)
    const limits = { events: 1, bytes: Number.POSITIVE_INFINITY, before: 0 }
    while ((await keeper.trim(limits, false)).more);
    expect(await bus.loadStream('s')).toEqual([])
    expect(await failure(bus.publish('a', 6, at('none')))).toMatchObject({ currentRevision: 5 })
    expect(await bus.publish('a', 6, at('exists'))).toMatchObject({ revision: 6 })
    expect((await bus.loadStream('s')).map(({ revision }) => revision)).toEqual([6])
    const [event] = await bus.loadStream('s')
    expect(await bus.get(event?.id ?? '')).toMatchObject({ revision: 6 })
  })
})

describe('a revision that is read', () => {
  /** A bus, and the log that it has. */
  function logged(): { bus: AnyBus; log: MemoryLog; rows: MemoryRows } {
    const rows = new MemoryRows(runtimePlatform())
    const log = new MemoryLog(runtimePlatform(), rows)
    const source = { kind: 'memory', required: true, available: () => true, create: () => log }
    return { bus: busOf({ log: source as LogSource, tabs: false }), log, rows }
  }
  const revisionsOf = async (events: AsyncIterable<BusEvent>): Promise<unknown[]> => {
    const found: unknown[] = []
    for await (const { revision } of events) found.push(revision)
    return found
  }

  test('is right where retention takes what a slow replay has not come to', async () => {
    const { bus, log } = logged()
    for (let n = 0; n < 100; n++) await bus.publish('a', n, { stream: 's' })
    const found: unknown[][] = []
    for await (const { data, revision } of bus.replay()) {
      found.push([data, revision])
      const limits = { events: 10, bytes: Number.POSITIVE_INFINITY, before: 0 }
      while (found.length === 1 && (await log.trim(limits, false)).more);
    }
    expect(found.length).toBeLessThan(100)
    expect(found).toEqual(found.map(([data]) => [data, (data as number) + 1]))
  })

  test('is the same in every reading, also behind a record that is damaged', async () => {
    const { bus, rows } = logged()
    for (let n = 0; n < 4; n++) await bus.publish('a', n, { stream: 's' })
    Object.assign(rows.batches[1] ?? {}, { headers: '[' })
    const loaded = await bus.loadStream('s')
    expect(loaded.map(({ revision }) => revision)).toEqual([1, 3, 4])
    expect(await revisionsOf(bus.replay())).toEqual([1, 3, 4])
    expect(await bus.get(loaded[2]?.id ?? '')).toMatchObject({ revision: 4 })
    expect(await bus.publish('a', 4, at(4))).toMatchObject({ revision: 5 })
  })

  test('counts no streams but those of the events that are read', async () => {
    const { bus, log } = logged()
    const streams = ['s', 't', 'u', 'v']
    await bus.publishBatch(streams.map((stream) => ({ type: stream, stream })))
    const more = await bus.publishBatch(streams.map((stream) => ({ type: stream, stream })))
    const asked: (readonly string[])[] = []
    const count = log.countStreams.bind(log)
    log.countStreams = (names, before) => {
      asked.push(names)
      return count(names, before)
    }
    expect(await bus.get(more[1]?.id ?? '')).toMatchObject({ revision: 2 })
    expect(await revisionsOf(bus.replay({ pattern: 'u' }))).toEqual([1, 2])
    expect(await revisionsOf(bus.replay({ from: { last: 1 } }))).toEqual([2])
    expect(await revisionsOf(bus.replay({ stream: 'none' }))).toEqual([])
    expect(asked).toEqual([['t'], ['u'], ['v']])
  })
})

describe('an expected revision', () => {
  const wrong: [string, object, string][] = [
    ['without a stream', { expectedRevision: 1 }, 'invalid_options'],
    ["of 'any' without a stream", { expectedRevision: 'any' }, 'invalid_options'],
    ['below 0', { stream: 's', expectedRevision: -1 }, 'invalid_options'],
    ['that is no whole number', { stream: 's', expectedRevision: 1.5 }, 'invalid_options'],
    ['of another word', { stream: 's', expectedRevision: 'some' }, 'invalid_options'],
    ['of what is not kept', { ...at(1), persist: false }, 'unreachable'],
    ['of what stays in its context', { ...at(1), scope: 'context' }, 'unreachable'],
  ]
  test.each(wrong)('%s is refused', async (_, options, code) => {
    const bus = busOf()
    expect((await failure(bus.publish('a', 1, options as PublishOptions))).code).toBe(code)
    const batch = [{ type: 'a', data: 1, ...options }] as Parameters<AnyBus['publishBatch']>[0]
    expect((await failure(bus.publishBatch(batch))).code).toBe(code)
  })

  test('on a bus without a log is refused', async () => {
    for (const options of [{ log: false, tabs: false }, { log: false }] as const) {
      const bus = busOf(options)
      expect((await failure(bus.publish('a', 1, at('none')))).code).toBe('unreachable')
    }
  })

  test('in a context whose events another one keeps is refused', async () => {
    const link = { send() {}, receive() {}, close() {} }
    const bus = busOf({ log: false, tabs: false, links: [link] })
    expect((await failure(bus.publish('a', 1, at('none')))).code).toBe('unreachable')
  })

  test('of 0 is that of a stream without events', async () => {
    const bus = busOf()
    expect(await bus.publish('a', 1, at(0))).toMatchObject({ revision: 1 })
    expect(await failure(bus.publish('a', 1, at(0)))).toMatchObject({ code: 'conflict' })
  })

  test("of 'any' expects nothing", async () => {
    const bus = busOf()
    await bus.publish('a', 1, at('any'))
    await bus.publish('a', 1, at('any'))
    expect((await bus.loadStream('s')).map(({ revision }) => revision)).toEqual([1, 2])
  })

  test('from which a stream is loaded must be a number', async () => {
    const bus = busOf()
    const error = await failure(bus.loadStream('s', { fromRevision: -1 }))
    expect(error.code).toBe('invalid_options')
  })
})

import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { createBus } from '../bus.ts'
import { BusError } from '../errors.ts'
import { offsetOf } from '../event.ts'
import type { Log, StoredBatch } from '../log/log.ts'
import { MemoryLog, memoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import { sqliteLog } from '../log/sqlite.ts'
import { runtimePlatform } from '../platform.ts'
import { own } from '../testing/log-records.ts'
import { all, readContract, sourceOf } from '../testing/read-contract.ts'
import type { ReplayOptions, ReplayProgress } from '../types.ts'
import { replay } from './replay.ts'

const platform = runtimePlatform()
readContract('memory', { describe, it }, () => new MemoryLog(platform))
readContract('sqlite', { describe, it }, () => sqliteLog(':memory:').create('a', '', platform))

let log: Log
beforeEach(async () => {
  log = new MemoryLog(platform)
  await log.open()
})
afterEach(() => log.close())

async function write(batches: number, timeOf: (n: number) => number = () => 1): Promise<void> {
  for (let n = 1; n <= batches; n++) await log.append(own([[`a-${n}`]], undefined, timeOf(n)))
}

/** Its connection is lost at the third read. */
class LosingLog extends MemoryLog {
  lost = false
  #reads = 0

  override async read(from: number, limit: number): Promise<StoredBatch[]> {
    this.lost ||= ++this.#reads === 3
    if (this.lost) throw new BusError('log_lost', 'the connection was lost')
    return super.read(from, limit)
  }
}

describe('a replay', () => {
  test('ends at the head it found', async () => {
    await write(40)
    const seen: string[] = []
    for await (const { id } of replay({}, sourceOf(log).source)) {
      seen.push(id)
      await log.append(own([[`b-${seen.length}`]]))
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => `a-${n + 1}`))
  })

  test('reads nothing before it is asked for the first event', async () => {
    await write(1)
    const watched = sourceOf(log)
    replay({}, watched.source)
    await new Promise((resolve) => setImmediate(resolve))
    expect([watched.opened, watched.holds]).toEqual([0, 0])
  })

  test('gives events asked for at the same time in order', async () => {
    await write(3)
    const events = replay({}, sourceOf(log).source)
    const steps = await Promise.all([1, 2, 3, 4, 5].map(() => events.next()))
    expect(steps.map(({ value }) => value?.id)).toEqual(['a-1', 'a-2', 'a-3', undefined, undefined])
  })

  test('that is left early holds nothing', async () => {
    await write(100)
    const watched = sourceOf(log)
    for await (const { id } of replay({}, watched.source)) if (id === 'a-3') break
    expect(watched.holds).toBe(0)
    expect(watched.decoded).toEqual(['a-1', 'a-2', 'a-3'])
  })

  test('tells its progress, from nothing to all', async () => {
    await write(1_000)
    const told: ReplayProgress[] = []
    const options = { onProgress: (progress: ReplayProgress) => told.push(progress) }
    await all(replay(options, sourceOf(log).source))
    expect(told.length).toBeGreaterThan(50)
    expect(told.length).toBeLessThan(105)
    expect(told.at(-1)).toEqual({ done: 1_000, total: 1_000, events: 1_000 })
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).sort((a, b) => a - b))
    expect(told.every(({ done, events }) => done === events)).toBe(true)
  })

  test('goes on when onProgress throws, and says so', async () => {
    await write(2)
    const watched = sourceOf(log)
    const onProgress = (): void => {
      throw new Error('no')
    }
    expect(await all(replay({ onProgress }, watched.source))).toHaveLength(2)
    expect(watched.reported.map(({ code }) => code)).toContain('handler_failed')
  })

  test('decodes only what matches', async () => {
    for (let n = 1; n <= 20; n++) {
      await log.append(own([[`a-${n}`, { type: n % 5 === 0 ? 'five' : 'other' }]]))
    }
    const watched = sourceOf(log)
    await all(replay({ pattern: 'five' }, watched.source))
    expect(watched.decoded).toEqual(['a-5', 'a-10', 'a-15', 'a-20'])
  })

  test('goes on in the log that is opened when the connection to it is lost', async () => {
    const rows = new MemoryRows(platform)
    const [first, second] = [new LosingLog(platform, rows), new MemoryLog(platform, rows)]
    await first.open()
    await second.open()
    for (let n = 0; n < 100; n++) await second.append(own([[`a-${n}`]]))
    const { source } = sourceOf(log)
    const open = async () => (first.lost ? second : first)
    const events = await all(replay({}, { ...source, open }))
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, n) => `a-${n}`))
    expect(first.lost).toBe(true)
  })

  test('fails when another log takes the place of the one it reads', async () => {
    await write(100)
    const other = new MemoryLog(platform)
    await other.open()
    const { source } = sourceOf(log)
    let current = log
    const events = replay({}, { ...source, open: async () => current })
    await events.next()
    current = other
    await expect(all(events)).rejects.toMatchObject({ code: 'log_cleared' })
  })

  test('fails when its bus closes', async () => {
    await write(100)
    const watched = sourceOf(log)
    const events = replay({ speed: 'original' }, watched.source)
    await events.next()
    watched.close()
    await expect(events.next()).rejects.toMatchObject({ code: 'closed' })
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test.each<[string, unknown]>([
    ['from', -1],
    ['to', {}],
    ['order', 'time'],
    ['speed', 0],
    ['speed', Number.NaN],
    ['speed', 'fast'],
    ['limit', -1],
    ['limit', 1.5],
  ])('refuses %s %o', (name, value) => {
    const { source } = sourceOf(log)
    expect(() => replay({ [name]: value } as ReplayOptions<string>, source)).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
  })
})

describe('a replay at the original speed', () => {
  const times = [0, 100, 100, 5_000, 3_600_000]

  async function givenAt(speed: number | 'original'): Promise<number[]> {
    await write(times.length, (n) => 1_000 + (times[n - 1] as number))
    const { source, platform: clock } = sourceOf(log)
    const given: number[] = []
    const done = (async () => {
      for await (const _ of replay({ speed }, source)) given.push(clock.monotonic())
    })()
    let over = false
    void done.then(() => {
      over = true
    })
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve))
      // Whenever it waits, to the very end of the wait.
      if (clock.timers > 0) clock.advanceToNext()
    }
    return given
  }

  test('keeps the pauses between the events', async () => {
    expect(await givenAt('original')).toEqual(times)
  })

  test('or divides them', async () => {
    expect(await givenAt(10)).toEqual(times.map((time) => time / 10))
  })

  test('waits for nobody who is aborted', async () => {
    await write(2, (n) => n * 1_000_000)
    const watched = sourceOf(log)
    const ending = new AbortController()
    const events = replay({ speed: 'original', signal: ending.signal }, watched.source)
    await events.next()
    const waiting = events.next()
    await new Promise((resolve) => setImmediate(resolve))
    expect(watched.holds).toBe(2)
    ending.abort()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(watched.holds).toBe(0)
  })
})

describe('replay of a bus', () => {
  const onError = (): void => {}

  test('gives what was published, as it was', async () => {
    const bus = createBus({ name: 'replayed', log: memoryLog(), tabs: false, onError })
    await bus.publish('cart.item_added', new Map([[1, { sku: 'A1' }]]), { stream: 's' })
    await bus.publishBatch([{ type: 'cart.cleared' }, { type: 'order.created', data: 7 }])
    const events = await all(bus.replay({ pattern: ['cart.*'] }))
    expect(events.map(({ type, data, offset }) => [type, data, offset])).toEqual([
      ['cart.item_added', new Map([[1, { sku: 'A1' }]]), offsetOf(1, 0)],
      ['cart.cleared', undefined, offsetOf(2, 0)],
    ])
    expect(await all(bus.replay({ order: 'room' }))).toHaveLength(3)
    await bus.close()
    expect(() => bus.replay()).toThrow(expect.objectContaining({ code: 'closed' }))
  })

  test('is refused by one that has no log', async () => {
    const bus = createBus({ name: 'none', log: false, tabs: false, onError })
    expect(() => bus.replay()).toThrow(expect.objectContaining({ code: 'unreachable' }))
    await bus.close()
  })
})

import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS } from '../event.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { Batch, BatchSinks } from './batch.ts'
import { Pipeline, type PipelineLimits } from './pipeline.ts'

/** Sinks whose commits end when the test says so. */
class Sinks implements BatchSinks {
  gate: 'held' | 'late' | 'open' = 'open'
  /** What happened, in order. */
  readonly steps: string[] = []
  readonly batches: Batch[] = []
  readonly #commits: PromiseWithResolvers<number>[] = []

  commit(batch: Batch): Promise<number> | undefined {
    this.batches.push(batch)
    this.steps.push(`commit ${this.batches.length}`)
    if (batch.persisted.length === 0) return undefined
    const commit = Promise.withResolvers<number>()
    this.#commits.push(commit)
    return commit.promise
  }

  deliver(batch: Batch): void {
    this.steps.push(batch.judged ? 'deliver judged' : 'deliver')
  }

  committed(batch: Batch, number: number | undefined): void {
    this.steps.push(`committed ${number}`)
    for (const entry of batch.entries) entry.ticket.resolve()
  }

  failed(batch: Batch, error: unknown): void {
    this.steps.push('failed')
    for (const entry of batch.entries) entry.ticket.reject(error)
  }

  /** Ends the oldest commit, and lets what follows from it happen. */
  async end(outcome: number | Error): Promise<void> {
    const commit = this.#commits.shift()
    if (typeof outcome === 'number') commit?.resolve(outcome)
    else commit?.reject(outcome)
    await setImmediate()
  }

  get sizes(): number[] {
    return this.batches.map((batch) => batch.entries.length)
  }
}

let maker: EntryMaker
let sinks: Sinks
let pipeline: Pipeline

function create(limits: Partial<PipelineLimits> = {}): void {
  maker = new EntryMaker()
  sinks = new Sinks()
  pipeline = new Pipeline(sinks, { queueEvents: 100_000, queueBytes: 2 ** 26, ...limits })
}

beforeEach(() => create())

function add(count = 1): void {
  for (const entry of maker.entries(count)) pipeline.add([entry])
}

describe('idle', () => {
  test('what was published in one task leaves together in its microtask', async () => {
    add(3)
    expect(sinks.batches).toEqual([])
    await Promise.resolve()
    expect(sinks.sizes).toEqual([3])
  })

  test('a batch is handed on in one order: commit begun, then delivered', async () => {
    add()
    await Promise.resolve()
    expect(sinks.steps).toEqual(['commit 1', 'deliver'])
    await sinks.end(7)
    expect(sinks.steps.at(-1)).toBe('committed 7')
  })

  test('a batch that is full begins its commit at once, and is delivered in the microtask', async () => {
    add(MAX_BATCH_EVENTS - 1)
    expect(sinks.steps).toEqual([])
    add(1)
    expect(sinks.steps).toEqual(['commit 1'])
    await Promise.resolve()
    expect(sinks.steps).toEqual(['commit 1', 'deliver'])
  })

  test('full batches that need no commit are delivered in order, and settled after that', async () => {
    for (let n = 0; n < 2 * MAX_BATCH_EVENTS + 1; n++) {
      pipeline.add(maker.entry('a', n, { persist: false }))
    }
    expect(sinks.steps).toEqual(['commit 1', 'commit 2'])
    await setImmediate()
    const settled = ['deliver', 'committed undefined']
    expect(sinks.steps.slice(2)).toEqual([...settled, ...settled, 'commit 3', ...settled])
    expect(sinks.sizes).toEqual([MAX_BATCH_EVENTS, MAX_BATCH_EVENTS, 1])
  })

  test('what is not persisted needs no commit and holds nothing back', async () => {
    pipeline.add([maker.entry('a', 1, { persist: false })])
    await Promise.resolve()
    pipeline.add([maker.entry('a', 2, { persist: false })])
    await Promise.resolve()
    expect(sinks.sizes).toEqual([1, 1])
    expect(sinks.steps.filter((step) => step === 'committed undefined')).toHaveLength(2)
  })
})

describe('busy', () => {
  test('while a batch is in flight the next one fills, and leaves when the first is done', async () => {
    add()
    await setImmediate()
    add(2)
    await setImmediate()
    add(3)
    await setImmediate()
    expect(sinks.sizes).toEqual([1])
    await sinks.end(1)
    expect(sinks.sizes).toEqual([1, 5])
  })

  test('order is the order of adding, over all batches', async () => {
    const all = maker.entries(2_500)
    for (const entry of all) pipeline.add([entry])
    await setImmediate()
    for (const number of [1, 2, 3]) await sinks.end(number)
    expect(sinks.batches.flatMap((batch) => batch.entries)).toEqual(all)
  })

  test('a batch that fails rejects its own tickets, and the next one goes on', async () => {
    const [first, second] = [maker.make('a'), maker.make('a')]
    pipeline.add([first.entry])
    await Promise.resolve()
    pipeline.add([second.entry])
    const failure = new BusError('quota_exceeded', 'full')
    await sinks.end(failure)
    await expect(first.promise).rejects.toBe(failure)
    await sinks.end(2)
    await expect(second.promise).resolves.toBe(second.entry.event)
  })
})

describe('limits of a batch', () => {
  test(`${MAX_BATCH_EVENTS} events at most`, async () => {
    add(MAX_BATCH_EVENTS + 1)
    await setImmediate()
    await sinks.end(1)
    expect(sinks.sizes).toEqual([MAX_BATCH_EVENTS, 1])
  })

  test('512 KiB at most', async () => {
    const big = () => maker.entry('a', 'x'.repeat(200 * 1024))
    for (let i = 0; i < 5; i++) pipeline.add([big()])
    await setImmediate()
    await sinks.end(1)
    await sinks.end(2)
    expect(sinks.sizes).toEqual([2, 2, 1])
    for (const batch of sinks.batches) {
      const bytes = batch.entries.reduce((sum, entry) => sum + entry.bytes, 0)
      expect(bytes).toBeLessThanOrEqual(MAX_BATCH_BYTES)
    }
  })

  test('events of one publishBatch stay together', async () => {
    const group = maker.entries(600)
    add(500)
    pipeline.add(group)
    add(1)
    await setImmediate()
    await sinks.end(1)
    expect(sinks.sizes).toEqual([500, 601])
    expect(sinks.batches[1]?.entries.slice(0, 600)).toEqual(group)
  })
})

test('a batch knows what is persisted and what other contexts hear besides', async () => {
  const logged = maker.entry('a')
  const cast = maker.entry('a', 1, { persist: false })
  const inner = maker.entry('a', 1, { scope: 'context' })
  for (const entry of [logged, cast, inner]) pipeline.add([entry])
  await Promise.resolve()
  expect(sinks.batches).toEqual([
    { entries: [logged, cast, inner], persisted: [logged], casts: [cast] },
  ])
})

describe('an event that expects a revision', () => {
  const expecting = () => maker.entry('a', 1, { stream: 's', expectedRevision: 'none' })

  test('is a batch of its own, and so is each publishBatch with one', async () => {
    add(2)
    pipeline.add([expecting()])
    pipeline.add([maker.entry('a'), expecting()])
    add(2)
    for (let n = 1; n <= 4; n++) {
      await setImmediate()
      await sinks.end(n)
    }
    expect(sinks.batches.map(({ entries, judged }) => [entries.length, judged])).toEqual([
      [2, undefined],
      [1, true],
      [2, true],
      [2, undefined],
    ])
  })

  test('is delivered when it is committed, and what follows it not before', async () => {
    sinks.gate = 'late'
    add()
    pipeline.add([expecting()])
    pipeline.add([expecting()])
    add()
    await setImmediate()
    expect(sinks.steps).toEqual(['commit 1', 'deliver', 'commit 2', 'commit 3', 'commit 4'])
    sinks.steps.length = 0
    await sinks.end(1)
    await sinks.end(2)
    expect(sinks.steps).toEqual(['committed 1', 'deliver judged', 'committed 2'])
    sinks.steps.length = 0
    await sinks.end(3)
    expect(sinks.steps).toEqual(['deliver judged', 'deliver', 'committed 3'])
  })

  test('is not delivered when it is refused, and holds nothing back', async () => {
    sinks.gate = 'late'
    pipeline.add([expecting()])
    add()
    await setImmediate()
    await sinks.end(new BusError('conflict', 'no'))
    expect(sinks.steps).toEqual(['commit 1', 'commit 2', 'deliver', 'failed'])
  })
})

describe('the gate', () => {
  test('held: nothing leaves until it opens', async () => {
    sinks.gate = 'held'
    add(2)
    await setImmediate()
    expect(sinks.batches).toEqual([])
    sinks.gate = 'open'
    pipeline.run()
    expect(sinks.sizes).toEqual([2])
  })

  test('late: batches pass without waiting for the commits before them', async () => {
    sinks.gate = 'late'
    add()
    await setImmediate()
    add()
    await setImmediate()
    expect(sinks.sizes).toEqual([1, 1])
    expect(sinks.steps.filter((step) => step === 'deliver')).toHaveLength(2)
  })

  test('late: what is not committed yet is not drained', async () => {
    sinks.gate = 'late'
    add()
    await setImmediate()
    let drained = false
    const drain = pipeline.drained().then(() => {
      drained = true
    })
    await setImmediate()
    expect(drained).toBe(false)
    sinks.gate = 'open'
    await sinks.end(1)
    await drain
    expect(sinks.steps.at(-1)).toBe('committed 1')
  })

  test('open again: what comes after late commits waits for them, so that order holds', async () => {
    sinks.gate = 'late'
    add()
    await setImmediate()
    sinks.gate = 'open'
    add()
    await setImmediate()
    expect(sinks.sizes).toEqual([1])
    await sinks.end(1)
    expect(sinks.sizes).toEqual([1, 1])
  })
})

describe('draining', () => {
  test('an idle pipeline is drained', async () => {
    await expect(pipeline.drained()).resolves.toBeUndefined()
  })

  test('ends when nothing waits and nothing is in flight', async () => {
    add()
    let drained = false
    void pipeline.drained().then(() => {
      drained = true
    })
    await setImmediate()
    add()
    await sinks.end(1)
    expect(drained).toBe(false)
    await sinks.end(2)
    expect(drained).toBe(true)
  })

  test('ends after a failed batch as well', async () => {
    add()
    await setImmediate()
    const drained = pipeline.drained()
    await sinks.end(new Error('no'))
    await drained
  })
})

describe('the queue', () => {
  test('refuses events over its limit, and takes them again when there is room', async () => {
    create({ queueEvents: 2 })
    add(2)
    expect(() => add()).toThrow(expect.objectContaining({ code: 'buffer_overflow' }))
    await setImmediate()
    add()
    await sinks.end(1)
    expect(sinks.sizes).toEqual([2, 1])
  })

  test('refuses bytes over its limit', () => {
    create({ queueBytes: 200 })
    pipeline.add([maker.entry('a', 'x'.repeat(200))])
    expect(() => add()).toThrow(/limits.queueBytes/)
  })

  test('given up, it rejects what waits and what is in flight, whose outcome nobody will see', async () => {
    const [flying, waiting] = [maker.make('a'), maker.make('a')]
    pipeline.add([flying.entry])
    await Promise.resolve()
    pipeline.add([waiting.entry])
    const closed = new BusError('closed', 'gone')
    pipeline.abandon(closed)
    await expect(waiting.promise).rejects.toBe(closed)
    await expect(flying.promise).rejects.toBe(closed)
    await sinks.end(1)
    expect(sinks.sizes).toEqual([1])
    await pipeline.drained()
  })

  test('given up after a part of it was handed on, it hands on nothing more', async () => {
    const made = Array.from({ length: 2 * MAX_BATCH_EVENTS + 2 }, () => maker.make('a'))
    for (const { entry } of made) pipeline.add([entry])
    await setImmediate()
    pipeline.abandon(new BusError('closed', 'gone'))
    await sinks.end(1)
    const outcomes = await Promise.allSettled(made.map(({ promise }) => promise))
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(sinks.sizes).toEqual([MAX_BATCH_EVENTS])
    await pipeline.drained()
  })

  test('given up, it says how many events are lost that nobody waited for', () => {
    for (let n = 0; n < 3; n++) pipeline.add(maker.entry('a', n, { until: 'accepted' }))
    pipeline.add(maker.entry('a', 3))
    expect(pipeline.abandon(new BusError('closed', 'gone'))).toBe(3)
  })

  test('a sink that throws fails its batch, and the next one goes on', async () => {
    const { commit } = sinks
    sinks.commit = () => {
      throw new Error('broken')
    }
    const broken = maker.make('a')
    pipeline.add(broken.entry)
    await expect(broken.promise).rejects.toThrow('broken')
    sinks.commit = commit
    const next = maker.make('a')
    pipeline.add(next.entry)
    await setImmediate()
    await sinks.end(1)
    await expect(next.promise).resolves.toBe(next.entry.event)
  })
})

// What is promised of middleware, of errors that are published and of counts. The titles are rows of
// docs/delivery.md.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryLog } from '../log/memory.ts'
import { Calls, VirtualBus } from '../testing/virtual-bus.ts'
import type { HandlerOptions, Middleware } from '../types.ts'

const broken = new Error('broken')

describe('`bus.use`', () => {
  /** Notes when it is entered and left. */
  const noting = (name: string, notes: string[]): Middleware => ({
    publish: async (_, next) => {
      notes.push(`publish ${name}`)
      const event = await next()
      notes.push(`published ${name}`)
      return event
    },
    handle: async (_, next) => {
      notes.push(`handle ${name}`)
      await next()
      notes.push(`handled ${name}`)
    },
  })

  it('the first that is used is the outermost; what is taken away is not passed any more', async () => {
    const { bus } = new VirtualBus()
    const notes: string[] = []
    bus.use(noting('outer', notes))
    const off = bus.use(noting('inner', notes))
    bus.subscribe('a.b', () => void notes.push('handler'))
    await bus.publish('a.b', 1, { until: 'handled' })
    expect(notes).toEqual([
      'publish outer',
      'publish inner',
      'handle outer',
      'handle inner',
      'handler',
      'handled inner',
      'handled outer',
      'published inner',
      'published outer',
    ])
    notes.length = 0
    off()
    await bus.publish('a.b', 1, { until: 'handled' })
    expect(notes.filter((note) => note.includes('inner'))).toEqual([])
  })

  it('`publish` may change what is published, and its options; handlers get what came of it', async () => {
    const { bus } = new VirtualBus()
    const heard: unknown[] = []
    bus.use({
      publish: (event, next) =>
        next({ ...event, data: [event.data], metadata: { tenantId: 'acme' } }),
    })
    bus.subscribe('a.b', ({ data, metadata, stream }) => void heard.push([data, metadata, stream]))
    await bus.publish('a.b', 1, { stream: 's' })
    await bus.publishBatch([{ type: 'a.b', data: 2, stream: 't' }])
    expect(heard).toEqual([
      [[1], { tenantId: 'acme' }, 's'],
      [[2], { tenantId: 'acme' }, 't'],
    ])
  })

  it('what `publish` does not pass on is not published, and rejects with `aborted`', async () => {
    const here = new VirtualBus()
    const heard: unknown[] = []
    here.bus.use({ publish: (event, next) => (event.data === 2 ? undefined : next()) })
    here.bus.subscribe('a.b', ({ data }) => void heard.push(data))
    await here.bus.publish('a.b', 1)
    await expect(here.bus.publish('a.b', 2)).rejects.toMatchObject({ code: 'aborted' })
    expect(heard).toEqual([1])
    expect(here.codes).toEqual([])
    void here.bus.publish('a.b', 2)
    await here.pass(1)
    expect(here.codes).toEqual(['aborted'])
  })

  it('of a `publishBatch` none is published where one is refused', async () => {
    const { bus } = new VirtualBus({ log: memoryLog() })
    const heard: unknown[] = []
    bus.use({
      publish: async (event, next) => {
        if (event.data === 'bad') throw broken
        if (event.data === 'late') await Promise.resolve()
        return next()
      },
    })
    bus.subscribe('a.b', ({ data }) => void heard.push(data))
    const entry = (data: string) => ({ type: 'a.b', data })
    await expect(bus.publishBatch([entry('good'), entry('bad')])).rejects.toBe(broken)
    expect(heard).toEqual([])
    const events = await bus.publishBatch([entry('one'), entry('late'), entry('three')])
    expect(events.map(({ data }) => data)).toEqual(['one', 'late', 'three'])
    expect(heard).toEqual(['one', 'late', 'three'])
  })

  it('the `signal` of a publish ends the waiting for a middleware, too', async () => {
    const { bus } = new VirtualBus()
    bus.use({ publish: () => new Promise(() => {}) })
    const controller = new AbortController()
    const { signal } = controller
    const one = bus.publish('a.b', 1, { signal })
    const several = bus.publishBatch([{ type: 'a.b', data: 1 }], { signal })
    controller.abort()
    await expect(one).rejects.toMatchObject({ code: 'aborted' })
    await expect(several).rejects.toMatchObject({ code: 'aborted' })
  })

  it('with `batch`, what a middleware passes on after the subscription ended is not handled', async () => {
    const here = new VirtualBus()
    const handled: unknown[] = []
    let pass = (): void => {}
    here.bus.use({
      handle: async (_, next) => {
        await new Promise<void>((resolve) => (pass = resolve))
        return next()
      },
    })
    const batch = { size: 10, ms: 5 }
    const off = here.bus.subscribe('a.b', (events) => void handled.push(events), { batch })
    const outcome = here.bus.publish('a.b', 1, { until: 'handled' })
    await here.settle()
    off()
    pass()
    await here.settle()
    expect(here.platform.timers).toBe(0)
    await here.pass(10)
    await outcome
    expect(handled).toEqual([])
  })

  it('what calls `next` at once keeps the order of calls', async () => {
    const { bus } = new VirtualBus()
    const heard: unknown[] = []
    bus.use({ publish: (_, next) => next() })
    bus.subscribe('a.b', ({ data }) => void heard.push(data))
    const all = [
      bus.publish('a.b', 1),
      bus.publishBatch([{ type: 'a.b', data: 2 }]),
      bus.publish('a.b', 3),
    ]
    await Promise.all(all)
    expect(heard).toEqual([1, 2, 3])
  })

  it('`handle` is around each attempt; with `batch`, around all that becomes of one event', async () => {
    const here = new VirtualBus()
    const notes: string[] = []
    here.bus.use(noting('it', notes))
    const handler = (): void => void notes.push('handler')
    const off = here.bus.subscribe('a.b', handler, {
      batch: { size: 2, ms: 10 },
      retry: { attempts: 2 },
    })
    void here.bus.publish('a.b')
    void here.bus.publish('a.b')
    await here.pass(10)
    const handling = notes.filter((note) => !note.startsWith('publish'))
    expect(handling).toEqual(['handle it', 'handle it', 'handler', 'handled it', 'handled it'])
    off()
    notes.length = 0
    const fails = (_: unknown, { attempt }: { attempt: number }): void => {
      notes.push('handler')
      if (attempt === 1) throw broken
    }
    here.bus.subscribe('a.b', fails, { retry: { attempts: 2, backoff: 1 } })
    await here.bus.publish('a.b')
    await here.pass(1)
    const attempts = notes.filter((note) => !note.startsWith('publish'))
    expect(attempts).toEqual(['handle it', 'handler', 'handle it', 'handler', 'handled it'])
  })

  it('what a middleware throws is an error of the handler, and told once', async () => {
    const here = new VirtualBus()
    here.bus.use({
      handle: async (_, next) => {
        await next()
        throw broken
      },
    })
    const options: HandlerOptions[] = [{}, { concurrency: 1 }]
    for (const one of options) here.bus.subscribe('a.b', () => {}, one)
    here.bus.subscribe('a.b', () => {}, { batch: { size: 1, ms: 0 } })
    const handled = here.bus.publish('a.b', 1, { until: 'handled' })
    await expect(handled).rejects.toMatchObject({ cause: { errors: [broken, broken, broken] } })
    expect(here.codes).toEqual(Array(3).fill('handler_failed'))
  })

  it('what a middleware swallows counts as handled; what it refuses counts as failed', async () => {
    const here = new VirtualBus()
    here.bus.use({
      handle: (event, next) => {
        if (event.data === 'bad') throw broken
        return event.data === 'swallowed' ? undefined : next()
      },
    })
    const options: HandlerOptions[] = [{}, { concurrency: 1 }]
    for (const one of options) here.bus.subscribe('a.b', () => {}, one)
    here.bus.subscribe('a.b', () => {}, { batch: { size: 1, ms: 0 } })
    for (const data of ['good', 'bad', 'swallowed']) await here.bus.publish('a.b', data)
    await here.settle()
    const { subscriptions } = here.bus.stats()
    expect(subscriptions.map(({ handled, failed, dead }) => [handled, failed, dead])).toEqual(
      Array(3).fill([2, 1, 1]),
    )
    expect(here.codes).toEqual(Array(3).fill('handler_failed'))
  })

  it('a middleware that is none is refused', () => {
    const { bus } = new VirtualBus()
    expect(() => bus.use({ handle: 1 as never })).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
  })
})

describe('`bus.publishError`', () => {
  it.each([
    ['without a log', { log: false }],
    ['with one', { log: memoryLog() }],
  ] as const)(
    'an event `$error` tells of the error and of what it was about, %s',
    async (_, options) => {
      const { bus } = new VirtualBus(options)
      const heard: unknown[] = []
      bus.subscribe('$error', (event) => void heard.push(event))
      bus.subscribe('**', (event) => void heard.push(event.type))
      const event = await bus.publish('a.b', 1, { metadata: { userId: 'u' } })
      const error = Object.assign(new TypeError('no', { cause: new Error('deep') }), { code: 'E1' })
      const published = await bus.publishError(error, { event, metadata: { requestId: 'r' } })
      expect(published).toMatchObject({
        type: '$error',
        scope: 'device',
        correlationId: event.correlationId,
        causationId: event.id,
        metadata: { userId: 'u', requestId: 'r' },
        data: {
          name: 'TypeError',
          message: 'no',
          code: 'E1',
          event: { id: event.id, type: 'a.b' },
          causes: [{ name: 'Error', message: 'deep' }],
        },
      })
      expect(published.data.stack).toContain('TypeError: no')
      expect(heard).toEqual(['a.b', published])
      await bus.close()
    },
  )

  it('whatever was thrown can be told', async () => {
    const nasty = {
      get message() {
        throw broken
      },
    }
    const values = fc.oneof(fc.anything(), fc.constant(nasty))
    const property = fc.asyncProperty(values, async (thrown) => {
      const { bus } = new VirtualBus({ log: memoryLog() })
      const { data } = await bus.publishError(thrown)
      expect([typeof data.name, typeof data.message]).toEqual(['string', 'string'])
      await bus.close()
    })
    await fc.assert(property)
  })
})

describe('`bus.stats`', () => {
  it('every event given to a handler is handled, dead, dropped, waiting or running: none twice', async () => {
    const options = fc.record({
      concurrency: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      buffer: fc.option(fc.nat(3), { nil: undefined }),
      overflow: fc.constantFrom(undefined, 'block', 'drop-oldest', 'drop-newest', 'error'),
      attempts: fc.constantFrom(undefined, 1, 2),
    })
    const steps = fc.array(fc.constantFrom('publish', 'end', 'fail'), { maxLength: 60 })
    const property = fc.asyncProperty(options, steps, async ({ attempts, ...given }, all) => {
      const here = new VirtualBus()
      const calls = new Calls()
      const retry = attempts === undefined ? undefined : { attempts, backoff: 0 }
      here.bus.subscribe('a.b', calls.handler, { ...given, retry } as HandlerOptions)
      let published = 0
      for (const step of all) {
        if (step === 'publish') {
          published += 1
          void here.bus.publish('a.b', published)
        } else if (step === 'end') calls.end()
        else calls.open[0]?.fail(broken)
        await here.pass(1)
        const { types, subscriptions, ...total } = here.bus.stats()
        const one = subscriptions[0]!
        const open = calls.open.length + one.waiting
        expect(one.handled + one.dead + one.dropped + open).toBe(published)
        expect(one.failed).toBe(one.dead + one.retried)
        expect(one.calls).toBe(calls.given.length)
        expect(total).toMatchObject({ published, handled: one.handled, dead: one.dead })
        expect(types['a.b']).toMatchObject(published === 0 ? {} : { published, dead: one.dead })
        const timed = one.ms.counts.reduce((sum, count) => sum + count)
        expect(timed).toBeGreaterThanOrEqual(one.handled + one.dead)
      }
    })
    await fc.assert(property)
  })

  it('how long calls took is a histogram, in milliseconds', async () => {
    const here = new VirtualBus()
    const work = ({ data }: { data: unknown }): Promise<void> =>
      new Promise((resolve) => here.platform.timer(data as number, resolve))
    for (const options of [{}, { concurrency: 9 }]) here.bus.subscribe('a.b', work, options)
    for (const ms of [0.5, 3, 3, 20_000]) void here.bus.publish('a.b', ms)
    await here.pass(30_000)
    for (const { ms } of here.bus.stats().subscriptions) {
      const counts = new Map([...ms.bounds, Infinity].map((bound, i) => [bound, ms.counts[i]]))
      expect([...counts].filter(([, count]) => count !== 0)).toEqual([
        [0.5, 1],
        [5, 2],
        [Infinity, 1],
      ])
      expect(ms.sum).toBe(20_006.5)
    }
  })

  it('types beyond the first 1,000 are counted together, under `*`', async () => {
    const { bus } = new VirtualBus()
    for (let n = 0; n < 1_100; n++) await bus.publish(`type.n${n}`)
    const { types, published } = bus.stats()
    expect(Object.keys(types)).toHaveLength(1_001)
    expect(types['*']).toMatchObject({ published: 100 })
    expect(published).toBe(1_100)
  })

  it('a type named as an object’s own property is counted as any other', async () => {
    const { bus } = new VirtualBus()
    await bus.publish('__proto__')
    expect(Object.keys(bus.stats().types)).toEqual(['__proto__'])
  })
})

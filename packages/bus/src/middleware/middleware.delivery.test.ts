// What is promised of the ready middleware. The titles are rows of docs/delivery.md.
import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  StackContextManager,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryLink } from '../links/memory.ts'
import { Calls, VirtualBus } from '../testing/virtual-bus.ts'
import { dedupe, dedupePublish } from './dedupe.ts'
import { type LoggedLine, logging } from './logging.ts'
import { openTelemetry } from './open-telemetry.ts'
import { throttle } from './throttle.ts'

const broken = new Error('broken')

describe('`logging`', () => {
  it('a line for each publish and each call of a handler, with how long it took and how it ended', async () => {
    const here = new VirtualBus()
    const lines: LoggedLine[] = []
    here.bus.use(logging((line) => lines.push(line)))
    const work = (_: unknown, { attempt }: { attempt: number }): Promise<void> =>
      new Promise((resolve, reject) => {
        here.platform.timer(20, () => (attempt === 1 ? reject(broken) : resolve()))
      })
    here.bus.subscribe('a.b', work, { retry: { attempts: 2, backoff: () => 5 } })
    const { id } = await here.bus.publish('a.b')
    await expect(here.bus.publish('a..b')).rejects.toMatchObject({ code: 'invalid_type' })
    await here.pass(100)
    const handle = { what: 'handle', type: 'a.b', id, ms: 20, subscription: 1 }
    expect(lines).toEqual([
      { what: 'publish', type: 'a.b', id, ms: 0 },
      { what: 'publish', type: 'a..b', ms: 0, error: expect.objectContaining({}) },
      { ...handle, attempt: 1, error: broken },
      { ...handle, attempt: 2 },
    ])
  })
})

describe('`dedupe`', () => {
  it('each subscription handles the first event of a key; what comes beside it ends as that does', async () => {
    const here = new VirtualBus()
    const calls = new Calls()
    const heard: unknown[] = []
    here.bus.use(dedupe({ key: ({ metadata }) => metadata?.['key'] as string | undefined }))
    here.bus.subscribe('a.b', calls.handler)
    here.bus.subscribe('a.*', ({ data }) => void heard.push(data))
    const key = { metadata: { key: 'k' }, until: 'handled' } as const
    const first = here.bus.publish('a.b', 1, key)
    let second = 'pending'
    void here.bus.publish('a.b', 2, key).then(() => (second = 'resolved'))
    await here.bus.publish('a.b', 3)
    await here.settle()
    expect([calls.given, second]).toEqual([[1, 3], 'pending'])
    calls.end()
    await first
    await here.settle()
    expect(second).toBe('resolved')
    await here.bus.publish('a.b', 4, key)
    expect([calls.given, heard]).toEqual([
      [1, 3],
      [1, 3],
    ])
  })

  it('one that failed is handled when it comes again, as where it is tried again', async () => {
    const here = new VirtualBus()
    let calls = 0
    here.bus.use(dedupe({ key: ({ type }) => type }))
    const handler = (): void => {
      calls += 1
      if (calls < 3) throw broken
    }
    here.bus.subscribe('a.b', handler, { retry: { attempts: 2, backoff: 0 } })
    for (let n = 0; n < 3; n++) {
      await here.bus.publish('a.b')
      await here.pass(1)
    }
    expect(calls).toBe(3)
  })

  it('a call that took too long is made again, and forgets no other key', async () => {
    const here = new VirtualBus()
    const calls = new Calls()
    here.bus.use(dedupe({ key: ({ data }) => String(data) }))
    const retry = { attempts: 2, backoff: 0 }
    here.bus.subscribe('a.b', calls.handler, { timeout: 100, retry })
    await here.bus.publish('a.b', 1)
    await here.bus.publish('a.b', 2)
    calls.open[1]?.end()
    await here.pass(101)
    expect(calls.given).toEqual([1, 2, 1])
    await here.pass(101)
    await here.bus.publish('a.b', 1)
    await here.bus.publish('a.b', 2)
    expect(calls.given).toEqual([1, 2, 1, 1])
  })

  it('a key is remembered for `ms` milliseconds, and the newest `keys` of them', async () => {
    const here = new VirtualBus()
    const heard: unknown[] = []
    here.bus.use(dedupe({ key: ({ data }) => String(data), keys: 2, ms: 100 }))
    here.bus.subscribe('a.b', ({ data }) => void heard.push(data))
    for (const data of [1, 2, 1, 3, 2, 1]) await here.bus.publish('a.b', data)
    expect(heard).toEqual([1, 2, 3, 1])
    await here.pass(101)
    await here.bus.publish('a.b', 1)
    expect(heard).toEqual([1, 2, 3, 1, 1])
  })

  it('`dedupePublish`: what has the key of an earlier event resolves with that one', async () => {
    const here = new VirtualBus()
    const heard: unknown[] = []
    here.bus.use(dedupePublish({ key: ({ stream }) => stream, ms: 500 }))
    here.bus.subscribe('a.b', ({ data }) => void heard.push(data))
    const first = here.bus.publish('a.b', 1, { stream: 's' })
    const second = here.bus.publish('a.b', 2, { stream: 's' })
    expect((await second).id).toBe((await first).id)
    await here.bus.publish('a.b', 3, { stream: 't' })
    await here.pass(501)
    await here.bus.publish('a.b', 4, { stream: 's' })
    expect(heard).toEqual([1, 3, 4])
  })

  it('`dedupePublish`: of a `publishBatch` with a key twice, one event is published for both', async () => {
    const here = new VirtualBus()
    const heard: unknown[] = []
    here.bus.use(logging(() => {}))
    here.bus.use(dedupePublish({ key: ({ stream }) => stream }))
    here.bus.subscribe('a.b', ({ data }) => void heard.push(data))
    const entry = (data: number, stream: string) => ({ type: 'a.b', data, stream })
    let events: unknown[] = []
    void here.bus
      .publishBatch([entry(1, 's'), entry(2, 's'), entry(3, 't')])
      .then((published) => (events = published.map(({ data }) => data)))
    await here.settle()
    expect(events).toEqual([1, 1, 3])
    expect(heard).toEqual([1, 3])
  })
})

describe('`throttle`', () => {
  const gaps = fc.array(fc.nat(80), { minLength: 1, maxLength: 40 })

  it('lets at most `limit` events of a type through within any `ms`; publishing more rejects with `rate_limited`', async () => {
    const limits = fc.integer({ min: 1, max: 4 })
    const property = fc.asyncProperty(gaps, limits, async (pauses, limit) => {
      const here = new VirtualBus()
      here.bus.use(throttle({ limit, ms: 100 }))
      const passed: number[] = []
      for (const pause of pauses) {
        await here.pass(pause)
        const now = here.platform.monotonic()
        const recent = passed.filter((time) => now - time < 100).length
        const outcome = await here.bus.publish('a.b').then(
          () => undefined,
          ({ code }: { code: string }) => code,
        )
        expect(outcome).toBe(recent < limit ? undefined : 'rate_limited')
        if (outcome === undefined) passed.push(now)
        await here.bus.publish(`other.n${pauses.indexOf(pause)}${now}`)
      }
    })
    await fc.assert(property, { numRuns: 30 })
  })

  it("with `on: 'handle'` each handler is spared what is too much, which is reported once until there is room", async () => {
    const here = new VirtualBus()
    const heard: unknown[] = []
    here.bus.use(throttle({ limit: 2, ms: 100, on: 'handle' }))
    for (const name of ['one', 'two'])
      here.bus.subscribe('a.b', ({ data }) => void heard.push(`${name} ${data}`))
    for (const n of [1, 2, 3, 4]) await here.bus.publish('a.b', n)
    expect(heard).toEqual(['one 1', 'two 1', 'one 2', 'two 2'])
    expect(here.codes).toEqual(['rate_limited'])
    await here.pass(100)
    await here.bus.publish('a.b', 5)
    expect(heard.slice(4)).toEqual(['one 5', 'two 5'])
  })
})

describe('`openTelemetry`', () => {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  afterEach(() => {
    api.trace.disable()
    api.context.disable()
    exporter.reset()
  })

  function trace(manager: api.ContextManager): void {
    api.trace.setGlobalTracerProvider(provider)
    api.context.setGlobalContextManager(manager.enable())
  }
  const named = (name: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name)
  const childOf = (child: ReadableSpan, parent: ReadableSpan): void => {
    expect(child.spanContext().traceId).toBe(parent.spanContext().traceId)
    expect(child.parentSpanContext?.spanId).toBe(parent.spanContext().spanId)
  }

  it.each([
    ['Node', new AsyncLocalStorageContextManager()],
    ['a browser', new StackContextManager()],
  ])(
    'a span for each publish and each call, one trace through all contexts, in %s',
    async (_, manager) => {
      trace(manager)
      const tabs = memoryLink()
      const one = new VirtualBus({ tabs }, 1)
      const two = new VirtualBus({ tabs }, 2)
      for (const { bus } of [one, two]) bus.use(openTelemetry(api))
      two.bus.subscribe('order.placed', async (_, ctx) => {
        await Promise.resolve()
        await ctx.publish('order.paid')
      })
      one.bus.subscribe('order.paid', () => {})
      await api.trace.getTracer('test').startActiveSpan('click', async (span) => {
        await one.bus.publish('order.placed')
        span.end()
      })
      while (exporter.getFinishedSpans().length < 5) {
        await one.pass(10)
        await two.pass(10)
      }
      const names = ['click', 'publish order.placed', 'process order.placed', 'publish order.paid']
      const spans = [...names, 'process order.paid'].map((name) => named(name)[0] as ReadableSpan)
      // In a browser the handler's span is over for what comes after an await: its event is the parent.
      const [click, placed, handled, paid, last] = spans as [
        ReadableSpan,
        ReadableSpan,
        ReadableSpan,
        ReadableSpan,
        ReadableSpan,
      ]
      childOf(placed, click)
      childOf(handled, placed)
      childOf(paid, manager instanceof StackContextManager ? placed : handled)
      childOf(last, paid)
      expect([placed, handled].map(({ kind }) => kind)).toEqual([
        api.SpanKind.PRODUCER,
        api.SpanKind.CONSUMER,
      ])
      expect(handled.attributes).toMatchObject({
        'messaging.system': 'crosstown',
        'messaging.destination.name': 'order.placed',
        'messaging.operation.type': 'process',
      })
      await Promise.all([one.bus.close(), two.bus.close()])
    },
  )

  it('what fails is an error of its span, each attempt of its own', async () => {
    trace(new AsyncLocalStorageContextManager())
    const here = new VirtualBus()
    here.bus.use(openTelemetry(api))
    const handler = (_: unknown, { attempt }: { attempt: number }): void => {
      if (attempt === 1) throw broken
    }
    here.bus.subscribe('a.b', handler, { retry: { attempts: 2, backoff: 0 } })
    await here.bus.publish('a.b')
    await here.pass(1)
    await expect(here.bus.publish('a..b')).rejects.toMatchObject({ code: 'invalid_type' })
    const status = (name: string) => named(name).map((span) => span.status.code)
    expect(status('process a.b')).toEqual([api.SpanStatusCode.ERROR, api.SpanStatusCode.UNSET])
    expect(status('publish a..b')).toEqual([api.SpanStatusCode.ERROR])
    expect(named('process a.b').map(({ attributes }) => attributes['crosstown.attempt'])).toEqual([
      1, 2,
    ])
  })

  it('the span of a call that took too long ends with it, as an error', async () => {
    trace(new AsyncLocalStorageContextManager())
    const here = new VirtualBus()
    const calls = new Calls()
    here.bus.use(openTelemetry(api))
    const off = here.bus.subscribe('a.b', calls.handler, { timeout: 50 })
    await here.bus.publish('a.b')
    await here.pass(51)
    const ends = () => named('process a.b').map(({ status }) => status.code)
    expect(ends()).toEqual([api.SpanStatusCode.ERROR])
    calls.end()
    await here.settle()
    expect(ends()).toHaveLength(1)
    await here.bus.publish('a.b')
    off()
    calls.end()
    await here.settle()
    expect(ends()[1]).toBe(api.SpanStatusCode.UNSET)
  })

  it('without an SDK nothing is changed: the event keeps the `traceparent` it was given', async () => {
    const { bus } = new VirtualBus()
    bus.use(openTelemetry(api))
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect((await bus.publish('a.b', 1, { traceparent })).traceparent).toBe(traceparent)
    expect((await bus.publish('a.b', 1)).traceparent).toBeUndefined()
  })
})

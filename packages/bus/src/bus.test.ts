import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  type Bus,
  BusError,
  type BusOptions,
  createBus,
  type ErrorContext,
  memoryLog,
  relayLink,
} from './index.ts'
import { memoryLink } from './links/memory.ts'
import { MemoryLog } from './log/memory.ts'
import { sqliteLog } from './log/sqlite.ts'
import { runtimePlatform } from './platform.ts'
import { fingerprint, REFUSED_VALUES, VALUES } from './testing/values.ts'

type Any = Record<string, unknown>
const buses: Bus<Any>[] = []
const reported: { error: BusError; context: ErrorContext }[] = []

function open(options: Partial<BusOptions> = {}): Bus<Any> {
  const bus = createBus<Any>({
    name: 'test',
    log: memoryLog(),
    tabs: false,
    onError: (error, context) => reported.push({ error, context }),
    ...options,
  })
  buses.push(bus)
  return bus
}

afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
  reported.length = 0
})

describe('publish', () => {
  it('resolves with the event as it stands in the log', async () => {
    const bus = open({ source: 'here' })
    const event = await bus.publish(
      'cart.item_added',
      { sku: 'A1' },
      {
        stream: 'cart-1',
        correlationId: 'c',
        causationId: 'd',
        metadata: { userId: 'u', n: 1 },
        version: 2,
      },
    )
    expect(event).toMatchObject({
      type: 'cart.item_added',
      data: { sku: 'A1' },
      source: 'here',
      scope: 'room',
      stream: 'cart-1',
      correlationId: 'c',
      causationId: 'd',
      metadata: { userId: 'u', n: 1 },
      version: 2,
    })
    expect(event.offset).toBeTypeOf('number')
    // Appending counts nothing: which event of its stream it is, the log says when it is read.
    expect(await bus.get(event.id)).toEqual({ ...event, revision: 1 })
  })

  it('gives ids that count, and a conversation that begins with its first event', async () => {
    const bus = open()
    const events = await Promise.all([1, 2, 3].map((n) => bus.publish('a.b', n)))
    const prefix = events[0]?.id.replace(/-1$/, '')
    expect(events.map((event) => event.id)).toEqual([`${prefix}-1`, `${prefix}-2`, `${prefix}-3`])
    expect(events[1]?.correlationId).toBe(events[1]?.id)
  })

  it('leaves within the task in which it was called', async () => {
    const bus = open()
    await bus.publish('warm.up')
    const heard: string[] = []
    bus.subscribe('a.b', () => heard.push('event'))
    void bus.publish('a.b')
    await Promise.resolve()
    await Promise.resolve()
    expect(heard).toEqual(['event'])
  })

  it.each([
    ['logged', { scope: 'context' }],
    ['logged', { persist: false }],
    ['relayed', {}],
    ['relayed', { scope: 'device' }],
  ] as const)(
    'rejects at once where until %s cannot be reached with %o',
    async (until, options) => {
      await expect(open().publish('a.b', 1, { ...options, until })).rejects.toMatchObject({
        code: 'unreachable',
      })
    },
  )

  it('waits for handlers with until handled, and rejects with their errors', async () => {
    const bus = open()
    const order: string[] = []
    bus.subscribe('a.b', async () => {
      await Promise.resolve()
      order.push('handler')
    })
    await bus.publish('a.b', 1, { until: 'handled' })
    order.push('published')
    expect(order).toEqual(['handler', 'published'])
    bus.subscribe('a.b', () => Promise.reject(new Error('first')))
    bus.subscribe('a.b', () => {
      throw new Error('second')
    })
    const failed = bus.publish('a.b', 2, { until: 'handled' })
    await expect(failed).rejects.toMatchObject({
      code: 'handler_failed',
      cause: { errors: expect.any(Array) },
    })
  })

  it('keeps the event when the wait is aborted', async () => {
    const bus = open()
    const ending = new AbortController()
    const waiting = bus.publish('a.b', 1, { signal: ending.signal })
    ending.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
    await bus.flush()
    const kept = []
    for await (const event of bus.events('a.b', { from: 'start' })) {
      kept.push(event.data)
      break
    }
    expect(kept).toEqual([1])
  })

  it('is all or none as a batch', async () => {
    const bus = open()
    const heard: unknown[] = []
    bus.subscribe('**', (event) => heard.push(event.data))
    await expect(
      bus.publishBatch([
        { type: 'a.b', data: 1 },
        { type: 'a.b', data: () => 1 },
      ]),
    ).rejects.toMatchObject({ code: 'invalid_data' })
    const events = await bus.publishBatch([
      { type: 'a.b', data: 2 },
      { type: 'a.c', data: 3, stream: 's' },
    ])
    expect(heard).toEqual([2, 3])
    expect(events.map((event) => event.id.split('-')[1])).toEqual(['1', '2'])
    expect(await bus.publishBatch([])).toEqual([])
    const many = Array.from({ length: 1_001 }, () => ({ type: 'a.b', data: 0 }))
    await expect(bus.publishBatch(many)).rejects.toMatchObject({ code: 'too_large' })
  })

  it('rejects what is no list of events', async () => {
    const bus = open()
    for (const entries of [null, {}, [null], ['a.b']]) {
      await expect(bus.publishBatch(entries as never)).rejects.toMatchObject({
        code: 'invalid_options',
      })
    }
  })

  it('rejects after close', async () => {
    const bus = open()
    await bus.close()
    await expect(bus.publish('a.b')).rejects.toMatchObject({ code: 'closed' })
    expect(() => bus.subscribe('a.b', () => {})).toThrow(BusError)
  })
})

describe('subscribe', () => {
  it('hears what matches, in order, its own context included', async () => {
    const bus = open()
    const heard: string[] = []
    const off = bus.subscribe('cart.*', (event, { origin }) =>
      heard.push(`${event.type} ${origin}`),
    )
    await bus.publish('cart.added')
    await bus.publish('cart.line.added')
    await bus.publish('order.added')
    off()
    await bus.publish('cart.added')
    expect(heard).toEqual(['cart.added self'])
    expect(bus.hasSubscribers('cart.added')).toBe(false)
  })

  it('ends with its signal, and with using', async () => {
    const bus = open()
    const ending = new AbortController()
    bus.subscribe('a.b', () => {}, { signal: ending.signal })
    expect(bus.hasSubscribers('a.b')).toBe(true)
    ending.abort()
    expect(bus.hasSubscribers('a.b')).toBe(false)
    {
      using _off = bus.subscribe('a.b', () => {})
      expect(bus.hasSubscribers('a.b')).toBe(true)
    }
    expect(bus.hasSubscribers('a.b')).toBe(false)
  })

  it('reads the log first with from, then goes on live, each once and in order', async () => {
    const bus = open()
    const done: Promise<unknown>[] = []
    for (let n = 0; n < 500; n++) done.push(bus.publish('a.b', n))
    await done[100]
    const heard: unknown[] = []
    bus.subscribe('a.b', (event) => heard.push(event.data), { from: 'start' })
    for (let n = 500; n < 1_000; n++) done.push(bus.publish('a.b', n))
    await Promise.all(done)
    await bus.publish('a.b', 1_000)
    await expect.poll(() => heard.length).toBe(1_001)
    expect(heard).toEqual(Array.from({ length: 1_001 }, (_, n) => n))
  })

  it('says of events from the log where they came from', async () => {
    const tabs = memoryLink()
    const [a, b] = [
      createBus<Any>({ name: 'origins', tabs }),
      createBus<Any>({ name: 'origins', tabs }),
    ]
    buses.push(a, b)
    await a.publish('a.b', 'a')
    await b.publish('a.b', 'b')
    const heard: unknown[] = []
    a.subscribe('a.b', (event, ctx) => heard.push([event.data, ctx.origin, ctx.replaying]), {
      from: 'start',
    })
    await expect
      .poll(() => heard)
      .toEqual([
        ['a', 'self', true],
        ['b', 'device', true],
      ])
  })

  it.each([{ buffer: 0 }, { buffer: 1.5 }, { overflow: 'block' }])(
    'refuses to loop with %o',
    (options) => {
      expect(() => open().events('a.b', options as never)).toThrow(
        expect.objectContaining({ code: 'invalid_options' }),
      )
    },
  )

  it('carries correlation, causation and metadata on in answers', async () => {
    const bus = open()
    bus.subscribe('question', (_, ctx) =>
      ctx.publish('answer', 1, { correlationId: undefined, metadata: { requestId: 'r' } }),
    )
    const answered = bus.once('answer')
    const question = await bus.publish('question', 0, { metadata: { userId: 'u' } })
    expect(await answered).toMatchObject({
      correlationId: question.id,
      causationId: question.id,
      metadata: { userId: 'u', requestId: 'r' },
    })
  })

  it('answers where a handler takes `publish` from its context', async () => {
    const bus = open()
    bus.subscribe('question', (_, { publish }) => publish('answer', 1))
    bus.subscribe('question', (_, { publish }) => publish('answer', 2), { concurrency: 1 })
    const answers: unknown[] = []
    bus.subscribe('answer', ({ data }) => answers.push(data))
    await bus.publish('question', 0, { until: 'handled' })
    expect(answers.sort()).toEqual([1, 2])
  })

  it('goes on when one handler throws, and tells onError which event it was', async () => {
    const bus = open()
    const heard: unknown[] = []
    bus.subscribe('a.b', () => {
      throw new Error('boom')
    })
    bus.subscribe('a.b', (event) => heard.push(event.data))
    const event = await bus.publish('a.b', 1)
    expect(heard).toEqual([1])
    expect(reported).toHaveLength(1)
    expect(reported[0]?.error).toMatchObject({ code: 'handler_failed', cause: { message: 'boom' } })
    expect(reported[0]?.context).toEqual({ stage: 'dispatch', eventId: event.id, eventType: 'a.b' })
  })

  it.each(['a..b', '**.x', '', 'a.**.b', '.', 'a b'])('refuses the pattern %j', (pattern) => {
    expect(() => open().subscribe(pattern, () => {})).toThrow(
      expect.objectContaining({ code: 'invalid_pattern' }),
    )
  })
})

describe('values', () => {
  const logs = { memory: () => memoryLog(), sqlite: () => sqliteLog(':memory:') }
  for (const [kind, log] of Object.entries(logs)) {
    it.each(VALUES)(
      `come out of the ${kind} log and another context equal: $name`,
      async ({ make }) => {
        const tabs = memoryLink()
        const [bus, other] = [open({ log: log(), tabs }), open({ tabs })]
        const heard = other.once('value')
        await other.publish('warm.up')
        await bus.publish('warm.up')
        const data = make()
        const expected = fingerprint(make())
        const event = await bus.publish('value', data)
        expect(event.data).toBe(data)
        expect(fingerprint((await bus.get(event.id))?.data)).toBe(expected)
        expect(fingerprint((await heard).data)).toBe(expected)
      },
    )
  }

  it.each(REFUSED_VALUES)(
    'reject at publish, naming type and path: $name',
    async ({ make, path }) => {
      await expect(open().publish('my.type', make())).rejects.toMatchObject({
        code: 'invalid_data',
        path,
        eventType: 'my.type',
        message: expect.stringContaining('my.type'),
      })
    },
  )

  it('reject at publish when they are over 256 KiB, counted in UTF-8', async () => {
    const bus = open()
    await expect(bus.publish('my.type', 'x'.repeat(300 * 1024))).rejects.toMatchObject({
      code: 'too_large',
      path: 'data',
      eventType: 'my.type',
    })
    await expect(bus.publish('my.type', '漢'.repeat(90 * 1024))).rejects.toMatchObject({
      code: 'too_large',
    })
    await bus.publish('my.type', 'x'.repeat(250 * 1024))
  })

  it('are what they were when publish was called, whatever happens to the object later', async () => {
    const tabs = memoryLink()
    const [bus, other] = [open({ tabs }), open({ tabs })]
    await other.publish('warm.up')
    const heard = other.once('value')
    const data = { list: [1], map: new Map([['a', 1]]) }
    const published = bus.publish('value', data)
    data.list.push(2)
    data.map.set('b', 2)
    const { id } = await published
    const before = { list: [1], map: new Map([['a', 1]]) }
    expect((await heard).data).toEqual(before)
    expect((await bus.get(id))?.data).toEqual(before)
  })
})

describe('two peers of one name', () => {
  it('hear each other, each once, in order', async () => {
    const tabs = memoryLink()
    const [a, b] = [open({ tabs, log: memoryLog() }), open({ tabs, log: memoryLog() })]
    const heard: unknown[] = []
    b.subscribe('a.b', (event, { origin }) => heard.push([event.data, origin]))
    await b.publish('ready')
    for (let n = 0; n < 100; n++) void a.publish('a.b', n)
    await expect.poll(() => heard.length).toBe(100)
    expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => [n, 'device']))
  })

  it('share the default log of a process, which ends with the last of them', async () => {
    const options = { name: 'shared-default', tabs: false } as const
    const a = createBus<Any>(options)
    const b = createBus<Any>(options)
    const { id } = await a.publish('a.b', 1)
    expect((await b.get(id))?.data).toBe(1)
    await a.close()
    expect((await b.get(id))?.data).toBe(1)
    await b.close()
    const c = createBus<Any>(options)
    expect(await c.get(id)).toBeUndefined()
    await c.close()
  })

  it('do not hear what is for this context only', async () => {
    const tabs = memoryLink()
    const [a, b] = [open({ tabs }), open({ tabs })]
    const heard: string[] = []
    b.subscribe('**', (event) => heard.push(event.type))
    await b.publish('own')
    await a.publish('only.here', 1, { scope: 'context' })
    await a.publish('best.effort', 1, { scope: 'device', persist: false })
    await a.publish('for.all', 1)
    // What is not persisted has no order.
    await expect.poll(() => heard.toSorted()).toEqual(['best.effort', 'for.all', 'own'])
  })

  it('lead one at a time', async () => {
    const options = { name: 'leaders' } as const
    const a = createBus<Any>(options)
    const b = createBus<Any>(options)
    await a.publish('a.b')
    await b.publish('a.b')
    await expect.poll(() => a.status.leader).toBe(true)
    expect(b.status.leader).toBe(false)
    await a.close()
    await expect.poll(() => b.status.leader).toBe(true)
    await b.close()
  })
})

describe('schemas', () => {
  it('give the event their output, and reject with the path', async () => {
    const bus = createBus({
      name: 'schemas',
      log: memoryLog(),
      events: { 'user.created': z.object({ age: z.coerce.number() }) },
      onError: () => {},
    })
    const event = await bus.publish('user.created', { age: '7' })
    expect(event.data.age).toBe(7)
    await expect(bus.publish('user.created', { age: 'x' })).rejects.toMatchObject({
      code: 'schema_failed',
      path: 'data.age',
      eventType: 'user.created',
    })
    await bus.close()
  })
})

describe('a bus without log, tabs and relay', () => {
  it('passes by reference, unencoded and unchecked', async () => {
    const bus = open({ log: false })
    const data = { f() {}, blob: new Blob([]) }
    const heard = bus.once('a.b')
    await bus.publish('a.b', data)
    expect((await heard).data).toBe(data)
    expect(bus.status.log.kind).toBe('none')
    await expect(bus.publish('a.b', 1, { until: 'logged' })).rejects.toMatchObject({
      code: 'unreachable',
    })
    await expect(bus.publish('not a type')).rejects.toMatchObject({ code: 'invalid_type' })
  })
})

describe('status', () => {
  it('calls back at once and after each change, with snapshots that stay the same between', async () => {
    const bus = open()
    const seen: unknown[] = []
    const off = bus.status.subscribe((snapshot) => seen.push(snapshot.log.state))
    expect(seen).toEqual(['opening'])
    expect(bus.status.get()).toBe(bus.status.get())
    await bus.publish('a.b')
    expect(bus.status.log).toMatchObject({ kind: 'memory', state: 'open' })
    off()
    const count = seen.length
    await bus.close()
    expect(seen).toHaveLength(count)
  })
})

describe('close', () => {
  it('finishes what was published, then ends loops and waits', async () => {
    const bus = open()
    await bus.publish('ready')
    const loop = (async () => {
      const types: string[] = []
      for await (const event of bus.events('**')) types.push(event.type)
      return types
    })()
    const never = bus.once('never')
    never.catch(() => {})
    const last = bus.publish('last')
    await bus.close()
    expect((await last).offset).toBeTypeOf('number')
    expect(await loop).toEqual(['last'])
    await expect(never).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('trouble', () => {
  it('a link that throws is reported, and costs neither the event nor the promise', async () => {
    const tabs = {
      open: () => ({
        send() {
          throw new Error('wire cut')
        },
        receive() {},
        close() {},
      }),
    }
    const bus = open({ tabs })
    const event = await bus.publish('a.b', 1)
    await bus.publish('a.b', 2, { persist: false })
    expect((await bus.get(event.id))?.data).toBe(1)
    expect(reported.length).toBeGreaterThan(0)
    expect(reported.every(({ error }) => error.stage === 'links')).toBe(true)
  })

  it('flush and publish that wait for a relay reject when the bus closes', async () => {
    const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'nobody' })
    const bus = open({ relay })
    const published = bus.publish('a.b', 1, { until: 'relayed' })
    published.catch(() => {})
    await bus.publish('a.b', 2)
    const flushed = bus.flush({ until: 'relayed' })
    flushed.catch(() => {})
    await bus.close()
    await expect(published).rejects.toMatchObject({ code: 'closed' })
    await expect(flushed).rejects.toMatchObject({ code: 'closed' })
  })

  it('a handler that never ends holds close up no longer than its timeout', async () => {
    const bus = open()
    bus.subscribe('a.b', () => new Promise(() => {}))
    const published = bus.publish('a.b', 1, { until: 'handled' })
    published.catch(() => {})
    await bus.flush()
    await bus.close({ timeout: 10 })
    await expect(published).rejects.toMatchObject({ code: 'closed' })
  })

  it('a log that never answers holds close up no longer than its timeout', async () => {
    const platform = runtimePlatform()
    class Stuck extends MemoryLog {
      override append(): Promise<number> {
        return new Promise(() => {})
      }
    }
    const log = { ...memoryLog(), create: () => new Stuck(platform) }
    const bus = open({ log })
    const waiting = [bus.publish('a.b', 1), bus.publish('a.b', 2)]
    for (const one of waiting) one.catch(() => {})
    await bus.get('warm-1')
    const late = bus.publish('a.b', 3, { until: 'accepted' })
    await bus.close({ timeout: 10 })
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'closed' })
    await late
    expect(reported.map(({ error }) => error.code)).toEqual(['closed'])
  })

  it('flush refuses a level that is none', async () => {
    await expect(open().flush({ until: 'handled' as never })).rejects.toMatchObject({
      code: 'invalid_options',
    })
  })
})

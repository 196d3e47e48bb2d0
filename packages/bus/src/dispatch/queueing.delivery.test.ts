// What is promised of handlers that wait for their turn. The titles are rows of docs/delivery.md.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isBusError } from '../errors.ts'
import { memoryLog } from '../log/memory.ts'
import { Calls, VirtualBus } from '../testing/virtual-bus.ts'
import type { BatchOptions, HandlerOptions, PublishOptions } from '../types.ts'

/** A bus with one handler whose calls the test ends. */
function withCalls(
  options: HandlerOptions,
  more: ConstructorParameters<typeof VirtualBus>[0] = {},
) {
  const here = new VirtualBus(more)
  const calls = new Calls()
  const off = here.bus.subscribe('a.b', calls.handler, options)
  return { here, calls, off }
}

/** Publishes whole numbers, from 1 on, and notes how the promises settle. */
function publish({ bus }: VirtualBus, count: number, options?: PublishOptions, from = 1) {
  const outcomes: (string | undefined)[] = Array.from({ length: count })
  for (let i = 0; i < count; i++) {
    bus.publish('a.b', from + i, options).then(
      () => (outcomes[i] = 'resolved'),
      (error: unknown) => (outcomes[i] = isBusError(error) ? error.code : String(error)),
    )
  }
  return outcomes
}

describe('`concurrency`', () => {
  it('at most so many calls run at once, and they start in the order of events', async () => {
    const times = fc.array(fc.nat(50), { minLength: 1, maxLength: 40 })
    const property = fc.asyncProperty(fc.integer({ min: 1, max: 5 }), times, async (most, ms) => {
      const here = new VirtualBus()
      const started: unknown[] = []
      let running = 0
      let peak = 0
      const work = async ({ data }: { data: unknown }): Promise<void> => {
        started.push(data)
        peak = Math.max(peak, ++running)
        await new Promise<void>((resolve) => here.platform.timer(ms[data as number]!, resolve))
        running -= 1
      }
      here.bus.subscribe('a.b', work, { concurrency: most })
      const numbers = ms.map((_, n) => n)
      for (const n of numbers) void here.bus.publish('a.b', n)
      await here.pass(50 * ms.length)
      expect(started).toEqual(numbers)
      expect(peak).toBeLessThanOrEqual(most)
      expect(here.bus.stats()).toMatchObject({ handled: ms.length, dead: 0, dropped: 0 })
    })
    await fc.assert(property)
  })

  it('a call that fails makes room for the next one, as one that succeeds does', async () => {
    const { here, calls } = withCalls({ concurrency: 1 })
    publish(here, 3)
    await here.settle()
    expect(calls.given).toEqual([1])
    calls.open[0]?.fail(new Error('broken'))
    await here.settle()
    expect(calls.given).toEqual([1, 2])
    calls.end()
    await here.settle()
    expect(calls.given).toEqual([1, 2, 3])
    expect(here.codes).toEqual(['handler_failed'])
  })

  it('a handler without options is called at once, and as often as events come', async () => {
    const { here, calls } = withCalls({})
    publish(here, 5)
    await here.settle()
    expect(calls.most).toBe(5)
  })
})

/** What a model of a queue says becomes of events, given one by one, with calls ending in between. */
function model(steps: readonly ('publish' | 'end')[], buffer: number, overflow: string) {
  const handled: number[] = []
  const lost: number[] = []
  const waiting: number[] = []
  let running: number | undefined
  let n = 0
  for (const step of steps) {
    if (step === 'end') {
      if (running !== undefined) handled.push(running)
      running = waiting.shift()
      continue
    }
    n += 1
    if (running === undefined) running = n
    else if (waiting.length < buffer) waiting.push(n)
    else if (overflow === 'drop-oldest' && buffer > 0) {
      lost.push(waiting.shift() as number)
      waiting.push(n)
    } else if (overflow === 'block') waiting.push(n)
    else lost.push(n)
  }
  return { handled, lost, waiting: waiting.length }
}

describe('`buffer`, `overflow`', () => {
  it('any mix of events and ended calls: what is handled, what is lost and what waits', async () => {
    const steps = fc.array(fc.constantFrom('publish', 'end'), { maxLength: 60 })
    const overflows = fc.constantFrom('block', 'drop-oldest', 'drop-newest', 'error')
    const property = fc.asyncProperty(
      steps,
      fc.nat(4),
      overflows,
      async (given, buffer, overflow) => {
        const { here, calls } = withCalls({ concurrency: 1, buffer, overflow })
        const ended: unknown[] = []
        let n = 0
        for (const step of given) {
          if (step === 'publish') void here.bus.publish('a.b', ++n)
          else if (calls.open[0]) {
            ended.push(calls.open[0].data)
            calls.end()
          }
          await here.settle()
        }
        const expected = model(given as ('publish' | 'end')[], buffer, overflow)
        expect(ended).toEqual(expected.handled)
        const { dropped, subscriptions } = here.bus.stats()
        expect(dropped).toBe(expected.lost.length)
        expect(subscriptions[0]?.waiting).toBe(expected.waiting)
        const lost = new Set(expected.lost)
        for (const data of calls.given) expect(lost.has(data as number)).toBe(false)
      },
    )
    await fc.assert(property, {
      examples: [[['publish', 'publish', 'end'], 0, 'block']],
    })
  })

  it('`buffer: 0`: each event that waits gets its turn, and its publisher an answer', async () => {
    const { here, calls } = withCalls({ concurrency: 2, buffer: 0 })
    const outcomes = publish(here, 5)
    await here.settle()
    expect(outcomes.filter(Boolean)).toHaveLength(2)
    for (let n = 1; n <= 3; n++) {
      calls.end()
      await here.settle()
      expect(outcomes.filter(Boolean)).toHaveLength(2 + n)
    }
    expect(calls.given).toEqual([1, 2, 3, 4, 5])
    expect(calls.most).toBe(2)
  })

  it('`buffer: 0`: what is read from the log (`from`) is read as calls end', async () => {
    const here = new VirtualBus({ log: memoryLog() })
    for (let n = 1; n <= 3; n++) await here.bus.publish('a.b', n)
    const calls = new Calls()
    here.bus.subscribe('a.b', calls.handler, { from: 'start', concurrency: 1, buffer: 0 })
    for (let n = 1; n <= 3; n++) {
      await here.settle()
      expect(calls.given).toHaveLength(n)
      calls.end()
    }
    await here.bus.publish('a.b', 4)
    expect(calls.given).toEqual([1, 2, 3, 4])
  })

  it('`buffer: 0`: a loss is reported again once there was room', async () => {
    const { here, calls } = withCalls({ concurrency: 1, buffer: 0, overflow: 'drop-newest' })
    publish(here, 3)
    await here.settle()
    expect(here.codes).toEqual(['buffer_overflow'])
    calls.end()
    await here.settle()
    publish(here, 2)
    await here.settle()
    expect(here.codes).toEqual(['buffer_overflow', 'buffer_overflow'])
  })

  it('`block`: `publish` resolves when the buffer has room for its event, in order', async () => {
    const { here, calls } = withCalls({ concurrency: 1, buffer: 2 })
    const outcomes = publish(here, 5)
    await here.settle()
    expect(outcomes).toEqual(['resolved', 'resolved', 'resolved', undefined, undefined])
    calls.end()
    await here.settle()
    expect(outcomes[3]).toBe('resolved')
    expect(outcomes[4]).toBeUndefined()
    calls.end()
    await here.settle()
    expect(outcomes[4]).toBe('resolved')
  })

  it('`block`: so it is where events are logged, and where several are published together', async () => {
    const { here, calls } = withCalls({ concurrency: 1, buffer: 1 }, { log: memoryLog() })
    const outcomes = publish(here, 3)
    await here.settle()
    expect(outcomes).toEqual(['resolved', 'resolved', undefined])
    let batch: unknown
    void here.bus
      .publishBatch([
        { type: 'a.b', data: 4 },
        { type: 'a.b', data: 5 },
      ])
      .then((events) => (batch = events.length))
    for (let ended = 0; ended < 2; ended++) {
      calls.end()
      await here.settle()
      expect([outcomes[2], batch]).toEqual(['resolved', undefined])
    }
    calls.end()
    await here.settle()
    expect(batch).toBe(2)
  })

  it('`block`: no other handler waits, nor does who publishes what it does not hear', async () => {
    const { here } = withCalls({ concurrency: 1, buffer: 0 })
    const heard: unknown[] = []
    here.bus.subscribe('**', (event) => void heard.push(event.data))
    publish(here, 3)
    await here.bus.publish('a.c', 'other')
    expect(heard).toEqual([1, 2, 3, 'other'])
  })

  it('`block`: a handler that publishes what it hears does not wait for itself', async () => {
    const here = new VirtualBus()
    const handled: unknown[] = []
    here.bus.subscribe(
      'a.b',
      async ({ data }, ctx) => {
        if (data === 1) for (const n of [10, 11, 12]) await ctx.publish('a.b', n)
        handled.push(data)
      },
      { concurrency: 1, buffer: 1 },
    )
    await here.bus.publish('a.b', 1)
    await here.settle()
    expect(handled).toEqual([1, 10, 11, 12])
  })

  it('`block`: publishers that do not wait are refused after 10,000 events', async () => {
    const { here } = withCalls({ concurrency: 1, buffer: 5 })
    void publish(here, 10_006)
    await here.settle()
    await expect(here.bus.publish('a.b', 0)).rejects.toMatchObject({ code: 'buffer_overflow' })
    await here.bus.publish('a.c', 'what it does not hear')
  })

  it('`block`: nobody waits any more once the subscription ends', async () => {
    const { here, off } = withCalls({ concurrency: 1, buffer: 0 })
    const outcomes = publish(here, 2)
    const handled = publish(here, 1, { until: 'handled' })
    await here.settle()
    expect(outcomes).toEqual(['resolved', undefined])
    off()
    await here.settle()
    expect([outcomes[1], ...handled]).toEqual(['resolved', 'resolved'])
    expect(here.bus.stats()).toMatchObject({ handled: 0, dropped: 0 })
  })

  it('`drop-oldest`: the newest events are kept; the loss is reported once until there is room', async () => {
    const { here, calls } = withCalls({ concurrency: 1, buffer: 2, overflow: 'drop-oldest' })
    const outcomes = publish(here, 6)
    await here.settle()
    expect(outcomes).toEqual(Array(6).fill('resolved'))
    expect(here.codes).toEqual(['buffer_overflow'])
    for (let i = 0; i < 3; i++) {
      calls.end()
      await here.settle()
    }
    expect(calls.given).toEqual([1, 5, 6])
    publish(here, 4)
    await here.settle()
    expect(here.codes).toEqual(['buffer_overflow', 'buffer_overflow'])
  })

  it('`drop-newest`: the events that waited first are kept', async () => {
    const { here, calls } = withCalls({ concurrency: 1, buffer: 2, overflow: 'drop-newest' })
    publish(here, 6)
    await here.settle()
    for (let i = 0; i < 3; i++) {
      calls.end()
      await here.settle()
    }
    expect(calls.given).toEqual([1, 2, 3])
    expect(here.codes).toEqual(['buffer_overflow'])
  })

  it('`error`: each event that is lost is reported, and rejects `until: handled` with `buffer_overflow`', async () => {
    const { here, calls } = withCalls({ concurrency: 1, buffer: 1, overflow: 'error' })
    const outcomes = publish(here, 4, { until: 'handled' })
    await here.settle()
    expect(outcomes).toEqual([undefined, undefined, 'buffer_overflow', 'buffer_overflow'])
    expect(here.codes).toEqual(['buffer_overflow', 'buffer_overflow'])
    calls.end()
    await here.settle()
    calls.end()
    await here.settle()
    expect(outcomes.slice(0, 2)).toEqual(['resolved', 'resolved'])
  })

  it('what is read from the log (`from`) waits in the log: reading pauses while the buffer is full', async () => {
    const here = new VirtualBus({ log: memoryLog() })
    for (let n = 1; n <= 40; n++) await here.bus.publish('a.b', n)
    const calls = new Calls()
    const options = { from: 'start', concurrency: 2, buffer: 3, overflow: 'error' } as const
    here.bus.subscribe('a.b', calls.handler, options)
    await here.settle()
    expect(here.bus.stats().subscriptions[0]).toMatchObject({ calls: 2, waiting: 3 })
    const live = publish(here, 10, undefined, 41)
    for (let ended = 0; ended < 50; ended++) {
      await here.settle()
      calls.end()
    }
    await here.settle()
    expect(live).toEqual(Array(10).fill('resolved'))
    expect(calls.given).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    expect(here.codes).toEqual([])
  })

  it.each<[string, Partial<BatchOptions<unknown>>]>([
    ['concurrency', { concurrency: 0 }],
    ['concurrency', { concurrency: 1.5 }],
    ['buffer', { buffer: -1 }],
    ['overflow', { overflow: 'throw' as never }],
    ['timeout', { timeout: 0 }],
    ['retry.attempts', { retry: { attempts: 0 } }],
    ['retry.backoff', { retry: { attempts: 2, backoff: -1 } }],
    ['policy', { policy: {} as never }],
    ['batch', { batch: { size: 0, ms: 1 } }],
    ['batch', { batch: { size: 2 } as never }],
    ['buffer', { buffer: 1, batch: { size: 2, ms: 1 } }],
  ])('a wrong option is refused by name: %s %j', (name, options) => {
    const { bus } = new VirtualBus()
    const subscribe = () => bus.subscribe('a.b', () => {}, options)
    expect(subscribe).toThrow(expect.objectContaining({ code: 'invalid_options' }))
    expect(subscribe).toThrow(name)
    expect(bus.hasSubscribers('a.b')).toBe(false)
  })
})

describe('`batch`', () => {
  it('lists in order, none over `size`, none waiting longer than `ms` while a call may begin', async () => {
    const gaps = fc.array(fc.nat(30), { minLength: 1, maxLength: 60 })
    const property = fc.asyncProperty(
      gaps,
      fc.integer({ min: 1, max: 8 }),
      fc.nat(40),
      fc.nat(60),
      async (pauses, size, ms, takes) => {
        const here = new VirtualBus()
        const came: number[] = []
        const lists: { events: number[]; at: number }[] = []
        const take = (events: readonly { data: unknown }[]): Promise<void> => {
          const at = here.platform.monotonic()
          lists.push({ events: events.map(({ data }) => data as number), at })
          return new Promise((resolve) => here.platform.timer(takes, resolve))
        }
        here.bus.subscribe('a.b', take, { batch: { size, ms } })
        for (const [n, pause] of pauses.entries()) {
          await here.pass(pause)
          came.push(here.platform.monotonic())
          await here.bus.publish('a.b', n)
        }
        await here.pass(ms + pauses.length * (takes + 1))
        expect(lists.flatMap(({ events }) => events)).toEqual(came.map((_, n) => n))
        let free = 0
        for (const { events, at } of lists) {
          expect(events.length).toBeLessThanOrEqual(size)
          const first = events[0] as number
          const full = came[first + size - 1] ?? Number.POSITIVE_INFINITY
          expect(at).toBe(Math.max(free, Math.min(full, (came[first] as number) + ms)))
          free = at + takes
        }
      },
    )
    await fc.assert(property)
  })

  it('one list after the other; meanwhile the next one fills', async () => {
    const here = new VirtualBus()
    const lists: number[] = []
    const ends: (() => void)[] = []
    const take = (events: readonly unknown[]): Promise<void> => {
      lists.push(events.length)
      return new Promise((resolve) => ends.push(resolve))
    }
    here.bus.subscribe('a.b', take, { batch: { size: 3, ms: 10 } })
    publish(here, 4)
    await here.pass(50)
    expect(lists).toEqual([3])
    publish(here, 1)
    await here.settle()
    ends[0]?.()
    await here.settle()
    expect(lists).toEqual([3, 2])
  })

  it('a list that fails is given again as a whole, and fails all its events', async () => {
    const here = new VirtualBus()
    const lists: number[] = []
    const attempts: number[] = []
    here.bus.subscribe(
      'a.b',
      (events, { attempt }) => {
        lists.push(events.length)
        attempts.push(attempt)
        return Promise.reject(new Error('broken'))
      },
      { batch: { size: 2, ms: 10 }, retry: { attempts: 2, backoff: 0 } },
    )
    const outcomes = publish(here, 2, { until: 'handled' })
    await here.pass(10)
    expect([lists, attempts]).toEqual([
      [2, 2],
      [1, 2],
    ])
    expect(outcomes).toEqual(['handler_failed', 'handler_failed'])
    expect(here.codes).toEqual(['handler_failed'])
    expect(here.bus.stats()).toMatchObject({ failed: 4, retried: 2, dead: 2, handled: 0 })
  })
})

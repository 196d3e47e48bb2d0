import { afterEach, describe, expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import type { BusError } from '../errors.ts'
import type { Bus, BusOptions } from '../index.ts'
import { processMemoryLog } from '../log/memory.ts'

type Shop = { 'order.placed': { n: number }; 'order.paid': { n: number }; 'page.seen': void }

const open: Bus<Shop>[] = []
let made = 0

/** Buses of one name share the log of this process. */
function shop(name: string, options: Partial<BusOptions> = {}): Bus<Shop> {
  const bus = createBus<Shop>({ name, log: processMemoryLog(), ...options } as never)
  open.push(bus)
  return bus
}

function newName(): string {
  made += 1
  return `durable-${made}`
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()))
})

/** Resolves when the handler was called so often. */
function collector<T>(count: number) {
  const seen: T[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  return {
    seen,
    done: promise,
    push(value: T) {
      seen.push(value)
      if (seen.length === count) resolve()
    },
  }
}

describe('a durable consumer', () => {
  it('gets what is in the log, then what comes, in order', async () => {
    const bus = shop(newName())
    for (let n = 1; n <= 3; n++) await bus.publish('order.placed', { n })
    await bus.publish('page.seen')
    const got = collector<number>(5)
    bus.subscribe('order.*', (event) => got.push(event.data.n), { durable: 'mail' })
    await bus.publish('order.paid', { n: 4 })
    await bus.publish('order.placed', { n: 5 })
    await got.done
    expect(got.seen).toEqual([1, 2, 3, 4, 5])
  })

  it('goes on where it was when it is subscribed again', async () => {
    const name = newName()
    const keep = shop(name)
    await keep.publish('order.placed', { n: 1 })
    const first = shop(name)
    const one = collector<number>(1)
    first.subscribe('order.*', (event) => one.push(event.data.n), { durable: 'mail' })
    await one.done
    await first.close()
    await keep.publish('order.placed', { n: 2 })
    const two = collector<number>(1)
    shop(name).subscribe('order.*', (event) => two.push(event.data.n), { durable: 'mail' })
    await two.done
    expect([one.seen, two.seen]).toEqual([[1], [2]])
  })

  it('is one context at a time, and carried on by the next', async () => {
    const name = newName()
    const buses = [shop(name), shop(name), shop(name)]
    const seen: [number, number][] = []
    let wanted = collector<void>(20)
    for (const [nth, bus] of buses.entries()) {
      bus.subscribe(
        'order.placed',
        (event) => {
          seen.push([nth, event.data.n])
          wanted.push()
        },
        { durable: 'mail' },
      )
    }
    const publisher = shop(name)
    for (let n = 0; n < 20; n++) await publisher.publish('order.placed', { n })
    await wanted.done
    expect(seen.map(([nth]) => nth)).toEqual(Array(20).fill(0))
    wanted = collector<void>(10)
    await buses[0]?.close()
    for (let n = 20; n < 30; n++) await publisher.publish('order.placed', { n })
    await wanted.done
    expect(seen.slice(20).map(([nth]) => nth)).toEqual(Array(10).fill(1))
    expect(seen.map(([, n]) => n)).toEqual(Array.from({ length: 30 }, (_, n) => n))
  })

  it('gives an event again that the handler failed on, and says how often', async () => {
    const bus = shop(newName())
    const attempts = collector<number>(3)
    bus.subscribe(
      'order.placed',
      (_event, ctx) => {
        attempts.push(ctx.attempt)
        if (ctx.attempt < 3) throw new Error('not yet')
      },
      { durable: 'mail', backoff: [1] },
    )
    await bus.publish('order.placed', { n: 1 })
    await attempts.done
    expect(attempts.seen).toEqual([1, 2, 3])
  })

  it('begins where it is told, and not before', async () => {
    const bus = shop(newName())
    await bus.publish('order.placed', { n: 1 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const got = collector<number>(1)
    bus.subscribe('order.placed', (event) => got.push(event.data.n), { durable: 'a', from: 'now' })
    await bus.publish('order.placed', { n: 2 })
    await got.done
    expect(got.seen).toEqual([2])
  })

  it('needs a log', () => {
    const bus = shop(newName(), { log: false })
    expect(() => bus.subscribe('order.*', () => {}, { durable: 'mail' })).toThrow(
      expect.objectContaining({ code: 'unreachable' }) as BusError,
    )
  })

  it('says what is wrong with its options', () => {
    const bus = shop(newName())
    for (const options of [
      { durable: '' },
      { durable: 'a', timeout: 5 },
      { durable: 'a', from: {} },
    ]) {
      expect(() => bus.subscribe('order.*', () => {}, options as never)).toThrow(
        expect.objectContaining({ code: 'invalid_options' }) as BusError,
      )
    }
  })

  it('makes a dead letter of what fails for good, which can be given again or discarded', async () => {
    const bus = shop(newName(), { onError: () => {} })
    let works = false
    const got = collector<number>(2)
    bus.subscribe(
      'order.placed',
      ({ data }, ctx) => {
        if (data.n === 1 && !works) throw new RangeError('no such order')
        if (data.n === 2) ctx.term('spam')
        else got.push(data.n)
      },
      { durable: 'mail', backoff: [1], maxDeliver: 2 },
    )
    for (const n of [1, 2, 3]) await bus.publish('order.placed', { n })
    await expect.poll(async () => (await bus.deadLetters.list()).length).toBe(2)
    const letters = await bus.deadLetters.list()
    const byData = letters.toSorted((a, b) => (a.reason < b.reason ? -1 : 1))
    expect(byData).toMatchObject([
      {
        consumer: 'mail',
        reason: 'failed',
        detail: 'RangeError: no such order',
        attempts: 2,
        event: { type: 'order.placed', data: { n: 1 } },
      },
      { consumer: 'mail', reason: 'terminated', detail: 'spam', attempts: 1 },
    ])
    expect(bus.stats().consumers[0]).toMatchObject({ name: 'mail', state: 'running', dead: 2 })
    expect(await bus.deadLetters.discard({ reason: 'terminated' })).toBe(1)
    works = true
    expect(await bus.deadLetters.redrive(byData[0]?.id as number)).toBe(1)
    await got.done
    expect(got.seen).toEqual([3, 1])
    await expect.poll(async () => (await bus.deadLetters.list()).length).toBe(0)
  })

  it('gives a dead letter again in whatever context has the turn', async () => {
    const name = newName()
    const [holder, other] = [shop(name, { onError: () => {} }), shop(name)]
    const got = collector<number>(1)
    let works = false
    holder.subscribe(
      'order.placed',
      ({ data }) => {
        if (!works) throw new Error('no')
        got.push(data.n)
      },
      { durable: 'mail', backoff: [1], maxDeliver: 1 },
    )
    await other.publish('order.placed', { n: 7 })
    await expect.poll(async () => (await other.deadLetters.list()).length).toBe(1)
    works = true
    expect(await other.deadLetters.redrive({ consumer: 'none' })).toBe(0)
    expect(await other.deadLetters.redrive({ consumer: 'mail', type: 'order.placed' })).toBe(1)
    await got.done
    expect(got.seen).toEqual([7])
  })
})

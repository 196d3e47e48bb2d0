import { describe, expect, it } from 'vitest'
import { createNoopBus } from './noop.ts'

type Shop = { 'order.placed': { id: number }; 'order.confirmed': { id: number } }

describe('a noop bus', () => {
  it('counts what is published on it, at whatever level, and delivers none of it', async () => {
    const bus = createNoopBus<Shop>()
    const heard: unknown[] = []
    bus.subscribe('**', (event) => heard.push(event))
    bus.subscribe('order.placed', () => heard.push('from the start'), { from: 'start' })
    bus.subscribe('order.placed', () => heard.push('durable'), { durable: 'mail' })
    bus.subscribe('order.placed', () => heard.push('in a group'), { group: 'mail' })
    const view = bus.project('order.*', (count) => count + 1, 0)
    for (const until of ['accepted', 'logged', 'relayed', 'handled'] as const) {
      const event = await bus.publish('order.placed', { id: 7 }, { until })
      expect(event).toMatchObject({ type: 'order.placed', data: { id: 7 } })
    }
    await bus.publishBatch([{ type: 'order.confirmed', data: { id: 7 } }], { until: 'relayed' })
    await bus.publishError(new Error('no'))
    await bus.flush({ until: 'relayed' })
    await view.ready
    expect([bus.count(), bus.count('order.placed'), bus.count('$error')]).toEqual([5, 4, 1])
    expect(view.get()).toBe(0)
    const replayed = []
    for await (const event of bus.replay()) replayed.push(event)
    expect([...heard, ...replayed, ...(await bus.loadStream('o-7'))]).toEqual([])
    await bus.close()
  })

  it('takes every revision that is expected: nothing is there to be another', async () => {
    const bus = createNoopBus<Shop>()
    for (const expectedRevision of ['none', 'none', 'exists', 12] as const)
      await bus.publish('order.placed', { id: 7 }, { stream: 'o-7', expectedRevision })
    expect(bus.count('order.placed')).toBe(4)
    await bus.close()
  })

  it('refuses what a bus refuses, and does not count it', async () => {
    const bus = createNoopBus()
    await expect(bus.publish('a', () => {})).rejects.toMatchObject({ code: 'invalid_data' })
    await expect(bus.publish('a..b', 1)).rejects.toMatchObject({ code: 'invalid_type' })
    expect(() => bus.subscribe('a..b', () => {})).toThrow('a..b')
    expect(bus.count()).toBe(0)
    await bus.close()
  })

  it('waits in once and in loops until it is closed', async () => {
    const bus = createNoopBus<Shop>()
    const once = bus.once('order.placed')
    const ended = expect(once).rejects.toMatchObject({ code: 'closed' })
    const loop = bus.events('order.placed').next()
    await bus.publish('order.placed', { id: 7 })
    await bus.close()
    await ended
    expect(await loop).toEqual({ done: true, value: undefined })
    await expect(bus.publish('order.placed', { id: 8 })).rejects.toMatchObject({ code: 'closed' })
    expect(bus.count()).toBe(1)
  })

  it('has nobody who responds, responders of its own included', async () => {
    const bus = createNoopBus()
    bus.respond('price.of', () => 7)
    await expect(bus.request('price.of', { sku: 'A1' })).rejects.toMatchObject({
      code: 'no_responder',
    })
    await bus.close()
  })

  it('says who subscribed, and what was published, in its stats', async () => {
    const bus = createNoopBus<Shop>()
    bus.subscribe('order.placed', () => {}, { durable: 'mail' })
    bus.subscribe('order.placed', () => {})
    await bus.publish('order.placed', { id: 7 })
    expect(bus.hasSubscribers('order.placed')).toBe(true)
    const { published, handled, subscriptions, consumers } = bus.stats()
    expect(consumers.map(({ name }) => name)).toEqual(['mail'])
    expect({ published, handled }).toEqual({ published: 1, handled: 0 })
    expect(subscriptions.map(({ patterns, calls }) => [...patterns, calls])).toContainEqual([
      'order.placed',
      0,
    ])
    await bus.close()
  })
})

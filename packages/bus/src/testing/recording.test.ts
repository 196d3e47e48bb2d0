import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { BusError } from '../errors.ts'
import { createRecordingBus } from './recording.ts'

type Shop = {
  'cart.item_added': { sku: string }
  'cart.cleared': void
  'order.placed': { id: number }
  'order.confirmed': { id: number }
}

describe('a recording bus', () => {
  it('has what was published as soon as publish was called, in order, by type and by pattern', () => {
    const bus = createRecordingBus<Shop>()
    void bus.publish('cart.item_added', { sku: 'A1' }, { metadata: { tenantId: 't' } })
    void bus.publish('order.placed', { id: 7 })
    void bus.publishBatch([
      { type: 'cart.item_added', data: { sku: 'B2' } },
      { type: 'cart.cleared' },
    ])
    expect(bus.published('cart.item_added').map(({ data }) => data.sku)).toEqual(['A1', 'B2'])
    expect(bus.published('cart.item_added')[0]?.metadata).toEqual({ tenantId: 't' })
    expect(bus.published(['cart.*', 'order.placed']).map(({ type }) => type)).toEqual([
      'cart.item_added',
      'order.placed',
      'cart.item_added',
      'cart.cleared',
    ])
    expect([bus.count(), bus.count('cart.*'), bus.count('order.confirmed')]).toEqual([4, 3, 0])
  })

  it('delivers, replays, loads streams and folds views', async () => {
    const bus = createRecordingBus<Shop>()
    const heard: string[] = []
    bus.subscribe('order.placed', ({ data }, ctx) => ctx.publish('order.confirmed', data))
    bus.subscribe('**', ({ type }) => heard.push(type))
    const view = bus.project('order.*', (count) => count + 1, 0)
    const { id } = await bus.publish('order.placed', { id: 7 }, { until: 'handled', stream: 'o-7' })
    expect(heard).toEqual(['order.placed', 'order.confirmed'])
    await view.ready
    expect(view.get()).toBe(2)
    expect((await bus.loadStream('o-7')).map(({ revision }) => revision)).toEqual([1])
    expect((await bus.get(id))?.data).toEqual({ id: 7 })
    const replayed = []
    for await (const { type } of bus.replay()) replayed.push(type)
    expect(replayed).toEqual(heard)
    const [placed, confirmed] = bus.published()
    expect(confirmed?.causationId).toBe(placed?.id)
    expect(confirmed?.offset).toBeGreaterThan(placed?.offset ?? Number.NaN)
    await bus.close()
  })

  it('has data as it was when it was published, as others would get it', async () => {
    const bus = createRecordingBus()
    const basket = { skus: new Set(['A1']), at: new Date(0) }
    void bus.publish('cart.saved', basket)
    basket.skus.add('B2')
    expect(bus.published('cart.saved')[0]?.data).toEqual({ skus: new Set(['A1']), at: new Date(0) })
    await bus.close()
  })

  it('refuses what a bus refuses, and has no trace of it', async () => {
    const events = { 'order.placed': z.object({ id: z.number() }) }
    const bus = createRecordingBus({ events })
    await expect(bus.publish('order.placed', { id: 'x' } as never)).rejects.toMatchObject({
      code: 'schema_failed',
    })
    await bus.publish('order.placed', { id: 7 })
    const stream = { stream: 'o-7', expectedRevision: 'none' } as const
    const twice = [1, 2].map((id) => bus.publish('order.placed', { id }, stream))
    expect((await Promise.allSettled(twice)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
    ])
    expect(bus.published('order.placed').map(({ data }) => data.id)).toEqual([7, 1])
    await bus.close()
  })

  it('takes what waits for a relay for relayed when it is logged, from handlers, too', async () => {
    const bus = createRecordingBus<Shop>()
    const until = 'relayed'
    bus.subscribe('order.placed', ({ data }, ctx) =>
      ctx.publish('order.confirmed', data, { until }),
    )
    await bus.publish('order.placed', { id: 7 }, { until: 'handled' })
    await bus.publish('order.placed', { id: 8 }, { until })
    await bus.publishBatch([{ type: 'order.placed', data: { id: 9 } }], { until })
    await bus.flush({ until })
    expect(bus.published('order.confirmed')).toHaveLength(3)
    const near = bus.publish('order.placed', { id: 10 }, { until, scope: 'device' })
    await expect(near).rejects.toMatchObject({ code: 'unreachable' })
    await bus.close()
  })

  it('has durable consumers, and groups of which it is the only member', async () => {
    const bus = createRecordingBus<Shop>({ onError: () => {} })
    void bus.publish('order.placed', { id: 7 })
    const mailed: number[] = []
    bus.subscribe('order.placed', ({ data }, ctx) => ctx.publish('order.confirmed', data), {
      group: 'confirm',
      orderBy: 'stream',
    })
    bus.subscribe('order.confirmed', ({ data }) => mailed.push(data.id), {
      durable: 'mail',
      confirmed: true,
    })
    bus.subscribe('cart.cleared', (_, ctx) => ctx.term('no more carts'), { group: 'carts' })
    void bus.publish('cart.cleared')
    expect((await bus.waitFor('order.confirmed')).data.id).toBe(7)
    await vi.waitFor(() => expect(mailed).toEqual([7]))
    await vi.waitFor(async () =>
      expect((await bus.deadLetters.list()).map(({ event }) => event?.type)).toEqual([
        'cart.cleared',
      ]),
    )
    await bus.close()
  })

  it('asks those who respond on it', async () => {
    const bus = createRecordingBus()
    bus.respond('price.of', ({ data }) => ({ of: data }))
    expect(await bus.request('price.of', 'A1')).toEqual({ of: 'A1' })
    await expect(bus.request('stock.of', 'A1')).rejects.toMatchObject({ code: 'no_responder' })
    await bus.close()
  })

  it('forgets on reset, and nothing else', async () => {
    const bus = createRecordingBus<Shop>()
    await bus.publish('order.placed', { id: 7 })
    bus.reset()
    expect(bus.count()).toBe(0)
    await bus.publish('order.placed', { id: 8 })
    expect(bus.published('order.placed').map(({ data }) => data.id)).toEqual([8])
    const all = []
    for await (const event of bus.replay({ pattern: 'order.placed' })) all.push(event.data.id)
    expect(all).toEqual([7, 8])
    await bus.close()
  })

  it('is alone: another of the same name hears nothing of it', async () => {
    const [one, two] = [createRecordingBus<Shop>(), createRecordingBus<Shop>()]
    await one.publish('order.placed', { id: 7 })
    expect(two.count()).toBe(0)
    const all = []
    for await (const event of two.replay()) all.push(event)
    expect(all).toEqual([])
    await Promise.all([one.close(), two.close()])
  })

  it('has system events where they are asked for', async () => {
    const bus = createRecordingBus<Shop>()
    await bus.publishError(new TypeError('no'))
    expect(bus.count()).toBe(0)
    expect(bus.published('$error').map(({ data }) => data.message)).toEqual(['no'])
    await bus.close()
  })
})

describe('waitFor', () => {
  it('gives what was published before, or comes', async () => {
    const bus = createRecordingBus<Shop>()
    void bus.publish('order.placed', { id: 7 })
    expect((await bus.waitFor('order.placed')).data.id).toBe(7)
    const where = ({ data }: { data: { id: number } }) => data.id > 7
    const second = bus.waitFor('order.placed', { where, count: 2 })
    for (const id of [8, 1, 9, 10]) void bus.publish('order.placed', { id })
    expect((await second).data.id).toBe(9)
    await bus.close()
  })

  it('says what was published where it does not come in time', async () => {
    const bus = createRecordingBus<Shop>()
    const never = bus.waitFor('order.confirmed', { timeout: 0 })
    void bus.publish('order.placed', { id: 7 })
    void bus.publish('order.placed', { id: 8 })
    await expect(never).rejects.toMatchObject({
      code: 'timeout',
      message: 'waitFor("order.confirmed"): 0 of 1 within 0 ms; published: order.placed × 2',
    })
    await bus.close()
  })

  it('ends with its signal, with the bus, and with a condition that throws', async () => {
    const bus = createRecordingBus<Shop>()
    const aborted = { signal: AbortSignal.abort() }
    await expect(bus.waitFor('order.placed', aborted)).rejects.toMatchObject({ code: 'aborted' })
    const where = (): boolean => {
      throw new Error('a bad condition')
    }
    const throwing = bus.waitFor('order.placed', { where })
    const published = bus.publish('order.placed', { id: 7 })
    await expect(throwing).rejects.toThrow('a bad condition')
    expect((await published).data.id).toBe(7)
    const waiting = bus.waitFor('cart.cleared')
    const ended = expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await bus.close()
    await ended
  })

  it('rejects options that cannot be', async () => {
    const bus = createRecordingBus<Shop>()
    const code = (promise: Promise<unknown>) => promise.catch((error: BusError) => error.code)
    expect(await code(bus.waitFor('order.placed', { count: 0 }))).toBe('invalid_options')
    expect(await code(bus.waitFor('order..placed' as never))).toBe('invalid_pattern')
    expect(() => bus.published('order..placed' as never)).toThrow(BusError)
    await bus.close()
  })

  it('leaves no timer behind', async () => {
    vi.useFakeTimers()
    try {
      const bus = createRecordingBus<Shop>()
      const waiting = bus.waitFor('order.placed')
      await Promise.all([bus.publish('order.placed', { id: 7 }), waiting])
      await bus.close()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })
})

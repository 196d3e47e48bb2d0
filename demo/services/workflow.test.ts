import { createBus, memoryLog } from '@crosstown/bus'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Item, OrderData, Shop } from '../src/events.ts'
import { orderStream } from '../src/events.ts'
import { PRODUCTS } from '../src/products.ts'
import { takeOrders } from './orders.ts'
import { runWarehouse } from './warehouse.ts'

// Both services on one bus in memory: the same handlers as in their processes.
const start = () => createBus<Shop>({ name: 'shop', log: memoryLog(), tabs: false })
let bus: ReturnType<typeof start>
beforeEach(() => {
  bus = start()
  takeOrders(bus, { pace: async () => {} })
  runWarehouse(bus, { pace: async () => {} })
})
afterEach(() => bus.close())

function orderOf(id: string, items: readonly Item[], more: Partial<OrderData> = {}): OrderData {
  const lines = items.map(({ sku, quantity }) => {
    const { name, price } = PRODUCTS.find((product) => product.sku === sku)!
    return { sku, name, price, quantity }
  })
  const total = lines.reduce((sum, { price, quantity }) => sum + price * quantity, 0)
  return { id, items: lines, total, payment: 'card', delivery: 'bicycle', ...more }
}

/** Places an order; gives what happened to it, and how it ended. */
async function place(order: OrderData) {
  const ended = bus.once(['order.confirmed', 'order.failed'], {
    where: ({ data }) => data.id === order.id,
  })
  await bus.publish('order.created', order, { stream: orderStream(order.id) })
  const { correlationId, data } = await ended
  const events = await bus.loadStream(orderStream(order.id))
  expect(events.every((event) => event.correlationId === correlationId)).toBe(true)
  return { types: events.map(({ type }) => type), end: data }
}

const honey = (quantity: number) => [{ sku: 'honey', quantity }]

test('an order goes its way through both services, each step caused by the one before', async () => {
  const { types } = await place(orderOf('A', honey(1)))
  expect(types).toEqual([
    'order.created',
    'order.validated',
    'inventory.reserved',
    'payment.completed',
    'shipping.arranged',
    'order.confirmed',
  ])
  const events = await bus.loadStream(orderStream('A'))
  expect(events.map(({ causationId }) => causationId)).toEqual([
    undefined,
    ...events.slice(0, -1).map(({ id }) => id),
  ])
})

test('a declined card gives back what was reserved', async () => {
  const { types, end } = await place(orderOf('A', honey(4), { payment: 'declined' }))
  expect(types.slice(3)).toEqual(['payment.declined', 'inventory.released', 'order.failed'])
  expect(end).toMatchObject({ reason: 'card_declined' })
  expect((await place(orderOf('B', honey(4)))).types).toContain('order.confirmed')
})

test('without a ferry the money goes back, and then the goods', async () => {
  const { types, end } = await place(orderOf('A', honey(4), { delivery: 'ferry' }))
  expect(types.slice(3)).toEqual([
    'payment.completed',
    'shipping.refused',
    'payment.refunded',
    'inventory.released',
    'order.failed',
  ])
  expect(end).toMatchObject({ reason: 'no_courier' })
  expect((await place(orderOf('B', honey(4)))).types).toContain('order.confirmed')
})

test('of two orders at once for the last pieces one gets them', async () => {
  const ends = await Promise.all(['A', 'B'].map((id) => place(orderOf(id, honey(3)))))
  expect(ends.map(({ types }) => types.at(-1)).sort()).toEqual(['order.confirmed', 'order.failed'])
  const lost = ends.find(({ types }) => types.includes('order.failed'))
  expect(lost?.end).toMatchObject({
    reason: 'out_of_stock',
    message: 'There is not enough Wildflower honey.',
  })
  await bus.publish('inventory.restocked', { items: honey(5) })
  expect((await place(orderOf('C', honey(5)))).types).toContain('order.confirmed')
})

test('services that run twice answer once', async () => {
  takeOrders(bus, { pace: async () => {} })
  runWarehouse(bus, { pace: async () => {} })
  expect((await place(orderOf('A', honey(2)))).types).toEqual([
    'order.created',
    'order.validated',
    'inventory.reserved',
    'payment.completed',
    'shipping.arranged',
    'order.confirmed',
  ])
  expect((await place(orderOf('B', honey(2)))).types).toContain('order.confirmed')
})

test('an order whose total is wrong is refused at once', async () => {
  const { types, end } = await place(orderOf('A', honey(1), { total: 1 }))
  expect(types).toEqual(['order.created', 'order.failed'])
  expect(end).toMatchObject({ reason: 'invalid' })
})

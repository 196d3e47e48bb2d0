import { expect, test } from 'vitest'
import { applyToOrders, newOrderId, type OrderEvent, type Orders } from './orders.ts'

const event = (type: string, correlationId: string, data: object, source = 'page') =>
  ({ type, correlationId, data, source, time: 1 }) as unknown as OrderEvent
const created = (id: string) => event('order.created', `c-${id}`, { id, items: [], total: 0 })
const fold = (...events: OrderEvent[]) => events.reduce<Orders>(applyToOrders, [])

test('answers find their order by correlation, in any order', () => {
  const [b, a] = fold(
    created('A'),
    created('B'),
    event('order.confirmed', 'c-A', { id: 'A', message: 'soon' }, 'notifications'),
    event('order.validated', 'c-A', { id: 'A', total: 0 }, 'orders'),
  )
  expect(a).toMatchObject({
    id: 'A',
    answers: {
      'order.validated': { source: 'orders' },
      'order.confirmed': { source: 'notifications', message: 'soon' },
    },
  })
  expect(b).toMatchObject({ id: 'B', answers: {} })
})

test('an order heard of twice is one order', () => {
  expect(fold(created('A'), created('A'))).toHaveLength(1)
})

test('an answer to an unknown order changes nothing', () => {
  expect(fold(event('order.validated', 'c-X', { id: 'X', total: 0 }))).toEqual([])
})

test('the newest twenty are kept', () => {
  const orders = fold(...Array.from({ length: 25 }, (_, i) => created(String(i))))
  expect(orders).toHaveLength(20)
  expect(orders[0]?.id).toBe('24')
})

test('an order id can be part of a stream name', () => {
  expect(newOrderId()).toMatch(/^[2-9A-Z]{6}$/)
})

import { expect, test } from 'vitest'
import {
  applyToOrders,
  NO_ORDERS,
  newOrderId,
  type OrderEvent,
  stateOf,
  waitsFor,
} from './orders.ts'

const event = (type: string, id: string, data: object = {}, source = 'page') =>
  ({ type, correlationId: `c-${id}`, data: { id, ...data }, source, time: 1 }) as OrderEvent
const created = (id: string) => event('order.created', id, { items: [], total: 0 })
const fold = (...events: OrderEvent[]) => events.reduce(applyToOrders, NO_ORDERS)

test('answers find their order by correlation', () => {
  const [b, a] = fold(
    created('A'),
    created('B'),
    event('order.validated', 'A', {}, 'orders-service'),
    event('order.confirmed', 'A', { message: 'soon' }, 'orders-service'),
  )
  expect(a?.steps.map(({ type, message }) => [type, message])).toEqual([
    ['order.created', undefined],
    ['order.validated', undefined],
    ['order.confirmed', 'soon'],
  ])
  expect(a && stateOf(a)).toBe('confirmed')
  expect(b?.steps).toHaveLength(1)
})

test('an order and a step heard of twice are one', () => {
  const twice = [created('A'), event('order.validated', 'A')]
  expect(fold(...twice, ...twice)).toEqual(fold(...twice))
})

test('an answer to an unknown order changes nothing', () => {
  expect(fold(event('order.validated', 'X'))).toEqual([])
})

test('an order that failed says why, and waits for nobody', () => {
  const [order] = fold(
    created('A'),
    event('order.failed', 'A', { reason: 'card_declined', message: 'no' }),
  )
  expect(order && stateOf(order)).toBe('failed')
  expect(order?.failed).toBe('card_declined')
  expect(order && waitsFor(order)).toBeUndefined()
})

test.each([
  ['order.created', 'orders-service'],
  ['order.validated', 'warehouse-service'],
  ['inventory.reserved', 'orders-service'],
  ['payment.completed', 'warehouse-service'],
  ['shipping.arranged', 'orders-service'],
  ['shipping.refused', 'orders-service'],
  ['payment.refunded', 'warehouse-service'],
  ['inventory.released', 'orders-service'],
])('after %s it is the turn of the %s', (type, service) => {
  const [order] = fold(created('A'), ...(type === 'order.created' ? [] : [event(type, 'A')]))
  expect(order && waitsFor(order)).toBe(service)
})

test('the newest twenty are kept', () => {
  const orders = fold(...Array.from({ length: 25 }, (_, i) => created(String(i))))
  expect(orders).toHaveLength(20)
  expect(orders[0]?.id).toBe('24')
})

test('an order id can be part of a stream name', () => {
  expect(newOrderId()).toMatch(/^[2-9A-Z]{6}$/)
})

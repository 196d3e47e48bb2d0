import { expect, test } from 'vitest'
import type { Order, OrderType } from '../../orders.ts'
import { stepsShown } from './steps-shown.ts'

const orderWith = (...types: OrderType[]) =>
  ({
    steps: types.map((type) => ({ type })),
    failed: types.includes('order.failed') || undefined,
  }) as unknown as Order
const shown = (...types: OrderType[]) =>
  stepsShown(orderWith(...types)).map(({ type, state }) => `${state} ${type}`)

test('what is to come is shown behind what has happened', () => {
  expect(shown('order.created', 'order.validated')).toEqual([
    'done order.created',
    'done order.validated',
    'next inventory.reserved',
    'later payment.completed',
    'later shipping.arranged',
    'later order.confirmed',
  ])
})

test('after a setback only the end is to come', () => {
  expect(
    shown('order.created', 'order.validated', 'inventory.reserved', 'payment.declined'),
  ).toEqual([
    'done order.created',
    'done order.validated',
    'done inventory.reserved',
    'bad payment.declined',
    'next order.failed',
  ])
})

test('an order that has ended shows what there was', () => {
  expect(shown('order.created', 'order.validated', 'inventory.missing', 'order.failed')).toEqual([
    'done order.created',
    'done order.validated',
    'bad inventory.missing',
    'bad order.failed',
  ])
})

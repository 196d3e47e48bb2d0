import { expect, test } from 'vitest'
import { applyToCart, type CartEvent, countOf, EMPTY_CART, totalOf } from './cart.ts'

const tea = { sku: 'tea', name: 'Green tea', price: 860 }
const milk = { sku: 'milk', name: 'Oat milk', price: 235 }
const event = (type: string, data?: object) => ({ type, data }) as CartEvent
const added = (data: typeof tea) => event('cart.item_added', data)
const removed = (sku: string) => event('cart.item_removed', { sku })
const cleared = event('cart.cleared')
const cartOf = (...events: CartEvent[]) => events.reduce(applyToCart, EMPTY_CART)

test('an item added twice is one line', () => {
  const cart = cartOf(added(tea), added(milk), added(tea))
  expect(cart).toEqual([
    { ...tea, quantity: 2 },
    { ...milk, quantity: 1 },
  ])
  expect(countOf(cart)).toBe(3)
  expect(totalOf(cart)).toBe(1955)
})

test('the newest name and price win', () => {
  expect(cartOf(added(tea), added({ ...tea, price: 900 }))).toEqual([
    { ...tea, price: 900, quantity: 2 },
  ])
})

test('a line goes with its last item', () => {
  expect(cartOf(added(tea), added(tea), removed('tea'))).toEqual([{ ...tea, quantity: 1 }])
  expect(cartOf(added(tea), removed('tea'))).toEqual([])
})

test('removing what two devices removed at once leaves nothing negative', () => {
  expect(cartOf(added(tea), removed('tea'), removed('tea'), added(tea))).toEqual([
    { ...tea, quantity: 1 },
  ])
})

test('clearing empties it, whatever came before', () => {
  expect(cartOf(added(tea), added(milk), cleared)).toEqual([])
  expect(cartOf(cleared, added(milk))).toEqual([{ ...milk, quantity: 1 }])
})

test('a cart is never changed in place', () => {
  const before = cartOf(added(tea))
  const copy = structuredClone(before)
  for (const event of [added(tea), removed('tea'), cleared]) applyToCart(before, event)
  expect(before).toEqual(copy)
})

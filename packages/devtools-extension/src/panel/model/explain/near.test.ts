import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distance, nearest, nearness } from './near.ts'

describe('what may have been meant', () => {
  it.each([
    ['order.plcaed', 'order.placed', 'differs by one letter'],
    ['order.place', 'order.placed', 'differs by one letter'],
    ['Order.Placed', 'order.placed', 'differs in upper and lower case'],
    ['cart.itemAdded', 'cart.item_added', 'is written with other separators'],
    ['cart.item.added', 'cart.item_added', 'is written with other separators'],
    ['item_added.cart', 'cart.item_added', 'has the same parts in another order'],
    ['order.placed', 'shop.order.placed', 'has one part more: shop'],
    ['shop.order.placed', 'order.placed', 'lacks one part: shop'],
    ['orders.placed', 'order.*', 'differs by one letter'],
    ['order.item.added', 'order.*', 'takes one part where * is, here are two'],
    ['order', 'order.*', 'takes types with one part more'],
    ['order', 'order.**', 'takes types with at least one part more'],
    ['ordr.item.added', 'order.**', 'differs by one letter'],
  ])('%s: %s %s', (type, candidate, how) => {
    expect(nearness(type, candidate)).toMatchObject({ text: candidate, how })
  })

  it.each([
    ['order.placed', 'order.placed'],
    ['order.placed', 'order.*'],
    ['order.placed', '**'],
    ['order.placed', 'order.paid'],
    ['a.b', 'c.b'],
    ['cart.cleared', 'user.signed_in'],
    ['order.placed', 'stock.*'],
    ['pay', 'pay.x.y'],
  ])('%s: not %s', (type, candidate) => {
    expect(nearness(type, candidate)).toBeUndefined()
  })

  it('is the nearest first, and not more than was asked for', () => {
    const found = nearest(
      'order.placed',
      ['order.plaecd', 'Order.placed', 'orders.placd', 'x.y'],
      2,
    )
    expect(found.map(({ text }) => text)).toEqual(['Order.placed', 'order.plaecd'])
  })

  it('counts letters the same in both directions, and none where nothing differs', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })
    fc.assert(
      fc.property(word, word, (one, other) => {
        const edits = distance(one, other, 100)
        expect(edits).toBe(distance(other, one, 100))
        expect(edits === 0).toBe(one === other)
        expect(edits).toBeLessThanOrEqual(Math.max(one.length, other.length))
        if (edits !== undefined && edits > 0)
          expect(distance(one, other, edits - 1)).toBeUndefined()
      }),
    )
  })
})

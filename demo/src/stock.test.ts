import { expect, test } from 'vitest'
import { applyToStock, FULL_SHELVES, missingOf, type StockEvent } from './stock.ts'

const event = (type: string, sku: string, quantity: number) =>
  ({ type, data: { items: [{ sku, quantity }] } }) as unknown as StockEvent

test('what is reserved is gone, until it is released', () => {
  const reserved = applyToStock(FULL_SHELVES, event('inventory.reserved', 'honey', 3))
  expect(reserved['honey']).toBe(FULL_SHELVES['honey']! - 3)
  expect(applyToStock(reserved, event('inventory.released', 'honey', 3))).toEqual(FULL_SHELVES)
  expect(applyToStock(reserved, event('inventory.restocked', 'honey', 5))['honey']).toBe(6)
})

test('an order that asks for more than there is misses that', () => {
  const items = [
    { sku: 'honey', quantity: 5 },
    { sku: 'bread', quantity: 1 },
    { sku: 'caviar', quantity: 1 },
  ]
  expect(missingOf(FULL_SHELVES, items)).toEqual([items[0], items[2]])
})

/** What the warehouse has on its shelves. Pure. */
import type { EventOf } from '@crosstown/bus'
import type { Item, Shop } from './events.ts'
import { PRODUCTS } from './products.ts'

/** Pieces by sku. */
export type Stock = Readonly<Record<string, number>>

export type StockEvent = EventOf<
  Shop,
  'inventory.reserved' | 'inventory.released' | 'inventory.restocked'
>

export const STOCK_TYPES = [
  'inventory.reserved',
  'inventory.released',
  'inventory.restocked',
] as const

export const FULL_SHELVES: Stock = Object.fromEntries(
  PRODUCTS.map(({ sku, stock }) => [sku, stock]),
)

export function applyToStock(stock: Stock, { type, data }: StockEvent): Stock {
  const sign = type === 'inventory.reserved' ? -1 : 1
  const changed = data.items.map(
    ({ sku, quantity }) => [sku, (stock[sku] ?? 0) + sign * quantity] as const,
  )
  return { ...stock, ...Object.fromEntries(changed) }
}

/** What of these is not there in full. */
export const missingOf = (stock: Stock, items: readonly Item[]): readonly Item[] =>
  items.filter(({ sku, quantity }) => (stock[sku] ?? 0) < quantity)

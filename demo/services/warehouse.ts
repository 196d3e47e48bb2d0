/** What the warehouse does: it takes things off its shelves and sends them, or puts them back. */
import type { Bus } from '@crosstown/bus'
import type { Item, Shop } from '../src/events.ts'
import type { Order } from '../src/orders.ts'
import { nameOf } from '../src/products.ts'
import { applyToStock, FULL_SHELVES, missingOf, STOCK_TYPES, type Stock } from '../src/stock.ts'
import { onTurn, type Turn, type Work } from './turn.ts'

export function runWarehouse(bus: Bus<Shop>, work: Work): void {
  // One reservation after the other: the next one sees what this one took.
  let last: Promise<unknown> = Promise.resolve()
  onTurn(bus, work, ['order.validated'], (turn) => {
    const reserving = last.then(() => reserve(bus, turn))
    last = reserving.catch(() => {})
    return reserving
  })

  onTurn(bus, work, ['payment.completed'], async ({ order, answering, ctx }) => {
    const { id, delivery } = order
    if (delivery === 'ferry') {
      const message = 'No ferry sails in this weather.'
      return ctx.publish('shipping.refused', { id, message }, answering)
    }
    const message = 'By bicycle, at your door at six.'
    return ctx.publish('shipping.arranged', { id, message }, answering)
  })

  onTurn(bus, work, ['payment.declined', 'payment.refunded'], ({ order, answering, ctx }) =>
    ctx.publish('inventory.released', { id: order.id, items: itemsOf(order) }, answering),
  )
}

async function reserve(bus: Bus<Shop>, { order, answering, ctx }: Turn): Promise<unknown> {
  const { id } = order
  const items = itemsOf(order)
  const missing = missingOf(await stockOf(bus), items)
  if (missing.length === 0) return ctx.publish('inventory.reserved', { id, items }, answering)
  const message = `There is not enough ${missing.map(({ sku }) => nameOf(sku)).join(' and ')}.`
  return ctx.publish('inventory.missing', { id, message }, answering)
}

/** What is there, by all that is in the log now. */
async function stockOf(bus: Bus<Shop>): Promise<Stock> {
  using stock = bus.project(STOCK_TYPES, applyToStock, FULL_SHELVES, { key: 'stock' })
  await stock.ready
  return stock.get()
}

const itemsOf = ({ items }: Order): readonly Item[] =>
  items.map(({ sku, quantity }) => ({ sku, quantity }))

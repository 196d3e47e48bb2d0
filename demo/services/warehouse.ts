/** What the warehouse does: it takes things off its shelves and sends them, or puts them back. */
import type { Bus } from '@crosstown/bus'
import { type Item, orderStream, type Shop } from '../src/events.ts'
import type { Order } from '../src/orders.ts'
import { nameOf } from '../src/products.ts'
import { applyToStock, FULL_SHELVES, missingOf, STOCK_TYPES, type Stock } from '../src/stock.ts'
import { orderOf, type Pace } from './order-history.ts'

export function runWarehouse(bus: Bus<Shop>, pace: Pace): void {
  // One reservation after the other: the next one sees what this one took.
  let lastReservation: Promise<unknown> = Promise.resolve()

  bus.subscribe('order.validated', async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const reserving = lastReservation.then(async () => {
      const { id } = order
      const items = itemsOf(order)
      const missing = missingOf(await stockOf(bus), items)
      if (missing.length === 0) {
        return ctx.publish('inventory.reserved', { id, items }, streamOf(order))
      }
      const message = `There is not enough ${missing.map(({ sku }) => nameOf(sku)).join(' and ')}.`
      return ctx.publish('inventory.missing', { id, message }, streamOf(order))
    })
    lastReservation = reserving.catch(() => {})
    return reserving
  })

  bus.subscribe('payment.completed', async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const { id, delivery } = order
    if (delivery === 'ferry') {
      const message = 'No ferry sails in this weather.'
      return ctx.publish('shipping.refused', { id, message }, streamOf(order))
    }
    const message = 'By bicycle, at your door at six.'
    return ctx.publish('shipping.arranged', { id, message }, streamOf(order))
  })

  bus.subscribe(['payment.declined', 'payment.refunded'], async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const released = { id: order.id, items: itemsOf(order) }
    return ctx.publish('inventory.released', released, streamOf(order))
  })
}

/** What is there, by all that is in the log now. */
async function stockOf(bus: Bus<Shop>): Promise<Stock> {
  using stock = bus.project(STOCK_TYPES, applyToStock, FULL_SHELVES, { key: 'stock' })
  await stock.ready
  return stock.get()
}

const itemsOf = ({ items }: Order): readonly Item[] =>
  items.map(({ sku, quantity }) => ({ sku, quantity }))

const streamOf = ({ id }: Order): { stream: string } => ({ stream: orderStream(id) })

/** What the orders service does: it checks orders, moves their money and says how they ended. */
import type { Bus } from '@crosstown/bus'
import { countOf, totalOf } from '../src/cart.ts'
import { orderStream, type Shop } from '../src/events.ts'
import { type Order, stepIn } from '../src/orders.ts'
import { orderOf, type Pace } from './order-history.ts'

export function takeOrders(bus: Bus<Shop>, pace: Pace): void {
  bus.subscribe('order.created', async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const { id, items, total } = order
    if (countOf(items) === 0 || totalOf(items) !== total) {
      const message = 'The total is not that of the items.'
      return ctx.publish('order.failed', { id, reason: 'invalid', message }, streamOf(order))
    }
    return ctx.publish('order.validated', { id, total }, streamOf(order))
  })

  bus.subscribe('inventory.reserved', async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const { id, payment, total } = order
    if (payment === 'declined') {
      const message = 'The bank declined the card ending in 0002.'
      return ctx.publish('payment.declined', { id, message }, streamOf(order))
    }
    return ctx.publish('payment.completed', { id, amount: total }, streamOf(order))
  })

  bus.subscribe('shipping.arranged', async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const { message } = event.data
    return ctx.publish('order.confirmed', { id: order.id, message }, streamOf(order))
  })

  // From here on, what happens to orders that do not end well.

  bus.subscribe('shipping.refused', async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    const { id, total } = order
    return ctx.publish('payment.refunded', { id, amount: total }, streamOf(order))
  })

  bus.subscribe(['inventory.missing', 'inventory.released'], async (event, ctx) => {
    const order = await orderOf(bus, event)
    if (!order) return
    await pace()
    return ctx.publish('order.failed', { id: order.id, ...failureOf(order) }, streamOf(order))
  })
}

function failureOf(order: Order): Pick<Shop['order.failed'], 'reason' | 'message'> {
  const missing = stepIn(order, 'inventory.missing')
  if (missing) return { reason: 'out_of_stock', message: missing.message ?? '' }
  const declined = stepIn(order, 'payment.declined')
  if (declined) return { reason: 'card_declined', message: declined.message ?? '' }
  return { reason: 'no_courier', message: stepIn(order, 'shipping.refused')?.message ?? '' }
}

const streamOf = ({ id }: Order): { stream: string } => ({ stream: orderStream(id) })

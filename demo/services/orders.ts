/** What the orders service does: it checks orders, moves their money and says how they ended. */
import type { Bus } from '@crosstown/bus'
import { countOf, totalOf } from '../src/cart.ts'
import type { Shop } from '../src/events.ts'
import { type Order, stepIn } from '../src/orders.ts'
import { onTurn, type Work } from './turn.ts'

export function takeOrders(bus: Bus<Shop>, work: Work): void {
  onTurn(bus, work, ['order.created'], async ({ order, answering, ctx }) => {
    const { id, items, total } = order
    if (countOf(items) === 0 || totalOf(items) !== total) {
      const message = 'The total is not that of the items.'
      return ctx.publish('order.failed', { id, reason: 'invalid', message }, answering)
    }
    return ctx.publish('order.validated', { id, total }, answering)
  })

  onTurn(bus, work, ['inventory.reserved'], async ({ order, answering, ctx }) => {
    const { id, payment, total } = order
    if (payment === 'declined') {
      const message = 'The bank declined the card ending in 0002.'
      return ctx.publish('payment.declined', { id, message }, answering)
    }
    return ctx.publish('payment.completed', { id, amount: total }, answering)
  })

  onTurn(bus, work, ['shipping.arranged'], ({ order, answering, ctx }) => {
    const message = stepIn(order, 'shipping.arranged')?.message ?? ''
    return ctx.publish('order.confirmed', { id: order.id, message }, answering)
  })

  // From here on, what happens to orders that do not end well.

  onTurn(bus, work, ['shipping.refused'], ({ order, answering, ctx }) =>
    ctx.publish('payment.refunded', { id: order.id, amount: order.total }, answering),
  )

  onTurn(bus, work, ['inventory.missing', 'inventory.released'], ({ order, answering, ctx }) =>
    ctx.publish('order.failed', { id: order.id, ...failureOf(order) }, answering),
  )
}

function failureOf(order: Order): Pick<Shop['order.failed'], 'reason' | 'message'> {
  const missing = stepIn(order, 'inventory.missing')
  if (missing) return { reason: 'out_of_stock', message: missing.message ?? '' }
  const declined = stepIn(order, 'payment.declined')
  if (declined) return { reason: 'card_declined', message: declined.message ?? '' }
  return { reason: 'no_courier', message: stepIn(order, 'shipping.refused')?.message ?? '' }
}

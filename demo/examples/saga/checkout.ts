/** The steps of a checkout: goods, money, a parcel. */
import { totalOf } from '../catalogue/catalogue.ts'
import type { CheckoutBus } from './events.ts'
import type { Step } from './saga.ts'

/**
 * The services are asked over the bus, wherever they are. Where one is not there, or says nothing in
 * time, the step has failed for now: it throws, and the saga comes back to it. Each service knows by
 * the order's id what it did for it already.
 */
export const checkoutSteps = (bus: CheckoutBus): readonly Step[] => [
  {
    done: 'inventory.reserved',
    failed: 'inventory.missing',
    undone: 'inventory.released',
    async run(order) {
      const { orderId } = order
      const [sku] = await bus.request('inventory.reserve', order)
      return sku === undefined
        ? { type: 'inventory.reserved', data: { orderId } }
        : { type: 'inventory.missing', data: { orderId, sku } }
    },
    async undo({ orderId }) {
      await bus.request('inventory.release', { orderId })
      return { type: 'inventory.released', data: { orderId } }
    },
  },
  {
    done: 'payment.authorized',
    failed: 'payment.declined',
    undone: 'payment.refunded',
    async run({ orderId, items }) {
      const amount = totalOf(items)
      const paymentId = await bus.request('payment.take', { orderId, amount })
      return paymentId === undefined
        ? { type: 'payment.declined', data: { orderId, reason: 'the bank declined' } }
        : { type: 'payment.authorized', data: { orderId, paymentId, amount } }
    },
    async undo({ orderId, items }) {
      const paymentId = await bus.request('payment.give_back', { orderId })
      return { type: 'payment.refunded', data: { orderId, paymentId, amount: totalOf(items) } }
    },
  },
  {
    done: 'shipment.requested',
    failed: 'shipment.refused',
    undone: 'shipment.recalled',
    async run({ orderId }) {
      return (await bus.request('shipment.order', { orderId }))
        ? { type: 'shipment.requested', data: { orderId } }
        : { type: 'shipment.refused', data: { orderId, reason: 'no courier comes' } }
    },
    async undo({ orderId }) {
      await bus.request('shipment.recall', { orderId })
      return { type: 'shipment.recalled', data: { orderId } }
    },
  },
]

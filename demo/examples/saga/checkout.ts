/** The steps of a checkout: goods, money, a parcel. */
import { totalOf } from '../catalogue/catalogue.ts'
import type { Order } from './events.ts'
import type { Step } from './saga.ts'

/** The services that do the work. Each knows by the order's id what it did for it already. */
export interface Services {
  /** The goods that there are not enough of; none where all are reserved. */
  reserve(order: Order): Promise<readonly string[]>
  release(orderId: string): Promise<void>
  /** A payment's id; `undefined` where the bank declined. */
  pay(orderId: string, amount: number): Promise<string | undefined>
  refund(orderId: string): Promise<string>
  /** Whether a courier comes. */
  ship(orderId: string): Promise<boolean>
  recall(orderId: string): Promise<void>
}

export const checkoutSteps = (services: Services): readonly Step[] => [
  {
    done: 'inventory.reserved',
    failed: 'inventory.missing',
    undone: 'inventory.released',
    async run(order) {
      const { orderId } = order
      const [sku] = await services.reserve(order)
      return sku === undefined
        ? { type: 'inventory.reserved', data: { orderId } }
        : { type: 'inventory.missing', data: { orderId, sku } }
    },
    async undo({ orderId }) {
      await services.release(orderId)
      return { type: 'inventory.released', data: { orderId } }
    },
  },
  {
    done: 'payment.authorized',
    failed: 'payment.declined',
    undone: 'payment.refunded',
    async run({ orderId, items }) {
      const amount = totalOf(items)
      const paymentId = await services.pay(orderId, amount)
      return paymentId === undefined
        ? { type: 'payment.declined', data: { orderId, reason: 'the bank declined' } }
        : { type: 'payment.authorized', data: { orderId, paymentId, amount } }
    },
    async undo({ orderId, items }) {
      const paymentId = await services.refund(orderId)
      return { type: 'payment.refunded', data: { orderId, paymentId, amount: totalOf(items) } }
    },
  },
  {
    done: 'shipment.requested',
    failed: 'shipment.refused',
    undone: 'shipment.recalled',
    async run({ orderId }) {
      return (await services.ship(orderId))
        ? { type: 'shipment.requested', data: { orderId } }
        : { type: 'shipment.refused', data: { orderId, reason: 'no courier comes' } }
    },
    async undo({ orderId }) {
      await services.recall(orderId)
      return { type: 'shipment.recalled', data: { orderId } }
    },
  },
]

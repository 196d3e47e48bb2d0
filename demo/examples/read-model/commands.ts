/** The write side: it says what happened, and knows nothing of lists, pages or totals. */
import {
  type Catalogue,
  type CatalogueBus,
  type Item,
  orderStream,
} from '../catalogue/catalogue.ts'

export const placeOrder = (
  bus: CatalogueBus,
  order: Catalogue['order.created'],
): Promise<unknown> => bus.publish('order.created', order, { stream: orderStream(order.orderId) })

export const addItem = (bus: CatalogueBus, orderId: string, item: Item): Promise<unknown> =>
  bus.publish('order.item_added', { orderId, item }, { stream: orderStream(orderId) })

export const cancelOrder = (bus: CatalogueBus, orderId: string, reason: string): Promise<unknown> =>
  bus.publish('order.cancelled', { orderId, reason }, { stream: orderStream(orderId) })

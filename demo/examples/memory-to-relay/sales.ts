/** A module of the application: it sells, and knows what was sold. Where its bus leads it does not know. */
import type { Unsubscribe } from '@crosstown/bus'
import { type CatalogueBus, type Item, orderStream, totalOf } from '../catalogue/catalogue.ts'

export const sell = (bus: CatalogueBus, orderId: string, items: Item[]): Promise<unknown> =>
  bus.publish(
    'order.created',
    { orderId, customerId: 'guest', items },
    { stream: orderStream(orderId) },
  )

/** Tells the sum of all sales, at once and whenever it changes. */
export const watchSales = (bus: CatalogueBus, told: (cents: number) => void): Unsubscribe =>
  bus
    .project('order.created', (sum: number, { data }) => sum + totalOf(data.items), 0)
    .subscribe(told)

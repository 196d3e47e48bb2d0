/** The read side: a list of orders as a page shows it, folded from what happened to them. */
import type { Projection } from '@crosstown/bus'
import { type CatalogueBus, type CatalogueEvent, totalOf } from '../catalogue/catalogue.ts'

export interface Row {
  readonly customerId: string
  readonly total: number
  readonly status: 'open' | 'paid' | 'confirmed' | 'cancelled'
}

/** By order id, the oldest order first. */
export type Overview = ReadonlyMap<string, Row>

const TYPES = ['order.*', 'payment.authorized', 'payment.refunded'] as const

type Read = Extract<
  CatalogueEvent,
  { type: `order.${string}` | `payment.${'authorized' | 'refunded'}` }
>

/** Pure: it is called again for events that find their place only when the room has confirmed them. */
function fold(orders: Overview, { type, data }: Read): Overview {
  if (type === 'order.created') {
    const { customerId, items } = data
    return withRow(orders, data.orderId, { customerId, total: totalOf(items), status: 'open' })
  }
  const row = orders.get(data.orderId)
  // What retention took away an overview cannot show.
  if (!row) return orders
  switch (type) {
    case 'order.item_added':
      return withRow(orders, data.orderId, { ...row, total: row.total + totalOf([data.item]) })
    case 'payment.authorized':
      return withRow(orders, data.orderId, { ...row, status: 'paid' })
    case 'order.confirmed':
      return withRow(orders, data.orderId, { ...row, status: 'confirmed' })
    case 'payment.refunded':
    case 'order.cancelled':
      return withRow(orders, data.orderId, { ...row, status: 'cancelled' })
  }
}

const withRow = (orders: Overview, orderId: string, row: Row): Overview =>
  new Map(orders).set(orderId, row)

/**
 * With a key, the log keeps what is folded, and the next page reads only what came since. `version`
 * goes up with every change of `fold` or of `Row`: a snapshot of another version is folded anew.
 */
export const orderOverview = (bus: CatalogueBus): Projection<Overview> =>
  bus.project(TYPES, fold, new Map(), { key: 'order-overview', version: 1 })

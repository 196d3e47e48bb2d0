/** The aggregate: what an order is, and what may happen to it. Pure functions, without a bus. */
import { type Catalogue, type CatalogueEvent, type Item, totalOf } from '../catalogue/catalogue.ts'

export interface Order {
  readonly status: 'none' | 'open' | 'confirmed' | 'cancelled'
  readonly items: readonly Item[]
}

export const NO_ORDER: Order = { status: 'none', items: [] }

/** In cents: nobody owes more before an order is confirmed. */
export const LIMIT = 10_000

/** What an event made of the order. It decides nothing: the event has happened. */
export function evolve(order: Order, { type, data }: CatalogueEvent): Order {
  switch (type) {
    case 'order.created':
      return { status: 'open', items: data.items }
    case 'order.item_added':
      return { ...order, items: [...order.items, data.item] }
    case 'order.confirmed':
      return { ...order, status: 'confirmed' }
    case 'order.cancelled':
      return { ...order, status: 'cancelled' }
    default:
      return order
  }
}

/** Something that is to happen: a type and its data. */
export type Change = {
  [Type in keyof Catalogue]: { readonly type: Type; readonly data: Catalogue[Type] }
}[keyof Catalogue]

/** What a command comes to, given the order as it is; throws where it is not allowed. */
export type Decide = (order: Order) => readonly Change[]

export const create =
  (data: Catalogue['order.created']): Decide =>
  ({ status }) => {
    if (status !== 'none') throw new Error(`order ${data.orderId} is there already`)
    return [{ type: 'order.created', data }]
  }

export const addItem =
  (orderId: string, item: Item): Decide =>
  ({ status, items }) => {
    if (status !== 'open') throw new Error(`order ${orderId} is not open`)
    if (totalOf([...items, item]) > LIMIT)
      throw new Error(`order ${orderId} would be over the limit`)
    return [{ type: 'order.item_added', data: { orderId, item } }]
  }

export const confirm =
  (orderId: string): Decide =>
  ({ status }) => {
    if (status === 'confirmed') return []
    if (status !== 'open') throw new Error(`order ${orderId} is not open`)
    return [{ type: 'order.confirmed', data: { orderId } }]
  }

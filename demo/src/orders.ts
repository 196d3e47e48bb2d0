/** Orders and how far they are, as their events make them. Pure, and in any order of answers. */
import type { EventOf } from '@crosstown/bus'
import type { CartLine, Shop } from './bus.ts'

export const ANSWERS = ['order.validated', 'order.confirmed'] as const
export type Answer = (typeof ANSWERS)[number]

export interface OrderStep {
  readonly source: string
  readonly time: number
  readonly message?: string
}

export interface Order {
  /** What ties the events of one order together. */
  readonly correlationId: string
  readonly id: string
  readonly items: readonly CartLine[]
  readonly total: number
  readonly created: OrderStep
  readonly answers: { readonly [Type in Answer]?: OrderStep }
}

/** Newest first. */
export type Orders = readonly Order[]

export type OrderEvent = EventOf<Shop, 'order.created' | Answer>

/** Orders kept: the log has the others. */
const MAX_ORDERS = 20

export function applyToOrders(orders: Orders, event: OrderEvent): Orders {
  const { correlationId, source, time } = event
  if (event.type === 'order.created') {
    if (orders.some((order) => order.correlationId === correlationId)) return orders
    const { id, items, total } = event.data
    const order: Order = { correlationId, id, items, total, created: { source, time }, answers: {} }
    return [order, ...orders].slice(0, MAX_ORDERS)
  }
  const step: OrderStep =
    event.type === 'order.confirmed'
      ? { source, time, message: event.data.message }
      : { source, time }
  return orders.map((order) =>
    order.correlationId === correlationId
      ? { ...order, answers: { ...order.answers, [event.type]: step } }
      : order,
  )
}

const ID_LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'

/** Short enough to be read out, without letters that look alike. */
export function newOrderId(): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(6)),
    (byte) => ID_LETTERS[byte % ID_LETTERS.length],
  ).join('')
}

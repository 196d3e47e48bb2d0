/** Orders and how far they are, as their events make them. Pure, in whatever order events come. */
import type { EventOf } from '@crosstown/bus'
import type { FailureReason, OrderData, Shop } from './events.ts'

/** The way of an order on which all goes well. */
export const STEPS = [
  'order.created',
  'order.validated',
  'inventory.reserved',
  'payment.completed',
  'shipping.arranged',
  'order.confirmed',
] as const

/** What stops an order; what is taken back then; and the end of it. */
const SETBACKS = [
  'inventory.missing',
  'payment.declined',
  'shipping.refused',
  'payment.refunded',
  'inventory.released',
  'order.failed',
] as const

export const ORDER_TYPES = [...STEPS, ...SETBACKS] as const

export type OrderType = (typeof ORDER_TYPES)[number]
export type OrderEvent = EventOf<Shop, OrderType>

export interface OrderStep {
  readonly type: OrderType
  readonly source: string
  readonly time: number
  readonly message: string | undefined
}

export interface Order extends OrderData {
  /** What ties the events of one order together. */
  readonly correlationId: string
  /** In the order in which they are known here; one of a type. */
  readonly steps: readonly OrderStep[]
  readonly failed: FailureReason | undefined
}

/** Newest first. */
export type Orders = readonly Order[]

export const NO_ORDERS: Orders = []

/** Orders kept: the log has the others. */
const MAX_ORDERS = 20

export function applyToOrders(orders: Orders, event: OrderEvent): Orders {
  const { correlationId, type, data } = event
  if (type === 'order.created') {
    if (orders.some((order) => order.correlationId === correlationId)) return orders
    const order = { ...data, correlationId, steps: [stepOf(event)], failed: undefined }
    return [order, ...orders].slice(0, MAX_ORDERS)
  }
  return orders.map((order) => {
    if (order.correlationId !== correlationId || stepIn(order, type)) return order
    return {
      ...order,
      steps: [...order.steps, stepOf(event)],
      failed: type === 'order.failed' ? data.reason : order.failed,
    }
  })
}

function stepOf({ type, source, time, data }: OrderEvent): OrderStep {
  return { type, source, time, message: 'message' in data ? data.message : undefined }
}

export const stepIn = ({ steps }: Pick<Order, 'steps'>, type: OrderType): OrderStep | undefined =>
  steps.find((step) => step.type === type)

export type OrderState = 'open' | 'confirmed' | 'failed'

export function stateOf(order: Order): OrderState {
  if (order.failed) return 'failed'
  return stepIn(order, 'order.confirmed') ? 'confirmed' : 'open'
}

export type Service = 'orders-service' | 'warehouse-service'

/** Whose turn it is, as an order stands. */
export function waitsFor(order: Order): Service | undefined {
  if (stateOf(order) !== 'open') return undefined
  switch (order.steps.at(-1)?.type) {
    case 'order.validated':
    case 'payment.completed':
    case 'payment.declined':
    case 'payment.refunded':
      return 'warehouse-service'
    default:
      return 'orders-service'
  }
}

const ID_LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'

/** Short enough to be read out, without letters that look alike. */
export function newOrderId(): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(6)),
    (byte) => ID_LETTERS[byte % ID_LETTERS.length],
  ).join('')
}

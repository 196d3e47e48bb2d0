/** Everything that happens in the shop: the types of its events, and what they carry. */
export interface CartLine {
  readonly sku: string
  readonly name: string
  /** In cents. */
  readonly price: number
  readonly quantity: number
}

export interface Item {
  readonly sku: string
  readonly quantity: number
}

/** `declined` and `ferry` are there to see an order fail, and what it did taken back. */
export type Payment = 'card' | 'declined'
export type Delivery = 'bicycle' | 'ferry'

export interface OrderData {
  readonly id: string
  readonly items: readonly CartLine[]
  /** In cents, as all money here. */
  readonly total: number
  readonly payment: Payment
  readonly delivery: Delivery
}

export type FailureReason = 'invalid' | 'out_of_stock' | 'card_declined' | 'no_courier'

export type Shop = {
  'cart.item_added': { sku: string; name: string; price: number }
  'cart.item_removed': { sku: string }
  'cart.cleared': void

  // The orders service, on Node, says what becomes of an order and of its payment.
  'order.created': OrderData
  'order.validated': { id: string; total: number }
  'payment.completed': { id: string; amount: number }
  'payment.declined': { id: string; message: string }
  'payment.refunded': { id: string; amount: number }
  'order.confirmed': { id: string; message: string }
  'order.failed': { id: string; reason: FailureReason; message: string }

  // The warehouse, on Deno, says what is on its shelves and on its way.
  'inventory.reserved': { id: string; items: readonly Item[] }
  'inventory.missing': { id: string; message: string }
  'inventory.released': { id: string; items: readonly Item[] }
  'inventory.restocked': { items: readonly Item[] }
  'shipping.arranged': { id: string; message: string }
  'shipping.refused': { id: string; message: string }

  /** Someone has looked at the orders, on whichever device. */
  'notification.seen': void
  /** Of the service worker: what it has counted, and how much of it after it had been asleep. */
  'notification.counted': { total: number; unread: number; caughtUp: number }

  /** Made by the thousand, to see them arrive. */
  'load.sent': { run: string; index: number; of: number }

  /** This device goes offline or comes back: for its tabs only. */
  'demo.offline': { on: boolean }
  /** Is the service worker there? */
  'demo.ping': void
  'demo.pong': void
}

/** The stream of an order: what each step of it is published to. */
export const orderStream = (id: string): string => `order-${id}`

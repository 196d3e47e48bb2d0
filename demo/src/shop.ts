/** What the shop does: its state folded from the log, and the events its buttons publish. */
import { bus, type CartLine } from './bus.ts'
import { applyToCart, type Cart, EMPTY_CART, totalOf } from './cart.ts'
import { applyToOrders, newOrderId, type Orders } from './orders.ts'
import type { Product } from './products.ts'
import { createStore } from './store.ts'

export const cart = createStore<Cart>(EMPTY_CART)
export const orders = createStore<Orders>([])

bus.subscribe('cart.*', (event) => cart.set(applyToCart(cart.get(), event)), { from: 'start' })
bus.subscribe(
  ['order.created', 'order.validated', 'order.confirmed'],
  (event) => orders.set(applyToOrders(orders.get(), event)),
  { from: 'start' },
)

// Nobody awaits these: what goes wrong is reported through the bus's onError.
export function addToCart({ sku, name, price }: Product | CartLine): void {
  void bus.publish('cart.item_added', { sku, name, price })
}

export function removeFromCart(sku: string): void {
  void bus.publish('cart.item_removed', { sku })
}

export function clearCart(): void {
  void bus.publish('cart.cleared')
}

/** The order and the empty cart are one batch: both are recorded, or neither. */
export function checkOut(items: Cart): void {
  const id = newOrderId()
  void bus.publishBatch([
    {
      type: 'order.created',
      data: { id, items, total: totalOf(items) },
      stream: `order-${id}`,
    },
    { type: 'cart.cleared' },
  ])
}

/** What the shop's buttons do: they publish. */
import { bus } from './bus.ts'
import { type Cart, totalOf } from './cart.ts'
import { type CartLine, type Delivery, orderStream, type Payment } from './events.ts'
import { newOrderId } from './orders.ts'
import type { Product } from './products.ts'

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
export function checkOut(items: Cart, payment: Payment, delivery: Delivery): string {
  const id = newOrderId()
  const data = { id, items, total: totalOf(items), payment, delivery }
  void bus.publishBatch([
    { type: 'order.created', data, stream: orderStream(id) },
    { type: 'cart.cleared' },
  ])
  return id
}

/** Makes the cart what it was once. The events in between stay: these are new ones. */
export function putBack(lines: Cart): void {
  void bus.publishBatch([
    { type: 'cart.cleared' },
    ...lines.flatMap(({ sku, name, price, quantity }) =>
      Array.from({ length: quantity }, () => ({
        type: 'cart.item_added' as const,
        data: { sku, name, price },
      })),
    ),
  ])
}

/** What a delivery brings: it works without the warehouse, which reads of it later. */
export function restock(sku: string, quantity: number): void {
  void bus.publish('inventory.restocked', { items: [{ sku, quantity }] })
}

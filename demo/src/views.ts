/** The read models of this page. What the screens show of the shop is folded here, from events. */
import { bus } from './bus.ts'
import { applyToCart, EMPTY_CART } from './cart.ts'
import { applyToOrders, NO_ORDERS, ORDER_TYPES } from './orders.ts'
import { applyToStock, FULL_SHELVES, STOCK_TYPES } from './stock.ts'
import { createStore } from './store.ts'

export const cart = bus.project('cart.*', applyToCart, EMPTY_CART, { key: 'cart' })
export const orders = bus.project(ORDER_TYPES, applyToOrders, NO_ORDERS, { key: 'orders' })
export const stock = bus.project(STOCK_TYPES, applyToStock, FULL_SHELVES, { key: 'stock' })

/** Whether the log of this device has been read. What goes wrong with it is reported by the bus. */
export const loaded = createStore(false)
Promise.all([cart, orders, stock].map(({ ready }) => ready)).then(
  () => loaded.set(true),
  () => loaded.set(true),
)

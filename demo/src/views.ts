/** The read models of this page. What the screens show of the shop is folded here, from events. */
import { bus } from './bus.ts'
import { applyToCart, CART_TYPES, EMPTY_CART } from './cart.ts'
import { fold } from './fold.ts'
import { applyToOrders, NO_ORDERS, ORDER_TYPES } from './orders.ts'
import { applyToStock, FULL_SHELVES, STOCK_TYPES } from './stock.ts'

export const cart = fold(bus, CART_TYPES, applyToCart, EMPTY_CART)
export const orders = fold(bus, ORDER_TYPES, applyToOrders, NO_ORDERS)
export const stock = fold(bus, STOCK_TYPES, applyToStock, FULL_SHELVES)

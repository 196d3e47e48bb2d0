/** The cart as its events make it. Pure: the same events in the same order give the same cart. */
import type { Matched } from '@crosstown/bus'
import type { CartLine, Shop } from './events.ts'

export type Cart = readonly CartLine[]

export type CartEvent = Matched<Shop, 'cart.*'>

export const EMPTY_CART: Cart = []

export function applyToCart(cart: Cart, event: CartEvent): Cart {
  switch (event.type) {
    case 'cart.item_added': {
      const { sku, name, price } = event.data
      const known = cart.some((line) => line.sku === sku)
      if (!known) return [...cart, { sku, name, price, quantity: 1 }]
      return cart.map((line) =>
        line.sku === sku ? { sku, name, price, quantity: line.quantity + 1 } : line,
      )
    }
    case 'cart.item_removed': {
      const { sku } = event.data
      return cart
        .map((line) => (line.sku === sku ? { ...line, quantity: line.quantity - 1 } : line))
        .filter((line) => line.quantity > 0)
    }
    case 'cart.cleared':
      return EMPTY_CART
  }
}

export const totalOf = (lines: readonly CartLine[]): number =>
  lines.reduce((sum, { price, quantity }) => sum + price * quantity, 0)

export const countOf = (lines: readonly { readonly quantity: number }[]): number =>
  lines.reduce((sum, { quantity }) => sum + quantity, 0)

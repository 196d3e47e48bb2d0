import * as z from 'zod'

/** One line of an order. Prices are whole cents: fractions of them round differently everywhere. */
export const item = z.object({
  sku: z.string().min(1),
  quantity: z.int().positive(),
  price: z.int().nonnegative(),
})

export type Item = z.infer<typeof item>

/** `order.created` as it was before an order could have several lines. */
export interface OrderCreatedV1 {
  readonly orderId: string
  readonly customerId: string
  readonly sku: string
  readonly quantity: number
  readonly price: number
}

export const orders = {
  'order.created': {
    schema: z.object({ orderId: z.string(), customerId: z.string(), items: z.array(item).min(1) }),
    version: 2,
    upcast: {
      // Old events stay as they were written; whoever reads one gets this.
      1: ({ orderId, customerId, sku, quantity, price }: OrderCreatedV1) => ({
        orderId,
        customerId,
        items: [{ sku, quantity, price }],
      }),
    },
  },
  'order.item_added': z.object({ orderId: z.string(), item }),
  'order.confirmed': z.object({ orderId: z.string() }),
  'order.cancelled': z.object({ orderId: z.string(), reason: z.string() }),
}

/** The stream of an order: all that happens to it, under one revision. */
export const orderStream = (orderId: string): string => `order-${orderId}`

export const totalOf = (items: readonly Item[]): number =>
  items.reduce((sum, { quantity, price }) => sum + quantity * price, 0)

import * as z from 'zod'

/** In whole cents. */
const amount = z.int().nonnegative()

export const payments = {
  'payment.authorized': z.object({ orderId: z.string(), paymentId: z.string(), amount }),
  'payment.declined': z.object({ orderId: z.string(), reason: z.string() }),
  'payment.refunded': z.object({ orderId: z.string(), paymentId: z.string(), amount }),
}

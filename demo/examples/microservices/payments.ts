/** The payments service: it knows orders that are created, and what it says of them. */
import { totalOf } from '../catalogue/catalogue.ts'
import { answer } from './answer.ts'
import { join } from './join.ts'

const bus = join('payments')

bus.subscribe(
  'order.created',
  (event, ctx) => {
    const { orderId, items } = event.data
    const paymentId = `payment-${orderId}`
    return answer(event, ctx, 'payment.authorized', {
      orderId,
      paymentId,
      amount: totalOf(items),
    })
  },
  { from: 'start' },
)

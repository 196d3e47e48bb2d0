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
    console.log(`takes the money for ${orderId}`)
    return answer(event, ctx, 'payment.authorized', { orderId, paymentId, amount: totalOf(items) })
  },
  // Each order goes to one instance of this service, and to another where that one dies with it.
  { group: 'payments' },
)

/** The shipping service: what is paid goes out. */
import { answer } from './answer.ts'
import { join } from './join.ts'

const bus = join('shipping')

bus.subscribe(
  'payment.authorized',
  (event, ctx) => {
    const { orderId, paymentId } = event.data
    return answer(event, ctx, 'shipment.requested', { orderId, paymentId })
  },
  { group: 'shipping' },
)

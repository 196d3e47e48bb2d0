/** The orders service: each line of its input is an order, and it says which ones are on their way. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { orderStream } from '../catalogue/catalogue.ts'
import { join } from './join.ts'

await using bus = join('orders')

bus.subscribe('shipment.requested', ({ data, correlationId }) => {
  console.log(`${data.orderId} is on its way (${correlationId})`)
})

for await (const orderId of createInterface({ input: process.stdin })) {
  const items = [{ sku: 'A1', quantity: 2, price: 350 }]
  const order = { orderId, customerId: 'c1', items }
  const { id } = await bus.publish('order.created', order, { stream: orderStream(orderId) })
  console.log(`${orderId} created (${id})`)
}

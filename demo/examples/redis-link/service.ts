/**
 * A service that confirms the orders whose ids it reads, and says which ones it hears of.
 *
 *     node service.ts redis://127.0.0.1:6379 till-1
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { createBus } from '@crosstown/bus'
import { catalogue } from '../catalogue/catalogue.ts'
import { redisLink } from './redis-link.ts'

const [url = 'redis://127.0.0.1:6379', source = 'service'] = process.argv.slice(2)
await using bus = createBus({
  name: 'shop',
  source,
  events: catalogue,
  links: [redisLink({ url })],
})

bus.subscribe('order.confirmed', (event, { origin }) => {
  console.log(`${event.data.orderId} confirmed by ${event.source} (${origin})`)
})
bus.presence.subscribe((members) => {
  console.log(
    `here: ${members
      .map((member) => member.source)
      .toSorted()
      .join(', ')}`,
  )
})

for await (const orderId of createInterface({ input: process.stdin })) {
  await bus.publish('order.confirmed', { orderId })
}

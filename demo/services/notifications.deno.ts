/** The notifications service, on Deno: answers `order.created` with a word for the customer. */
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import type { Shop } from '../src/bus.ts'

const url = Deno.env.get('CROSSTOWN_RELAY') ?? 'ws://127.0.0.1:8787'
const rooms = (Deno.env.get('CROSSTOWN_ROOM') ?? 'demo').split(',')

const buses = rooms.map((room) => {
  const bus = createBus<Shop>({
    name: 'shop',
    source: 'notifications-service',
    log: memoryLog(),
    relay: relayLink({ url, room, from: 'now' }),
  })
  bus.subscribe('order.created', (event, ctx) => {
    const { id } = event.data
    console.log(`${room}: order ${id} confirmed`)
    return ctx.publish(
      'order.confirmed',
      { id, message: 'ready at six' },
      { stream: `order-${id}` },
    )
  })
  let seen = ''
  bus.status.subscribe(({ relay }) => {
    if (relay !== seen) console.log(`${room}: relay ${relay}`)
    seen = relay
  })
  return bus
})

// A bus keeps no process alive; this one waits for orders, also while the relay is away.
const alive = setInterval(() => {}, 60_000)

async function end(): Promise<void> {
  clearInterval(alive)
  await Promise.all(buses.map((bus) => bus.close({ timeout: 2_000 })))
  Deno.exit()
}
Deno.addSignalListener('SIGINT', end)
if (Deno.build.os !== 'windows') Deno.addSignalListener('SIGTERM', end)

/** The orders service, on Node: answers `order.created` in the rooms it was started for. */
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import type { Shop } from '../src/bus.ts'

const url = process.env['CROSSTOWN_RELAY'] ?? 'ws://127.0.0.1:8787'
const rooms = (process.env['CROSSTOWN_ROOM'] ?? 'demo').split(',')

const buses = rooms.map((room) => {
  const bus = createBus<Shop>({
    name: 'shop',
    source: 'orders-service',
    log: memoryLog(),
    // From now on: a service that is started again does not answer old orders twice.
    relay: relayLink({ url, room, from: 'now' }),
  })
  bus.subscribe('order.created', (event, ctx) => {
    const { id, items } = event.data
    const total = items.reduce((sum, { price, quantity }) => sum + price * quantity, 0)
    console.log(`${room}: order ${id} validated`)
    return ctx.publish('order.validated', { id, total }, { stream: `order-${id}` })
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
  process.exit()
}
process.once('SIGINT', end)
process.once('SIGTERM', end)

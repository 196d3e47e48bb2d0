/** How a service comes into the room: on Node, Deno and Bun alike. */
import process from 'node:process'
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import { events, type ShopBus } from './events.ts'

/** The address of the relay is the program's argument. */
export function join(source: string): ShopBus {
  const [url = 'ws://127.0.0.1:8787'] = process.argv.slice(2)
  const bus = createBus({
    name: 'shop',
    source,
    events,
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url, room: 'shop' }),
  })
  let seen = ''
  bus.status.subscribe(({ relay }) => {
    if (relay !== seen) console.log(`${source} is ${relay}`)
    seen = relay
  })
  process.once('SIGTERM', () => bus.close())
  return bus
}

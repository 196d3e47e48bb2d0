/** What both services share: a bus for each room they were started for, and an orderly end. */
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import type { Shop } from '../src/events.ts'
import type { Service } from '../src/orders.ts'
import type { Work } from './turn.ts'

const {
  CROSSTOWN_RELAY: url = 'ws://127.0.0.1:8787',
  CROSSTOWN_ROOM: rooms = 'demo',
  CROSSTOWN_DATA: folder,
  CROSSTOWN_PACE: pace = '450',
} = process.env

/**
 * Joins the rooms. With a folder for its log, it shares its work with whoever else runs as this service,
 * and what came while none of them was there waits for it; without, it begins with what comes from then on.
 */
export function joinRooms(source: Service, start: (bus: Bus<Shop>, work: Work) => void): void {
  const buses = rooms.split(',').map((room) => {
    const bus = createBus<Shop>({
      name: 'shop',
      source,
      log: folder ? sqliteLog(`${folder}/${source}.db`) : memoryLog(),
      relay: relayLink({ url, room }),
    })
    start(bus, { pace: () => wait(Number(pace)), ...(folder && { group: source }) })
    bus.subscribe(['order.confirmed', 'order.failed'], ({ type, data }) => {
      console.log(`${room}: ${type} ${data.id}: ${data.message}`)
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
  const end = async (): Promise<void> => {
    clearInterval(alive)
    await Promise.all(buses.map((bus) => bus.close({ timeout: 2_000 })))
    process.exit()
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
}

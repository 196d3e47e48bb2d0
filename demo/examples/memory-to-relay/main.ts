/**
 * A till: each line of its input is the price of what is sold, in cents.
 *
 *     node main.ts memory
 *     node main.ts device ./till.db
 *     node main.ts room ws://127.0.0.1:8787 shop
 */
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import { inMemory, inRoom, onDevice } from './buses.ts'
import { sell, watchSales } from './sales.ts'

const [kind, place = '', room = ''] = process.argv.slice(2)
await using bus =
  kind === 'room'
    ? inRoom(place, room)
    : kind === 'device'
      ? onDevice(sqliteLog(place))
      : inMemory()

watchSales(bus, (cents) => console.log(`sold for ${cents}`))

for await (const line of createInterface({ input: process.stdin })) {
  await sell(bus, randomUUID(), [{ sku: 'till', quantity: 1, price: Number(line) }])
}

// What the page runs that reads from its disk.
import { createBus } from '@crosstown/bus'
import Dexie from 'dexie'
import { openDB } from 'idb'
import { Arrivals, dataOf, eventOf, TYPE } from './events.mjs'

const streamOf = (n, events, length) => `order-${n % (events / length)}`
const CHUNK = 1_000

let bus
let rows
let dexie

globalThis.bench = {
  collectGarbage: () => globalThis.gc(),

  /** The same events in a bus's log, in rows of a plain store, and in a Dexie table. */
  async fill({ events, length }) {
    bus = createBus({ name: 'read' })
    rows = await openDB('read-idb', 1, {
      upgrade(upgrading) {
        upgrading.createObjectStore('events', { autoIncrement: true })
      },
    })
    dexie = new Dexie('read-dexie', { chromeTransactionDurability: 'relaxed' })
    dexie.version(1).stores({ events: '++,type,stream' })
    await dexie.open()
    for (let first = 0; first < events; first += CHUNK) {
      const published = []
      const plain = []
      for (let n = first; n < first + CHUNK; n++) {
        const stream = streamOf(n, events, length)
        published.push(bus.publish(TYPE, dataOf(n), { stream }))
        plain.push(eventOf(n, stream))
      }
      await Promise.all(published)
      const transaction = rows.transaction('events', 'readwrite', { durability: 'relaxed' })
      for (const event of plain) transaction.store.put(event)
      await transaction.done
      await dexie.table('events').bulkAdd(plain)
    }
    if (bus.status.log.kind !== 'disk') throw new Error('the log is not on the disk')
  },

  /** Milliseconds for all events, one after the other. */
  async replay({ events }) {
    const arrivals = new Arrivals()
    const began = performance.now()
    for await (const { data } of bus.replay()) arrivals.take(data.n)
    const ms = performance.now() - began
    arrivals.check(events)
    return ms
  },

  async getAll({ events }) {
    const arrivals = new Arrivals()
    const began = performance.now()
    for (let after = 0; ; after += CHUNK) {
      const some = await rows.getAll('events', IDBKeyRange.lowerBound(after, true), CHUNK)
      for (const { data } of some) arrivals.take(data.n)
      if (some.length < CHUNK) break
    }
    const ms = performance.now() - began
    arrivals.check(events)
    return ms
  },
}

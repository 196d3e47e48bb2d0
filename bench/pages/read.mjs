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

  /** Milliseconds for one stream. */
  async loadStream({ stream, length }) {
    const began = performance.now()
    const events = await bus.loadStream(stream)
    const ms = performance.now() - began
    checkStream(events, stream, length)
    return ms
  },

  async whereStream({ stream, length }) {
    const began = performance.now()
    const events = await dexie.table('events').where('stream').equals(stream).toArray()
    const ms = performance.now() - began
    checkStream(events, stream, length)
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

function checkStream(events, stream, length) {
  const wrong = events.find((event) => event.stream !== stream)
  if (wrong) throw new Error(`an event of ${wrong.stream} is in ${stream}`)
  let last = -1
  for (const { data } of events) {
    if (data.n <= last) throw new Error(`number ${data.n} came after ${last}`)
    last = data.n
  }
  if (events.length !== length) throw new Error(`${events.length} of ${length} events`)
}

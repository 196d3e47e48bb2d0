// What the page runs that writes to its disk.
import { createBus } from '@crosstown/bus'
import Dexie from 'dexie'
import { deleteDB, openDB } from 'idb'
import { Arrivals, dataOf, eventOf, TYPE } from './events.mjs'

const streamOf = (n, streams) => (streams === 0 ? undefined : `cart-${n % streams}`)

let databases = 0
let lone

globalThis.bench = {
  collectGarbage: () => globalThis.gc(),

  /** Milliseconds for so many events, published in one task, all awaited `logged`. */
  async appendToBus({ count, streams }) {
    const name = `append-${++databases}`
    const bus = createBus({ name })
    await opened(bus)
    const began = performance.now()
    const published = []
    for (let n = 0; n < count; n++) {
      const stream = streamOf(n, streams)
      const options = stream === undefined ? { until: 'logged' } : { stream, until: 'logged' }
      published.push(bus.publish(TYPE, dataOf(n), options))
    }
    const events = await Promise.all(published)
    const ms = performance.now() - began
    checkOffsets(events)
    await checkLog(bus, count, streams)
    await bus.close()
    await deleteDB(`crosstown:${name}:`)
    return ms
  },

  /** The same events as rows of a Dexie table that is queryable by type and stream. */
  async appendToDexie({ count, streams, chunk }) {
    const database = new Dexie(`dexie-${++databases}`, { chromeTransactionDurability: 'relaxed' })
    database.version(1).stores({ events: '++,type,stream' })
    await database.open()
    const table = database.table('events')
    await table.bulkAdd([])
    const began = performance.now()
    for (let first = 0; first < count; first += chunk) {
      const events = []
      for (let n = first; n < first + chunk; n++) events.push(eventOf(n, streamOf(n, streams)))
      await table.bulkAdd(events)
    }
    const ms = performance.now() - began
    const arrivals = new Arrivals()
    await table.each(({ data }) => arrivals.take(data.n))
    arrivals.check(count)
    await database.delete()
    return ms
  },

  async openLone() {
    const bus = createBus({ name: 'lone' })
    await opened(bus)
    const database = await openDB('lone-idb', 1, {
      upgrade(upgrading) {
        upgrading.createObjectStore('events', { autoIncrement: true })
      },
    })
    lone = { bus, database, published: 0, put: 0 }
  },

  /** Milliseconds of single awaited publishes, each with nothing else going on. */
  async loneOverBus({ count }) {
    const times = []
    for (let i = 0; i < count; i++) {
      await idle()
      const data = dataOf(lone.published++)
      const began = performance.now()
      await lone.bus.publish(TYPE, data)
      times.push(performance.now() - began)
    }
    return times
  },

  async loneOverIdb({ count }) {
    const times = []
    for (let i = 0; i < count; i++) {
      await idle()
      const event = eventOf(lone.put++)
      const began = performance.now()
      const transaction = lone.database.transaction('events', 'readwrite', {
        durability: 'relaxed',
      })
      transaction.store.put(event)
      await transaction.done
      times.push(performance.now() - began)
    }
    return times
  },

  /** That all of them are where they belong. */
  async checkLone() {
    await checkLog(lone.bus, lone.published, 0)
    const rows = await lone.database.count('events')
    if (rows !== lone.put) throw new Error(`${rows} of ${lone.put} rows are in the database`)
  },
}

async function opened(bus) {
  await bus.get('nobody-1')
  if (bus.status.log.kind !== 'disk') throw new Error('the log is not on the disk')
}

function checkOffsets(events) {
  let last = -1
  for (const { offset } of events) {
    if (!(offset > last)) throw new Error(`offset ${offset} came after ${last}`)
    last = offset
  }
}

/** Reads the log from its start: exactly these events, in order, with their streams. */
function checkLog(bus, count, streams) {
  const arrivals = new Arrivals()
  return new Promise((resolve, reject) => {
    const off = bus.subscribe(
      '**',
      ({ data, stream }) => {
        if (stream !== streamOf(data.n, streams)) reject(new Error(`${data.n} lost its stream`))
        arrivals.take(data.n)
        if (arrivals.count === count) setTimeout(done)
      },
      { from: 'start' },
    )
    const late = setTimeout(done, 20_000)
    function done() {
      clearTimeout(late)
      off()
      try {
        arrivals.check(count)
        resolve()
      } catch (error) {
        reject(error)
      }
    }
  })
}

const idle = () => new Promise((resolve) => setTimeout(resolve, 2))

// What pages run whose log, or whose number, grows.
import { createBus } from '@crosstown/bus'
import { Arrivals, dataOf, TYPE } from './events.mjs'

const CHUNK = 200
/** Events whose streams are mixed. */
const MIXED = 1_000

let log
let filled = 0
const buses = new Map()
const control = new BroadcastChannel('control')

globalThis.bench = {
  collectGarbage: () => globalThis.gc(),

  /** Events are added to what is there. */
  async fillTo({ count, length }) {
    log ??= createBus({
      name: 'growth',
      tabs: false,
      limits: { logEvents: 2 * 10 ** 6, logBytes: 2 ** 30 },
    })
    for (; filled < count; filled += CHUNK) {
      const published = []
      for (let n = filled; n < filled + CHUNK; n++) {
        published.push(log.publish(TYPE, dataOf(n), { stream: streamOf(n, length) }))
      }
      await Promise.all(published)
    }
    if (log.status.log.kind !== 'disk') throw new Error('the log is not on the disk')
  },

  publishOne: ({ count }) => times(count, () => log.publish('bench.lone', null)),

  loadStream: ({ count, stream, length, events }) =>
    times(count, async (i) => {
      const name = `cart-${(stream + i * 7) % (events / length)}`
      const found = await log.loadStream(name)
      if (found.length !== length) throw new Error(`${found.length} events are in ${name}`)
    }),

  async getOne({ count, events }) {
    const ids = []
    for await (const { id } of log.replay({ from: 'start', pattern: TYPE, limit: 100 }))
      ids.push(id)
    return times(count, async (i) => {
      const event = await log.get(ids[(i * 7) % ids.length])
      if (event?.type !== TYPE) throw new Error(`an event of ${events} is not to be had`)
    })
  },

  /** Tells the tab that sends when the last event is there. */
  async hearBurst({ log, count }) {
    const bus = await busOf(log)
    const arrivals = new Arrivals()
    const off = bus.subscribe(TYPE, ({ data }) => {
      arrivals.take(data.n)
      if (arrivals.count < count) return
      off()
      control.postMessage({ wrong: arrivals.wrong })
    })
  },

  /** Milliseconds until so many others have heard all. */
  async burst({ log, count, hearers }) {
    const bus = await busOf(log)
    const all = new Promise((resolve, reject) => {
      let done = 0
      control.onmessage = ({ data }) => {
        done += 1
        if (data.wrong) reject(new Error(data.wrong))
        else if (done === hearers) resolve()
      }
    })
    const began = performance.now()
    const published = []
    for (let n = 0; n < count; n++) published.push(bus.publish(TYPE, dataOf(n)))
    await all
    const ms = performance.now() - began
    await Promise.all(published)
    return ms
  },
}

const streamOf = (n, length) => {
  const carts = MIXED / length
  return `cart-${Math.floor(n / MIXED) * carts + (n % carts)}`
}

async function busOf(log) {
  const known = buses.get(log)
  if (known) return known
  const bus = createBus({ name: log ? 'logged' : 'plain', ...(log ? {} : { log: false }) })
  buses.set(log, bus)
  await bus.publish('bench.ready', null)
  if (log && bus.status.log.kind !== 'disk') throw new Error('the log is not on the disk')
  return bus
}

/** Milliseconds of each of so many calls, one after the other, with nothing else going on. */
async function times(count, call) {
  const took = []
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    const began = performance.now()
    await call(i)
    took.push(performance.now() - began)
  }
  return took
}

// What both tabs run: one hears, the other sends and takes the time, on its own clock.
import { createBus } from '@crosstown/bus'
import { Arrivals, dataOf, eventOf, TYPE } from './events.mjs'

/** Tells the sending tab what the hearing one did; the same few messages for both sides. */
const control = new BroadcastChannel('control')
const said = new EventTarget()
control.onmessage = ({ data }) => said.dispatchEvent(new CustomEvent(data.what, { detail: data }))

const hear = (what) =>
  new Promise((resolve) => {
    said.addEventListener(what, ({ detail }) => resolve(detail), { once: true })
  })

const buses = new Map()

function busOf({ log }) {
  const name = `tabs-${log ? 'logged' : 'plain'}`
  const known = buses.get(name)
  if (known) return known
  // Where there is a log, it is the default one: IndexedDB.
  const bus = createBus({ name, ...(log ? {} : { log: false }) })
  buses.set(name, bus)
  return bus
}

let natives
function native() {
  natives ??= new BroadcastChannel('native')
  return natives
}

let stored
/** What an application without a bus would keep its events in. */
function openStored() {
  stored ??= new Promise((resolve, reject) => {
    const opening = indexedDB.open('by-hand', 1)
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('events', { autoIncrement: true })
    }
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
  })
  return stored
}

const byHand = new BroadcastChannel('by-hand')

/** Posts an event whose place in the store is certain; a promise of its commit. */
function postStored(database, event) {
  const transaction = database.transaction('events', 'readwrite', { durability: 'relaxed' })
  const committed = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error)
  })
  byHand.postMessage(event)
  transaction.objectStore('events').add(event)
  transaction.commit()
  return committed
}

globalThis.bench = {
  collectGarbage: () => globalThis.gc(),

  // ── the hearing tab ──

  hearBurstOfBus({ count }) {
    const off = busOf({ log: false }).subscribe(
      TYPE,
      arriving(count, (event) => event, end),
    )
    function end() {
      off()
    }
  },

  hearBurstOfNative({ count }) {
    const channel = native()
    channel.onmessage = arriving(
      count,
      (message) => message.data,
      () => {
        channel.onmessage = null
      },
    )
  },

  answerBus({ log }) {
    const bus = busOf({ log })
    bus.subscribe('bench.ping', async (event) => {
      await bus.publish('bench.pong', event.data)
      control.postMessage({ what: 'committed', round: event.data.round })
    })
    return ready(bus, log)
  },

  answerNative() {
    const channel = native()
    channel.onmessage = ({ data }) => {
      if (data.type === 'bench.ping') channel.postMessage({ ...data, type: 'bench.pong' })
    }
  },

  async answerStored() {
    const database = await openStored()
    byHand.onmessage = async ({ data }) => {
      if (data.type !== 'bench.ping') return
      await postStored(database, { ...data, type: 'bench.pong' })
      control.postMessage({ what: 'committed', round: data.data.round })
    }
  },

  // ── the sending tab ──

  openBus: ({ log }) => ready(busOf({ log }), log),

  /** Milliseconds until the last event of a burst was heard in a handler of the other tab. */
  burstOverBus({ count }) {
    const bus = busOf({ log: false })
    return burst(() => {
      for (let n = 0; n < count; n++) bus.publish(TYPE, dataOf(n))
    })
  },

  burstOverNative({ count }) {
    const channel = native()
    return burst(() => {
      for (let n = 0; n < count; n++) channel.postMessage(eventOf(n))
    })
  },

  /** Round trips in milliseconds, one after the other. */
  async roundTripsOverBus({ log, count }) {
    const bus = busOf({ log })
    let answered
    const off = bus.subscribe('bench.pong', (event) => answered?.(event.data.round))
    const times = []
    for (let round = 0; round < count; round++) {
      await idle()
      const answer = new Promise((resolve) => {
        answered = resolve
      })
      const committed = hear('committed')
      const began = performance.now()
      const published = bus.publish('bench.ping', { round })
      const heard = await answer
      times.push(performance.now() - began)
      if (heard !== round) throw new Error(`the answer to ${round} was ${heard}`)
      // Both are in the log before the next one begins.
      await published
      if ((await committed).round !== round) throw new Error('a commit was told out of order')
    }
    off()
    return times
  },

  async roundTripsOverStored({ count }) {
    const database = await openStored()
    let answered
    byHand.onmessage = ({ data }) => data.type === 'bench.pong' && answered?.(data.data.round)
    const times = []
    for (let round = 0; round < count; round++) {
      await idle()
      const answer = new Promise((resolve) => {
        answered = resolve
      })
      const committed = hear('committed')
      const began = performance.now()
      const event = { ...eventOf(round), type: 'bench.ping', data: { round } }
      const published = postStored(database, event)
      const heard = await answer
      times.push(performance.now() - began)
      if (heard !== round) throw new Error(`the answer to ${round} was ${heard}`)
      await published
      if ((await committed).round !== round) throw new Error('a commit was told out of order')
    }
    byHand.onmessage = null
    return times
  },

  async roundTripsOverNative({ count }) {
    const channel = native()
    let answered
    channel.onmessage = ({ data }) => data.type === 'bench.pong' && answered?.(data.data.round)
    const times = []
    for (let round = 0; round < count; round++) {
      await idle()
      const answer = new Promise((resolve) => {
        answered = resolve
      })
      const began = performance.now()
      channel.postMessage({ ...eventOf(round), type: 'bench.ping', data: { round } })
      const heard = await answer
      times.push(performance.now() - began)
      if (heard !== round) throw new Error(`the answer to ${round} was ${heard}`)
    }
    channel.onmessage = null
    return times
  },
}

/** A handler that checks each event and tells the other tab when the last one is there. */
function arriving(count, eventIn, end) {
  const arrivals = new Arrivals()
  return (message) => {
    arrivals.take(eventIn(message).data.n)
    if (arrivals.count < count) return
    control.postMessage({ what: 'last', wrong: arrivals.wrong })
    end()
  }
}

async function burst(send) {
  const last = hear('last')
  const began = performance.now()
  send()
  const { wrong } = await last
  const ms = performance.now() - began
  if (wrong !== undefined) throw new Error(wrong)
  return ms
}

/** Link and log are open, so that no round pays for it. */
async function ready(bus, log) {
  await bus.publish('bench.ready', null)
  if (log && bus.status.log.kind !== 'disk') throw new Error('the log is not on the disk')
}

/** Long enough for both tabs to have nothing left to do. */
const idle = () => new Promise((resolve) => setTimeout(resolve, 2))

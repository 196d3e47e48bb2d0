// What the page runs that is inspected.
import { createBus } from '@crosstown/bus'
import { eventsOf, INSPECT_CHANNEL, INSPECT_VERSION } from '@crosstown/bus/inspect'
import { dataOf, TYPE } from './events.mjs'

/** 5,000 events a second, in ticks of 10 ms. */
const A_TICK = 50
const TICK_MS = 10
const TICKS = 200

const payloads = Array.from({ length: A_TICK }, (_, n) => dataOf(n))

let bus
let heard = 0
let told = 0
let toldMore = () => {}

globalThis.bench = {
  start() {
    bus = createBus({ name: 'inspected' })
    bus.subscribe(TYPE, () => {
      heard += 1
    })
  },

  /** Pieces of work a second that get done beside publishing: all time that is left goes to them. */
  async work() {
    heard = 0
    let done = 0
    const began = performance.now()
    for (let tick = 1; tick <= TICKS; tick++) {
      for (const data of payloads) void bus.publish(TYPE, data)
      const until = began + tick * TICK_MS
      while (performance.now() < until) {
        piece()
        done += 1
        if (done % 32 === 0) await turn()
      }
    }
    await bus.flush()
    const seconds = (performance.now() - began) / 1_000
    if (heard !== TICKS * A_TICK) throw new Error(`${heard} of ${TICKS * A_TICK} events were heard`)
    return { rate: done / seconds, published: heard }
  },

  /** Makes this page an inspector that reads all it is told, and shows nothing. */
  inspect() {
    const channel = new BroadcastChannel(INSPECT_CHANNEL)
    const post = (frame) =>
      channel.postMessage(JSON.stringify({ inspect: INSPECT_VERSION, session: 'bench', ...frame }))
    addEventListener('pagehide', () => post({ frame: 'detach' }))
    return new Promise((resolve) => {
      channel.onmessage = ({ data }) => {
        const frame = JSON.parse(data)
        if (frame.frame === 'hello') resolve()
        if (frame.frame !== 'batch') return
        post({ frame: 'grant', credit: 1 })
        for (const record of frame.records) {
          if (record.is === 'published') told += eventsOf(record.events).length
        }
        toldMore()
      }
      post({ frame: 'attach', credit: 16 })
    })
  },

  /** When it was told of so many events. */
  told(events) {
    return new Promise((resolve) => {
      toldMore = () => told >= events && resolve()
      toldMore()
    })
  },
}

/** Something that takes some µs. */
function piece() {
  let sum = 0
  for (let i = 0; i < 2_000; i++) sum = (sum * 31 + i) | 0
  return sum
}

/** Everything else that waits has its turn. */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}

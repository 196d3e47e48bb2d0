// What a page runs that has just been opened, and the one before it, which publishes.
import { createBus, indexedDbLog } from '@crosstown/bus'
import { dataOf, TYPE } from './events.mjs'

const bus = createBus({ name: 'start', log: indexedDbLog({ required: true }) })
const heard = new Promise((resolve) => {
  bus.subscribe(TYPE, (_event, { origin }) => {
    if (origin === 'device') resolve(performance.now())
  })
})
let publishing

globalThis.bench = {
  collectGarbage: () => globalThis.gc(),

  /** Publishes one event after the other, at short distances, until `stop`. */
  start() {
    let n = 0
    publishing = setInterval(() => bus.publish(TYPE, dataOf(n++)), 2)
  },
  stop: () => clearInterval(publishing),

  /** Milliseconds from the start of the navigation until the first event was heard. */
  firstHeard: () => heard,
}

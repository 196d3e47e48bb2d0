// What the page runs that joins a room late.
import { createBus, indexedDbLog, relayLink } from '@crosstown/bus'
import { deleteDB, openDB } from 'idb'
import { Arrivals, TYPE } from './events.mjs'

let devices = 0

globalThis.bench = {
  collectGarbage: () => globalThis.gc(),

  /**
   * Milliseconds until a new device has all of a room in its log. Its first own event stands in the
   * room behind them all, so that its confirmation is in the log after they are.
   */
  async catchUpOverBus({ url, room, count }) {
    const name = `catch-up-${++devices}`
    const began = performance.now()
    const bus = createBus({
      name,
      log: indexedDbLog({ required: true }),
      relay: relayLink({ url, room }),
    })
    await bus.publish('bench.joined', null, { until: 'relayed' })
    const ms = performance.now() - began
    await checkLog(bus, count)
    await bus.close()
    await deleteDB(`crosstown:${name}:${room}`)
    return ms
  },

  /**
   * Milliseconds until all events that a plain socket sends are rows of a store: each line parsed by
   * itself, one row for each, one transaction for each message of 1,000 lines, begun when the one
   * before is complete. The rows have no index; beside a log, they can be found by nothing but
   * their number.
   */
  async catchUpOverSocket({ url, count }) {
    const name = `rows-${++devices}`
    const began = performance.now()
    const database = await openDB(name, 1, {
      upgrade(upgrading) {
        upgrading.createObjectStore('events', { autoIncrement: true })
      },
    })
    const socket = new WebSocket(url)
    let written = 0
    let last = Promise.resolve()
    await new Promise((resolve, reject) => {
      socket.onerror = () => reject(new Error('the socket failed'))
      socket.onmessage = ({ data }) => {
        last = last.then(async () => {
          written += await addRows(database, data.split('\n'))
          if (written === count) resolve()
        })
        last.catch(reject)
      }
    })
    const ms = performance.now() - began
    socket.close()
    await checkRows(database, count)
    database.close()
    await deleteDB(name)
    return ms
  },
}

async function addRows(database, lines) {
  const transaction = database.transaction('events', 'readwrite', { durability: 'relaxed' })
  const { store } = transaction
  for (const line of lines) store.add(JSON.parse(line))
  await transaction.done
  return lines.length
}

async function checkRows(database, count) {
  const arrivals = new Arrivals()
  for (const { data } of await database.getAll('events')) arrivals.take(data.n)
  arrivals.check(count)
}

/** Reads the log from its start: exactly these events, in order, each with its position. */
async function checkLog(bus, count) {
  const arrivals = new Arrivals()
  let own = 0
  await new Promise((resolve, reject) => {
    const off = bus.subscribe(
      ['bench.joined', TYPE],
      (event) => {
        if (event.position === undefined) reject(new Error(`${event.id} has no position`))
        if (event.type === TYPE) arrivals.take(event.data.n)
        else own += 1
        if (arrivals.count === count && own > 0) setTimeout(done)
      },
      { from: 'start' },
    )
    const late = setTimeout(done, 30_000)
    function done() {
      clearTimeout(late)
      off()
      resolve()
    }
  })
  arrivals.check(count)
}

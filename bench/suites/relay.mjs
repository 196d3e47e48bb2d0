// A relay as a process of its own, and the servers one would use instead.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import { io } from 'socket.io-client'
import { startRelay, startScript } from '../lib/processes.mjs'
import { closeSockets, openDevice, openPlain, openSocketIo } from '../lib/sockets.mjs'
import { median } from '../lib/stats.mjs'
import { dataOf, eventOf, TYPE } from '../pages/events.mjs'

const PUBLISHERS = 10
const SUBSCRIBERS = 100
/** Of one round; a server that takes more of them is given more. */
const OUR_EVENTS = 20_000
const THEIR_EVENTS = 4_000
/** Events of one publisher that the server has not confirmed. */
const UNDER_WAY = 100
const ROUND_TRIPS = 200
const IDLE = 1_000

const listening = /listening on (\S+)\n/

export async function run(bench) {
  const folder = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  try {
    for (const [kept, store, atLeast] of [
      ['kept in memory', 'memory', 5],
      ['kept in SQLite, each commit synced', `sqlite:${join(folder, 'events.db')}`, 3],
    ]) {
      await fanOut(bench, { kept, store, atLeast })
    }
    await roundTrips(bench)
    await idleConnections(bench)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function fanOut(bench, { kept, store, atLeast }) {
  const relay = await startRelay(store)
  const server = await startScript('bench/peers/socket-io-server.mjs', [], listening)
  const heard = new Count()
  const ours = await Promise.all(
    times(SUBSCRIBERS, (i) =>
      openDevice(relay.url, 'room', { id: `subscriber${i}`, heard: heard.add }),
    ),
  )
  const theirs = await Promise.all(
    times(SUBSCRIBERS, () => openSocketIo(`ws://${server.found}`, { heard: heard.add })),
  )
  const buses = times(PUBLISHERS, (i) => busIn(relay.url, 'room', `publisher${i}`, ['none']))
  const clients = times(PUBLISHERS, () => clientOf(server.found))
  try {
    await Promise.all(buses.map((bus) => bus.publish('bench.ready', null, { until: 'relayed' })))
    await Promise.all(clients.map(connected))
    await bench.compare({
      work: `relay fan-out, ${PUBLISHERS} publishers saturating, ${SUBSCRIBERS} subscribers, ${kept}`,
      against: 'Socket.IO, WebSocket only, keeps nothing',
      unit: 'per CPU s',
      goal: { atLeast },
      rounds: 5,
      warmups: 1,
      ours: () => deliveries(relay, heard, OUR_EVENTS, (n) => publishAll(buses, n)),
      peer: () => deliveries(server, heard, THEIR_EVENTS, (n) => emitAll(clients, n)),
    })
  } finally {
    await Promise.all(buses.map((bus) => bus.close()))
    for (const client of clients) client.close()
    await closeSockets([...ours, ...theirs])
    await Promise.all([relay.stop(), server.stop()])
  }
}

/** Deliveries for each second of CPU time that the server used. */
async function deliveries(server, heard, events, publish) {
  const all = heard.until(events * SUBSCRIBERS)
  const before = await server.cost()
  await publish(events / PUBLISHERS)
  await all
  const after = await server.cost()
  return (events * SUBSCRIBERS * 1000) / (after.cpuMs - before.cpuMs)
}

/** Each as fast as the relay takes it. */
const publishAll = (buses, each) =>
  Promise.all(
    buses.map(async (bus) => {
      for (let n = 0; n < each; n += UNDER_WAY) {
        const published = times(UNDER_WAY, (i) =>
          bus.publish(TYPE, dataOf(n + i), { until: 'relayed' }),
        )
        await Promise.all(published)
      }
    }),
  )

/** The same; every hundredth is confirmed. */
const emitAll = (clients, each) =>
  Promise.all(
    clients.map(async (client) => {
      for (let n = 0; n < each; n += UNDER_WAY) {
        for (let i = 0; i < UNDER_WAY - 1; i++) client.emit('publish', eventOf(n + i))
        await client.emitWithAck('publish', eventOf(n + UNDER_WAY - 1))
      }
    }),
  )

async function roundTrips(bench) {
  const relay = await startRelay('memory')
  const server = await startScript('bench/peers/socket-io-server.mjs', [], listening)
  const [asking, answering] = times(2, (i) => busIn(relay.url, 'room', `device${i}`))
  const [caller, echo] = times(2, () => clientOf(server.found))
  try {
    answering.subscribe('bench.ping', ({ data }) => void answering.publish('bench.pong', data))
    await Promise.all(
      [asking, answering].map((bus) => bus.publish('bench.ready', null, { until: 'relayed' })),
    )
    await Promise.all([caller, echo].map(connected))
    await Promise.all([caller, echo].map((client) => client.emitWithAck('join')))
    echo.on('event', ({ type, data }) => {
      if (type === 'bench.ping') echo.emit('publish', { ...eventOf(0), type: 'bench.pong', data })
    })
    await bench.compare({
      work: 'relay, one event at a time: round trip p50',
      against: 'Socket.IO, WebSocket only, keeps nothing',
      unit: 'ms',
      goal: { atMost: 1.2 },
      rounds: 15,
      ours: () => {
        let answered
        const off = asking.subscribe('bench.pong', ({ data }) => answered(data.round))
        return roundTripTime(
          (round) => void asking.publish('bench.ping', { round }),
          (resolve) => {
            answered = resolve
          },
        ).finally(off)
      },
      peer: () => {
        let answered
        const hear = ({ type, data }) => type === 'bench.pong' && answered(data.round)
        caller.on('event', hear)
        return roundTripTime(
          (round) => {
            caller.emit('publish', { ...eventOf(0), type: 'bench.ping', data: { round } })
          },
          (resolve) => {
            answered = resolve
          },
        ).finally(() => caller.off('event', hear))
      },
    })
  } finally {
    await Promise.all([asking.close(), answering.close()])
    caller.close()
    echo.close()
    await Promise.all([relay.stop(), server.stop()])
  }
}

/** The p50 of one round's round trips, one after the other. */
async function roundTripTime(send, hear) {
  const took = []
  for (let round = 0; round < ROUND_TRIPS; round++) {
    const answer = new Promise(hear)
    const began = performance.now()
    send(round)
    const heard = await answer
    took.push(performance.now() - began)
    if (heard !== round) throw new Error(`the answer to ${round} was ${heard}`)
  }
  return median(took)
}

async function idleConnections(bench) {
  await bench.compare({
    work: `idle connection memory on the relay, ${IDLE.toLocaleString('en')} connections`,
    against: 'a plain ws echo server',
    unit: 'kB',
    goal: { atMost: 1.5 },
    rounds: 5,
    warmups: 0,
    ours: () =>
      heldBy(
        () => startRelay('memory'),
        ({ url }, i) => openDevice(url, 'room', { id: `device${i}` }),
      ),
    peer: () =>
      heldBy(
        () => startScript('bench/peers/echo-server.mjs', [], listening),
        ({ found }) => openPlain(`ws://${found}`),
      ),
  })
}

/** Kilobytes for each connection, once there are many, by what the process has resident. */
async function heldBy(start, open) {
  const server = await start()
  const connections = []
  const openMore = async (count) => {
    for (let i = 0; i < count; i += 50) {
      const first = connections.length
      connections.push(...(await Promise.all(times(50, (k) => open(server, first + k)))))
    }
  }
  try {
    // What is made once, for the first ones, is not counted.
    await openMore(100)
    const before = await server.cost('memory')
    await openMore(IDLE)
    const after = await server.cost('memory')
    return (after.residentBytes - before.residentBytes) / IDLE / 1_000
  } finally {
    await closeSockets(connections)
    await server.stop()
  }
}

/** A device with all that a real one has, but for a disk. */
function busIn(url, room, name, types) {
  const link = relayLink({ url, room, ...(types && { types }) })
  return createBus({ name, log: memoryLog(), relay: link })
}

/** A client with all that Socket.IO has. */
function clientOf(address) {
  return io(`http://${address}`, { transports: ['websocket'], forceNew: true })
}

const connected = (client) =>
  client.connected || new Promise((resolve) => client.once('connect', resolve))

const times = (count, make) => Array.from({ length: count }, (_, i) => make(i))

/** Waits for what many sockets hear. */
class Count {
  #missing = 0
  #done

  until(count) {
    this.#missing += count
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  add = (count) => {
    this.#missing -= count
    if (this.#missing === 0) this.#done?.()
  }
}

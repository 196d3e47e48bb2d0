// A relay as a process of its own, and the servers one would use instead.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { busIn, clientOf, connected } from '../lib/clients.mjs'
import { Count, publishAll, times } from '../lib/fan-out.mjs'
import { startRelay, startScript } from '../lib/processes.mjs'
import { closeSockets, numberIn, openDevice, openPlain, openSocketIo } from '../lib/sockets.mjs'
import { median } from '../lib/stats.mjs'
import { eventOf } from '../pages/events.mjs'

const PUBLISHERS = 10
const SUBSCRIBERS = 100
const ROUND_TRIPS = 1_000
const IDLE = 1_000

const listening = /listening on (\S+)\n/

export const about = {
  title: 'Through a relay',
  text: 'The relay is the command `crosstown-relay serve`, a process of its own on Node, and so are its peers. Fan-out: the publishers are real buses, each with at most 100 events under way, and the events for each second of CPU time that the server used (`process.cpuUsage()` of its process) are compared, so that what the clients cost does not count. The publishers of Socket.IO have as many under way, one in a hundred with an acknowledgement. A relay sends what was committed together as one frame; Socket.IO sends a frame for each event. Where each publisher waits for one event before the next, there is little to put together. Round trip: an event from one to the other and one back, each a process of its own: once between bare sockets on both sides, which is what the relay takes, and once between buses and clients of Socket.IO with all that they have; a bus commits to its log before it sends and before it hands on. Memory: what the process has resident after a garbage collection, for each connection beyond the first hundred.',
}

export async function run(bench) {
  const folder = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  try {
    const sqlite = `sqlite:${join(folder, 'events.db')}`
    await fanOut(bench, { kept: 'memory', store: 'memory', atLeast: 5, underWay: 100 })
    await fanOut(bench, { kept: 'SQLite, synced', store: sqlite, atLeast: 3, underWay: 100 })
    await fanOut(bench, { kept: 'memory', store: 'memory', atLeast: 1, underWay: 1 })
    await roundTrips(bench)
    await idleConnections(bench)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function fanOut(bench, { kept, store, atLeast, underWay }) {
  const pace = underWay === 1 ? 'one event at a time each' : 'saturating'
  // Enough for a second or two of the server's time.
  const [ourEvents, theirEvents] = underWay === 1 ? [4_000, 4_000] : [20_000, 4_000]
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
  const buses = times(PUBLISHERS, (i) => busIn(relay.url, `publisher${i}`, ['none']))
  const clients = times(PUBLISHERS, () => clientOf(server.found))
  try {
    const ready = heard.until(PUBLISHERS * SUBSCRIBERS)
    for (const bus of buses) void bus.publish('bench.ready', null)
    await Promise.all([ready, ...clients.map(connected)])
    await bench.compare({
      work: `relay fan-out, kept in ${kept}: ${PUBLISHERS} publishers ${pace}, ${SUBSCRIBERS} subscribers`,
      against: 'Socket.IO, WebSocket only, keeps nothing',
      unit: 'per CPU s',
      goal: { atLeast },
      rounds: 5,
      warmups: 1,
      ours: () => deliveries(relay, heard, ourEvents, (n) => publishAll(buses, n, underWay)),
      peer: () => deliveries(server, heard, theirEvents, (n) => emitAll(clients, n, underWay)),
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

/** As fast as the server takes them: the last of those under way is confirmed. */
const emitAll = (clients, each, underWay) =>
  Promise.all(
    clients.map(async (client) => {
      for (let n = 0; n < each; n += underWay) {
        for (let i = 0; i < underWay - 1; i++) client.emit('publish', eventOf(n + i))
        await client.emitWithAck('publish', eventOf(n + underWay - 1))
      }
    }),
  )

async function roundTrips(bench) {
  const relay = await startRelay('memory')
  const server = await startScript('bench/peers/socket-io-server.mjs', [], listening)
  const answering = []
  const answer = async (over, address) => {
    answering.push(await startScript('bench/peers/answering.mjs', [over, address], /(ready)/))
  }
  let answered = () => {}
  const next = (resolve) => {
    answered = resolve
  }
  const row = { against: 'Socket.IO, WebSocket only, keeps nothing', unit: 'ms', rounds: 15 }
  const relayAddress = new URL(relay.url).host

  async function bare() {
    const heard = (_, bytes) => answered(numberIn(bytes) - 1)
    await answer('relay-bare', relayAddress)
    const device = await openDevice(relay.url, 'bare', { id: 'asking', heard })
    let client
    try {
      await answer('socket.io-bare', server.found)
      client = await openSocketIo(`ws://${server.found}`, { heard })
      await bench.compare({
        ...row,
        work: 'relay, one event at a time: round trip p50 between bare sockets',
        goal: { atMost: 1.2 },
        ours: () => roundTripTime(next, () => void device.publish(1)),
        peer: () => roundTripTime(next, () => client.publish()),
      })
    } finally {
      await closeSockets(client ? [device, client] : [device])
    }
  }

  async function whole() {
    await answer('relay', relayAddress)
    await answer('socket.io', server.found)
    const bus = busIn(relay.url, 'asking')
    const client = clientOf(server.found)
    bus.subscribe('bench.pong', ({ data }) => answered(data.round))
    client.on('event', ({ type, data }) => type === 'bench.pong' && answered(data.round))
    try {
      await bus.publish('bench.ready', null, { until: 'relayed' })
      await connected(client)
      await client.emitWithAck('join')
      await bench.compare({
        ...row,
        work: 'relay, one event at a time: round trip p50 between devices',
        goal: { atMost: 1.2 },
        ours: () => roundTripTime(next, (round) => void bus.publish('bench.ping', { round })),
        peer: () =>
          roundTripTime(next, (round) =>
            client.emit('publish', { ...eventOf(0), type: 'bench.ping', data: { round } }),
          ),
      })
    } finally {
      await bus.close()
      client.close()
    }
  }

  try {
    await bare()
    await Promise.all(answering.splice(0).map(({ stop }) => stop()))
    await whole()
  } finally {
    await Promise.all([...answering, relay, server].map(({ stop }) => stop()))
  }
}

/** The p50 of one round's round trips, one after the other. */
async function roundTripTime(hear, send) {
  const took = []
  // Bare sockets count on, from one call to the next.
  let first
  for (let round = 0; round < ROUND_TRIPS; round++) {
    const answer = new Promise(hear)
    const began = performance.now()
    send(round)
    const heard = await answer
    took.push(performance.now() - began)
    first ??= heard
    if (heard !== first + round) throw new Error(`the answer to ${round} was ${heard}`)
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

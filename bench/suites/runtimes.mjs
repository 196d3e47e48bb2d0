// The relay on every runtime that it runs on, against what one would use there instead.
import { busIn, clientOf, connected } from '../lib/clients.mjs'
import { Count, publishAll, times } from '../lib/fan-out.mjs'
import { canReadCost, runtimes, startOn, startRelayOn } from '../lib/runtimes.mjs'
import { closeSockets, openCrossws, openDevice, openPlain, openSocketIo } from '../lib/sockets.mjs'
import { eventOf } from '../pages/events.mjs'

export const needs = ['CROSSTOWN_DENO', 'CROSSTOWN_BUN']

const PUBLISHERS = 10
const SUBSCRIBERS = 100
const UNDER_WAY = 100
const IDLE = 1_000

export const about = {
  title: 'On every runtime',
  text: 'The same as "Through a relay", on Node, Deno, Bun and workerd: the relay against Socket.IO on the same runtime, where that runs there, and against crossws, which runs on all of them. Both hand on what comes and keep nothing; neither does the relay here, but on workerd, where a room is in the SQLite of its Durable Object. What a server costs is the CPU time that the system counted for its process. Memory of idle connections is what the process has resident more for each; when garbage goes is up to the runtime, so that these figures vary.',
}

export async function run(bench) {
  if (!canReadCost) throw new Error('what a process costs is read from /proc, which is of Linux')
  for (const runtime of runtimes) {
    if (!runtime.isWorker) await fanOut(bench, runtime, socketIo)
    await fanOut(bench, runtime, crossws)
  }
  for (const runtime of runtimes) await idle(bench, runtime)
}

/** Peers: how they are started on a runtime, and how one publishes and hears there. */
const socketIo = {
  name: 'Socket.IO, WebSocket only, keeps nothing',
  events: 2_000,
  start: (runtime) => startOn(runtime, 'bench/peers/socket-io-server.mjs'),
  subscribe: (address, heard) => openSocketIo(`ws://${address}`, { heard }),
  async publishers(address) {
    const clients = times(PUBLISHERS, () => clientOf(address))
    await Promise.all(clients.map(connected))
    return {
      publish: (each) =>
        Promise.all(
          clients.map(async (client) => {
            for (let n = 0; n < each; n += UNDER_WAY) {
              for (let i = 0; i < UNDER_WAY - 1; i++) client.emit('publish', eventOf(n + i))
              await client.emitWithAck('publish', eventOf(n + UNDER_WAY - 1))
            }
          }),
        ),
      close() {
        for (const client of clients) client.close()
      },
    }
  },
}

const crossws = {
  name: 'crossws, keeps nothing',
  events: 2_000,
  start: (runtime) =>
    startOn(runtime, `bench/peers/crossws-${runtime.isWorker ? 'worker' : 'server'}.mjs`),
  subscribe: (address, heard) => openCrossws(`ws://${address}`, { heard, join: true }),
  async publishers(address) {
    const clients = await Promise.all(times(PUBLISHERS, () => openCrossws(`ws://${address}`, {})))
    return {
      publish: (each) =>
        Promise.all(
          clients.map(async (client) => {
            for (let n = 0; n < each; n += UNDER_WAY) {
              for (let i = 0; i < UNDER_WAY; i++) client.publish(eventOf(n + i))
              await client.taken()
            }
          }),
        ),
      close: () => closeSockets(clients),
    }
  },
}

async function fanOut(bench, runtime, peer) {
  const closing = []
  const heard = new Count()
  try {
    const relay = await startRelayOn(runtime)
    closing.push(relay.stop)
    const server = await peer.start(runtime)
    closing.push(server.stop)
    const url = `ws://${relay.address}`
    const ours = await Promise.all(
      times(SUBSCRIBERS, (i) =>
        openDevice(url, 'room', { id: `subscriber${i}`, heard: heard.add }),
      ),
    )
    const theirs = await Promise.all(
      times(SUBSCRIBERS, () => peer.subscribe(server.address, heard.add)),
    )
    closing.push(() => closeSockets([...ours, ...theirs]))
    const buses = times(PUBLISHERS, (i) => busIn(url, `publisher${i}`, ['none']))
    closing.push(() => Promise.all(buses.map((bus) => bus.close())))
    const ready = heard.until(PUBLISHERS * SUBSCRIBERS)
    for (const bus of buses) void bus.publish('bench.ready', null)
    const publishers = await peer.publishers(server.address)
    closing.push(publishers.close)
    await ready
    await bench.compare({
      work: `relay fan-out on ${runtime.name}: ${PUBLISHERS} publishers saturating, ${SUBSCRIBERS} subscribers`,
      against: `${peer.name}, on ${runtime.name}`,
      unit: 'per CPU s',
      goal: { atLeast: 1 },
      rounds: 3,
      warmups: 1,
      ours: () => deliveries(relay, heard, 20_000, (each) => publishAll(buses, each, UNDER_WAY)),
      peer: () => deliveries(server, heard, peer.events, publishers.publish),
    })
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** Deliveries for each second of CPU time that the server used. */
async function deliveries(server, heard, events, publish) {
  const all = heard.until(events * SUBSCRIBERS)
  const before = server.cost()
  await publish(events / PUBLISHERS)
  await all
  return (events * SUBSCRIBERS * 1000) / (server.cost().cpuMs - before.cpuMs)
}

async function idle(bench, runtime) {
  await bench.compare({
    work: `idle connection memory on ${runtime.name}, ${IDLE.toLocaleString('en')} connections`,
    against: `crossws, on ${runtime.name}`,
    unit: 'kB',
    goal: { atMost: 1.5 },
    rounds: 3,
    warmups: 0,
    ours: () =>
      heldBy(
        () => startRelayOn(runtime),
        (address, i) => openDevice(`ws://${address}`, 'room', { id: `device${i}` }),
      ),
    peer: () =>
      heldBy(
        () => crossws.start(runtime),
        (address) => openPlain(`ws://${address}`),
      ),
  })
}

/** Kilobytes for each connection, once there are many. */
async function heldBy(start, open) {
  const server = await start()
  const connections = []
  const openMore = async (count) => {
    for (let i = 0; i < count; i += 50) {
      const first = connections.length
      connections.push(...(await Promise.all(times(50, (k) => open(server.address, first + k)))))
    }
  }
  try {
    // What is made once, for the first ones, is not counted.
    await openMore(100)
    const before = server.cost()
    await openMore(IDLE)
    return (server.cost().residentBytes - before.residentBytes) / IDLE / 1_000
  } finally {
    await closeSockets(connections)
    await server.stop()
  }
}

// Rooms on an engine, and the engine's own client doing the same work.
import { natsStore } from '@crosstown/edge-relay/stores/nats'
import { postgresStore } from '@crosstown/edge-relay/stores/postgres'
import { redisStore } from '@crosstown/edge-relay/stores/redis'
import {
  startNats,
  startPostgres,
  startRedis,
} from '../../packages/edge-relay/dist/testing/engine-servers.js'
import { appending } from '../lib/appending.mjs'
import { Count, times } from '../lib/fan-out.mjs'
import { exposeGarbageCollector } from '../lib/garbage.mjs'
import { startRelay, untilClosed } from '../lib/processes.mjs'
import { closeSockets, openDevice } from '../lib/sockets.mjs'
import { eventOf } from '../pages/events.mjs'
import { engineClients } from '../peers/engine-clients.mjs'

export const needs = ['CROSSTOWN_POSTGRES', 'CROSSTOWN_REDIS', 'CROSSTOWN_NATS']

const ENGINES = [
  // Who listens has two connections there.
  ['PostgreSQL', () => startPostgres({ settings: ['-c', 'max_connections=300'] }), postgresStore],
  ['Redis', startRedis, redisStore],
  ['NATS', startNats, natsStore],
]
const PEERS = {
  PostgreSQL: '`postgres`: INSERT',
  Redis: '`redis`: XADD',
  NATS: '`@nats-io/jetstream`: publish',
}
const TOLD = {
  PostgreSQL: 'and NOTIFY, LISTEN',
  Redis: 'and PUBLISH, SUBSCRIBE',
  NATS: 'and core subscriptions',
}

const APPENDS = 500
const TOGETHER = 100
const PUBLISHERS = 4
const SUBSCRIBERS = 50
const EVENTS = 4_000

export const about = {
  title: 'Engines',
  text: 'Each engine runs on this machine with the settings that its tests use: PostgreSQL as it is installed, Redis with `appendfsync always`, NATS with file storage. Appends: the store without a relay, beside the client of the engine that writes as many rows, entries or messages, each call after the one before was answered; a hundred events are one append here, and one statement, one `MULTI`, or as many publishes under way there. What the store does besides, the peer does not: an order of the room that is checked, ids that can be found, state. Fan-out: publishers with one batch of a hundred events under way each; here devices of a relay over sockets, there connections to the engine, which tells all that listen. Deliveries for each second of time, as the engine costs some that no process of ours counts.',
}

export async function run(bench) {
  exposeGarbageCollector()
  for (const [name, start, openStore] of ENGINES) {
    const server = await start()
    const stop = untilClosed(() => server.stop())
    try {
      for (const each of [1, TOGETHER]) await appends(bench, name, server.url, openStore, each)
      await fanOut(bench, name, server.url)
    } finally {
      await stop()
    }
  }
}

async function appends(bench, name, url, openStore, each) {
  const store = await openStore(url)
  const client = await engineClients[name](url)
  const pace = each === 1 ? 'one event at a time' : `${each} events at a time`
  const count = each === 1 ? APPENDS : APPENDS / 10
  const append = appending(store, `room-${each}`, each)
  try {
    await bench.compare({
      work: `appending to ${name}, ${pace}`,
      against: PEERS[name],
      unit: 'events/s',
      goal: { atLeast: 0.5 },
      rounds: 7,
      ours: async () => {
        const began = performance.now()
        for (let i = 0; i < count; i++) await append()
        return (count * each * 1_000) / (performance.now() - began)
      },
      peer: async () => {
        const began = performance.now()
        for (let i = 0; i < count; i++) await client.append(textsOf(i * each, each))
        return (count * each * 1_000) / (performance.now() - began)
      },
    })
  } finally {
    await client.close()
    await store.close()
  }
}

async function fanOut(bench, name, url) {
  const relay = await startRelay(url)
  const heard = new Count()
  const opened = []
  const devices = []
  try {
    const open = async () => {
      const client = await engineClients[name](url)
      opened.push(client)
      return client
    }
    for (let i = 0; i < SUBSCRIBERS; i++) {
      devices.push(await openDevice(relay.url, 'room', { id: `subscriber${i}`, heard: heard.add }))
      await (await open()).listen(heard.add)
    }
    const publishers = []
    const clients = []
    for (let i = 0; i < PUBLISHERS; i++) {
      publishers.push(await openDevice(relay.url, 'room', { id: `publisher${i}`, types: ['none'] }))
      clients.push(await open())
    }
    devices.push(...publishers)
    const batches = EVENTS / PUBLISHERS / TOGETHER
    const measure = async (publish) => {
      const all = heard.until(EVENTS * SUBSCRIBERS)
      const began = performance.now()
      await Promise.all(
        times(PUBLISHERS, async (i) => {
          for (let n = 0; n < batches; n++) await publish(i, n)
        }),
      )
      await all
      return (EVENTS * SUBSCRIBERS * 1_000) / (performance.now() - began)
    }
    await bench.compare({
      work: `relay fan-out on ${name}: ${PUBLISHERS} publishers, ${TOGETHER} events at a time each, ${SUBSCRIBERS} subscribers`,
      against: `${PEERS[name]} ${TOLD[name]}`,
      unit: 'events/s',
      goal: { atLeast: 1 },
      rounds: 5,
      warmups: 1,
      ours: () => measure((i) => publishers[i].publish(TOGETHER)),
      peer: () => measure((i, n) => clients[i].publish(textsOf(n * TOGETHER, TOGETHER))),
    })
  } finally {
    await closeSockets(devices)
    await Promise.all(opened.map((client) => client.close()))
    await relay.stop()
  }
}

const textsOf = (first, count) => times(count, (i) => JSON.stringify(eventOf(first + i)))

// What it costs that a room's events are shared: leased, handled and settled, instead of heard.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { busIn } from '../lib/clients.mjs'
import { times } from '../lib/fan-out.mjs'
import { startRelay } from '../lib/processes.mjs'
import { dataOf, TYPE } from '../pages/events.mjs'

const DEVICES = 4
const EVENTS = 10_000
const TOGETHER = 500
const STREAMS = 50

export const about = {
  title: 'Groups',
  text: 'Four devices and a publisher, all real buses in one process of Node, and a relay in another. As a group, the four share what is published: each event is leased to one of them, handled by a handler that does nothing, and settled; a round ends when the relay has committed that all are done. The peer is the same four with plain subscriptions, each of which hears every event. With `orderBy` no more events are under way than there are streams, 50. In both, each device also gets and keeps the whole room.',
}

export async function run(bench) {
  const folder = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  try {
    const sqlite = (name) => `sqlite:${join(folder, `${name}.db`)}`
    await compare(bench, 'in memory', () => 'memory', 0.3)
    await compare(bench, 'in SQLite', sqlite, 0.3)
    // As many are under way as there are streams.
    await compare(bench, 'in memory', () => 'memory', 0.1, { orderBy: 'stream' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function compare(bench, kept, store, atLeast, options = {}) {
  const inOrder = options.orderBy === 'stream'
  const kind = `${kept}-${inOrder ? 'order' : 'any'}`.replaceAll(' ', '-')
  const sides = await Promise.all(
    ['group', 'plain'].map(async (side) => {
      const relay = await startRelay(store(`${kind}-${side}`))
      const publisher = busIn(relay.url, 'publisher', ['none'])
      const devices = times(DEVICES, (i) => busIn(relay.url, `${side}${i}`))
      return { relay, publisher, devices }
    }),
  )
  const [shared, plain] = sides
  let handled = 0
  let heard = 0
  const group = { group: 'workers', from: 'now', ...options }
  const handle = () => {
    handled += 1
  }
  const hear = () => {
    heard += 1
  }
  for (const bus of shared.devices) bus.subscribe(TYPE, handle, group)
  for (const bus of plain.devices) bus.subscribe(TYPE, hear)
  try {
    await until(() =>
      shared.devices.every((bus) => bus.stats().groups.every(({ state }) => state === 'member')),
    )
    await until(() => plain.devices.every((bus) => bus.status.relay === 'online'))
    await bench.compare({
      work: `${DEVICES} members of a group share ${EVENTS.toLocaleString('en')} events${inOrder ? ` of ${STREAMS} streams, in order` : ''}, the relay's ${kept}`,
      against: `${DEVICES} plain subscribers of the room, each of which hears all`,
      unit: 'events/s',
      goal: { atLeast },
      rounds: 5,
      warmups: 1,
      ours: () => {
        handled = 0
        return rate(shared.publisher, () => handled >= EVENTS && shared.devices.every(isSettled))
      },
      peer: () => {
        heard = 0
        return rate(plain.publisher, () => heard >= EVENTS * DEVICES)
      },
    })
    if (handled !== EVENTS) throw new Error(`${handled} of ${EVENTS} were handled`)
  } finally {
    for (const { devices, publisher, relay } of sides) {
      await Promise.all([publisher, ...devices].map((bus) => bus.close()))
      await relay.stop()
    }
  }
}

const isSettled = (bus) =>
  bus.stats().groups.every(({ running, unsettled, waiting }) => running + unsettled + waiting === 0)

async function rate(publisher, isDone) {
  const began = performance.now()
  for (let first = 0; first < EVENTS; first += TOGETHER) {
    const events = times(TOGETHER, (i) => {
      const n = first + i
      return { type: TYPE, data: dataOf(n), stream: `stream-${n % STREAMS}` }
    })
    await publisher.publishBatch(events, { until: 'logged' })
  }
  await until(isDone)
  return (EVENTS * 1_000) / (performance.now() - began)
}

/** Looks again in each turn of the event loop: what is waited for comes in one. */
async function until(isTrue) {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
}

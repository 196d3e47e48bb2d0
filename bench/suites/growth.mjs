// What more of everything costs: of what does a bus slow down, and by how much.
import { execFileSync } from 'node:child_process'
import { createBus } from '@crosstown/bus'
import { exposeGarbageCollector } from '../lib/garbage.mjs'
import { openPages } from '../lib/pages.mjs'
import { startRelay } from '../lib/processes.mjs'
import { closeSockets, openDevice } from '../lib/sockets.mjs'
import { median } from '../lib/stats.mjs'
import { TYPE } from '../pages/events.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

export const about = {
  title: 'What grows with what',
  text: 'Curves without a peer: the same work again and again beside more and more of something. Medians of the rounds, with their range as a line through each point.',
}

export async function run(bench) {
  exposeGarbageCollector()
  await subscriptions(bench)
  await connections(bench)
  await logSize(bench)
  await contexts(bench)
}

const A_TASK = 100
const TASKS = 500

async function subscriptions(bench) {
  const rate = (patternOf) => async (n) => {
    const bus = createBus({ name: 'bench', log: false, tabs: false })
    for (let i = 0; i < n; i++) bus.subscribe(patternOf(i), () => {})
    let heard = 0
    bus.subscribe(TYPE, () => {
      heard += 1
    })
    let ms = 0
    // The first tasks meet code and memos that are cold.
    for (let task = -TASKS / 5; task < TASKS; task++) {
      const began = performance.now()
      for (let i = 0; i < A_TASK; i++) bus.publish(TYPE, i)
      await null
      if (task >= 0) ms += performance.now() - began
      await new Promise((resolve) => setImmediate(resolve))
    }
    await bus.close()
    if (heard !== TASKS * 1.2 * A_TASK) throw new Error(`${heard} were heard`)
    return ((TASKS * A_TASK) / ms) * 1000
  }
  await bench.grow({
    name: 'subscriptions',
    work: 'Publishing beside other subscriptions',
    how: 'In Node, log and tabs off: events a second to one live subscriber of that type, 100 a task, while so many others wait for other types, by name or by pattern.',
    per: 'other subscriptions',
    unit: 'events/s',
    sizes: [1, 10, 100, 1_000, 10_000, 100_000],
    curves: [
      { name: 'of other types', measure: rate((i) => `area${i % 100}.thing${i}`) },
      { name: 'of patterns', measure: rate((i) => `area${i % 100}.*.thing${i}`) },
    ],
  })
}

const DELIVERIES = 100_000

async function connections(bench) {
  // Each is an open file of this process, and of the relay's.
  const most = openFiles() - 100
  const sizes = [10, 100, 1_000, 5_000].filter((n) => n <= most)
  if (sizes.length < 4)
    console.log(`  up to ${sizes.at(-1)} connections: ulimit -n is ${most + 100}`)
  const relay = await startRelay('memory')
  const open = []
  let missing = 0
  let done = () => {}
  const heard = (count) => {
    missing -= count
    if (missing === 0) done()
  }
  /** Server CPU for each second of deliveries, in batches of so many events. */
  const perCpuSecond = (events) => async (n) => {
    while (open.length < n) {
      const next = Math.min(100, n - open.length)
      open.push(
        ...(await Promise.all(
          Array.from({ length: next }, (_, i) =>
            openDevice(relay.url, 'room', { id: `device${open.length + i}`, heard }),
          ),
        )),
      )
    }
    const batches = Math.min(1_000, Math.max(5, Math.round(DELIVERIES / n / events)))
    const before = await relay.cost()
    for (let i = 0; i < batches; i++) {
      missing = n * events
      const all = new Promise((resolve) => {
        done = resolve
      })
      await publisher.publish(events)
      await all
    }
    const after = await relay.cost()
    return (batches * n * events * 1000) / (after.cpuMs - before.cpuMs)
  }
  const publisher = await openDevice(relay.url, 'room', { id: 'publisher', types: ['none'] })
  try {
    await bench.grow({
      name: 'connections',
      work: 'Deliveries of a relay to more and more connections',
      how: 'One room, its log in memory; one device publishes a batch, waits until every connection has it, and publishes the next. Events delivered for each second of CPU time that the relay used.',
      per: 'connections',
      unit: 'per CPU s',
      rounds: 3,
      sizes,
      curves: [
        { name: 'one event a batch', measure: perCpuSecond(1) },
        { name: '100 events a batch', measure: perCpuSecond(100) },
      ],
    })
  } finally {
    await closeSockets([...open, publisher])
    await relay.stop()
  }
}

function openFiles() {
  try {
    const text = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim()
    return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text)
  } catch {
    return 1_000
  }
}

const STREAM = 200
const LONE = 30

async function logSize(bench) {
  const { tabs, call, close } = await openPages('growth.mjs', 1)
  const [page] = tabs
  let asked = 0
  const timed = (name) => async (n) => {
    await call(page, 'fillTo', { count: n, length: STREAM })
    await call(page, 'collectGarbage')
    const stream = asked++ % (n / STREAM)
    return median(await call(page, name, { count: LONE, stream, length: STREAM, events: n }))
  }
  try {
    await bench.grow({
      name: 'log',
      work: 'Working on a longer and longer log',
      how: `In a page, the log in IndexedDB on the disk, filled in batches of ${STREAM}, with ${STREAM} events to each stream, mixed with those of four others. Medians of single calls, one after the other.`,
      per: 'events in the log',
      unit: 'ms',
      rounds: 3,
      sizes: [1_000, 10_000, 100_000, 1_000_000],
      curves: [
        { name: 'one lone await publish', measure: timed('publishOne') },
        { name: `load one stream of ${STREAM}`, measure: timed('loadStream') },
        { name: 'get one event by its id', measure: timed('getOne') },
      ],
    })
  } finally {
    await close()
  }
}

const BURST = 10_000

async function contexts(bench) {
  const { tabs, open, call, close } = await openPages('growth.mjs', 2)
  const burst = (log) => async (n) => {
    while (tabs.length < n) tabs.push(await open())
    for (const tab of tabs.slice(0, n)) await call(tab, 'collectGarbage')
    for (const tab of tabs.slice(1, n)) await call(tab, 'hearBurst', { log, count: BURST })
    const ms = await call(tabs[0], 'burst', { log, count: BURST, hearers: n - 1 })
    return (BURST / ms) * 1000
  }
  try {
    await bench.grow({
      name: 'contexts',
      work: 'Publishing to more and more tabs',
      how: `Tabs of one origin in one browser: one publishes ${BURST.toLocaleString('en')} events in one task; events a second until the last of the others has heard all. All tabs share the machine's cores.`,
      per: 'tabs',
      unit: 'events/s',
      rounds: 3,
      sizes: [2, 3, 5, 10],
      curves: [
        { name: 'log off', measure: burst(false) },
        { name: 'log on (IndexedDB)', measure: burst(true) },
      ],
    })
  } finally {
    await close()
  }
}

// What being inspectable costs, and being inspected.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createBus } from '@crosstown/bus'
import { exposeGarbageCollector } from '../lib/garbage.mjs'
import { bothBuilds } from '../lib/untapped.mjs'
import { dataOf, TYPE } from '../pages/events.mjs'

const A_TASK = 100
const TASKS = 2_000
/** 5,000 events a second, in ticks of 10 ms, on a thread that is busy half of the time without them. */
const A_TICK = 50
const TICKS = 100
const TICK_MS = 10
const WORK_MS = 5

const payloads = Array.from({ length: A_TASK }, (_, n) => dataOf(n))

export const about = {
  title: 'The tap',
  text: 'In Node. Closed: the same build with and without its looks at the tap, nobody attached. Open: a thread that is busy half of the time publishes 5,000 events a second to one subscriber; with an inspector in another thread attached, against the same with none. What is measured is how long the thread was busy.',
}

export async function run(bench) {
  exposeGarbageCollector()
  const { tapped, untapped, removed } = await bothBuilds()
  if (removed < 20) throw new Error(`only ${removed} looks at the tap were found`)
  const [ours, peer] = [tapped, untapped].map(({ createBus: create }) => busOf(create))
  await bench.compare({
    work: `publish to one live subscriber, log and tabs off, ${A_TASK} a task, nobody attached`,
    against: 'the same build without a tap',
    unit: 'events/s',
    goal: { atLeast: 0.97 },
    rounds: 31,
    ours: () => inTasks(ours),
    peer: () => inTasks(peer),
  })
  await Promise.all([ours.bus.close(), peer.bus.close()])

  const paced = busOf(createBus, {})
  const inspector = new Worker(new URL('../peers/inspector.mjs', import.meta.url))
  try {
    await bench.compare({
      work: 'a thread that publishes 5,000 events a second, busy, inspected',
      against: 'not inspected',
      unit: 'ms',
      goal: { atMost: 1.1 },
      rounds: 11,
      ours: () => inspected(inspector, () => busyFor(paced)),
      peer: () => busyFor(paced),
    })
  } finally {
    await inspector.terminate()
    await paced.bus.close()
  }
}

function busOf(create, options = { log: false, tabs: false }) {
  const bus = create({ name: 'bench', ...options })
  const heard = { count: 0 }
  bus.subscribe(TYPE, () => {
    heard.count += 1
  })
  return { bus, heard }
}

/** @throws unless exactly so many were heard; begins anew */
function check(heard, expected) {
  const { count } = heard
  heard.count = 0
  if (count !== expected) throw new Error(`${count} of ${expected} were heard`)
}

/** Events a second, a few a task, until the task's microtasks and so all handlers are done. */
async function inTasks({ bus, heard }) {
  let ms = 0
  for (let task = 0; task < TASKS; task++) {
    ms += await new Promise((resolve) => {
      setImmediate(() => {
        const began = performance.now()
        for (let i = 0; i < A_TASK; i++) bus.publish(TYPE, payloads[i])
        queueMicrotask(() => resolve(performance.now() - began))
      })
    })
  }
  check(heard, TASKS * A_TASK)
  return ((TASKS * A_TASK) / ms) * 1000
}

/** Milliseconds for which this thread was busy. */
async function busyFor({ bus, heard }) {
  const before = performance.eventLoopUtilization()
  let next = performance.now()
  for (let tick = 0; tick < TICKS; tick++) {
    next += TICK_MS
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())))
    for (let i = 0; i < A_TICK; i++) void bus.publish(TYPE, payloads[i])
    const until = performance.now() + WORK_MS
    while (performance.now() < until);
  }
  await bus.flush()
  const { active } = performance.eventLoopUtilization(before)
  check(heard, TICKS * A_TICK)
  return active
}

/** The same while an inspector is attached, which MUST have been told of everything. */
async function inspected(inspector, measure) {
  inspector.postMessage('attach')
  await once(inspector, 'message')
  const before = await report(inspector)
  const ms = await measure()
  for (;;) {
    const { told, lost } = await report(inspector)
    if (lost > 0) throw new Error(`${lost} records were lost`)
    if (told - before.told === TICKS * A_TICK) break
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  inspector.postMessage('detach')
  return ms
}

async function report(inspector) {
  inspector.postMessage('report')
  for (;;) {
    const [message] = await once(inspector, 'message')
    if (message !== 'attached') return message
  }
}

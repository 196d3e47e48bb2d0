// Within one context: what publishing costs when nothing is kept or sent.
import { createBus } from '@crosstown/bus'
import Emittery from 'emittery'
import mitt from 'mitt'
import { exposeGarbageCollector } from '../lib/garbage.mjs'
import { dataOf, TYPE } from '../pages/events.mjs'

const A_TASK = 100
const TASKS = 2_000
const AWAITED = 100_000
const PATTERNS = 10_000

/** What a handler has, and how much of the rate of one without it there must be. */
const HANDLERS = [
  ['with `retry`', { retry: { attempts: 3 } }, 0.05],
  ['with a `timeout`', { timeout: 5_000 }, 0.03],
  ['with `retry` and a `timeout`', { retry: { attempts: 3 }, timeout: 5_000 }, 0.03],
]

const payloads = Array.from({ length: A_TASK }, (_, n) => dataOf(n))

export const about = {
  title: 'Within one context',
  text: 'In Node, log and tabs off: what `publish` costs until the handler ran. Each side has one live subscriber that counts what it hears and in which order. The last row is against ourselves: a type that was seen before must not pay for pattern subscriptions that do not match it.',
}

export async function run(bench) {
  exposeGarbageCollector()
  const bus = busWith({ patterns: 0 })
  const emitter = mittEmitter()
  await bench.compare({
    work: `publish to one live subscriber, log and tabs off, ${A_TASK} a task`,
    against: 'mitt emit',
    unit: 'events/s',
    goal: { atLeast: 0.2 },
    rounds: 31,
    ours: () => inTasks(bus),
    peer: () => inTasks(emitter),
  })

  const emittery = emitteryEmitter()
  await bench.compare({
    work: 'publish to one live subscriber, log and tabs off, each awaited',
    against: 'emittery emit, awaited',
    unit: 'events/s',
    goal: { atLeast: 3 },
    rounds: 31,
    ours: () => awaited(bus),
    peer: () => awaited(emittery),
  })

  const crowded = busWith({ patterns: PATTERNS })
  const single = busWith({ patterns: 1 })
  await bench.compare({
    work: `publish to an exact match beside ${PATTERNS.toLocaleString('en')} pattern subscriptions`,
    against: 'beside one',
    unit: 'events/s',
    goal: { atLeast: 0.8 },
    rounds: 31,
    ours: () => inTasks(crowded),
    peer: () => inTasks(single),
  })

  const plain = busWith({ patterns: 0 })
  const guarded = []
  for (const [what, options, atLeast] of HANDLERS) {
    const ours = busWith({ patterns: 0, options })
    guarded.push(ours)
    await bench.compare({
      work: `publish to one handler ${what}, until it is done with it, ${A_TASK} a task`,
      against: 'a handler without options',
      unit: 'events/s',
      goal: { atLeast },
      rounds: 15,
      ours: () => done(ours),
      peer: () => done(plain),
    })
  }
  await Promise.all([bus, crowded, single, plain, ...guarded].map(({ close }) => close()))
}

/** Payloads heard, which begin again with each task. */
class Heard {
  count = 0
  wrong = 0

  take(n) {
    if (n !== this.count % A_TASK) this.wrong += 1
    this.count += 1
  }

  /** @throws unless exactly `expected` were heard, in order; begins anew */
  check(expected) {
    const { count, wrong } = this
    this.count = 0
    this.wrong = 0
    if (wrong > 0) throw new Error(`${wrong} of ${count} were out of order`)
    if (count !== expected) throw new Error(`${count} of ${expected} were heard`)
  }
}

/** A bus with one subscription of our type, and so many of patterns that do not match it. */
function busWith({ patterns, options }) {
  const bus = createBus({ name: 'bench', log: false, tabs: false })
  for (let i = 0; i < patterns; i++) bus.subscribe(`area${i % 100}.*.thing${i}`, () => {})
  const heard = new Heard()
  bus.subscribe(TYPE, (event) => heard.take(event.data.n), options)
  return { publish: (type, data) => bus.publish(type, data), heard, close: () => bus.close() }
}

function mittEmitter() {
  const emitter = mitt()
  const heard = new Heard()
  emitter.on(TYPE, (data) => heard.take(data.n))
  return { publish: (type, data) => emitter.emit(type, data), heard }
}

function emitteryEmitter() {
  const emitter = new Emittery()
  const heard = new Heard()
  emitter.on(TYPE, (event) => heard.take(event.data.n))
  return { publish: (type, data) => emitter.emit(type, data), heard }
}

/**
 * Events a second, a few a task, until the task's microtasks and so all handlers are done. What
 * the runtime does between two tasks is not counted.
 */
async function inTasks({ publish, heard }) {
  let ms = 0
  for (let task = 0; task < TASKS; task++) {
    ms += await new Promise((resolve) => {
      setImmediate(() => {
        const began = performance.now()
        for (let i = 0; i < A_TASK; i++) publish(TYPE, payloads[i])
        queueMicrotask(() => resolve(performance.now() - began))
      })
    })
  }
  heard.check(TASKS * A_TASK)
  return ((TASKS * A_TASK) / ms) * 1000
}

/** Events a second, a few a task, until nothing of the task is left to do: calls were counted and guards let go. */
async function done({ publish, heard }) {
  const began = performance.now()
  for (let task = 0; task < TASKS / 10; task++) {
    for (let i = 0; i < A_TASK; i++) publish(TYPE, payloads[i])
    await new Promise((resolve) => setImmediate(resolve))
  }
  const ms = performance.now() - began
  const events = (TASKS / 10) * A_TASK
  heard.check(events)
  return (events / ms) * 1000
}

/** Events a second, each awaited before the next. */
async function awaited({ publish, heard }) {
  const began = performance.now()
  for (let i = 0; i < AWAITED; i++) await publish(TYPE, payloads[i % A_TASK])
  const ms = performance.now() - began
  heard.check(AWAITED)
  return (AWAITED / ms) * 1000
}

// Durable consumers: what it costs to keep, on disk, how far a handler is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createBus } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import { dataOf, TYPE } from '../pages/events.mjs'

const EVENTS = 20_000
const A_BATCH = 500
/** Each with an effect in a transaction of its own. */
const TRANSACTED = 2_000

export const about = {
  title: 'Durable consumers',
  text: `In Node, on SQLite files that survive the end of the process: ${EVENTS.toLocaleString('en')} events of a log, from the subscription until all are handled and that is written. The peer reads the same log by \`replay\` and handles each event, with nothing kept of how far it is; with \`transact\`, it writes each effect in a transaction of its own.`,
}

export async function run(bench) {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-bench-'))
  const bus = createBus({
    name: 'bench',
    tabs: false,
    log: sqliteLog(join(folder, 'log.db'), { durability: 'relaxed' }),
  })
  const db = new DatabaseSync(join(folder, 'own.db'))
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE effects (n INTEGER)',
  )
  try {
    for (let n = 0; n < EVENTS; n += A_BATCH) {
      await bus.publishBatch(
        Array.from({ length: A_BATCH }, (_, i) => ({
          type: TYPE,
          data: dataOf(n + i),
          stream: `s-${i % 50}`,
        })),
      )
    }
    const shapes = [
      ['one at a time', {}],
      ["by stream, 10 at a time: orderBy 'stream'", { orderBy: 'stream' }],
    ]
    for (const [how, options] of shapes) {
      await bench.compare({
        work: `durable consumer, ${EVENTS.toLocaleString('en')} events, ${how}`,
        against: 'replay, and handle each',
        unit: 'events/s',
        goal: { atLeast: 0.2 },
        rounds: 9,
        ours: () => consumed(bus, options, EVENTS),
        peer: () => replayed(bus, EVENTS, () => {}),
      })
    }
    const insert = db.prepare('INSERT INTO effects VALUES (?)')
    await bench.compare({
      work: `durable consumer with transact, ${TRANSACTED.toLocaleString('en')} events`,
      against: 'replay, each effect in a transaction',
      unit: 'events/s',
      goal: { atLeast: 0.2 },
      rounds: 9,
      ours: () =>
        consumed(bus, { transact: { db } }, TRANSACTED, ({ data }) => void insert.run(data.n)),
      peer: () =>
        replayed(bus, TRANSACTED, ({ data }) => {
          db.exec('BEGIN IMMEDIATE')
          insert.run(data.n)
          db.exec('COMMIT')
        }),
    })
  } finally {
    await bus.close()
    db.close()
    rmSync(folder, { recursive: true })
  }
}

let consumers = 0

/** Events a second of a consumer that begins with the log, until it says that all is settled. */
async function consumed(bus, options, events, handle = () => {}) {
  consumers += 1
  const durable = `bench-${consumers}`
  let count = 0
  const began = performance.now()
  const ended = Promise.withResolvers()
  const off = bus.subscribe(
    TYPE,
    (event) => {
      handle(event)
      count += 1
      if (count === events) ended.resolve()
    },
    // It stops there: the rest is not for it.
    { ...options, durable, ...(events < EVENTS && { where: ({ data }) => data.n < events }) },
  )
  await ended.promise
  const settled = () => bus.stats().consumers.find(({ name }) => name === durable)?.pending === 0
  while (!settled()) await new Promise((resolve) => setImmediate(resolve))
  const ms = performance.now() - began
  off()
  if (count !== events) throw new Error(`${count} of ${events} were handled`)
  return (events / ms) * 1000
}

async function replayed(bus, events, handle) {
  let count = 0
  const began = performance.now()
  for await (const event of bus.replay({ pattern: TYPE, limit: events })) {
    handle(event)
    count += 1
  }
  const ms = performance.now() - began
  if (count !== events) throw new Error(`${count} of ${events} were read`)
  return (events / ms) * 1000
}

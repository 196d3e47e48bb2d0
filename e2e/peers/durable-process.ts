/**
 * A process that publishes and consumes until it is killed: `durable-process.ts <folder> <events>`. Prints
 * a line for each event it handles, and `done` when all are.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createBus } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'

type Counted = { 'counted.one': number }

const [folder = '.', count = '0'] = process.argv.slice(2)
const events = Number(count)
const STREAMS = 10
const bus = createBus<Counted>({
  name: 'killed',
  tabs: false,
  log: sqliteLog(join(folder, 'log.db'), { durability: 'relaxed' }),
})
const db = new DatabaseSync(join(folder, 'own.db'))
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
db.exec('CREATE TABLE IF NOT EXISTS effects (n INTEGER)')
const effects = db.prepare('SELECT count(*) AS events FROM effects')
const handled = new Set<string>()
const say = (line: string): void => void writeSync(1, `${line}\n`)

bus.subscribe(
  'counted.one',
  async ({ stream, data }) => {
    // As what takes a moment does.
    await new Promise<void>((resolve) => setImmediate(resolve))
    say(`${stream} ${data}`)
    handled.add(`${stream} ${data}`)
  },
  { durable: 'told', orderBy: 'stream' },
)
bus.subscribe(
  'counted.one',
  ({ data }, { tx }) => tx.prepare('INSERT INTO effects VALUES (?)').run(data),
  { durable: 'once', transact: { db } },
)

let published = 0
for await (const _ of bus.replay({ pattern: 'counted.one' })) published += 1
for (let n = published; n < events; n += STREAMS) {
  const many = Math.min(STREAMS, events - n)
  await bus.publishBatch(
    Array.from({ length: many }, (_, s) => ({
      type: 'counted.one' as const,
      data: n + s,
      stream: `s-${(n + s) % STREAMS}`,
    })),
  )
}
const hold = setInterval(() => {
  const consumers = bus.stats().consumers
  const settled = consumers.every(({ lag, state }) => state === 'running' && lag === 0)
  const { events: once } = effects.get() as { events: number }
  if (settled && once >= events) {
    clearInterval(hold)
    void bus.close().then(() => say('done'))
  }
}, 20)

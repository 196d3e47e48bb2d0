/** A process that publishes into a log on disk, and writes a line for each event that it was told is logged. */
import { createBus } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'

const [, , path = '', durability] = process.argv
const log = sqliteLog(path, { durability: durability === 'strict' ? 'strict' : 'relaxed' })
const bus = createBus<{ 'line.written': number }>({ name: 'writer', tabs: false, log })
for (let n = 1; ; n++) {
  const { id } = await bus.publish('line.written', n)
  process.stdout.write(`${id}\n`)
}

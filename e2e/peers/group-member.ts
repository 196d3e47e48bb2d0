/** A member of a group in a process: `group-member.ts NAME RELAY_URL ROOM JOURNAL`. */
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { createBus, memoryLog, relayLink } from '@crosstown/bus'

const [name = '', url = '', room = '', journal = ''] = process.argv.slice(2)
const bus = createBus<Record<string, number>>({
  name: 'work',
  source: name,
  log: memoryLog(),
  tabs: false,
  relay: relayLink({ url, room }),
})
// All members append to one file, and settle after that: what stands in it is in the order of causes.
const note = (what: string, n: number, attempt: number) =>
  appendFileSync(journal, `${JSON.stringify({ what, n, attempt, by: name })}\n`)
bus.subscribe(
  'work.**',
  async ({ data: n }, { attempt }) => {
    note('begun', n, attempt)
    await null
    note('done', n, attempt)
  },
  { group: 'workers', orderBy: 'stream' },
)
setInterval(() => {
  const [group] = bus.stats().groups
  if (group?.state === 'member') process.stdout.write(`member ${JSON.stringify(group)}\n`)
}, 50)

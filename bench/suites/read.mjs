// From the log of a real browser, on the disk.
import { openPages } from '../lib/pages.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

const EVENTS = 100_000
const STREAM = 200

export const about = {
  title: 'Reading from the log',
  text: 'A page and 100,000 events in IndexedDB on the disk: all of them, decoded, one by one, and one stream. The peers have the same events as rows.',
}

export async function run(bench) {
  const { tabs, call, close } = await openPages('read.mjs', 1)
  const [page] = tabs

  async function timed(name, argument) {
    await call(page, 'collectGarbage')
    return call(page, name, argument)
  }

  try {
    await call(page, 'fill', { events: EVENTS, length: STREAM })
    await bench.compare({
      work: `replay ${EVENTS.toLocaleString('en')} by for await`,
      against: 'idb getAll over rows, 1,000 at a time',
      unit: 'events/s',
      goal: { atLeast: 3 },
      rounds: 9,
      warmups: 1,
      ours: async () => (EVENTS / (await timed('replay', { events: EVENTS }))) * 1000,
      peer: async () => (EVENTS / (await timed('getAll', { events: EVENTS }))) * 1000,
    })
    let asked = 0
    const next = () => ({ stream: `order-${asked++ % (EVENTS / STREAM)}`, length: STREAM })
    await bench.compare({
      work: `load one stream of ${STREAM} out of ${EVENTS.toLocaleString('en')}`,
      against: "Dexie where('stream')",
      unit: 'ms',
      goal: { atMost: 2 },
      rounds: 21,
      ours: () => timed('loadStream', next()),
      peer: () => timed('whereStream', next()),
    })
  } finally {
    await close()
  }
}

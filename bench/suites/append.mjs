// Into the log of a real browser, on the disk.
import { openPages } from '../lib/pages.mjs'
import { median } from '../lib/stats.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

const EVENTS = 20_000
const CHUNK = 1_000
const LONE = 60

export const about = {
  title: 'Writing to the log',
  text: "A page and its IndexedDB on the disk, `durability: 'relaxed'` on both sides. Dexie writes the same events as rows that can be queried by type and stream, 1,000 a transaction. The lone publish has nothing before and after it; its peer is one `put` in a transaction of its own, awaited.",
}

export async function run(bench) {
  const { tabs, call, close } = await openPages('append.mjs', 1)
  const [page] = tabs

  async function append(to, options) {
    await call(page, 'collectGarbage')
    const ms = await call(page, `appendTo${to}`, { count: EVENTS, chunk: CHUNK, ...options })
    return (EVENTS / ms) * 1000
  }

  /** The p50 of one round's single writes. */
  async function loneWrite(over) {
    await call(page, 'collectGarbage')
    return median(await call(page, `loneOver${over}`, { count: LONE }))
  }

  try {
    for (const [streams, atLeast] of [
      [0, 15],
      [50, 8],
    ]) {
      const which = streams === 0 ? 'no streams' : `${streams} streams in every 1,000`
      await bench.compare({
        work: `${EVENTS.toLocaleString('en')} published in one task, all awaited logged, ${which}`,
        against: 'Dexie bulkAdd of 1,000, indexed alike',
        unit: 'events/s',
        goal: { atLeast },
        rounds: 9,
        warmups: 1,
        ours: () => append('Bus', { streams }),
        peer: () => append('Dexie', { streams }),
      })
    }

    await call(page, 'openLone')
    await bench.compare({
      work: 'one lone await publish, p50',
      against: 'one idb put',
      unit: 'ms',
      goal: { atMost: 1.3 },
      rounds: 21,
      ours: () => loneWrite('Bus'),
      peer: () => loneWrite('Idb'),
    })
    await call(page, 'checkLone')
  } finally {
    await close()
  }
}

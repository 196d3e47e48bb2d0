// Between two tabs of one origin, in a real browser.
import { openPages } from '../lib/pages.mjs'
import { median } from '../lib/stats.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

const BURST = 20_000
const ROUND_TRIPS = 60

export const about = {
  title: 'Between tabs',
  text: 'Two tabs of one origin in a real Chromium. The burst: 20,000 events in one task, until a handler of the other tab has the last one; the peer posts each as a message of a native BroadcastChannel. The round trip: an event there and one back, nothing else going on; with the log on, each round waits until both are committed, outside of what is timed. By hand is what an application without a bus would do: one transaction an event, posted as soon as its place in the store is certain.',
}

export async function run(bench) {
  const { tabs, call, close } = await openPages('tabs.mjs', 2)
  const [sender, hearer] = tabs

  async function burst(over) {
    for (const tab of tabs) await call(tab, 'collectGarbage')
    await call(hearer, `hearBurstOf${over}`, { count: BURST })
    const ms = await call(sender, `burstOver${over}`, { count: BURST })
    return (BURST / ms) * 1000
  }

  /** The p50 of one round's round trips. */
  async function roundTrip(over, options) {
    for (const tab of tabs) await call(tab, 'collectGarbage')
    return median(await call(sender, `roundTripsOver${over}`, { ...options, count: ROUND_TRIPS }))
  }

  try {
    for (const tab of tabs) await call(tab, 'openBus', { log: false })
    await bench.compare({
      work: `tab to tab, ${BURST.toLocaleString('en')} in one burst, log off`,
      against: 'a native BroadcastChannel message each',
      unit: 'events/s',
      goal: { atLeast: 10 },
      rounds: 15,
      ours: () => burst('Bus'),
      peer: () => burst('Native'),
    })

    await call(hearer, 'answerNative')
    for (const [log, atMost] of [
      [false, 1.3],
      [true, 2.5],
    ]) {
      await call(hearer, 'answerBus', { log })
      await call(sender, 'openBus', { log })
      await bench.compare({
        work: `tab to tab, idle round trip p50, log ${log ? 'on (IndexedDB)' : 'off'}`,
        against: 'native BroadcastChannel',
        unit: 'ms',
        goal: { atMost },
        rounds: 15,
        ours: () => roundTrip('Bus', { log }),
        peer: () => roundTrip('Native'),
      })
    }
    await call(hearer, 'answerStored')
    await bench.compare({
      work: 'the same, log on',
      against: 'a BroadcastChannel and an IndexedDB store by hand',
      unit: 'ms',
      goal: { atMost: 1.5 },
      rounds: 15,
      ours: () => roundTrip('Bus', { log: true }),
      peer: () => roundTrip('Stored'),
    })
  } finally {
    await close()
  }
}

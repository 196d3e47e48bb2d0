// A device that comes to a room late, in a real browser.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import { openPages } from '../lib/pages.mjs'
import { startRelay, startScript } from '../lib/processes.mjs'
import { dataOf, TYPE } from '../pages/events.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

const EVENTS = 100_000
const CHUNK = 1_000
const ROOM = 'missed'

export const about = {
  title: 'Catching up',
  text: 'A new device joins a room with 100,000 events and writes them all to IndexedDB. The peer is a plain server that sends them 1,000 lines a message; the page parses each line and adds a row for each event to a store without indexes, 1,000 a transaction.',
}

export async function run(bench) {
  const closing = []
  try {
    const folder = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
    closing.push(() => rm(folder, { recursive: true, force: true }))
    const args = [EVENTS, CHUNK]
    const server = await startScript('bench/peers/rows-server.mjs', args, /listening on (\S+)\n/)
    closing.push(server.stop)
    const { tabs, call, close } = await openPages('catch-up.mjs', 1)
    closing.push(close)
    const [page] = tabs

    async function catchUp(over, url) {
      await call(page, 'collectGarbage')
      const ms = await call(page, `catchUpOver${over}`, { url, room: ROOM, count: EVENTS })
      return (EVENTS / ms) * 1000
    }

    for (const [kept, store, rounds] of [
      ['in memory', 'memory', 7],
      ['in SQLite', `sqlite:${join(folder, 'events.db')}`, 3],
    ]) {
      const relay = await startRelay(store)
      try {
        await fill(relay.url)
        await bench.compare({
          work: `catch-up of ${EVENTS.toLocaleString('en')} missed events into IndexedDB, the relay's ${kept}`,
          against: 'socket + JSON.parse + one idb row each',
          unit: 'events/s',
          goal: { atLeast: 5 },
          rounds,
          warmups: 1,
          ours: () => catchUp('Bus', relay.url),
          peer: () => catchUp('Socket', `ws://${server.found}`),
        })
      } finally {
        await relay.stop()
      }
    }
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** A device publishes what the others missed. */
async function fill(url) {
  const bus = createBus({ name: 'early', log: memoryLog(), relay: relayLink({ url, room: ROOM }) })
  for (let first = 0; first < EVENTS; first += CHUNK) {
    const events = []
    for (let n = first; n < first + CHUNK; n++) events.push({ type: TYPE, data: dataOf(n) })
    await bus.publishBatch(events, { until: 'relayed' })
  }
  await bus.close()
}

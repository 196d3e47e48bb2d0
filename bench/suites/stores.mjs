// What a store takes: appends as a room makes them, one after the other.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore } from '@crosstown/edge-relay/stores/memory'
import { sqliteStore } from '@crosstown/edge-relay/stores/sqlite'
import { recordAt } from '../lib/appending.mjs'
import { exposeGarbageCollector } from '../lib/garbage.mjs'

const EVENTS = 20_000
/** Of one event at a time each is a sync of the disk. */
const APPENDS = 1_000
const ROOM = 'room'

export const about = {
  title: 'Stores',
  text: 'What the relay writes to, without the relay: appends of one room, each after the one before has resolved, with events of a little over 200 bytes. SQLite syncs each append to the disk before it resolves, so that its rate is that of the disk until many events share one.',
}

export async function run(bench) {
  exposeGarbageCollector()
  const folder = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  let files = 0
  try {
    await bench.grow({
      name: 'stores',
      work: 'Appending to a store',
      how: 'In Node: events a second that resolved, with so many events in each append.',
      per: 'events an append',
      unit: 'events/s',
      sizes: [1, 10, 100, 1_000],
      curves: [
        { name: 'memory', measure: (n) => rate(memoryStore(), n) },
        {
          name: 'SQLite, synced',
          measure: (n) => rate(sqliteStore(join(folder, `${++files}.db`)), n),
        },
      ],
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function rate(store, each) {
  const appends = Math.min(APPENDS, EVENTS / each)
  let head = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
  try {
    const prepared = Array.from({ length: appends }, (_, i) => recordAt(1 + i * each, each))
    const began = performance.now()
    for (const record of prepared) {
      const place = head.place + each
      const next = { ...head, version: head.version + 1, place, check: `${place}`, time: place }
      const append = { expected: head, head: next, records: [record], state: [] }
      if (!(await store.append(ROOM, append))) throw new Error('the store has another head')
      head = next
    }
    const ms = performance.now() - began
    const { events } = await store.stats(ROOM)
    if (events !== appends * each) throw new Error(`the store has ${events} events`)
    return (events * 1_000) / ms
  } finally {
    await store.close()
  }
}

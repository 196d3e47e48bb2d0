/** Several relays on one stream, held to what one store in memory says, through snapshots and removals. */
import { checkOf, type EventHeader, utf8Length } from '@crosstown/bus/protocol'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RoomHead, type RoomRecord, START } from '../../record.ts'
import { type EngineServer, startNats } from '../../testing/engine-servers.ts'
import { memoryStore } from '../memory.ts'
import { natsStore } from '../nats.ts'
import type { Append, Store } from '../store.ts'

const ALL = { events: 1_000_000, bytes: 1_000_000_000 }
const NEW: RoomHead = { epoch: '', version: 0, ...START, time: 0 }
const SEEDS = [1, 2, 3]
const STEPS = 900
/** Longer than a message may be. */
const LONG = 'long'.repeat(300_000)

let server: EngineServer

describe.skipIf(!startNats)('relays on one JetStream', () => {
  beforeAll(async () => {
    server = await (startNats as () => Promise<EngineServer>)()
  })
  afterAll(() => server.stop())

  it.for(SEEDS)(
    'know what one store would know, whoever wrote, trimmed and deleted: seed %i',
    async (seed) => {
      const stream = `model${seed}`
      const open = () => natsStore(server.url, { stream })
      const stores = [await open(), await open(), await open()]
      const model = memoryStore()
      const random = randomOf(seed)
      const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
      let counter = 0
      let epochs = 0

      const append = async (room: string): Promise<void> => {
        const head = (await model.head(room)) ?? { ...NEW, epoch: `e${++epochs}` }
        const late = random() < 0.1 && head.version > 0
        const expected = late ? { ...head, version: head.version - 1 } : head
        const records = Array.from({ length: Math.floor(random() * 3) }, () => {
          const ids = Array.from(
            { length: 1 + Math.floor(random() * 3) },
            () => `p${Math.floor(random() * 5)}-${++counter}`,
          )
          return recordOf(ids, counter, random() < 0.01 ? LONG : 'x')
        })
        const keys = ['device/a', 'device/b', 'stream/s', 'dead/x']
        const state =
          random() < 0.5 ? [[one(keys), random() < 0.2 ? '' : `${counter}`] as const] : []
        const write = appendOf(expected, records, state)
        const written = await one(stores).append(room, write)
        expect(written).toBe(await model.append(room, write))
      }
      const trim = async (room: string): Promise<void> => {
        const keep = { ...ALL, since: 0, events: Math.floor(random() * 200) }
        const step = { events: 1 + Math.floor(random() * 100), bytes: 1_000_000_000 }
        const store = one(stores)
        expect(await store.trim(room, keep, step)).toBe(await model.trim(room, keep, step))
      }
      const compare = async (room: string, store: Store): Promise<void> => {
        const both = async (ask: (store: Store) => Promise<unknown>): Promise<void> => {
          expect(await ask(store)).toEqual(await ask(model))
        }
        const places = (await model.head(room))?.place ?? 0
        const at = Math.floor(random() * (places + 1))
        const time = Math.floor(random() * counter)
        await both(async (of) => {
          const loaded = await of.load(room)
          return loaded && { ...loaded, state: new Map(loaded.state) }
        })
        await both((of) => of.stats(room))
        await both((of) => of.first(room))
        await both((of) => of.read(room, at, { events: 20, bytes: 1_000_000_000 }))
        await both((of) => of.trimmedAt(room, at))
        await both((of) => of.findByTime(room, time))
        await both((of) => of.state(room, ['stream/s', 'dead/x', 'none']))
        const id = `p${Math.floor(random() * 5)}-${1 + Math.floor(random() * counter)}`
        await both((of) => of.find(room, id))
        await both((of) => of.wasTrimmed(room, id))
        await both((of) => of.rooms('', 10))
      }

      for (let step = 0; step < STEPS; step++) {
        const room = one(['r', 'r', 'r', 's', 'room.x'])
        const what = random()
        if (what < 0.8) await append(room)
        else if (what < 0.9) await trim(room)
        else if (what < 0.905) expect(await one(stores).delete(room)).toBe(await model.delete(room))
        else if (what < 0.92) await one(stores).purge({ events: 10, bytes: 1 })
        else if (what < 0.94) {
          const store = await open()
          await compare(room, store)
          await store.close()
        } else await compare(room, one(stores))
      }
      for (const room of ['r', 's', 'room.x']) await compare(room, await fresh(stores, open))
      await Promise.all(stores.map((store) => store.close()))
    },
  )

  it('write at once, while others read and trim: each append is there once, and nobody reads past a hole', async () => {
    const open = () => natsStore(server.url, { stream: 'busy' })
    const stores = [await open(), await open(), await open()]
    const { head: begun } = appendOf({ ...NEW, epoch: 'e' }, [recordOf(['z-1'], 1, 'x')], [])
    await stores[0]?.append('r', appendOf({ ...NEW, epoch: 'e' }, [recordOf(['z-1'], 1, 'x')], []))
    let writing = true
    const write = async (store: Store, prefix: string): Promise<void> => {
      for (let n = 1; n <= 250; ) {
        const head = (await store.head('r')) ?? begun
        if (await store.append('r', appendOf(head, [recordOf([`${prefix}-${n}`], 1, 'x')], [])))
          n += 1
      }
    }
    const read = async (store: Store): Promise<void> => {
      for (let at = 0; writing; ) {
        for (const { place, count } of await store.read('r', at, { events: 40, bytes: 1e9 })) {
          const { place: first } = await store.first('r')
          if (place !== at + 1) expect(first).toBeGreaterThanOrEqual(place - 1)
          at = place + count - 1
        }
      }
    }
    const trim = async (store: Store): Promise<void> => {
      while (writing)
        await store.trim('r', { ...ALL, since: 0, events: 300 }, { events: 40, bytes: 1e9 })
    }
    const others = [read(await fresh(stores, open)), trim(await fresh(stores, open))]
    await Promise.all(stores.slice(0, 3).map((store, i) => write(store, `w${i}`)))
    writing = false
    await Promise.all(others)
    const seen = await Promise.all(
      [...stores, await fresh(stores, open)].map(async (store) => {
        const records = await store.read('r', 0, ALL)
        expect((await store.first('r')).place + records.length).toBe(751)
        return records.map(({ lastId }) => lastId)
      }),
    )
    for (const ids of seen) expect(ids).toEqual(seen[0])
    const last = seen[0] as string[]
    expect(new Set(last).size).toBe(last.length)
    for (let i = 0; i < 3; i++) {
      const counters = last.filter((id) => id.startsWith(`w${i}-`)).map((id) => Number(id.slice(3)))
      // Of each writer the newest ones, none of them missing or doubled.
      expect(counters).toEqual(counters.map((_, n) => 250 - counters.length + 1 + n))
    }
    await Promise.all(stores.map((store) => store.close()))
  })

  it('a room that is written and trimmed for long takes no more than what is kept of it', async () => {
    const stream = 'bounded'
    const store = await natsStore(server.url, { stream })
    let head: RoomHead = { ...NEW, epoch: 'e' }
    for (let n = 1; n <= 1_500; n++) {
      const records = n % 3 === 0 ? [recordOf([`a-${n}`], n, n === 3 ? LONG : 'x')] : []
      const write = appendOf(head, records, [['device/a', `${n}`]])
      expect(await store.append('r', write)).toBe(true)
      head = write.head
      if (n % 500 === 0) await store.trim('r', { ...ALL, since: 0, events: 10 }, ALL)
    }
    await store.close()
    const nc = await connect({ servers: [new URL(server.url).host] })
    const jsm = await jetstreamManager(nc)
    const { state } = await jsm.streams.info(stream, { subjects_filter: `${stream}.>` })
    await nc.close()
    const { [`${stream}.log.r`]: log = 0, ...others } = state.subjects ?? {}
    // What came since the last snapshot, and what that left.
    expect(log).toBeLessThan(300)
    expect(others).toEqual({ [`${stream}.snap.r.e`]: 1, [`${stream}.chunk.r.e`]: 1 })
    const again = await natsStore(server.url, { stream })
    expect(await again.load('r')).toEqual({ head, state: [['device/a', '1500']] })
    expect((await again.read('r', 0, ALL)).length).toBe(10)
    await again.close()
  })
})

async function fresh(stores: Store[], open: () => Promise<Store>): Promise<Store> {
  const store = await open()
  stores.push(store)
  return store
}

function recordOf(ids: readonly string[], time: number, data: string): RoomRecord {
  const headers: EventHeader[] = ids.map((id) => ({ id, type: 'a.b', source: 's', time }))
  const headerLines = headers.map((header) => JSON.stringify(header))
  const texts = ids.map(() => JSON.stringify(data))
  return {
    place: 0,
    count: ids.length,
    time,
    device: 'd',
    batch: time,
    lastId: ids.at(-1) as string,
    indexes: ids.map((_, i) => i),
    headers,
    headerLines,
    data: texts,
    bytes: utf8Length([...headerLines, ...texts].join('')),
    before: '',
    chain: '',
  }
}

function appendOf(
  expected: RoomHead,
  records: readonly RoomRecord[],
  state: Append['state'],
): Append {
  let { place } = expected
  const placed = records.map((record) => {
    const at = {
      ...record,
      place: place + 1,
      before: `c${place}`,
      chain: `c${place + record.count}`,
    }
    place += record.count
    return at
  })
  const newest = placed.at(-1)
  const check = newest ? checkOf(newest.lastId) : expected.check
  const { chain, time } = newest ?? expected
  const { epoch, version } = expected
  return {
    expected,
    head: { epoch, version: version + 1, place, check, chain, time },
    records: placed,
    state,
  }
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

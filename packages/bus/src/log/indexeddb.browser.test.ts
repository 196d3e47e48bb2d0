import { describe, expect, it } from 'vitest'
import { indexedDbLog } from '../indexed-db-log.ts'
import { runtimePlatform } from '../platform.ts'
import { logContract } from '../testing/log-contract.ts'
import { header, joined, own, room } from '../testing/log-records.ts'
import type { Log } from './log.ts'
import { ownBatch } from './record.ts'

const platform = runtimePlatform()
let names = 0
const nameOf = new Map<Log, string>()
const open = (name: string, durability: 'relaxed' | 'strict' = 'relaxed'): Log => {
  const log = indexedDbLog({ durability }).create(name, 'room', platform)
  nameOf.set(log, name)
  return log
}
const fresh = (): string => `log-${Date.now()}-${++names}`

logContract(
  'indexeddb',
  { describe, it },
  {
    create: () => open(fresh()),
    reopen: (log) => open(nameOf.get(log) as string),
    share: (log) => open(nameOf.get(log) as string),
  },
)
logContract(
  'indexeddb, strict',
  { describe, it },
  {
    create: () => open(fresh(), 'strict'),
    reopen: (log) => open(nameOf.get(log) as string, 'strict'),
  },
)

describe('indexeddb log', () => {
  it('is one log for all who open it, with numbers that never meet', async () => {
    const name = fresh()
    const [a, b] = [open(name), open(name)]
    const [stateA, stateB] = await Promise.all([a.open(), b.open()])
    expect(stateA.logId).toBe(stateB.logId)
    const terms = await Promise.all([a.takeTerm('aaaa'), b.takeTerm('bbbb')])
    expect(terms[0]?.[0]).not.toBe(terms[1]?.[0])
    await Promise.all([a.close(), b.close()])
  })

  it('has the stores and indexes of version 1', async () => {
    const name = fresh()
    const log = open(name)
    await log.open()
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`crosstown:${name}:room`)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    expect(database.version).toBe(1)
    expect([...database.objectStoreNames]).toEqual([
      'batches',
      'consumers',
      'dead',
      'meta',
      'room',
      'streams',
    ])
    const { indexNames } = database.transaction('batches').objectStore('batches')
    expect([...indexNames]).toEqual(['ids', 'types'])
    const streams = database.transaction('streams').objectStore('streams')
    expect([...streams.indexNames]).toEqual(['streams'])
    database.close()
    await log.close()
  })

  it('leaves no row of a record that retention removed', async () => {
    const name = fresh()
    const log = open(name)
    await log.open()
    const many = Array.from({ length: 300 }, (_, i) => i)
    for (const n of [0, 300, 600]) {
      await log.append(own(many.map((i) => [`a-${n + i + 1}`, { stream: `s-${i}` }])))
    }
    await log.trim({ events: 300, bytes: Infinity, before: 0 }, false)
    const last = (await log.state()).head.batch
    await log.close()
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`crosstown:${name}:room`)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const keys = (store: string) =>
      new Promise<IDBValidKey[]>((resolve, reject) => {
        const request = database.transaction(store).objectStore(store).getAllKeys()
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    expect(await keys('batches')).toEqual([last])
    expect(new Set((await keys('streams')).map((key) => (key as number[])[0]))).toEqual(
      new Set([last]),
    )
    database.close()
  })

  it('knows from where on to count what is pending, once retention looked', async () => {
    const name = fresh()
    const log = open(name)
    await log.open()
    const term = await joined(log)
    const mine = await log.append(own([['a-1']]))
    const run = { place: 1, time: 5, own: { batch: mine, indexes: [0] } }
    await log.appendRoom(room('E.0.0', 'E.1.x', [run]), term)
    for (let n = 2; n <= 200; n++) {
      const events = [header(`z-${n}`)]
      const batch = room(`E.${n - 1}.x`, `E.${n}.x`, [{ place: n, time: 5, events }])
      await log.appendRoom(batch, term)
    }
    const before = (await log.state()).head.batch
    await log.append(own([['a-2']]))
    let more = true
    while (more) more = (await log.trim({ events: 1_000, bytes: Infinity, before: 0 })).more
    expect((await log.state()).room.pending).toBe(1)
    await log.close()
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`crosstown:${name}:room`)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const written = await new Promise((resolve, reject) => {
      const request = database.transaction('meta').objectStore('meta').get('room')
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    expect(written).toMatchObject({ settled: before })
    database.close()
  })

  it('keeps the events of each stream apart, found by the name of the stream, in order', async () => {
    const name = fresh()
    const log = open(name)
    await log.open()
    const streamsOf = new Map<string, string[]>()
    for (const count of [1, 50, 300]) {
      const entries = Array.from({ length: 600 }, (_, i) => {
        const stream = `order-${i % count}`
        const id = `p${count}-${i + 1}`
        const header = { id, type: 'a', source: 'x', time: 1, stream }
        streamsOf.set(stream, [...(streamsOf.get(stream) ?? []), id])
        return { event: header, headerText: JSON.stringify(header), dataText: JSON.stringify(id) }
      })
      await log.append(ownBatch(entries, 1))
    }
    await log.close()
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`crosstown:${name}:room`)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const index = database.transaction('streams').objectStore('streams').index('streams')
    for (const stream of ['order-0', 'order-7', 'order-299']) {
      const rows = await new Promise<
        { streams: string[]; parts: { headers: string; data: string }[] }[]
      >((resolve, reject) => {
        const request = index.getAll(stream)
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
      const parts = rows.map((row) => row.parts[row.streams.indexOf(stream)])
      const ids = parts.flatMap((part) =>
        JSON.parse(part?.headers ?? '').map((header: { id: string }) => header.id),
      )
      expect(ids).toEqual(streamsOf.get(stream))
      expect(
        parts.flatMap((part) => part?.data.split('\n').map((text) => JSON.parse(text))),
      ).toEqual(ids)
    }
    database.close()
  })
})

import { describe, expect, it } from 'vitest'
import { indexedDbLog } from '../indexed-db-log.ts'
import type { Log } from '../log/log.ts'
import { runtimePlatform } from '../platform.ts'
import { header, joined, own, room } from '../testing/log-records.ts'
import { idsOf, readContract, sourceOf } from '../testing/read-contract.ts'
import type { ReplayOptions, ReplayProgress } from '../types.ts'
import { replay } from './replay.ts'

const platform = runtimePlatform()
let names = 0
const fresh = () => indexedDbLog().create(`read-${Date.now()}-${++names}`, 'room', platform)

readContract('indexeddb', { describe, it }, fresh)

describe('a replay of merged records', () => {
  it('gives the same events as before they were merged', async () => {
    const log = fresh()
    await log.open()
    const ids = Array.from({ length: 300 }, (_, n) => `a-${n}`)
    for (const id of ids) await log.append(own([[id, { scope: 'device' }]]))
    const { merged } = (await log.merge?.(false)) ?? { merged: 0 }
    expect(merged).toBeGreaterThan(200)
    expect(await idsOf(log, {})).toEqual(ids)
    expect(await idsOf(log, { from: { last: 3 } })).toEqual(ids.slice(-3))
    await log.close()
  })
})

/** A log of 100,000 events: own ones, which the room has in the other order, and others' between. */
async function large(log: Log): Promise<void> {
  const term = await joined(log)
  const kind = (n: number) =>
    n % 10 === 0 ? { type: 'order.created', stream: `s-${n % 500}` } : { stream: `s-${n % 500}` }
  const list = <T>(of: (n: number) => T): T[] => Array.from({ length: 1_000 }, (_, n) => of(n))
  const numbers: number[] = []
  for (let batch = 0; batch < 50; batch++) {
    const events = list((n): [string, object] => [`a-${batch * 1_000 + n + 1}`, kind(n)])
    numbers.push(await log.append(own(events, undefined, 1_000 + batch)))
  }
  let place = 0
  for (const number of numbers.reverse()) {
    const position = `E.${place}.${place === 0 ? '0' : 'x'}`
    const events = list((n) => header(`z-${place / 2 + n + 1}`, kind(n)))
    const runs = [
      { place: place + 1, time: place, own: { batch: number, indexes: list((n) => n) } },
      { place: place + 1_001, time: place, events },
    ]
    place += 2_000
    await log.appendRoom(room(position, `E.${place}.x`, runs), term)
  }
}

describe('100,000 events, in a tab that did not write them', { timeout: 120_000 }, () => {
  it('are replayed by type, stream and time, in both orders, with progress', async () => {
    const name = `large-${Date.now()}`
    const writer = indexedDbLog().create(name, 'room', platform)
    await writer.open()
    await large(writer)
    await writer.close()
    const log = indexedDbLog().create(name, 'room', platform)
    await log.open()
    const replayed = async (options: ReplayOptions<string>) => {
      const told: ReplayProgress[] = []
      const watched = sourceOf(log, true)
      const onProgress = (progress: ReplayProgress) => told.push(progress)
      const ids: string[] = []
      const events = replay({ ...options, onProgress }, watched.source)
      for await (const { id } of events) ids.push(id)
      const last = told.at(-1)
      expect(last).toEqual({ done: last?.total, total: last?.total, events: ids.length })
      expect(told.length).toBeLessThan(105)
      expect([watched.holds, watched.decoded.length]).toEqual([0, ids.length])
      return ids
    }
    const all = await replayed({})
    expect([all.length, all[0], all.at(-1)]).toEqual([100_000, 'a-1', 'z-50000'])
    const inRoom = await replayed({ order: 'room' })
    expect([inRoom.length, inRoom[0], inRoom[1_000]]).toEqual([100_000, 'a-49001', 'z-1'])
    expect(new Set(inRoom)).toEqual(new Set(all))
    for (const order of ['device', 'room'] as const) {
      expect(await replayed({ order, pattern: 'order.*' })).toHaveLength(10_000)
      expect(await replayed({ order, stream: 's-7' })).toHaveLength(200)
    }
    expect(await replayed({ from: new Date(1_010), to: new Date(1_019) })).toEqual(
      all.slice(10_000, 20_000),
    )
    expect(await replayed({ order: 'room', from: new Date(2_000), to: new Date(4_000) })).toEqual(
      inRoom.slice(2_000, 6_000),
    )

    const watched = sourceOf(log, true)
    const ending = new AbortController()
    const { signal } = ending
    let given = 0
    for await (const _ of replay({ order: 'room', signal }, watched.source)) {
      if (++given === 50_000) ending.abort()
    }
    expect([given, watched.holds]).toEqual([50_000, 0])
    await log.close()
    // What was being read ends by itself: then nobody has the database open any more.
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(`crosstown:${name}:room`)
      request.onsuccess = resolve
      request.onerror = reject
    })
  })
})

import { describe, expect, it } from 'vitest'
import { indexedDbLog } from '../indexed-db-log.ts'
import { runtimePlatform } from '../platform.ts'
import type { Term } from '../protocol/frames.ts'
import { header, joined, own, room } from '../testing/log-records.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { Log, StoredBatch } from './log.ts'

const platform = runtimePlatform()
let names = 0

async function opened(): Promise<{ log: Log; database: string }> {
  const name = `merge-${Date.now()}-${++names}`
  const log = indexedDbLog().create(name, 'room', platform)
  await log.open()
  return { log, database: `crosstown:${name}:room` }
}

/** How many records the database has. */
function recordsIn(database: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(database)
    request.onerror = () => reject(request.error)
    request.onsuccess = () => {
      const count = request.result.transaction('batches').objectStore('batches').count()
      count.onsuccess = () => {
        request.result.close()
        resolve(count.result)
      }
    }
  })
}

/** Writes other fields into a record, behind the log's back. */
function overwrite(database: string, key: number, fields: Record<string, unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(database)
    request.onerror = () => reject(request.error)
    request.onsuccess = () => {
      const transaction = request.result.transaction('batches', 'readwrite')
      const store = transaction.objectStore('batches')
      const read = store.get(key)
      read.onsuccess = () => store.put({ ...read.result, ...fields }, key)
      transaction.onabort = () => reject(transaction.error)
      transaction.oncomplete = () => {
        request.result.close()
        resolve()
      }
    }
  })
}

async function mergeAll(log: Log, outbox?: boolean): Promise<number> {
  let merged = 0
  let more = true
  while (more) {
    const step = await log.merge?.(outbox)
    merged += step?.merged ?? 0
    more = step?.more ?? false
  }
  return merged
}

/** Writes what a test names, and keeps the place of the room. */
class Script {
  readonly log: Log
  #term: Term
  #place = 0
  #id = 0
  #prev = 'E.0.0'

  constructor(log: Log, term: Term) {
    this.log = log
    this.#term = term
  }

  own(events: number, more = {}): Promise<number> {
    const ids = Array.from({ length: events }, () => `a-${++this.#id}`)
    return this.log.append(own(ids.map((id) => [id, more])))
  }

  large(): Promise<number> {
    return this.own(120, { scope: 'device', correlationId: 'c'.repeat(200) })
  }

  room(events: number): Promise<number> {
    const headers = Array.from({ length: events }, (_, k) => header(`z-${this.#place + 1 + k}`))
    return this.#append([{ place: this.#place + 1, time: 5, events: headers }], events)
  }

  confirm(batch: number): Promise<number> {
    return this.#append([{ place: this.#place + 1, time: 5, own: { batch, indexes: [0] } }], 1)
  }

  async #append(runs: Parameters<typeof room>[2], places: number): Promise<number> {
    this.#place += places
    const position = `E.${this.#place}.x`
    const number = await this.log.appendRoom(room(this.#prev, position, runs), this.#term)
    this.#prev = position
    return number
  }
}

/** All that a log says of itself. */
async function said(log: Log) {
  const { head, first, room: state } = await log.state()
  const batches = await log.read(0, 10_000)
  const ids = batches.flatMap((batch) => batch.headers.map(({ id }) => id))
  const found = []
  for (const id of ids) {
    const at = await log.find(id)
    found.push([id, at?.batch.batch, at?.index])
  }
  return {
    head,
    first,
    state,
    batches,
    back: await log.readBack(Number.MAX_SAFE_INTEGER, 10_000),
    found,
    placements: await log.placements(0, Number.MAX_SAFE_INTEGER),
  }
}

const numbers = (batches: readonly StoredBatch[]) => batches.map(({ batch }) => batch)

describe('merging', () => {
  it('makes few records of many small ones, and changes nothing that can be read', async () => {
    const { log, database } = await opened()
    const script = new Script(log, await joined(log))
    for (let n = 0; n < 100; n++) await script.room(1 + (n % 3))
    for (let n = 0; n < 100; n++) await script.own(1, { scope: 'device', stream: `s-${n % 4}` })
    const before = await said(log)
    expect(await mergeAll(log)).toBeGreaterThan(150)
    expect(await recordsIn(database)).toBeLessThan(20)
    expect(await said(log)).toEqual(before)
    await log.close()
  })

  it('reads from any number on, within any limit, forward and back', async () => {
    const { log } = await opened()
    const script = new Script(log, await joined(log))
    for (let n = 0; n < 70; n++) await script.room(1)
    const all = await log.read(0, 1_000)
    await mergeAll(log)
    for (const limit of [1, 5, 40]) {
      for (let at = 0; at <= 71; at++) {
        const from = all.filter(({ batch }) => batch >= at).slice(0, limit)
        const to = all.filter(({ batch }) => batch <= at).slice(-limit)
        // Where it read last tells the log what to expect here.
        for (const last of [1, 70]) {
          await log.read(last, 1)
          expect(numbers(await log.read(at, limit))).toEqual(numbers(from))
        }
        expect(numbers(await log.readBack(at, limit))).toEqual(numbers(to.reverse()))
      }
    }
    await log.close()
  })

  it('leaves alone what waits for the room, and the last confirmed batch', async () => {
    const { log, database } = await opened()
    const script = new Script(log, await joined(log))
    const first = await script.own(1)
    const second = await script.own(1)
    await script.own(1)
    expect(await mergeAll(log)).toBe(0)
    await script.confirm(first)
    await script.confirm(second)
    expect(await mergeAll(log)).toBe(0)
    expect(await mergeAll(log, false)).toBe(0)
    expect((await log.state()).room.pending).toBe(1)
    expect(await recordsIn(database)).toBe(5)
    await log.close()
  })

  it('ends where the outbox begins, however much there is after it', async () => {
    const { log } = await opened()
    const script = new Script(log, await joined(log))
    for (let n = 0; n < 40; n++) await script.room(1)
    for (let n = 0; n < 300; n++) await script.own(1)
    expect(await mergeAll(log)).toBe(32)
    expect(await mergeAll(log)).toBe(0)
    await log.close()
  })

  it('leaves alone what is large', async () => {
    const { log } = await opened()
    const script = new Script(log, await joined(log))
    for (let n = 0; n < 4; n++) await script.large()
    expect(await mergeAll(log)).toBe(0)
    await log.close()
  })

  it('takes the outbox out of merged records again where the relay lost it', async () => {
    const { log } = await opened()
    const script = new Script(log, await joined(log))
    const mine: number[] = []
    for (let n = 0; n < 40; n++) mine.push(await script.own(1))
    for (const batch of mine) await script.confirm(batch)
    expect(await mergeAll(log)).toBeGreaterThan(60)
    const term = await log.takeTerm('next')
    await log.welcomed({
      term,
      cursor: 'E.10.x',
      liveAfter: 0,
      subject: 'u',
      reads: '[]',
      confirmed: { batch: mine[9] as number, id: 'a-10' },
      cut: { epoch: 'E', place: 10 },
    })
    expect((await log.state()).room.pending).toBe(30)
    const batch = mine[20] as number
    const run = { place: 11, time: 5, own: { batch, indexes: [0] } }
    await log.appendRoom(room('E.10.x', 'E.11.y', [run]), term)
    expect((await log.state()).room.confirmed).toEqual({ batch, id: 'a-21' })
    await log.trim({ events: 0, bytes: 0, before: 0 })
    const left = numbers(await log.read(0, 1_000))
    expect(mine.slice(20).every((number) => left.includes(number))).toBe(true)
    await log.close()
  })

  it('a merged record that was written over is told by name, and the others are read', async () => {
    const { log, database } = await opened()
    const script = new Script(log, await joined(log))
    for (let n = 0; n < 40; n++) await script.room(1)
    await mergeAll(log)
    const whole = await log.read(33, 10)
    for (const merged of [
      null,
      7,
      'x',
      [],
      [null],
      [{ batch: 1, events: 99 }],
      [{ batch: 2, events: 32 }],
    ]) {
      await overwrite(database, 1, { merged })
      const [first, ...others] = await log.read(0, 100)
      expect([first?.batch, first?.damaged?.code]).toEqual([1, 'log_damaged'])
      expect(others).toEqual(whole)
      expect((await log.readBack(40, 100)).length).toBe(1 + whole.length)
      expect(await log.find('z-1')).toBeUndefined()
      expect((await log.find('z-40'))?.batch.batch).toBe(40)
      expect((await log.state()).room.pending).toBe(0)
    }
    await log.trim({ events: 5, bytes: Infinity, before: 0 })
    expect((await log.read(0, 100)).length).toBe(5)
    await log.close()
  })

  it('goes on where it stopped, and keeps what was counted right', async () => {
    const { log } = await opened()
    const script = new Script(log, await joined(log))
    const all = { events: Infinity, bytes: Infinity, before: 0 }
    for (let n = 0; n < 50; n++) await script.room(2)
    await log.trim(all)
    await mergeAll(log)
    for (let n = 0; n < 50; n++) await script.room(2)
    await log.trim(all)
    await mergeAll(log)
    await log.trim(all)
    const { totals } = await log.state()
    expect(totals?.events).toBe(200)
    await log.trim({ ...all, events: 150 })
    const left = await log.read(0, 1_000)
    expect((await log.state()).totals?.events).toBe(left.flatMap((one) => one.headers).length)
    expect((await log.state()).first).toBe(left[0]?.batch)
    await log.close()
  })

  it.each([1, 2, 3, 4])('is seen by nobody, whatever is in the log (%i)', async (seed) => {
    const virtual = new VirtualPlatform({ seed })
    const any = (below: number) => Math.floor(virtual.random() * below)
    const { log } = await opened()
    const script = new Script(log, await joined(log))
    const waiting: number[] = []
    for (let n = 0; n < 120; n++) {
      const dice = any(14)
      if (dice < 4) await script.room(1 + any(4))
      else if (dice < 6) await script.own(1 + any(3), { scope: 'device' })
      else if (dice < 8) waiting.push(await script.own(1))
      else if (dice < 11) {
        const batch = waiting.shift()
        if (batch !== undefined) await script.confirm(batch)
      } else if (dice < 12) await script.large()
      else if (dice < 13) await log.trim({ events: 200 + any(200), bytes: Infinity, before: 0 })
      else await mergeAll(log)
    }
    const before = await said(log)
    await mergeAll(log)
    expect(await said(log)).toEqual(before)
    await log.clear()
  })
})

import { afterEach, describe, expect, test } from 'vitest'
import { createBus } from '../bus.ts'
import { indexedDbLog } from '../indexed-db-log.ts'
import type { Bus } from '../types.ts'
import { createCursorStore } from './cursor-store.ts'

type Shop = { 'order.placed': { n: number } }

let names = 0
const fresh = (): string => `transact-${Date.now()}-${++names}`
const open: Bus<Shop>[] = []

function shop(name: string): Bus<Shop> {
  const bus = createBus<Shop>({ name, log: indexedDbLog({ required: true }), onError: () => {} })
  open.push(bus)
  return bus
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()))
})

/** A database of the user's. */
function database(name: string, make = createCursorStore): Promise<IDBDatabase> {
  const request = indexedDB.open(`own-${name}`, 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore('effects', { autoIncrement: true })
    make(request.result)
  }
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function all(db: IDBDatabase): Promise<number[]> {
  const request = db.transaction('effects').objectStore('effects').getAll()
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result)
  })
}

const done = (request: IDBRequest): Promise<unknown> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

describe('a handler that writes in the transaction of its cursor, in IndexedDB', () => {
  test('has each effect once, though it fails after it wrote', async () => {
    const name = fresh()
    const [bus, db] = [shop(name), await database(name)]
    bus.subscribe(
      'order.placed',
      async ({ data: { n } }, { tx, attempt }) => {
        const effects = tx.objectStore('effects')
        await done(effects.add(n))
        await done(effects.count())
        if (n % 3 === 0 && attempt < 3) throw new Error('after the write')
      },
      { durable: 'copy', transact: { db, stores: ['effects'] }, backoff: [1_000] },
    )
    for (let n = 0; n < 10; n++) await bus.publish('order.placed', { n })
    await expect.poll(async () => (await all(db)).length, { timeout: 15_000 }).toBe(10)
    expect((await all(db)).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    db.close()
  })

  test('rolls everything back when the handler waits for something else and writes then', async () => {
    const name = fresh()
    const [bus, db] = [shop(name), await database(name)]
    let error: unknown
    bus.subscribe(
      'order.placed',
      async ({ data: { n } }, { tx, attempt }) => {
        const effects = tx.objectStore('effects')
        effects.add(n)
        if (attempt > 1) return
        await new Promise((resolve) => setTimeout(resolve, 20))
        try {
          effects.add(n)
        } catch (cause) {
          error = cause
          throw cause
        }
      },
      { durable: 'copy', transact: { db, stores: ['effects'] }, backoff: [5_000], maxDeliver: 2 },
    )
    await bus.publish('order.placed', { n: 1 })
    await expect.poll(() => (error as Error | undefined)?.name).toBe('TransactionInactiveError')
    expect(await all(db)).toEqual([])
    await expect.poll(() => all(db), { timeout: 15_000 }).toEqual([1])
    db.close()
  })

  test('goes on where it was, in the next context', async () => {
    const name = fresh()
    const db = await database(name)
    const subscribe = (bus: Bus<Shop>): void => {
      bus.subscribe(
        'order.placed',
        ({ data }, { tx }) => void tx.objectStore('effects').add(data.n),
        {
          durable: 'copy',
          transact: { db, stores: ['effects'] },
        },
      )
    }
    const first = shop(name)
    subscribe(first)
    const second = shop(name)
    subscribe(second)
    for (let n = 0; n < 20; n++) await second.publish('order.placed', { n })
    await expect.poll(async () => (await all(db)).length).toBe(20)
    await first.close()
    for (let n = 20; n < 30; n++) await second.publish('order.placed', { n })
    await expect.poll(async () => (await all(db)).length).toBe(30)
    expect(await all(db)).toEqual(Array.from({ length: 30 }, (_, n) => n))
    db.close()
  })

  test('wants the store that createCursorStore makes', async () => {
    const name = fresh()
    const [bus, db] = [shop(name), await database(name, () => {})]
    expect(() =>
      bus.subscribe('order.placed', () => {}, {
        durable: 'copy',
        transact: { db, stores: ['effects'] },
      }),
    ).toThrow('createCursorStore')
    db.close()
  })
})

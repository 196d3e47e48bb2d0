import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import { createRecordingBus, createTestNetwork } from '@crosstown/bus/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Catalogue, type CatalogueBus, catalogue } from '../catalogue/catalogue.ts'
import { keepLedger, Ledger } from './ledger.ts'
import { authorize, onceByRequest } from './requests.ts'
import { openShelves, takeFromShelves } from './shelves.ts'

const payment = (n: number) => ({ orderId: `${n}`, paymentId: `p${n}`, amount: 100 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crosstown-idempotent-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const openBus = (): CatalogueBus =>
  createBus({
    name: 'shop',
    log: sqliteLog(join(folder, 'log.db')),
    tabs: false,
    events: catalogue,
    onError: () => {},
  })

describe('the ledger', () => {
  const openLedger = () => new Ledger(join(folder, 'ledger.db'))

  const publishMany = (bus: CatalogueBus, from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from }, (_, n) =>
        bus.publish('payment.authorized', payment(from + n)),
      ),
    )

  test('has every payment once, however often it is started and reads them again', async () => {
    using ledger = openLedger()
    for (const round of [1, 2, 3]) {
      await using bus = openBus()
      keepLedger(bus, ledger)
      await publishMany(bus, round * 1_000, round * 1_000 + 1_000)
      await expect.poll(() => ledger.balance, { timeout: 30_000 }).toBe(round * 100_000)
    }
    // Whatever the last one had still to read, it knew.
    expect(ledger.balance).toBe(300_000)
  })

  test('a refund takes back what was paid', async () => {
    using ledger = openLedger()
    await using bus = openBus()
    keepLedger(bus, ledger)
    await bus.publish('payment.authorized', payment(1))
    await bus.publish('payment.authorized', payment(2))
    await bus.publish('payment.refunded', payment(1))
    await expect.poll(() => ledger.balance, { timeout: 30_000 }).toBe(100)
  })

  test('a list that fails half way leaves nothing, and is taken when it is given again', async () => {
    using ledger = openLedger()
    await using bus = createRecordingBus({ events: catalogue })
    const events = await publishMany(bus, 0, 3)
    // What SQLite refuses: an amount that is none.
    const broken = { ...events[2]!, id: 'broken', data: { ...payment(2), amount: Number.NaN } }
    expect(() => ledger.add([...events, broken])).toThrow(/NOT NULL/)
    expect(ledger.balance).toBe(0)
    ledger.add(events)
    ledger.add(events)
    expect(ledger.balance).toBe(300)
  })
})

describe('the shelves', () => {
  const shelvesWith = (quantities: Readonly<Record<string, number>>) => {
    const db = openShelves(join(folder, 'shelves.db'))
    const put = db.prepare('INSERT INTO shelves VALUES (?, ?)')
    for (const [sku, quantity] of Object.entries(quantities)) put.run(sku, quantity)
    const left = () =>
      Object.fromEntries(
        db
          .prepare('SELECT sku, quantity FROM shelves')
          .all()
          .map((row) => [row['sku'], row['quantity']]),
      )
    return { db, left }
  }

  const order = (orderId: string, ...skus: readonly string[]) => ({
    orderId,
    customerId: 'c1',
    items: skus.map((sku) => ({ sku, quantity: 1, price: 100 })),
  })

  test('each order is taken off them once, however often the service starts', async () => {
    const { db, left } = shelvesWith({ A1: 100 })
    for (let round = 1; round <= 3; round++) {
      await using bus = openBus()
      takeFromShelves(bus, db)
      for (let n = 0; n < 10; n++) await bus.publish('order.created', order(`${round}.${n}`, 'A1'))
      await expect.poll(left, { timeout: 30_000 }).toEqual({ A1: 100 - round * 10 })
    }
    await using last = openBus()
    takeFromShelves(last, db)
    await last.publish('order.created', order('last', 'A1'))
    await expect.poll(left, { timeout: 30_000 }).toEqual({ A1: 69 })
    db.close()
  })

  test('an order that cannot be filled takes nothing, and is a dead letter; the next one goes on', async () => {
    const { db, left } = shelvesWith({ A1: 1, B2: 5 })
    await using bus = openBus()
    takeFromShelves(bus, db)
    const impossible = await bus.publish('order.created', order('7', 'B2', 'C3'))
    await bus.publish('order.created', order('8', 'B2', 'A1'))
    const tooMany = await bus.publish('order.created', order('9', 'B2', 'A1'))
    const dead = async () => {
      const letters = await bus.deadLetters.list({ consumer: 'shelves' })
      return letters.map(({ event, detail }) => [event?.id, detail])
    }
    await expect.poll(dead, { timeout: 30_000 }).toHaveLength(2)
    expect(new Map((await dead()) as [string, string][])).toEqual(
      new Map([
        [impossible.id, 'Error: there is no C3'],
        [tooMany.id, expect.stringMatching(/CHECK constraint/)],
      ]),
    )
    expect(left()).toEqual({ A1: 0, B2: 4 })
    db.close()
  })
})

describe('requests', () => {
  test('one that comes twice is published once; both callers get its event', async () => {
    await using bus = createRecordingBus({ events: catalogue })
    onceByRequest(bus)
    const [first, second] = await Promise.all([
      authorize(bus, 'r1', payment(1)),
      authorize(bus, 'r1', payment(1)),
    ])
    expect(second.id).toBe(first.id)
    expect(bus.count('payment.authorized')).toBe(1)
    await authorize(bus, 'r2', payment(1))
    expect(bus.count('payment.authorized')).toBe(2)
  })

  test('one that was refused may come again', async () => {
    await using bus = createRecordingBus({ events: catalogue })
    onceByRequest(bus)
    await expect(authorize(bus, 'r1', { ...payment(1), amount: -1 })).rejects.toMatchObject({
      code: 'schema_failed',
    })
    await authorize(bus, 'r1', payment(1))
    expect(bus.count()).toBe(1)
  })

  test('what two tabs publish for one request is handled once', async () => {
    const network = createTestNetwork()
    const device = network.device('laptop')
    const open = () => device.open().createBus<Catalogue>({ name: 'shop', events: catalogue })
    const [one, two, listener] = [open(), open(), open()]
    const handled: string[] = []
    onceByRequest(listener)
    listener.subscribe('payment.authorized', ({ metadata }) =>
      handled.push(metadata?.requestId ?? ''),
    )
    await network.until(authorize(one, 'r1', payment(1)))
    await network.until(authorize(two, 'r1', payment(1)))
    await network.until(authorize(two, 'r2', payment(2)))
    await network.run(1_000)
    expect(handled).toEqual(['r1', 'r2'])
  })
})

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

const payment = (n: number) => ({ orderId: `${n}`, paymentId: `p${n}`, amount: 100 })

describe('the ledger', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'crosstown-ledger-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const openLedger = () => new Ledger(join(folder, 'ledger.db'))

  const openBus = (): CatalogueBus =>
    createBus({
      name: 'shop',
      log: sqliteLog(join(folder, 'log.db')),
      tabs: false,
      events: catalogue,
    })

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

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNoopBus, createRecordingBus, createTestNetwork } from '@crosstown/bus/testing'
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { afterEach, expect, test } from 'vitest'
import { type Catalogue, catalogue } from '../catalogue/catalogue.ts'
import { endAll, node, type Program, relay } from '../processes.ts'
import { sell, watchSales } from './sales.ts'

const till = (...place: readonly string[]): Program =>
  node('demo/examples/memory-to-relay/main.ts', ...place)

const folders: string[] = []
afterEach(async () => {
  await endAll()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-till-'))
  folders.push(folder)
  return join(folder, 'till.db')
}

test('in memory: the sum is there while the process is', async () => {
  const first = till('memory')
  first.write('350')
  first.write('50')
  await first.line(/^sold for 400$/)
  expect(await first.finish()).toBe(0)
  await till('memory').line(/^sold for 0$/)
})

test('on a device: the next process goes on from the log, however the last one ended', async () => {
  const place = file()
  const first = till('device', place)
  first.write('350')
  await first.line(/^sold for 350$/)
  await first.kill()
  const second = till('device', place)
  await second.line(/^sold for 350$/)
  second.write('50')
  await second.line(/^sold for 400$/)
  expect(await second.finish()).toBe(0)
})

test('in a room: every till has the sum of all, also one that comes later', async () => {
  const { url } = await relay()
  const [one, two] = [till('room', url, 'shop'), till('room', url, 'shop')]
  one.write('350')
  two.write('50')
  await Promise.all([one.line(/^sold for 400$/), two.line(/^sold for 400$/)])
  await till('room', url, 'shop').line(/^sold for 400$/)
})

const items = [{ sku: 'A1', quantity: 2, price: 350 }]

test('on a bus that records: what is sold is published, and told', async () => {
  const bus = createRecordingBus<Catalogue>({ events: catalogue })
  const told: number[] = []
  const off = watchSales(bus, (cents) => told.push(cents))
  await sell(bus, '7', items)
  expect(bus.published('order.created')).toMatchObject([
    { stream: 'order-7', data: { orderId: '7', customerId: 'guest', items } },
  ])
  await expect.poll(() => told.at(-1)).toBe(700)
  off()
  await bus.close()
})

test('on a bus that does nothing: selling works, and nobody is told', async () => {
  const bus = createNoopBus<Catalogue>({ events: catalogue })
  const told: number[] = []
  watchSales(bus, (cents) => told.push(cents))
  await sell(bus, '7', items)
  await sell(bus, '7', items)
  expect([bus.count('order.created'), told]).toEqual([2, [0]])
  const wrong = [{ sku: 'A1', quantity: -1, price: 350 }]
  await expect(sell(bus, '8', wrong)).rejects.toMatchObject({ code: 'schema_failed' })
  await bus.close()
})

test('on a network with faults: two tills agree, though one was offline and the relay crashed', async () => {
  const network = createTestNetwork({ seed: 1, relay: simulatedRelay() })
  const sums = new Map<string, number>()
  const open = (name: string) => {
    const context = network.device(name).open()
    const bus = context.createBus<Catalogue>({ name: 'shop', room: 'till', events: catalogue })
    watchSales(bus, (cents) => sums.set(name, cents))
    return bus
  }
  const [one, two] = [open('one'), open('two')]
  network.device('one').offline()
  await network.until(Promise.all([sell(one, '7', items), sell(two, '8', items)]))
  network.relay.crash()
  expect(await network.settle()).toBe(true)
  expect([...sums]).toEqual([
    ['one', 1400],
    ['two', 1400],
  ])
})

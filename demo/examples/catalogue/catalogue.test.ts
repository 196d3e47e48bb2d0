import { createBus, memoryLog } from '@crosstown/bus'
import { createTestNetwork } from '@crosstown/bus/testing'
import { afterEach, expect, test } from 'vitest'
import { type Catalogue, type CatalogueBus, catalogue, totalOf } from './catalogue.ts'

const buses: CatalogueBus[] = []
afterEach(() => Promise.all(buses.splice(0).map((bus) => bus.close())))

function start(): CatalogueBus {
  const bus = createBus({ name: 'shop', log: memoryLog(), tabs: false, events: catalogue })
  buses.push(bus)
  return bus
}

const items = [{ sku: 'A1', quantity: 2, price: 350 }]
const created = { orderId: '7', customerId: 'c1', items }

test('what matches its schema is published, in the current version', async () => {
  const event = await start().publish('order.created', created)
  expect(event).toMatchObject({ version: 2, data: created })
  expect(totalOf(event.data.items)).toBe(700)
})

test('what does not match is refused, with the path to what is wrong', async () => {
  const bus = start()
  const wrong = { ...created, items: [{ ...items[0]!, quantity: 0 }] }
  await expect(bus.publish('order.created', wrong)).rejects.toMatchObject({
    code: 'schema_failed',
    path: 'data.items[0].quantity',
  })
  await expect(
    bus.publish('user.registered', { userId: 'u1', email: 'nobody', name: 'Ada' }),
  ).rejects.toMatchObject({ code: 'schema_failed', path: 'data.email' })
})

test('the compiler knows types, data and patterns', () => {
  const bus = start()
  const misuse = (): void => {
    // @ts-expect-error there is no such type
    void bus.publish('order.craeted', created)
    // @ts-expect-error an order has items
    void bus.publish('order.created', { orderId: '7', customerId: 'c1' })
    // @ts-expect-error no type begins like this
    bus.subscribe('orders.*', () => {})
  }
  bus.subscribe('payment.*', (event) => {
    if (event.type === 'payment.declined') event.data.reason.toUpperCase()
  })
  expect(misuse).toBeTypeOf('function')
})

test('a page that was not reloaded publishes the old form; the others read the current one', async () => {
  const network = createTestNetwork()
  const device = network.device('laptop')
  type Old = { 'order.created': Omit<typeof created, 'items'> & (typeof items)[number] }
  const old = device.open().createBus<Old>({ name: 'shop' })
  const current = device.open().createBus<Catalogue>({ name: 'shop', events: catalogue })

  const heard = current.once('order.created')
  const { orderId, customerId } = created
  await network.until(old.publish('order.created', { orderId, customerId, ...items[0]! }))
  const event = await network.until(heard)
  expect(event).toMatchObject({ version: 2, data: created })
  expect(await network.until(current.get(event.id))).toMatchObject({ version: 2, data: created })
  expect(await network.until(old.get(event.id))).toMatchObject({ version: 1, data: { sku: 'A1' } })
})

import { createTestNetwork, type TestNetwork } from '@crosstown/bus/testing'
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { expect, test } from 'vitest'
import { type Catalogue, type CatalogueBus, catalogue } from '../catalogue/catalogue.ts'
import { addItem, cancelOrder, placeOrder } from './commands.ts'
import { type Overview, orderOverview } from './overview.ts'

const item = { sku: 'A1', quantity: 2, price: 350 }
const order = (orderId: string) => ({ orderId, customerId: 'c1', items: [item] })

const openBus = (network: TestNetwork, device: string): CatalogueBus =>
  network
    .device(device)
    .open()
    .createBus<Catalogue>({ name: 'shop', room: 'c1', events: catalogue })

/** A page of a device, and what it shows once it has read its log. */
async function open(network: TestNetwork, device: string) {
  const bus = openBus(network, device)
  const view = orderOverview(bus)
  await network.until(view.ready)
  await network.until(() => bus.status.relay === 'online')
  return { bus, view, shown: () => rowsOf(view.get()) }
}

const rowsOf = (overview: Overview) =>
  [...overview].map(([orderId, { total, status }]) => [orderId, total, status])

const start = () => createTestNetwork({ seed: 1, relay: simulatedRelay() })

test('the list shows what the commands did, and tells who looks at it', async () => {
  const network = start()
  const { bus, view, shown } = await open(network, 'laptop')
  let told = 0
  view.subscribe(() => told++)
  expect(told).toBe(1)
  await network.until(placeOrder(bus, order('7')))
  await network.until(addItem(bus, '7', item))
  await network.until(
    bus.publish('payment.authorized', { orderId: '7', paymentId: 'p1', amount: 1400 }),
  )
  expect(shown()).toEqual([['7', 1400, 'paid']])
  expect(told).toBeGreaterThan(1)
})

test('devices that changed the same orders apart show the same list once they meet', async () => {
  const network = start()
  const phone = await open(network, 'phone')
  const laptop = await open(network, 'laptop')
  await network.until(placeOrder(phone.bus, order('7')))
  await network.settle()

  network.device('phone').offline()
  await network.until(placeOrder(phone.bus, order('from-phone')))
  await network.until(cancelOrder(phone.bus, '7', 'changed my mind'))
  await network.until(placeOrder(laptop.bus, order('from-laptop')))
  await network.until(laptop.bus.publish('order.confirmed', { orderId: '7' }))
  // Apart, each shows what it knows, its own changes at once.
  expect(phone.shown()).toEqual([
    ['7', 700, 'cancelled'],
    ['from-phone', 700, 'open'],
  ])
  expect(laptop.shown()).toEqual([
    ['7', 700, 'confirmed'],
    ['from-laptop', 700, 'open'],
  ])

  expect(await network.settle()).toBe(true)
  expect(phone.shown()).toEqual(laptop.shown())
  // The room has the laptop's events first: it was online.
  expect(phone.shown()).toEqual([
    ['7', 700, 'cancelled'],
    ['from-laptop', 700, 'open'],
    ['from-phone', 700, 'open'],
  ])
})

test('a page that is opened later goes on from what the log has kept, and a new device reads it all', async () => {
  const network = start()
  const first = await open(network, 'laptop')
  await network.until(placeOrder(first.bus, order('7')))
  await network.until(first.bus.close())
  const second = await open(network, 'laptop')
  expect(second.shown()).toEqual([['7', 700, 'open']])
  await network.until(cancelOrder(second.bus, '7', 'sold out'))
  await network.settle()

  const phone = await open(network, 'phone')
  await network.settle()
  expect(phone.shown()).toEqual([['7', 700, 'cancelled']])
  expect(second.shown()).toEqual(phone.shown())
})

/** The saga of the examples in real tabs: it is where its conversation is, not where it runs. */
import type { Events } from '../demo/examples/saga/events.ts'
import { expect, recordedTest } from './lib/recorded.ts'

const test = recordedTest<Events>()

test('the tab that runs a saga is closed in the middle, another one goes on and undoes it', async ({
  crosstown,
  site,
}) => {
  const address = `${site}/saga`
  const [till, services] = [await crosstown.newPage(address), await crosstown.newPage(address)]
  await services.evaluate(() => {
    const { bus } = checkout
    bus.respond('inventory.reserve', () => [])
    bus.respond('inventory.release', () => undefined)
    bus.respond('payment.take', () => 'p1')
    bus.respond('payment.give_back', () => 'p1')
    // Nobody says whether a courier comes.
    bus.respond('shipment.order', () => new Promise<boolean>(() => {}))
  })
  await till.evaluate(() => {
    checkout.run()
    const items = [{ sku: 'A1', quantity: 2, price: 350 }]
    const order = { orderId: '7', customerId: 'c1', items }
    return checkout.bus.publish('order.created', order, { stream: 'order-7' })
  })
  const created = await crosstown.expectEvent('order.created')
  await crosstown.expectEvent('payment.authorized', { where: ({ data }) => data.amount === 700 })
  await till.close()

  const next = await crosstown.newPage(address)
  await next.evaluate(() => {
    checkout.bus.respond('shipment.order', () => false)
    checkout.run()
  })
  await services.close()
  await next.evaluate(() => {
    checkout.bus.respond('inventory.release', () => undefined)
    checkout.bus.respond('payment.give_back', () => 'p1')
  })
  await crosstown.expectEvent('order.cancelled', { timeout: 30_000 })
  const recorded = await crosstown.events()
  expect(recorded.map(({ type }) => type)).toEqual([
    'order.created',
    'inventory.reserved',
    'payment.authorized',
    'shipment.refused',
    'payment.refunded',
    'inventory.released',
    'order.cancelled',
  ])
  expect(new Set(recorded.map(({ correlationId }) => correlationId))).toEqual(new Set([created.id]))
})

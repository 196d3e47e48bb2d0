/** Modules of the examples in browsers, seen through the fixture that applications have. */
import type { Page } from '@playwright/test'
import type { Catalogue } from '../demo/examples/catalogue/catalogue.ts'
import { type Device, expect, recordedTest } from './lib/recorded.ts'

const test = recordedTest<Catalogue>()

const item = { sku: 'A1', quantity: 2, price: 350 }
const order = (orderId: string) => ({ orderId, customerId: 'c1', items: [item] })

async function open(device: Device<Catalogue>, address: string): Promise<Page> {
  const page = await device.newPage(address)
  await page.evaluate(() => shop.overview.ready)
  return page
}

const shown = (page: Page) =>
  page.evaluate(() =>
    [...shop.overview.get()].map(([orderId, { total, status }]) => [orderId, total, status]),
  )

test('read model: devices that changed the same orders apart show the same list once they meet', async ({
  crosstown,
  relay,
  site,
}) => {
  const address = `${site}/examples?relay=${encodeURIComponent(relay.url)}&room=read-model-${Date.now()}`
  const phone = await crosstown.device('phone')
  const [here, there] = [await open(crosstown, address), await open(phone, address)]
  await here.evaluate((one) => shop.placeOrder(shop.bus, one), order('7'))
  await phone.expectEvent('order.created')

  await phone.offline()
  await there.evaluate((one) => shop.placeOrder(shop.bus, one), order('from-phone'))
  await there.evaluate(() => shop.cancelOrder(shop.bus, '7', 'changed my mind'))
  await here.evaluate((one) => shop.placeOrder(shop.bus, one), order('from-tab'))
  await crosstown.publish('order.confirmed', { orderId: '7' })
  await expect
    .poll(() => shown(there))
    .toEqual([
      ['7', 700, 'cancelled'],
      ['from-phone', 700, 'open'],
    ])
  await expect
    .poll(() => shown(here))
    .toEqual([
      ['7', 700, 'confirmed'],
      ['from-tab', 700, 'open'],
    ])
  expect(await crosstown.events('order.cancelled')).toEqual([])

  await phone.online()
  const { data, origin } = await crosstown.expectEvent('order.cancelled')
  expect({ data, origin }).toEqual({
    data: { orderId: '7', reason: 'changed my mind' },
    origin: 'room',
  })
  for (const page of [here, there])
    await expect
      .poll(() => shown(page))
      .toEqual([
        ['7', 700, 'cancelled'],
        ['from-tab', 700, 'open'],
        ['from-phone', 700, 'open'],
      ])
  for (const device of [crosstown, phone]) {
    await device.expectEvent('order.created', { count: 3 })
    expect(await device.errors()).toEqual([])
  }
})

test('event sourcing: who was offline decides again on the order as the others made it', async ({
  crosstown,
  relay,
  site,
}) => {
  const address = `${site}/examples?relay=${encodeURIComponent(relay.url)}&room=sourcing-${Date.now()}`
  const phone = await crosstown.device('phone')
  const [here, there] = [await open(crosstown, address), await open(phone, address)]
  await here.evaluate((one) => shop.change(shop.bus, '7', shop.create(one)), order('7'))
  await phone.expectEvent('order.created')

  const add = (page: Page, price: number) =>
    page.evaluate(
      ([sku, price]) =>
        shop
          .change(shop.bus, '7', shop.addItem('7', { sku, quantity: 1, price }))
          .then(({ items }) => items.length)
          .catch((error: Error) => error.message),
      ['B2', price] as const,
    )
  await phone.offline()
  const [small, big] = [add(there, 1_000), add(there, 9_000)]
  expect(await add(here, 500)).toBe(2)
  await phone.online()
  expect(await small).toBe(3)
  expect(await big).toBe('order 7 would be over the limit')

  const taken = await crosstown.events('order.item_added')
  expect(taken.map(({ data, origin }) => [data.item.price, origin])).toEqual([
    [500, 'device'],
    [1_000, 'room'],
  ])
})

test('cache invalidation: what one tab saves, the other loads again', async ({
  crosstown,
  site,
}) => {
  const tabs = [
    await open(crosstown, `${site}/examples`),
    await open(crosstown, `${site}/examples`),
  ] as const
  const [one, other] = tabs
  const name = (page: Page) => page.evaluate(async () => (await shop.profiles.get('u1')).name)
  expect(await Promise.all(tabs.map(name))).toEqual(['nobody', 'nobody'])
  await one.evaluate(() => shop.saveProfile(shop.bus, shop.server, 'u1', { name: 'Ada' }))
  await expect.poll(() => name(other)).toBe('Ada')
  const saved = await crosstown.events('user.*')
  expect(saved.map(({ data }) => data)).toEqual([{ userId: 'u1', fields: ['name'] }])
})

/** Examples of demo/examples in a browser, tested as an application would test itself. */
import { crosstownTest } from '@crosstown/bus/testing/playwright'
import { type BrowserContext, mergeTests, type Page } from '@playwright/test'
import type { Profile } from '../demo/examples/cache-invalidation/profiles.ts'
import type { Events } from '../demo/examples/saga/events.ts'
import { expect, type Relay, test as shared } from './fixtures.ts'

const test = mergeTests(shared, crosstownTest<Events>())

const addressOf = (site: string, relay: Relay) =>
  `${site}/examples?relay=${encodeURIComponent(relay.url)}&room=examples-${Date.now()}`

const isOnline = (page: Page) =>
  expect.poll(() => page.evaluate(() => shop.bus.status.relay)).toBe('online')

test('cache invalidation: what one tab saves, the others and the phone load again', async ({
  browser,
  context,
  crosstown,
  site,
  relay,
}) => {
  const profiles = new Map<string, Profile>()
  const reads: string[] = []
  const serve = async (one: BrowserContext): Promise<void> => {
    await one.exposeFunction('readProfile', (userId: string) => {
      reads.push(userId)
      return profiles.get(userId) ?? { name: 'nobody' }
    })
    await one.exposeFunction('writeProfile', (userId: string, profile: Profile) => {
      profiles.set(userId, profile)
    })
  }
  const other = await browser.newContext()
  await serve(context)
  await serve(other)
  const phone = await crosstown.device('phone', other)
  const address = addressOf(site, relay)
  const pages = [
    await crosstown.newPage(address),
    await crosstown.newPage(address),
    await phone.newPage(address),
  ]
  for (const page of pages) await isOnline(page)
  const names = () =>
    Promise.all(
      pages.map((page) => page.evaluate(async () => (await shop.profiles.get('u1')).name)),
    )
  expect(await names()).toEqual(['nobody', 'nobody', 'nobody'])
  await names()
  expect(reads).toHaveLength(3)

  await phone.offline()
  await pages[0]?.evaluate(() => shop.save('u1', { name: 'Ada' }))
  await crosstown.expectEvent('user.profile_changed', { where: ({ data }) => data.userId === 'u1' })
  await expect.poll(names).toEqual(['Ada', 'Ada', 'nobody'])
  await phone.online()
  await phone.expectEvent('user.profile_changed')
  await expect.poll(names).toEqual(['Ada', 'Ada', 'Ada'])
  expect(reads).toHaveLength(6)
})

test('event sourcing: two devices at once, and a limit that holds; both show the same list', async ({
  crosstown,
  site,
  relay,
}) => {
  const phone = await crosstown.device('phone')
  const address = addressOf(site, relay)
  const pages = [await crosstown.newPage(address), await phone.newPage(address)] as const
  for (const page of pages) await isOnline(page)
  await pages[0].evaluate(() =>
    shop.change(
      '7',
      shop.orders.create({
        orderId: '7',
        customerId: 'c1',
        items: [{ sku: 'A1', quantity: 1, price: 100 }],
      }),
    ),
  )
  await phone.expectEvent('order.created')
  // Each of them alone would be within the limit.
  const outcomes = await Promise.all(
    pages.map((page) =>
      page.evaluate(async () => {
        const item = { sku: 'B2', quantity: 1, price: shop.orders.LIMIT / 2 }
        return shop.change('7', shop.orders.addItem('7', item)).then(
          () => 'added',
          (error: Error) => error.message,
        )
      }),
    ),
  )
  expect(outcomes.toSorted()).toEqual(['added', 'order 7 would be over the limit'])
  for (const page of pages) {
    await expect
      .poll(() => page.evaluate(() => shop.overview.get().get('7')))
      .toEqual({ customerId: 'c1', total: 5_100, status: 'open' })
  }
  const history = (page: Page) =>
    page.evaluate(async () =>
      (await shop.bus.loadStream('order-7')).map(({ id, type }) => [id, type]),
    )
  const [mine, theirs] = [await history(pages[0]), await history(pages[1])]
  expect(mine.map(([, type]) => type)).toEqual(['order.created', 'order.item_added'])
  expect(theirs).toEqual(mine)
})

test('saga: the tab that runs it is closed in the middle, another one goes on and undoes it', async ({
  crosstown,
  site,
  relay,
}) => {
  const address = addressOf(site, relay)
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

/** Run by testing-fixture.test.ts: one test that fails, and one that does not. */
import { crosstownTest, expect } from '@crosstown/bus/testing/playwright'

const test = crosstownTest<{
  'order.placed': { total: number }
  'order.confirmed': { total: number }
}>()
const site = process.env.SITE ?? ''

test('passes', async ({ page, crosstown }) => {
  await page.goto(`${site}/?name=tab`)
  await crosstown.publish('order.placed', { total: 12 })
})

test('fails', async ({ page, crosstown }) => {
  await page.goto(`${site}/?name=tab`)
  const { data } = await crosstown.publish('order.placed', { total: 12 })
  // In the last moment: what is recorded is whole all the same.
  await page.evaluate((order) => void peer.publish('order.confirmed', order), data)
  expect(data.total).toBe(13)
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from '@playwright/test'
import { chromiumLaunch } from '../scripts/lib/chromium.ts'
import { startDemo } from '../scripts/lib/demo-stack.mjs'
import { expect, test } from './fixtures.ts'

test.describe.configure({ mode: 'serial' })

let demo: Awaited<ReturnType<typeof startDemo>>
test.beforeAll(async () => {
  demo = await startDemo({ room: 'demo' })
})
test.afterAll(async () => {
  await demo.stop()
})

/** A room of its own, or the one in which the services answer. */
async function shop(page: Page, room: string): Promise<void> {
  const url = new URL(demo.url)
  url.searchParams.set('room', room)
  await page.goto(url.href)
  await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'online')
}

const add = (page: Page, sku: string) => page.getByTestId(`add-${sku}`).click()
const cart = (page: Page) =>
  page
    .getByTestId('cart-line')
    .evaluateAll((lines) =>
      lines.map((line) => `${line.dataset['sku']} ${line.dataset['quantity']}`).sort(),
    )

test('a cart is shared by tabs and devices, early and late, and survives a reload and a restart of the browser', async ({
  browser,
}) => {
  const profile = mkdtempSync(join(tmpdir(), 'crosstown-'))
  const launch = (): Promise<BrowserContext> =>
    chromium.launchPersistentContext(profile, { headless: true, ...chromiumLaunch })
  let home = await launch()
  const phone = await browser.newContext()
  const [tab, second, other] = [await home.newPage(), await home.newPage(), await phone.newPage()]
  for (const page of [tab, second, other]) await shop(page, 'cart')
  await add(tab, 'tea')
  await add(second, 'bread')
  await add(other, 'tea')
  for (const page of [tab, second, other])
    await expect.poll(() => cart(page)).toEqual(['bread 1', 'tea 2'])

  await tab.reload()
  await expect.poll(() => cart(tab)).toEqual(['bread 1', 'tea 2'])
  const late = await browser.newContext()
  const joined = await late.newPage()
  await shop(joined, 'cart')
  await expect.poll(() => cart(joined)).toEqual(['bread 1', 'tea 2'])
  await add(tab, 'oil')
  for (const page of [tab, other, joined]) {
    await expect.poll(() => cart(page)).toEqual(['bread 1', 'oil 1', 'tea 2'])
  }
  await late.close()
  await home.close()
  home = await launch()
  const again = await home.newPage()
  await shop(again, 'cart')
  await expect.poll(() => cart(again)).toEqual(['bread 1', 'oil 1', 'tea 2'])
  await Promise.all([home.close(), phone.close()])
  rmSync(profile, { recursive: true })
})

test('the offline switch holds events back in every tab of a device, and sends them on return', async ({
  browser,
}) => {
  const [home, phone] = [await browser.newContext(), await browser.newContext()]
  const [tab, second, other] = [await home.newPage(), await home.newPage(), await phone.newPage()]
  for (const page of [tab, second, other]) await shop(page, 'offline')
  await second.getByTestId('offline-switch').click()
  for (const page of [tab, second]) {
    await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'offline')
  }
  await add(tab, 'milk')
  await add(other, 'oil')
  await expect.poll(() => cart(second)).toEqual(['milk 1'])
  await expect(tab.getByTestId('status-outbox')).toHaveAttribute('data-state', '1')
  expect(await cart(other)).toEqual(['oil 1'])
  await tab.getByTestId('offline-switch').click()
  for (const page of [tab, second, other])
    await expect.poll(() => cart(page)).toEqual(['milk 1', 'oil 1'])
  await expect(tab.getByTestId('status-outbox')).toHaveAttribute('data-state', '0')
  await Promise.all([home.close(), phone.close()])
})

test('an order goes its way through both services, and is counted by the service worker', async ({
  page,
}) => {
  test.skip(!process.env['CROSSTOWN_DENO'], 'the warehouse runs on Deno')
  await shop(page, 'demo')
  await add(page, 'honey')
  await page.getByTestId('checkout').click()
  const order = page.getByTestId('order').first()
  await expect(order).toHaveAttribute('data-state', 'confirmed')
  const steps = order.getByTestId('order-step')
  expect(await steps.evaluateAll((all) => all.map((step) => step.dataset['type']))).toEqual([
    'order.created',
    'order.validated',
    'inventory.reserved',
    'payment.completed',
    'shipping.arranged',
    'order.confirmed',
  ])
  await page.getByTestId('status-details-toggle').click()
  await expect(page.getByTestId('status-worker')).toHaveAttribute('data-total', '1')
})

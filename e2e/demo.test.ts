/** The demo, walked through as a person would. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, expect, type Page, test } from '@playwright/test'
import { chromiumLaunch } from '../scripts/lib/chromium.ts'
import {
  add,
  address,
  cartIs,
  noDeno,
  order,
  orderOf,
  sendAway,
  show,
  steps,
  visit,
  withDemo,
} from './lib/shop.ts'

withDemo()

test('a cart is shared by tabs and devices, early and late, and survives a reload and a restart of the browser', async ({
  browser,
}) => {
  const profile = mkdtempSync(join(tmpdir(), 'crosstown-'))
  const launch = (): Promise<BrowserContext> =>
    chromium.launchPersistentContext(profile, { headless: true, ...chromiumLaunch })
  let home = await launch()
  const phone = await browser.newContext()
  const [tab, second, other] = [await home.newPage(), await home.newPage(), await phone.newPage()]
  for (const page of [tab, second, other]) await visit(page, 'cart')
  await add(tab, 'tea')
  await add(second, 'bread')
  await add(other, 'tea')
  await cartIs([tab, second, other], ['bread 1', 'tea 2'])

  await tab.reload()
  await cartIs([tab], ['bread 1', 'tea 2'])
  const late = await browser.newContext()
  const joined = await late.newPage()
  await visit(joined, 'cart')
  await cartIs([joined], ['bread 1', 'tea 2'])
  await add(tab, 'oil')
  await cartIs([tab, other, joined], ['bread 1', 'oil 1', 'tea 2'])
  await late.close()
  await home.close()
  home = await launch()
  const again = await home.newPage()
  await visit(again, 'cart')
  await cartIs([again], ['bread 1', 'oil 1', 'tea 2'])
  await Promise.all([home.close(), phone.close()])
  rmSync(profile, { recursive: true })
})

test('another device joins by the link that was copied', async ({ browser }) => {
  const home = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  const tab = await home.newPage()
  await visit(tab, 'joined', '#/orders')
  await show(tab, '#/')
  await add(tab, 'milk')
  await tab.getByTestId('share').click()
  await tab.getByTestId('copy-link').click()
  await expect(tab.getByTestId('copy-link')).toHaveAttribute('data-state', 'copied')
  const phone = await browser.newContext()
  const other = await phone.newPage()
  await other.goto(await tab.evaluate(() => navigator.clipboard.readText()))
  await cartIs([other], ['milk 1'])

  await other.getByTestId('share').click()
  await other.getByTestId('new-room').click()
  await expect(other).not.toHaveURL(/room=joined/)
  await cartIs([other], [])
  await Promise.all([home.close(), phone.close()])
})

test('the offline switch holds events back in every tab of a device, and sends them on return', async ({
  browser,
}) => {
  const [home, phone] = [await browser.newContext(), await browser.newContext()]
  const [tab, second, other] = [await home.newPage(), await home.newPage(), await phone.newPage()]
  for (const page of [tab, second, other]) await visit(page, 'offline')
  await second.getByTestId('offline-switch').click()
  for (const page of [tab, second]) {
    await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'offline')
  }
  await add(tab, 'milk')
  await add(other, 'oil')
  await cartIs([second], ['milk 1'])
  await expect(tab.getByTestId('status-outbox')).toHaveAttribute('data-state', '1')
  await cartIs([other], ['oil 1'])
  await tab.getByTestId('offline-switch').click()
  await cartIs([tab, second, other], ['milk 1', 'oil 1'])
  await expect(tab.getByTestId('status-outbox')).toHaveAttribute('data-state', '0')
  await Promise.all([home.close(), phone.close()])
})

test('two devices stand side by side in one window, and meet at the relay only', async ({
  page,
}) => {
  await page.setViewportSize({ width: 1440, height: 900 })
  await page.goto(address('sides', '', 'devices.html'))
  const [laptop, phone] = ['laptop', 'phone'].map((kind) =>
    page.frameLocator(`[data-testid=device-${kind}]`),
  ) as [ReturnType<Page['frameLocator']>, ReturnType<Page['frameLocator']>]
  for (const device of [laptop, phone]) {
    await expect(device.getByTestId('status-relay')).toHaveAttribute('data-state', 'online')
    await expect(device.getByTestId('status-leader')).toHaveAttribute('data-state', 'leader')
  }
  await add(laptop, 'bread')
  await cartIs([laptop, phone], ['bread 1'])
  await laptop.getByTestId('offline-switch').click()
  await expect(laptop.getByTestId('status-relay')).toHaveAttribute('data-state', 'offline')
  await add(laptop, 'tea')
  await add(phone, 'milk')
  await cartIs([laptop], ['bread 1', 'tea 1'])
  await cartIs([phone], ['bread 1', 'milk 1'])
  await laptop.getByTestId('offline-switch').click()
  await cartIs([laptop, phone], ['bread 1', 'milk 1', 'tea 1'])
})

test('an order waits for who is away, and says so', async ({ page }) => {
  await visit(page, 'alone')
  await page.getByTestId('offline-switch').click()
  await add(page, 'bread')
  await order(page)
  const waits = page.getByTestId('order-waits')
  await expect(waits).toHaveAttribute('data-for', 'relay')
  await page.getByTestId('offline-switch').click()
  await expect(waits).toHaveAttribute('data-for', 'orders-service')
  await expect(waits).toHaveAttribute('data-away', 'true')
})

test.describe('with both services', () => {
  test.skip(noDeno, 'the warehouse runs on Deno')

  test('an order placed offline goes its way through both services on return', async ({ page }) => {
    await visit(page, 'demo')
    await page.getByTestId('offline-switch').click()
    await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'offline')
    await add(page, 'bread')
    const id = await order(page)
    await expect(page.getByTestId('order-waits')).toHaveAttribute('data-for', 'relay')
    expect(await steps(page, id)).toEqual(['order.created'])
    await page.getByTestId('offline-switch').click()
    await expect(orderOf(page, id)).toHaveAttribute('data-state', 'confirmed')
    expect(await steps(page, id)).toEqual([
      'order.created',
      'order.validated',
      'inventory.reserved',
      'payment.completed',
      'shipping.arranged',
      'order.confirmed',
    ])
  })

  test('an order that waits for a service goes on when it is back', async ({ page }) => {
    await visit(page, 'demo')
    const bringBack = await sendAway('warehouse')
    await add(page, 'oil')
    const placed = orderOf(page, await order(page))
    const waits = placed.getByTestId('order-waits')
    await expect(waits).toHaveAttribute('data-for', 'warehouse-service')
    await expect(waits).toHaveAttribute('data-away', 'true')
    await bringBack()
    await expect(placed).toHaveAttribute('data-state', 'confirmed')
  })

  const FAILURES = [
    {
      why: 'a declined card',
      choices: { payment: 'declined' },
      quantity: 1,
      ends: ['payment.declined', 'inventory.released', 'order.failed'],
    },
    {
      why: 'a ferry that does not sail',
      choices: { delivery: 'ferry' },
      quantity: 1,
      ends: ['shipping.refused', 'payment.refunded', 'inventory.released', 'order.failed'],
    },
    {
      why: 'more honey than there is',
      choices: {},
      quantity: 5,
      ends: ['inventory.missing', 'order.failed'],
    },
  ] as const

  for (const { why, choices, quantity, ends } of FAILURES) {
    test(`${why} makes an order fail, and what was done is taken back`, async ({ browser }) => {
      const device = await browser.newContext()
      const page = await device.newPage()
      await visit(page, 'demo')
      await expect(page.getByTestId('stock-honey')).toHaveAttribute('data-left', '4')
      for (let i = 0; i < quantity; i++) await add(page, 'honey')
      await page.getByTestId('cart-count').click()
      const id = await order(page, choices)
      const failed = orderOf(page, id)
      await expect(failed).toHaveAttribute('data-state', 'failed')
      expect((await steps(page, id)).slice(-ends.length)).toEqual(ends)
      await expect(failed.getByTestId('order-end')).not.toBeEmpty()
      await show(page, '#/')
      await expect(page.getByTestId('stock-honey')).toHaveAttribute('data-left', '4')
      await device.close()
    })
  }

  test('the service worker counts what nobody looks at, and catches up when it was asleep', async ({
    browser,
  }) => {
    const [home, phone] = [await browser.newContext(), await browser.newContext()]
    const [page, other] = [await home.newPage(), await phone.newPage()]
    for (const one of [page, other]) await visit(one, 'demo')
    const bell = page.getByTestId('bell')
    const worker = page.getByTestId('status-worker')
    await page.getByTestId('status-details-toggle').click()
    await expect(worker).toHaveAttribute('data-state', 'ready')
    await bell.click()
    await expect(bell).toHaveAttribute('data-count', '0')
    const before = Number(await worker.getAttribute('data-total'))
    await show(page, '#/')

    const browserOf = await home.newCDPSession(page)
    await browserOf.send('ServiceWorker.enable')
    await browserOf.send('ServiceWorker.stopAllWorkers')
    await add(other, 'milk')
    await order(other)
    await show(other, '#/') // where nobody sees how it ends
    await expect(bell).toHaveAttribute('data-count', '1')
    await expect(worker).toHaveAttribute('data-total', String(before + 1))
    await expect(worker).toHaveAttribute('data-caught-up', '1')
    await bell.click()
    await expect(bell).toHaveAttribute('data-count', '0')
    await Promise.all([home.close(), phone.close()])
  })

  test('what is sold out comes back with a delivery, on every device', async ({ browser }) => {
    const [home, phone] = [await browser.newContext(), await browser.newContext()]
    const [page, other] = [await home.newPage(), await phone.newPage()]
    for (const one of [page, other]) await visit(one, 'demo')
    const left = page.getByTestId('stock-honey')
    await expect(left).toHaveAttribute('data-left', '4')
    for (let i = 0; i < 4; i++) await add(page, 'honey')
    await expect(orderOf(page, await order(page))).toHaveAttribute('data-state', 'confirmed')
    await show(page, '#/')
    await expect(left).toHaveAttribute('data-left', '0')
    await other.getByTestId('restock-honey').click()
    for (const one of [page, other]) {
      await expect(one.getByTestId('stock-honey')).toHaveAttribute('data-left', '12')
    }
    await Promise.all([home.close(), phone.close()])
  })

  test('who is here is seen: tabs, workers, other devices and services', async ({ browser }) => {
    const [home, phone] = [await browser.newContext(), await browser.newContext()]
    const [tab, second, other] = [await home.newPage(), await home.newPage(), await phone.newPage()]
    for (const page of [tab, second, other]) await visit(page, 'demo')
    await tab.getByTestId('status-details-toggle').click()
    const member = (rest: string) => tab.locator(`[data-testid=member]${rest}`)
    await expect(member('[data-origin=self][data-kind=page]')).toHaveCount(1)
    await expect(member('[data-origin=device][data-kind=page]')).toHaveCount(1)
    await expect(member('[data-origin=room][data-kind=page]')).toHaveCount(1)
    await expect(member('[data-source=orders-service][data-kind=process]')).toHaveCount(1)
    await expect(member('[data-source=warehouse-service][data-kind=process]')).toHaveCount(1)
    await other.close()
    await expect(member('[data-origin=room][data-kind=page]')).toHaveCount(0)
    await Promise.all([home.close(), phone.close()])
  })
})

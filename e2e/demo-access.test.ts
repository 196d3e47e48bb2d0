/** The demo on wide and narrow screens, light and dark, by keyboard, and when things go wrong. */
import { expect, type Page, test } from '@playwright/test'
import { findings } from './lib/axe.ts'
import { add, address, cartIs, NARROW, show, visit, WIDE, withDemo } from './lib/shop.ts'

withDemo()

const SCREENS = [
  '#/',
  '#/orders',
  '#/activity/log',
  '#/activity/threads',
  '#/activity/rewind',
  '#/activity/burst',
] as const

/** Nothing sticks out to the side. */
const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - innerWidth)

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [name, viewport] of [
    ['wide', WIDE],
    ['narrow', NARROW],
  ] as const) {
    test(`axe finds nothing on any screen, and all of it fits: ${name}, ${colorScheme}`, async ({
      browser,
    }) => {
      const device = await browser.newContext({
        viewport,
        colorScheme,
        reducedMotion: 'reduce',
      })
      const page = await device.newPage()
      const room = `axe-${name}-${colorScheme}`
      const found: Record<string, string[]> = {}
      const look = async (what: string) => {
        found[what] = await findings(page)
        if ((await overflow(page)) > 0) found[what]?.push('it is wider than the window')
      }
      await visit(page, room)
      for (const screen of name === 'wide' ? SCREENS : []) {
        await show(page, screen)
        await look(`empty ${screen}`)
      }
      await show(page, '#/')
      for (const sku of ['tea', 'bread', 'honey']) await add(page, sku)
      await page.getByTestId('checkout').click()
      await show(page, '#/')
      await add(page, 'oil')
      for (const screen of SCREENS) {
        await show(page, screen)
        await look(screen)
      }
      await show(page, '#/activity/log')
      await page.getByTestId('event-row').first().getByRole('button').click()
      await page.getByTestId('query-types').fill('no..pattern')
      await expect(page.getByTestId('log-error')).toBeVisible()
      await look('an error')
      await page.getByTestId('query-reset').click()
      await page.getByTestId('event-row').first().getByRole('button').click()
      await page.getByTestId('status-details-toggle').click()
      await page.getByTestId('offline-switch').click()
      await look('details, offline')
      await page.getByTestId('share').click()
      await look('sharing')
      await page.goto(address(room, '', 'devices.html'))
      await expect(page.frameLocator('iframe').first().getByTestId('status-relay')).toHaveAttribute(
        'data-state',
        'offline',
      )
      await look('two devices')
      expect(Object.entries(found).filter(([, all]) => all.length > 0)).toEqual([])
      await device.close()
    })
  }
}

test('all of it fits a window as narrow as pages have to bear', async ({ browser }) => {
  const device = await browser.newContext({ viewport: { width: 320, height: 640 } })
  const page = await device.newPage()
  await visit(page, 'fits')
  for (const sku of ['honey', 'bread']) await add(page, sku)
  await page.getByTestId('status-details-toggle').click()
  for (const screen of SCREENS) {
    await show(page, screen)
    await expect.poll(() => overflow(page), screen).toBeLessThanOrEqual(0)
  }
  await page.goto(address('fits', '', 'devices.html'))
  await expect.poll(() => overflow(page)).toBeLessThanOrEqual(0)
  await device.close()
})

/** Goes on with Tab until the element has the focus, which must be seen there. */
async function tabTo(page: Page, testId: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab')
    const at = await page.evaluate(() => {
      const { activeElement } = document
      if (!(activeElement instanceof HTMLElement)) return undefined
      const { outlineStyle } = getComputedStyle(activeElement)
      return { id: activeElement.dataset['testid'], seen: outlineStyle !== 'none' }
    })
    expect(at?.seen, `the focus is seen at ${at?.id}`).toBe(true)
    if (at?.id === testId) return
  }
  throw new Error(`Tab does not reach ${testId}`)
}

for (const [name, viewport] of [
  ['wide', WIDE],
  ['narrow', NARROW],
] as const) {
  test(`a customer shops, orders and looks back by keyboard alone: ${name}`, async ({
    browser,
  }) => {
    const device = await browser.newContext({ viewport })
    const page = await device.newPage()
    await visit(page, `keys-${name}`)
    await page.keyboard.press('Tab')
    await expect(page.getByRole('button', { name: 'Skip to the content' })).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.locator('#main')).toBeFocused()
    await tabTo(page, 'add-honey')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await cartIs([page], ['honey 2'])
    await tabTo(page, 'less-honey')
    await page.keyboard.press('Space')
    await cartIs([page], ['honey 1'])
    await tabTo(page, 'payment')
    await page.keyboard.press('ArrowDown')
    await expect(page.getByTestId('payment')).toHaveValue('declined')
    await tabTo(page, 'checkout')
    await page.keyboard.press('Enter')
    await expect(page.getByTestId('order')).toHaveCount(1)
    await expect(page.locator('#main')).toBeFocused()
    await tabTo(page, 'order-thread')
    await page.keyboard.press('Enter')
    await expect(page.getByTestId('thread-event').first()).toBeVisible()

    await page.keyboard.press('Home')
    await show(page, '#/activity/log')
    const rows = page.getByTestId('event-row')
    await expect(rows.first()).toBeVisible()
    await rows.first().getByRole('button').focus()
    await page.keyboard.press('ArrowDown')
    await expect(rows.nth(1).getByRole('button')).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.getByTestId('event-details')).toBeVisible()
    await page.keyboard.press('End')
    await expect(rows.last().getByRole('button')).toBeFocused()
    await tabTo(page, 'offline-switch')
    await page.keyboard.press('Space')
    await expect(page.getByTestId('offline-switch')).toHaveAttribute('aria-checked', 'true')
    await tabTo(page, 'status-details-toggle')
    await page.keyboard.press('Enter')
    await expect(page.getByTestId('status-details')).toBeVisible()
    await device.close()
  })
}

test('light or dark is a choice that other tabs follow and a reload keeps', async ({ browser }) => {
  const device = await browser.newContext({ colorScheme: 'light' })
  const [page, second] = [await device.newPage(), await device.newPage()]
  for (const one of [page, second]) await visit(one, 'theme')
  const themes = () =>
    Promise.all(
      [page, second].map((one) => one.evaluate(() => document.documentElement.dataset['theme'])),
    )
  expect(await themes()).toEqual(['light', 'light'])
  await page.getByTestId('theme').click()
  await expect.poll(themes).toEqual(['dark', 'dark'])
  await page.reload()
  await expect(page.getByTestId('theme')).toHaveAttribute('aria-checked', 'true')
  await device.close()
})

test('a relay that refuses this device is said, and the shop goes on', async ({ page }) => {
  await page.routeWebSocket(/socket/, (socket) =>
    socket.close({ code: 3504, reason: 'bad_origin' }),
  )
  await page.goto(address('refused'))
  await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'refused')
  await expect(page.getByTestId('status-sentence')).toBeVisible()
  await add(page, 'tea')
  await cartIs([page], ['tea 1'])
  expect(await findings(page)).toEqual([])
})

test('a browser without a place for the log is told so, and the shop goes on', async ({ page }) => {
  await page.addInitScript(() =>
    Object.defineProperty(globalThis, 'indexedDB', { value: undefined }),
  )
  await visit(page, 'memory')
  await expect(page.getByTestId('status-log')).toHaveAttribute('data-state', 'memory')
  await expect(page.getByTestId('log-sentence')).toBeVisible()
  await add(page, 'tea')
  await cartIs([page], ['tea 1'])
  expect(await findings(page)).toEqual([])
})

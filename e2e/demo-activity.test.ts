/** The demo's view of the log: what was, what belongs together, and the cart of any moment. */
import { expect, type Locator, test } from '@playwright/test'
import { add, cartIs, noDeno, order, orderOf, pastCart, show, visit, withDemo } from './lib/shop.ts'

withDemo()

const types = (rows: Locator): Promise<(string | undefined)[]> =>
  rows.evaluateAll((all) => all.map((row) => row.dataset['type']))

test('the log is searched by type, stream and words, and shows what comes', async ({ page }) => {
  await visit(page, 'log')
  await add(page, 'tea')
  await add(page, 'bread')
  await page.getByTestId('less-tea').click()
  await page.getByTestId('checkout').click()
  await show(page, '#/activity')
  const rows = page.getByTestId('event-row')
  const count = page.getByTestId('log-count')
  await expect(count).toHaveAttribute('data-state', 'done')
  await page.getByTestId('query-types').fill('cart.*')
  await expect
    .poll(() => types(rows))
    .toEqual(['cart.cleared', 'cart.item_removed', 'cart.item_added', 'cart.item_added'])
  await page.getByTestId('query-text').fill('sourdough')
  await expect.poll(() => types(rows)).toEqual(['cart.item_added'])
  await page.getByTestId('query-text').fill('nobody sells this')
  await expect(page.getByTestId('log-empty')).toBeVisible()
  await page.getByTestId('query-types').fill('cart..no')
  await expect(page.getByTestId('log-error')).toBeVisible()
  await page.getByTestId('query-reset').click()
  const created = rows.filter({ hasText: 'order.created' })
  await created.getByRole('button').click()
  await page.getByRole('link', { name: 'Its stream' }).click()
  await expect.poll(() => types(rows)).toEqual(['order.created'])

  const second = await page.context().newPage()
  await visit(second, 'log')
  await page.getByTestId('query-reset').click()
  await add(second, 'oil')
  const newest = rows.first()
  await expect(newest).toHaveAttribute('data-type', 'cart.item_added')
  await expect(newest).toHaveAttribute('data-origin', 'device')
})

test('a conversation is a tree, each event below its cause', async ({ page }) => {
  test.skip(noDeno, 'the warehouse runs on Deno')
  await visit(page, 'demo')
  await add(page, 'bread')
  const placed = orderOf(page, await order(page))
  await expect(placed).toHaveAttribute('data-state', 'confirmed')
  await placed.getByTestId('order-thread').click()
  await expect(page.getByTestId('thread-count')).toHaveAttribute('data-count', '6')
  const depths = await page.getByTestId('thread-event').evaluateAll((all) =>
    all.map((event) => {
      let depth = 0
      for (let at = event.parentElement; at; at = at.parentElement) {
        if (at.matches('[data-testid=thread-event]')) depth++
      }
      return `${depth} ${event.dataset['type']}`
    }),
  )
  expect(depths).toEqual([
    '0 order.created',
    '1 order.validated',
    '2 inventory.reserved',
    '3 payment.completed',
    '4 shipping.arranged',
    '5 order.confirmed',
  ])
})

test('the slider gives the cart of any moment back, and a past cart can be had again', async ({
  page,
}) => {
  await visit(page, 'rewind')
  for (const sku of ['tea', 'bread', 'tea', 'oil']) await add(page, sku)
  await page.getByTestId('cart-clear').click()
  await cartIs([page], [])
  const told = page.evaluate(
    () =>
      new Promise<boolean>((resolve) => {
        new MutationObserver((_changes, observer) => {
          if (!document.querySelector('progress')) return
          observer.disconnect()
          resolve(true)
        }).observe(document.body, { childList: true, subtree: true })
      }),
  )
  await show(page, '#/activity/rewind')
  expect(await told, 'how far the replay is').toBe(true)
  const place = page.getByTestId('rewind-place')
  await expect(place).toHaveAttribute('data-count', '5')
  const slider = page.getByTestId('rewind-slider')
  await slider.focus()
  const past: string[][] = []
  await page.keyboard.press('Home')
  for (let at = 0; at <= 5; at++) {
    await expect(place).toHaveAttribute('data-place', String(at))
    past.push(await pastCart(page))
    await page.keyboard.press('ArrowRight')
  }
  expect(past).toEqual([
    [],
    ['tea 1'],
    ['bread 1', 'tea 1'],
    ['bread 1', 'tea 2'],
    ['bread 1', 'oil 1', 'tea 2'],
    [],
  ])

  await slider.fill('3')
  await expect(page.getByTestId('rewind-when')).toContainText('Green tea was added')
  await page.getByTestId('rewind-put-back').click()
  await show(page, '#/')
  await cartIs([page], ['bread 1', 'tea 2'])
  await show(page, '#/activity/rewind')
  await page.getByTestId('rewind-play').click()
  await expect(place).toHaveAttribute('data-place', '2')
})

test('a burst is logged, confirmed, and arrives in the other tab and on the other device', async ({
  browser,
}) => {
  const [home, phone] = [await browser.newContext(), await browser.newContext()]
  const [tab, second, other] = [await home.newPage(), await home.newPage(), await phone.newPage()]
  for (const page of [tab, second, other]) {
    await visit(page, 'burst', '#/activity/burst')
  }
  await tab.bringToFront()
  await tab.getByTestId('burst-1000').click()
  await expect(tab.getByTestId('burst-sent')).toHaveAttribute('data-relayed', 'true')
  for (const [page, from] of [
    [tab, 'self'],
    [second, 'device'],
    [other, 'room'],
  ] as const) {
    await page.bringToFront()
    const heard = page.getByTestId('burst-heard')
    await expect(heard).toHaveAttribute('data-from', from)
    await expect(heard).toHaveAttribute('data-count', '1000')
  }
  await Promise.all([home.close(), phone.close()])
})

/** The panel's views on a real bus: what they ask is answered, and what they do is done. */
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { build } from 'esbuild'
import { root } from './fixtures.ts'
import { expect, test } from './lib/panel.ts'
import { select, show } from './lib/story.ts'

interface Live {
  readonly heard: { readonly type: string; readonly data: unknown; readonly replaying: boolean }[]
  total(): number
}

declare global {
  interface Window {
    readonly live: Live
  }
}

/** A bus in the page of the panel itself, which its taps and the panel's channel make no difference of. */
async function withBus(page: Page): Promise<void> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createBus } from '@crosstown/bus'
        const heard = []
        const bus = createBus({ name: 'live', source: 'shop' })
        bus.subscribe('cart.*', (event, context) => {
          heard.push({ type: event.type, data: event.data, replaying: context.replaying })
          if (event.type === 'cart.item_added') return context.publish('stock.reserved', { n: event.data.n })
        })
        const view = bus.project('cart.*', (state, event) => ({ total: state.total + event.data.n }), { total: 0 }, { key: 'cart' })
        window.live = { heard, total: () => view.get().total }
        window.publish = (n) => bus.publish('cart.item_added', { n, at: new Date(0) })`,
      resolveDir: join(root, 'e2e'),
      loader: 'js',
    },
    bundle: true,
    write: false,
    format: 'iife',
  })
  await page.evaluate(outputFiles[0]?.text ?? '')
  for (const n of [1, 2, 4])
    await page.evaluate(
      (value) => (window as unknown as { publish(n: number): unknown }).publish(value),
      n,
    )
}

test('store, replay and time travel of a real bus', async ({ openPanel }) => {
  const page = await openPanel()
  await withBus(page)
  await show(page, 'Store')
  await expect(page.getByText('on disk')).toBeVisible()
  await expect(page.getByText(/^6 of /)).toBeVisible()

  await page.getByRole('tab', { name: 'Log' }).last().click()
  const log = page.getByRole('grid', { name: 'Log' })
  await expect(log.getByRole('row').filter({ hasText: 'cart.item_added' })).toHaveCount(3)
  await expect(log.getByRole('row').filter({ hasText: 'stock.reserved' })).toHaveCount(3)

  await page.getByRole('tab', { name: 'Time travel' }).click()
  const slider = page.getByRole('slider', { name: 'Moment' })
  await slider.focus()
  await page.keyboard.press('Home')
  await expect(page.getByRole('tree', { name: 'State then' })).toContainText('total: 1')
  await expect(page.locator('.changes')).toContainText('total 1 → 7')
  await page.getByRole('button', { name: 'Show the application this state' }).click()
  await expect.poll(() => page.evaluate(() => window.live.total())).toBe(1)
  await page.getByRole('alert').getByRole('button', { name: 'Back to now' }).click()
  await expect.poll(() => page.evaluate(() => window.live.total())).toBe(7)

  await page.getByRole('tab', { name: 'Replay' }).click()
  await page.getByLabel('Only types that match').fill('cart.item_added')
  await expect(page.getByText(/Gives 3 events that match/)).toBeVisible()
  await page.getByRole('button', { name: 'Replay…' }).click()
  await page.getByRole('button', { name: 'Replay now' }).click()
  await expect(page.getByText('Replayed: 3 events, 3 handler calls.')).toBeVisible()
  const again = await page.evaluate(
    () => window.live.heard.filter(({ replaying }) => replaying).length,
  )
  expect(again).toBe(3)
})

test('what is published from the panel reaches the page, and its trace the other views', async ({
  openPanel,
}) => {
  const page = await openPanel()
  await withBus(page)
  await show(page, 'Publish')
  await page.getByRole('combobox', { name: 'Type' }).fill('cart.item_added')
  await page.getByRole('textbox', { name: 'Data' }).fill('{ n: 8, when: new Date(0), big: 9n }')
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => page.evaluate(() => window.live.total())).toBe(15)
  expect(await page.evaluate(() => window.live.heard.at(-1)?.data)).toMatchObject({
    n: 8,
    when: new Date(0),
  })
  const sent = page.getByRole('region', { name: 'Published from here' })
  await expect(sent).toContainText('in the log, handled in 1 of 1 contexts')

  await select(page, 'cart.item_added')
  await page.keyboard.press('p')
  await expect(page.getByRole('textbox', { name: 'Data' })).toHaveValue(
    /n: 1, at: new Date\('1970-01-01T00:00:00.000Z'\)/,
  )

  await show(page, 'Causes')
  const tree = page.getByRole('tree', { name: 'Events by their causes' })
  await expect(tree.getByRole('treeitem').filter({ hasText: 'stock.reserved' })).toHaveAttribute(
    'aria-level',
    '2',
  )

  await show(page, 'Peers')
  await page.getByLabel('Event type').fill('cart.itemadded')
  await page.keyboard.press('Enter')
  await expect(
    page.locator('.answer').getByRole('button', { name: 'cart.item_added' }).first(),
  ).toBeVisible()
})

/** The panel in Chromium's DevTools, with real buses in pages, workers, services and other devices. */
import type { Frame, Page } from '@playwright/test'
import { expect, test } from './lib/devtools.ts'

test.describe.configure({ timeout: 120_000 })

/** Rows of the log with a text. */
const rows = (panel: Frame | Page, text: string | RegExp) =>
  panel.getByRole('grid', { name: 'Events' }).getByRole('row').filter({ hasText: text })

/** Who published the events that the filter lets through, each once. */
async function publishers(panel: Frame | Page): Promise<string[]> {
  const all = await panel.locator('[role=gridcell][data-column=from]').allTextContents()
  return [...new Set(all)].sort()
}

async function filter(panel: Frame | Page, text: string): Promise<void> {
  const field = panel.getByRole('combobox', { name: 'Filter' })
  await field.fill(text)
  await field.press('Escape')
}

/** Asks every peer to answer once. */
const call = (page: Page, round: number): Promise<unknown> =>
  page.evaluate((round) => peer.publish('roll.call', { round }), round)

test('events of two tabs, a worker and a service worker stand in one list', async ({
  context,
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/?name=tabA&with=worker&with=sw`)
  const other = await context.newPage()
  await other.goto(`${site}/?name=tabB`)
  const { panel } = await openPanel(page)
  for (const name of ['tab 1', 'tab 2', 'worker 1', 'service worker']) {
    await expect(rows(panel, new RegExp(`${name}.* is here`))).toBeVisible()
  }
  await call(other, 1)
  await filter(panel, 'type:roll.here')
  await expect
    .poll(() => publishers(panel))
    .toEqual(['service worker', 'tab 1 · peer', 'tab 2 · peer', 'worker 1 · tabA-worker'])

  await test.step('the filter', async () => {
    await filter(panel, 'type:roll.here from:worker -from:service')
    await expect.poll(() => publishers(panel)).toEqual(['worker 1 · tabA-worker'])
    await filter(panel, 'data.from:tabB')
    await expect.poll(() => publishers(panel)).toEqual(['tab 2 · peer'])
  })
})

/** Between a page and the panel: what the content script carries, and what it comes back from. */
import type { Page } from '@playwright/test'
import { expect, test } from './lib/devtools.ts'

test.beforeEach(async ({ context, site }) => {
  await context.route(`${site}/tap`, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>tap</title>' }),
  )
})

/** A tap with nothing behind it, in a page: says hello when it is attached to. */
function tap(page: Page, peer: string): Promise<void> {
  return page.evaluate((peer) => {
    const channel = new BroadcastChannel('crosstown:inspect')
    const hello = { inspect: 1, frame: 'hello', peer, kind: 'page', source: peer }
    channel.onmessage = ({ data }) => {
      if (JSON.parse(data).frame === 'attach') channel.postMessage(JSON.stringify(hello))
    }
    channel.postMessage(JSON.stringify(hello))
  }, peer)
}

test('a panel in DevTools hears a page that was there before it', async ({
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/tap`)
  await tap(page, 'early')
  const { panel } = await openPanel(page)
  await expect(panel.getByText('page early')).toBeVisible()
})

test('a panel in a tab hears a page that was there before it', async ({ page, site, panelTab }) => {
  await page.goto(`${site}/tap`)
  await tap(page, 'early')
  const panel = await panelTab(page)
  await expect(panel.getByText('page early')).toBeVisible()
})

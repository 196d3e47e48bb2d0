// Pictures of the panel: an order as the shop, its services and the relay saw it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchWithExtension } from './devtools-browser.ts'

const SIZE = { width: 1280, height: 760 }

/**
 * @param {{ url: string, relay: string }} demo the demo, its services and its relay, of room `demo`
 * @param {(page: import('@playwright/test').Page) => Promise<void>} play orders something there
 * @param {(page: import('@playwright/test').Page, name: string) => Promise<void>} pictures light and dark
 */
export async function takeDevtoolsPictures(demo, play, pictures) {
  const profile = await mkdtemp(join(tmpdir(), 'crosstown-pictures-'))
  const { context, origin } = await launchWithExtension({ profile })
  try {
    const shop = await context.newPage()
    await shop.goto(`${demo.url}/?room=demo`)
    await shop.locator('[data-testid=status-relay][data-state=online]').waitFor()
    const panel = await panelOf(context, shop, origin)
    await panel.setViewportSize(SIZE)
    await panel.emulateMedia({ reducedMotion: 'reduce' })
    await connect(panel, demo.relay.replace(/^ws/, 'http'))
    await play(shop)

    const rows = panel.getByRole('grid', { name: 'Events' }).getByRole('row')
    await filter(panel, 'type:order.created,order.confirmed,payment.declined')
    await rows.filter({ hasText: 'order.created' }).first().click()
    await filter(panel, '')
    await panel.getByRole('complementary', { name: 'Detail' }).getByRole('treeitem').first().waitFor()
    await pictures(panel, 'devtools-log')

    await view(panel, 'Sequence')
    await panel.waitForTimeout(300)
    await pictures(panel, 'devtools-sequence')
    await view(panel, 'Peers')
    await panel.waitForTimeout(300)
    await pictures(panel, 'devtools-peers')
  } finally {
    await context.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** The panel as a tab that inspects the tab of a page. */
async function panelOf(context, page, origin) {
  const tab = await context.newPage()
  await tab.goto(`${origin}manifest.json`)
  await page.bringToFront()
  const tabId = await tab.evaluate(async () => {
    const [front] = await chrome.tabs.query({ active: true, lastFocusedWindow: true })
    return front?.id
  })
  await tab.goto(`${origin}panel.html?tabId=${tabId}`)
  return tab
}

async function connect(panel, url) {
  await panel.getByRole('button', { name: 'Sources' }).click()
  const dialog = panel.getByRole('dialog', { name: 'Sources' })
  await dialog.getByLabel('Address').fill(url)
  await dialog.getByLabel('Room').fill('demo')
  await dialog.getByRole('button', { name: 'Connect' }).click()
  await dialog.getByRole('listitem').filter({ hasText: 'demo' }).filter({ hasText: 'open' }).waitFor()
  await dialog.getByRole('button', { name: 'Close', exact: true }).click()
}

async function filter(panel, text) {
  const field = panel.getByRole('combobox', { name: 'Filter' })
  await field.fill(text)
  await field.press('Enter')
}

function view(panel, name) {
  return panel.getByRole('tablist', { name: 'Views' }).getByRole('tab', { name }).click()
}

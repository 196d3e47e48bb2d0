/** The panel in Chromium's DevTools, with real buses in pages, workers, services and other devices. */
import type { Frame, Page } from '@playwright/test'
import { loadExtension } from '../scripts/lib/devtools-browser.ts'
import { start, stop } from './fixtures.ts'
import { findings } from './lib/axe.ts'
import { expect, test } from './lib/devtools.ts'

test.describe.configure({ timeout: 120_000 })

declare global {
  var told: unknown[]
}

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
  await field.press('Enter')
}

/** Asks every peer to answer once. */
const call = (page: Page, round: number): Promise<unknown> =>
  page.evaluate((round) => peer.publish('roll.call', { round }), round)

const say = (page: Page, type: string): Promise<unknown> =>
  page.evaluate((type) => peer.publish(type), type)

/** Opens a room of a relay as one more source. */
async function connect(panel: Frame | Page, url: string, room: string): Promise<void> {
  await panel.getByRole('button', { name: 'Sources' }).click()
  const dialog = panel.getByRole('dialog', { name: 'Sources' })
  await dialog.getByLabel('Address').fill(url)
  await dialog.getByLabel('Room').fill(room)
  await dialog.getByRole('button', { name: 'Connect' }).click()
  await expect(dialog.getByRole('listitem').filter({ hasText: room })).toContainText('open')
  await dialog.getByRole('button', { name: 'Close', exact: true }).click()
}

test('two tabs, a worker, a service worker, a service and another device stand in one list', async ({
  browser,
  context,
  page,
  relay,
  site,
  openPanel,
}) => {
  const room = `devtools-${Date.now()}`
  const at = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const server = ['e2e/peers/server-peer.ts', 'node', relay.url, room]
  const { child } = await start(process.execPath, server, /online/)
  const device = await browser.newContext()
  try {
    const phone = await device.newPage()
    await phone.goto(`${site}/?name=phone&${at}`)
    await page.goto(`${site}/?name=tabA&with=worker&with=sw&${at}`)
    const other = await context.newPage()
    await other.goto(`${site}/?name=tabB&${at}`)
    const { panel, undock } = await openPanel(page)
    await undock({ width: 1280, height: 800 })
    await connect(panel, relay.url, room)
    for (const name of ['tab 1', 'tab 2', 'tab 3', 'worker 1', 'service worker', 'node', 'relay']) {
      await expect(rows(panel, new RegExp(`${name}.* is here`))).toBeVisible()
    }

    await call(other, 1)
    await filter(panel, 'type:roll.here')
    await expect
      .poll(() => publishers(panel))
      .toEqual([
        'node',
        'service worker',
        'tab 1 · peer',
        'tab 2 · peer',
        'tab 3 · peer',
        'worker 1 · tabA-worker',
      ])

    await test.step('the filter narrows it', async () => {
      await filter(panel, 'type:roll.here from:node')
      await expect.poll(() => publishers(panel)).toEqual(['node'])
      await filter(panel, 'type:roll.here data.from:phone')
      await expect(rows(panel, 'roll.here')).toHaveCount(1)
    })

    await test.step('an event has its data, and its cause beyond the relay', async () => {
      await rows(panel, 'roll.here').click()
      const detail = panel.getByRole('complementary', { name: 'Detail' })
      await expect(detail.getByRole('treeitem').filter({ hasText: 'from' })).toContainText('phone')
      await detail.getByRole('tab', { name: /Chain/ }).click()
      await expect(detail.getByRole('button', { name: 'roll.call' })).toBeVisible()
    })
  } finally {
    await Promise.all([device.close(), stop(child)])
  }
})

test('what is published in the panel reaches the pages, as one of theirs', async ({
  context,
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/?name=tabA`)
  const other = await context.newPage()
  await other.goto(`${site}/?name=tabB`)
  for (const tab of [page, other]) {
    await tab.evaluate(() => {
      globalThis.told = []
      peer.subscribe('panel.said', ({ data, metadata }) => {
        const { word, to } = data as { word: string; to: Set<string> }
        told.push([word, [...to], metadata?.['inspector']])
      })
    })
  }
  const { panel } = await openPanel(page)
  await expect(rows(panel, /tab 2.* is here/)).toBeVisible()
  await panel.getByRole('tab', { name: 'Publish' }).click()
  await panel.getByRole('textbox', { name: 'Data' }).fill("{ word: 'hi', to: new Set(['all']) }")
  await panel.getByRole('combobox', { name: /^Type/ }).fill('panel.said')
  await panel.getByRole('combobox', { name: /^Type/ }).press('Control+Enter')
  for (const tab of [page, other]) {
    await expect.poll(() => tab.evaluate(() => told)).toEqual([['hi', ['all'], true]])
  }
  await panel.getByRole('tab', { name: 'Log' }).click()
  await expect(rows(panel, 'panel.said')).toContainText('2/2')
})

test('a frame of another origin neither hears nor speaks for the page around it', async ({
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/?name=shop`)
  const around = await page.evaluate(async () => (await peer.publish('shop.first')).id)
  const id = around.slice(0, around.lastIndexOf('-'))
  const other = site.replace('127.0.0.1', 'localhost')
  await page.evaluate((src) => {
    document.body.append(Object.assign(document.createElement('iframe'), { src }))
  }, `${other}/?name=ads`)
  const { panel } = await openPanel(page)
  await expect(rows(panel, /is here/)).toHaveCount(2)
  const frame = page.frames().find((frame) => frame.url().startsWith(other)) as Frame
  await frame.evaluate((id) => {
    globalThis.told = []
    const channel = new BroadcastChannel('crosstown:inspect')
    channel.onmessage = ({ data }) => told.push(data)
    channel.postMessage(`{"inspect":2,"frame":"bye","peer":"${id}","reason":"closed"}`)
    void peer.publish('ads.said')
  }, id)
  await expect(rows(panel, 'ads.said')).toBeVisible()
  await expect(rows(panel, /was closed/)).toHaveCount(0)
  // What the panel asks the page.
  await page.evaluate(() => peer.publish('shop.last', { word: 'hush' }))
  await rows(panel, 'shop.last').click()
  await expect(panel.getByText('hush').first()).toBeVisible()
  expect((await frame.evaluate(() => told)).filter((text) => String(text).includes(id))).toEqual([])
})

test('a reload, another page, and the way back and forth are survived', async ({
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/?name=first`)
  const { panel } = await openPanel(page)
  await expect(rows(panel, /tab 1.* is here/)).toBeVisible()
  await say(page, 'first.before')
  await expect(rows(panel, 'first.before')).toBeVisible()

  // What the page publishes while it loads is captured: it knew that it is inspected.
  await page.addInitScript(() => {
    addEventListener('DOMContentLoaded', () => void peer.publish(`${peer.source}.loading`))
  })
  await page.reload()
  await expect(rows(panel, 'first.loading')).toBeVisible()
  await expect(rows(panel, 'first.before')).toBeVisible()

  await page.evaluate(() => {
    document.documentElement.dataset['kept'] = 'yes'
  })
  const other = site.replace('127.0.0.1', 'localhost')
  await page.goto(`${other}/?name=second`)
  await say(page, 'second.there')
  await expect(rows(panel, 'second.there')).toBeVisible()

  // Out of the back/forward cache: it is the page that was put there.
  await page.evaluate(() => void setTimeout(() => history.back()))
  await expect(page).toHaveURL(`${site}/?name=first`)
  expect(await page.evaluate(() => document.documentElement.dataset['kept'])).toBe('yes')
  await say(page, 'first.back')
  await expect(rows(panel, 'first.back')).toBeVisible()
  for (const type of ['first.before', 'first.loading', 'second.there']) {
    await expect(rows(panel, type)).toBeVisible()
  }
})

test('a service worker that the browser ends is heard again when it comes back', async ({
  context,
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/?name=tab&with=sw`)
  const { panel } = await openPanel(page)
  await expect(rows(panel, /service worker is here/)).toBeVisible()
  const session = await context.newCDPSession(page)
  await session.send('ServiceWorker.enable')
  await session.send('ServiceWorker.stopAllWorkers')
  await filter(panel, 'from:"service worker" type:roll.here')
  await expect(async () => {
    // A message starts it; it answers when it has joined.
    await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.postMessage('up'))
    await call(page, 1)
    await expect(rows(panel, 'roll.here').first()).toBeVisible({ timeout: 1_000 })
  }).toPass()
})

test('the panel is dark where DevTools are', async ({ page, site, openPanel }) => {
  await page.goto(`${site}/?name=tab`)
  const light = await openPanel(page)
  const background = () => getComputedStyle(document.body).backgroundColor
  const lightness = (color: string) => Number(/\d+/.exec(color)?.[0])
  await expect(rows(light.panel, 'is here')).toBeVisible()
  expect(lightness(await light.panel.evaluate(background))).toBeGreaterThan(200)
  await light.setTheme('dark')
  await light.close()
  const dark = await openPanel(page)
  await expect(rows(dark.panel, 'is here')).toBeVisible()
  expect(lightness(await dark.panel.evaluate(background))).toBeLessThan(80)
  await test.info().attach('dark', {
    body: await dark.frontend.screenshot(),
    contentType: 'image/png',
  })
})

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing in any view, and each is reached by its key: ${colorScheme}`, async ({
    page,
    site,
    panelTab,
  }) => {
    await page.goto(`${site}/?name=tab&with=worker`)
    const panel = await panelTab(page)
    await panel.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await call(page, 1)
    await expect(rows(panel, 'roll.here').first()).toBeVisible()
    await rows(panel, 'roll.call').click()
    const views = await panel.getByRole('tablist', { name: 'Views' }).getByRole('tab').all()
    const found: Record<string, string[]> = {}
    for (const [index, view] of views.entries()) {
      await panel.keyboard.press(String(index + 1))
      await expect(view).toHaveAttribute('aria-selected', 'true')
      found[String(await view.textContent())] = await findings(panel)
    }
    expect(views.length).toBeGreaterThan(0)
    expect(Object.entries(found).filter(([, all]) => all.length > 0)).toEqual([])
  })
}

test('a page that is older than the extension is said to be, and heard when it is loaded anew', async ({
  context,
  extension,
  page,
  site,
  openPanel,
}) => {
  await page.goto(`${site}/?name=tab`)
  // As an update does: what runs in the page belongs to an extension that is no more.
  await loadExtension(context, extension)
  const { panel } = await openPanel(page)
  await expect(
    panel.getByText('it was loaded before the extension was installed or updated'),
  ).toBeVisible()
  await page.reload()
  await expect(rows(panel, /tab 1.* is here/)).toBeVisible()
})

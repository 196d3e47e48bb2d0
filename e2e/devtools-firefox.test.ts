/** The extension in Firefox: it installs, and its panel hears the pages of a tab. */
import type { Page } from 'puppeteer-core'
import { expect, test } from './fixtures.ts'
import { type FirefoxWithExtension, startFirefox } from './lib/firefox.ts'

const { CROSSTOWN_FIREFOX: path } = process.env

test.skip(!path, 'no Firefox')
test.describe.configure({ mode: 'default' })

let firefox: FirefoxWithExtension

test.beforeAll(async () => {
  firefox = await startFirefox(path as string)
})

test.afterAll(() => firefox.close())

/** A tap with nothing behind it: says hello when it is attached to. */
const tap = (page: Page, peer: string): Promise<void> =>
  page.evaluate((peer) => {
    const channel = new BroadcastChannel('crosstown:inspect')
    const hello = { inspect: 1, frame: 'hello', peer, kind: 'page', source: peer }
    channel.onmessage = ({ data }) => {
      if (JSON.parse(data).frame === 'attach') channel.postMessage(JSON.stringify(hello))
    }
    channel.postMessage(JSON.stringify(hello))
  }, peer)

const shown = (panel: Page) => () => panel.evaluate(() => document.body.textContent)

test('Firefox: the extension installs, and what goes on in a page arrives in its panel', async ({
  site,
}) => {
  const page = await firefox.browser.newPage()
  await page.goto(`${site}/tap`)
  const panel = await firefox.panelTab(page)
  await tap(page, 'before')
  await expect.poll(shown(panel)).toContain('before')
  await page.reload()
  await tap(page, 'after')
  await expect.poll(shown(panel)).toContain('after')
})

test('Firefox: a router that was suspended is dialled again', async ({ site }) => {
  const page = await firefox.browser.newPage()
  await page.goto(`${site}/tap`)
  const panel = await firefox.panelTab(page)
  await tap(page, 'before')
  await expect.poll(shown(panel)).toContain('before')
  await firefox.routerSuspended(panel)
  await tap(page, 'after')
  await expect.poll(shown(panel)).toContain('after')
})

test('Firefox: so it does in the panel of its DevTools', async ({ site }) => {
  const page = await firefox.browser.newPage()
  await page.goto(`${site}/tap`)
  const text = await firefox.openPanel(page)
  await tap(page, 'before')
  await expect.poll(text).toContain('before')
  await page.reload()
  await tap(page, 'after')
  await expect.poll(text).toContain('after')
})

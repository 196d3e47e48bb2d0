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

async function visit(site: string, name: string): Promise<Page> {
  const page = await firefox.browser.newPage()
  await page.goto(`${site}/?name=${name}`)
  return page
}

const say = (page: Page, type: string): Promise<unknown> =>
  page.evaluate((type) => peer.publish(type), type)

const shown = (panel: Page) => () => panel.evaluate(() => document.body.textContent)

test('Firefox: the extension installs, and what goes on in a page arrives in its panel', async ({
  site,
}) => {
  const page = await visit(site, 'fox')
  const panel = await firefox.panelTab(page)
  await expect.poll(shown(panel)).toContain('is here')
  await say(page, 'fox.before')
  await expect.poll(shown(panel)).toContain('fox.before')
  await page.reload()
  await say(page, 'fox.after')
  await expect.poll(shown(panel)).toContain('fox.after')
})

test('Firefox: a router that was suspended is dialled again', async ({ site }) => {
  const page = await visit(site, 'sleepy')
  const panel = await firefox.panelTab(page)
  await expect.poll(shown(panel)).toContain('is here')
  await firefox.routerSuspended(panel)
  await say(page, 'sleepy.after')
  await expect.poll(shown(panel)).toContain('sleepy.after')
})

test('Firefox: so it does in the panel of its DevTools', async ({ site }) => {
  const page = await visit(site, 'tools')
  const { text } = await firefox.openPanel(page)
  await expect.poll(text).toContain('is here')
  await say(page, 'tools.before')
  await expect.poll(text).toContain('tools.before')
  await page.reload()
  await say(page, 'tools.after')
  await expect.poll(text).toContain('tools.after')
})

test('Firefox: another site is heard once it is allowed', async ({ site }) => {
  const page = await visit(site.replace('127.0.0.1', 'shop.test'), 'shop')
  const panel = await firefox.openPanel(page)
  await expect.poll(panel.text).toContain('The extension has no access to http://shop.test')
  await panel.click('Enable on this site')
  const allow = await firefox.extensionPage('allow.html')
  await expect.poll(shown(allow)).toContain('http://shop.test')
  await allow.click('#enable')
  await expect.poll(panel.text).toContain('is here')
  await page.reload()
  await say(page, 'shop.after')
  await expect.poll(panel.text).toContain('shop.after')
})

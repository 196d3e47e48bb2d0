/** The extension in Firefox, which Puppeteer drives: Playwright has a Firefox of its own only. */
/// <reference types="chrome" />
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { expect, root } from '../fixtures.ts'

/** Where Firefox gives the extension's pages an address: it would make one up. */
const HOST = '6f1f7a1e-8d0c-4c3e-9d51-0c7a3a6f2b11'
const ID = 'devtools@crosstown.dev'

export interface FirefoxWithExtension {
  readonly browser: Browser
  /** The panel as a tab, inspecting the tab of a page. */
  panelTab(page: Page): Promise<Page>
  /** Resolves when Firefox has suspended the router, which it does when little goes on. */
  routerSuspended(panel: Page): Promise<void>
  close(): Promise<void>
}

export async function startFirefox(executablePath: string): Promise<FirefoxWithExtension> {
  const userDataDir = await mkdtemp(join(tmpdir(), 'crosstown-firefox-'))
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    userDataDir,
    headless: true,
    // Without it an extension's pages are out of reach.
    args: ['--remote-allow-system-access'],
    extraPrefsFirefox: {
      'extensions.webextensions.uuids': JSON.stringify({ [ID]: HOST }),
      'extensions.background.idle.timeout': 500,
    },
  })
  await browser.installExtension(join(root, 'packages/devtools-extension/dist/firefox'))
  return {
    browser,
    async panelTab(page) {
      const tab = await browser.newPage()
      await visit(tab, `moz-extension://${HOST}/devtools.html`)
      await page.bringToFront()
      const tabId = await tab.evaluate(async () => {
        const [front] = await chrome.tabs.query({ active: true, lastFocusedWindow: true })
        return front?.id
      })
      await visit(tab, `moz-extension://${HOST}/panel.html?tabId=${tabId}`)
      return tab
    },
    routerSuspended: (panel) =>
      panel.evaluate(
        () =>
          new Promise<void>((resolve) => {
            const port = chrome.runtime.connect({ name: 'crosstown:panel:0:watching' })
            port.onDisconnect.addListener(() => resolve())
          }),
      ),
    async close() {
      await browser.close()
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** Firefox tells no driver that a page of an extension has loaded: it is asked. */
async function visit(tab: Page, url: string): Promise<void> {
  void tab.goto(url).catch(() => {})
  const loaded = () => tab.evaluate(() => document.readyState === 'complete' && location.href)
  await expect.poll(() => loaded().catch(() => false)).toBe(url)
}

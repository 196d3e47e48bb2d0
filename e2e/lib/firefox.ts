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
  /** Opens Firefox's DevTools for a page at the panel. */
  openPanel(page: Page): Promise<FirefoxPanel>
  /** A page of the extension, once it is open. */
  extensionPage(file: string): Promise<Page>
  /** Resolves when Firefox has suspended the router, which it does when little goes on. */
  routerSuspended(panel: Page): Promise<void>
  close(): Promise<void>
}

export interface FirefoxPanel {
  text(): Promise<string>
  /** Presses the first button of that name. */
  click(name: string): Promise<void>
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
      // The question is Firefox's own window, which no test can answer: it is taken as allowed.
      'extensions.webextOptionalPermissionPrompts': false,
      'network.dns.localDomains': 'shop.test',
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
    async openPanel(page) {
      await page.bringToFront()
      await inFirefox(browser, SHOW_PANEL)
      return {
        text: () => inFirefox(browser, inPanel('content.document.body.textContent')),
        async click(name) {
          const buttons = `[...content.document.querySelectorAll('button')]`
          const found = `${buttons}.find((button) => button.textContent === ${JSON.stringify(name)})`
          await inFirefox(browser, inPanel(`${found}.click()`))
        },
      }
    },
    async extensionPage(file) {
      const url = `moz-extension://${HOST}/${file}`
      let found: Page | undefined
      // What Puppeteer takes for its address is that of the empty page it was at first.
      await expect
        .poll(async () => {
          for (const page of await browser.pages()) {
            const address = await page.evaluate(() => location.href).catch(() => '')
            if (address.startsWith(url)) found = page
          }
          return found !== undefined
        })
        .toBe(true)
      return found as unknown as Page
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

/** Runs in Firefox's own window: the toolbox of the tab in front, at the extension's panel. */
const SHOW_PANEL = `(async () => {
  const { require } = ChromeUtils.importESModule(
    'resource://devtools/shared/loader/Loader.sys.mjs',
  )
  const { gDevTools } = require('devtools/client/framework/devtools')
  const toolbox = await gDevTools.showToolboxForTab(gBrowser.selectedTab)
  const found = () =>
    [...toolbox.additionalToolDefinitions.values()].find(({ label }) => label === 'Crosstown')
  while (!found()) await new Promise((resolve) => toolbox.win.requestAnimationFrame(resolve))
  await toolbox.selectTool(found().id)
  globalThis.crosstownToolbox = toolbox
})()`

/** Evaluates in the panel: a page of another process, in a frame of a frame of the toolbox. */
const inPanel = (expression: string): string => `(async () => {
  const frames = [...crosstownToolbox.doc.querySelectorAll('iframe')]
  const panel = frames
    .flatMap((frame) => [...(frame.contentDocument?.querySelectorAll('browser') ?? [])])
    .find((browser) => browser.currentURI?.spec.endsWith('/panel.html'))
  if (!panel) return ''
  const heard = Promise.withResolvers()
  const tell = ({ data }) => heard.resolve(data)
  panel.messageManager.addMessageListener('crosstown:told', tell)
  const script = 'sendAsyncMessage("crosstown:told", ' + ${JSON.stringify(expression)} + ')'
  panel.messageManager.loadFrameScript('data:,' + encodeURIComponent(script), false)
  const told = await heard.promise
  panel.messageManager.removeMessageListener('crosstown:told', tell)
  return told
})()`

/** Evaluates in Firefox's own window, which drivers may when they were given access to the system. */
async function inFirefox(browser: Browser, expression: string): Promise<string> {
  const { connection } = browser as unknown as { readonly connection: Bidi }
  const tree = await connection.send('browsingContext.getTree', { 'moz:scope': 'chrome' })
  const answer = await connection.send('script.evaluate', {
    expression,
    target: { context: tree.result.contexts?.[0]?.context },
    awaitPromise: true,
  })
  if (answer.result.exceptionDetails) throw new Error(answer.result.exceptionDetails.text)
  return answer.result.result?.value ?? ''
}

/** What Puppeteer speaks with Firefox, and does not show. */
interface Bidi {
  send(
    method: string,
    params: object,
  ): Promise<{
    readonly result: {
      readonly contexts?: readonly { readonly context: string }[]
      readonly result?: { readonly value?: string }
      readonly exceptionDetails?: { readonly text: string }
    }
  }>
}

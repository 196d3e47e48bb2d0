/**
 * The extension in a Chromium of its own: the panel in real DevTools, and as a tab.
 *
 * That DevTools' own page comes to a test as a page is a switch of Playwright's which it does not
 * document; Playwright's version is pinned.
 */
/// <reference types="chrome" />
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Frame, type Page } from '@playwright/test'
import { chromiumLaunch } from '../../scripts/lib/chromium.ts'
import { test as base, expect, root } from '../fixtures.ts'

export { expect }

process.env['PW_CHROMIUM_ATTACH_TO_OTHER'] = '1'

export const EXTENSION: string = join(root, 'packages/devtools-extension/dist/chromium')

export interface RealPanel {
  /** The panel's own frame: locators, clicks and keys work in it as in any other. */
  readonly panel: Frame
  /** The page of DevTools around it. */
  readonly frontend: Page
  /** Moves DevTools into a window of their own, of that size. */
  undock(size: { width: number; height: number }): Promise<void>
  close(): Promise<void>
}

export interface DevToolsOptions {
  /** Folder of the unpacked extension. */
  extension: string
  /** More switches of the browser. */
  switches: readonly string[]
}

export interface DevTools {
  /** A browser with the extension, new for each test. */
  context: BrowserContext
  /** Origin of the extension's pages. */
  extensionUrl: string
  openPanel(page: Page): Promise<RealPanel>
  /** The panel as a tab of the same browser, inspecting the tab of a page. */
  panelTab(page: Page): Promise<Page>
}

export const test = base.extend<DevTools & DevToolsOptions>({
  extension: [EXTENSION, { option: true }],
  switches: [[], { option: true }],
  context: async ({ extension, switches }, use) => {
    const profile = await mkdtemp(join(tmpdir(), 'crosstown-devtools-'))
    const context = await launchWithExtension(profile, extension, switches)
    await use(context)
    await context.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 10 })
  },
  extensionUrl: async ({ extension }, use) => {
    await use(`chrome-extension://${idOfUnpacked(extension)}/`)
  },
  openPanel: async ({ context, extensionUrl }, use) => {
    await use((page) => openPanel(context, page, extensionUrl))
  },
  panelTab: async ({ context, extensionUrl }, use) => {
    await use(async (page) => {
      const tab = await context.newPage()
      await tab.goto(`${extensionUrl}devtools.html`)
      await page.bringToFront()
      // The front tab of the window the page is in.
      const tabId = await tab.evaluate(async () => {
        const [front] = await chrome.tabs.query({ active: true, lastFocusedWindow: true })
        return front?.id
      })
      await tab.goto(`${extensionUrl}panel.html?tabId=${tabId}`)
      return tab
    })
  },
})

function launchWithExtension(
  profile: string,
  extension: string,
  switches: readonly string[],
): Promise<BrowserContext> {
  const { args, ...launch } = chromiumLaunch
  return chromium.launchPersistentContext(profile, {
    ...launch,
    headless: true,
    // Off by default under Playwright; a panel has to live with it.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    args: [
      ...args,
      `--disable-extensions-except=${extension}`,
      `--load-extension=${extension}`,
      ...switches,
    ],
  })
}

/** Chromium names an unpacked extension by the path it lies at. */
function idOfUnpacked(folder: string): string {
  const digest = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)
  return digest.replaceAll(/./g, (digit) => 'abcdefghijklmnop'.charAt(Number.parseInt(digit, 16)))
}

const LEGACY = 'devtools://devtools/bundled/ui/legacy/legacy.js'

async function openPanel(
  context: BrowserContext,
  page: Page,
  extensionUrl: string,
): Promise<RealPanel> {
  const session = await context.newCDPSession(page)
  const { targetInfo } = await session.send('Target.getTargetInfo')
  await session.detach()
  const browser = await context.browser()?.newBrowserCDPSession()
  const opened = context.waitForEvent('page', {
    predicate: (other) => other.url().startsWith('devtools://'),
  })
  // Newer than the types of the protocol.
  const openDevTools = 'Target.openDevTools' as 'Target.activateTarget'
  await browser?.send(openDevTools, { targetId: targetInfo.targetId })
  const frontend = await opened
  await browser?.detach()

  // DevTools name an extension's panel by its origin and title, and have it a moment after they open.
  const view = `${extensionUrl.slice(0, -1)}Crosstown`
  const show = `import('${LEGACY}').then(async ({ InspectorView }) => {
    const view = InspectorView.InspectorView.instance()
    if (!view.tabbedPane.tabIds().includes('${view}')) return false
    await view.showPanel('${view}')
    return true
  })`
  await expect.poll(() => frontend.evaluate(show).catch(() => false)).toBe(true)
  const shown = () =>
    frontend.frames().find((frame) => frame.url().startsWith(`${extensionUrl}panel.html`))
  await expect.poll(() => shown() !== undefined).toBe(true)
  return {
    panel: shown() as Frame,
    frontend,
    async undock(size) {
      await frontend.evaluate(`import('${LEGACY}').then(({ DockController }) =>
        DockController.DockController.instance().setDockSide('undocked'))`)
      await frontend.setViewportSize(size)
    },
    close: () => frontend.close(),
  }
}

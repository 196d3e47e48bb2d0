/** The extension in a Chromium of its own: the panel in real DevTools, and as a tab. */
/// <reference types="chrome" />
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from '@playwright/test'
import {
  EXTENSION,
  launchWithExtension,
  openPanel,
  type RealPanel,
} from '../../scripts/lib/devtools-browser.ts'
import { test as base, expect } from '../fixtures.ts'

export { expect }

export interface DevToolsOptions {
  /** Folder of the unpacked extension. */
  extension: string
  /** More switches of the browser. */
  switches: readonly string[]
}

export interface DevTools {
  /** A browser with the extension, new for each test. */
  context: BrowserContext
  /** Origin of the extension's pages, with a slash. */
  extensionUrl: string
  openPanel(page: Page): Promise<RealPanel>
  /** The panel as a tab of the same browser, inspecting the tab of a page. */
  panelTab(page: Page): Promise<Page>
}

interface Launched {
  launched: { context: BrowserContext; origin: string }
}

export const test = base.extend<DevTools & DevToolsOptions & Launched>({
  extension: [EXTENSION, { option: true }],
  switches: [[], { option: true }],
  launched: async ({ extension, switches }, use) => {
    const profile = await mkdtemp(join(tmpdir(), 'crosstown-devtools-'))
    const launched = await launchWithExtension({ profile, extension, switches })
    await use(launched)
    await launched.context.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 10 })
  },
  context: async ({ launched }, use) => {
    await use(launched.context)
  },
  extensionUrl: async ({ launched }, use) => {
    await use(launched.origin)
  },
  openPanel: async ({ context, extensionUrl }, use) => {
    await use((page) => openPanel(context, page, extensionUrl))
  },
  panelTab: async ({ context, extensionUrl }, use) => {
    await use(async (page) => {
      const tab = await context.newPage()
      await tab.goto(`${extensionUrl}manifest.json`)
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

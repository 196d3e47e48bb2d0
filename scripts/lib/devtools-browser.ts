/**
 * A Chromium with the extension, and its panel in real DevTools: for end-to-end tests, for pictures
 * and for `npm run devtools`.
 *
 * DevTools come to a script as a page by a switch of Playwright's which it does not document;
 * Playwright's version is pinned.
 */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type BrowserContext, chromium, type Frame, type Page } from '@playwright/test'
import { chromiumLaunch } from './chromium.ts'
import { root } from './project.mjs'

/** Looked at whenever a target appears; other tests of this process want none but pages. */
const ATTACH = 'PW_CHROMIUM_ATTACH_TO_OTHER'

/** What `npm run build` makes. */
export const EXTENSION: string = join(root, 'packages/devtools-extension/dist/chromium')

export interface LaunchOptions {
  /** Folder of its profile. */
  readonly profile: string
  readonly extension?: string
  /** @default true */
  readonly headless?: boolean
  /** More switches of the browser. */
  readonly switches?: readonly string[]
}

/** A browser with the extension, and the origin of its pages, with a slash. */
export async function launchWithExtension(
  options: LaunchOptions,
): Promise<{ context: BrowserContext; origin: string }> {
  const { profile, extension = EXTENSION, headless = true, switches = [] } = options
  const { args, ...launch } = chromiumLaunch
  const context = await chromium.launchPersistentContext(profile, {
    ...launch,
    headless,
    // A window has the size its user gives it.
    ...(headless ? {} : { viewport: null }),
    // Without a back/forward cache under Playwright; a panel has to live with one.
    ignoreDefaultArgs: ['--disable-back-forward-cache', '--disable-extensions'],
    // Chrome takes no extension from its command line any more.
    args: [...args, '--enable-unsafe-extension-debugging', ...switches],
  })
  return { context, origin: await loadExtension(context, extension) }
}

/** Loads an unpacked extension, anew where it is there already; gives the origin of its pages. */
export async function loadExtension(context: BrowserContext, folder: string): Promise<string> {
  const session = await context.browser()?.newBrowserCDPSession()
  const load = 'Extensions.loadUnpacked' as 'Target.activateTarget'
  const loaded: unknown = await session?.send(load, { path: folder } as never)
  await session?.detach()
  return `chrome-extension://${(loaded as { id: string }).id}/`
}

export interface RealPanel {
  /** The panel's own frame: locators, clicks and keys work in it as in any other. */
  readonly panel: Frame
  /** The page of DevTools around it. */
  readonly frontend: Page
  /** Moves DevTools into a window of their own, of that size. */
  undock(size: { width: number; height: number }): Promise<void>
  /** Of DevTools themselves; they take it on when they are opened next. */
  setTheme(theme: 'dark' | 'default'): Promise<void>
  close(): Promise<void>
}

const BUNDLED = 'devtools://devtools/bundled'
const OPEN_MS = 20_000

/** Opens DevTools for a page, and shows the panel in them. */
export async function openPanel(
  context: BrowserContext,
  page: Page,
  origin: string,
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
  process.env[ATTACH] = '1'
  await browser?.send(openDevTools, { targetId: targetInfo.targetId })
  const frontend = await opened
  delete process.env[ATTACH]
  await browser?.detach()

  // DevTools name an extension's panel by its origin and title, and have it a moment after they open.
  const view = `${origin.slice(0, -1)}Crosstown`
  const show = `import('${BUNDLED}/ui/legacy/legacy.js').then(async ({ InspectorView }) => {
    const view = InspectorView.InspectorView.instance()
    if (!view.tabbedPane.tabIds().includes('${view}')) return false
    await view.showPanel('${view}')
    return true
  })`
  await until(() => frontend.evaluate<boolean>(show).catch(() => false))
  const panel = await until(() =>
    frontend.frames().find((frame) => frame.url().startsWith(`${origin}panel.html`)),
  )
  return {
    panel,
    frontend,
    async undock(size) {
      await frontend.evaluate(`import('${BUNDLED}/ui/legacy/legacy.js').then(({ DockController }) =>
        DockController.DockController.instance().setDockSide('undocked'))`)
      await frontend.setViewportSize(size)
    },
    async setTheme(theme) {
      await frontend.evaluate(`import('${BUNDLED}/core/common/common.js').then(({ Settings }) =>
        Settings.Settings.instance().moduleSetting('ui-theme').set('${theme}'))`)
    },
    close: () => frontend.close(),
  }
}

/** What `look` finds, once it finds something. */
async function until<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const end = Date.now() + OPEN_MS
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > end)
      throw new Error('DevTools did not show the panel: is the extension built?')
    await wait(50)
  }
}

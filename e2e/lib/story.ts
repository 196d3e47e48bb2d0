/** The panel with a shop on its channel: two tabs, workers, a phone, a service and their relay, scripted. */
import { join } from 'node:path'
import type { Ask } from '@crosstown/bus/inspect'
import type {
  Page,
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestType,
} from '@playwright/test'
import { build } from 'esbuild'
import { root } from '../fixtures.ts'
import { test as base, expect } from './panel.ts'

export { expect }

interface StoryOptions {
  readonly purchases?: number
  readonly cast?: readonly string[]
  readonly hello?: { readonly [peer: string]: object }
  readonly mute?: readonly string[]
}

declare global {
  interface Window {
    startStory(options?: StoryOptions): void
    readonly story: { readonly asked: readonly { readonly peer: string; readonly ask: Ask }[] }
  }
}

interface Stories {
  /** The panel without a story: see panel.ts. */
  openPanel(options?: { readonly settings?: object; readonly query?: string }): Promise<Page>
  /** Opens the panel, and lets the story happen before it. */
  openStory(options?: StoryOptions): Promise<Page>
}

export const test: TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & Stories,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions
> = base.extend<Pick<Stories, 'openStory'>, { storyScript: string }>({
  storyScript: [
    async ({ browserName: _ }, use) => {
      const { outputFiles } = await build({
        stdin: {
          contents: `import { storySource } from './src/panel/views/testing/story-source.ts'
            window.startStory = (options) => {
              const channel = new BroadcastChannel('crosstown:inspect')
              window.story = storySource(options)
              window.story.start({ frame: (text) => channel.postMessage(text), state() {}, gone() {} })
              channel.onmessage = ({ data }) => window.story.send(data)
              window.story.hello()
            }`,
          resolveDir: join(root, 'packages/devtools-extension'),
          loader: 'ts',
        },
        bundle: true,
        write: false,
        format: 'iife',
      })
      await use(outputFiles[0]?.text ?? '')
    },
    { scope: 'worker' },
  ],
  openStory: async ({ page, openPanel, storyScript }, use) => {
    await use(async (options = {}) => {
      await page.addInitScript(storyScript)
      await openPanel()
      await page.evaluate((given) => window.startStory(given), options)
      return page
    })
  },
})

/** What was asked of peers, by kind. */
export function asked(page: Page, what: Ask['what']): Promise<readonly Ask[]> {
  return page.evaluate(
    (kind) => window.story.asked.filter(({ ask }) => ask.what === kind).map(({ ask }) => ask),
    what,
  )
}

/** Shows a view by its tab. */
export async function show(page: Page, view: string): Promise<void> {
  await page.getByRole('tablist', { name: 'Views' }).getByRole('tab', { name: view }).click()
}

/** Selects an event in the log. */
export async function select(page: Page, type: string): Promise<void> {
  await show(page, 'Log')
  await page
    .getByRole('grid', { name: 'Events' })
    .locator('.log-rows > .log-row')
    .filter({ hasText: type })
    .first()
    .click()
}

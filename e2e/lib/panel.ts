/**
 * The panel as a page, without an extension: served as it is built, with scripted taps on the inspect
 * channel of its origin in place of buses.
 */
import { once } from 'node:events'
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Page } from '@playwright/test'
import { build } from 'esbuild'
import { test as base, expect, root } from '../fixtures.ts'
import type { ScriptedTap } from './scripted-tap.ts'

export { expect }

declare global {
  interface Window {
    tap(options?: ConstructorParameters<typeof ScriptedTap>[0]): ScriptedTap
    taps: Record<string, ScriptedTap>
  }
}

const DIST = join(root, 'packages/devtools-extension/dist/page')
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

interface PanelPages {
  /** Origin of the panel, of a server of this worker's. */
  panelOrigin: string
  script: string
}

interface Panels {
  /** Opens the panel, listening to the taps of its page. */
  openPanel(options?: { readonly settings?: object; readonly query?: string }): Promise<Page>
}

export const test = base.extend<Panels, PanelPages>({
  panelOrigin: [
    async ({ browserName: _ }, use) => {
      const server = createServer((request, response) => {
        const path = new URL(request.url ?? '/', 'http://panel').pathname
        const file = join(DIST, path === '/' ? 'index.html' : path)
        if (path.includes('..') || !existsSync(file)) {
          response.writeHead(404).end()
          return
        }
        response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
        createReadStream(file).pipe(response)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      server.closeAllConnections()
      server.close()
    },
    { scope: 'worker' },
  ],
  script: [
    async ({ browserName: _ }, use) => {
      const { outputFiles } = await build({
        stdin: {
          contents: `import { ScriptedTap } from './scripted-tap.ts'
            window.taps = {}
            window.tap = (options) => {
              const tap = new ScriptedTap(options)
              window.taps[tap.peer] = tap
              return tap
            }`,
          resolveDir: join(root, 'e2e/lib'),
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
  openPanel: async ({ page, panelOrigin, script }, use) => {
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    await use(async ({ settings, query = 'channel' } = {}) => {
      await page.addInitScript(script)
      if (settings)
        await page.addInitScript(
          (text) => localStorage.setItem('crosstown:panel', text),
          JSON.stringify(settings),
        )
      await page.goto(`${panelOrigin}?${query}`)
      await expect(page.getByRole('grid', { name: 'Events' })).toBeVisible()
      return page
    })
    expect(complaints).toEqual([])
  },
})

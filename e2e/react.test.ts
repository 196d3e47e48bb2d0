import { once } from 'node:events'
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import react from '@vitejs/plugin-react'
import { createServer } from 'vite'
import { test as base, expect, root } from './fixtures.ts'

interface ReactPage {
  readonly url: string
  /** Changes a file of the page, as its author would while it is open. */
  edit(file: string, from: string, to: string): void
}

/** e2e/react-page in development mode, where StrictMode does everything twice; a copy, to edit. */
const test = base.extend<{ app: ReactPage }>({
  app: async ({ browserName: _ }, use, info) => {
    // Not below the repository: Vite does not watch the folder for results of tests.
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'crosstown-react-')))
    cpSync(join(root, 'e2e/react-page'), folder, { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    const http = createHttpServer()
    const vite = await createServer({
      configFile: false,
      root: folder,
      cacheDir: info.outputPath('vite'),
      logLevel: 'error',
      plugins: [react()],
      server: { middlewareMode: true, hmr: { server: http }, fs: { allow: [folder, root] } },
    })
    http.on('request', vite.middlewares)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    await use({
      url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
      edit(file, from, to) {
        const path = join(folder, file)
        const text = readFileSync(path, 'utf8')
        expect(text).toContain(from)
        writeFileSync(path, text.replace(from, to))
      },
    })
    await vite.close()
    http.closeAllConnections()
    http.close()
    rmSync(folder, { recursive: true })
  },
})

/** Opens the page; what it complains of is collected. */
async function visit(page: Page, url: string): Promise<string[]> {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  await page.goto(url)
  await expect(page.getByTestId('status')).toHaveText('disk open')
  return complaints
}

const click = (page: Page, name: string) => page.getByRole('button', { name }).click()

test('a page in StrictMode shows its events once, and what every tab adds', async ({
  app,
  context,
}) => {
  const [tab, other] = [await context.newPage(), await context.newPage()]
  const complaints = [await visit(tab, app.url), await visit(other, app.url)]
  await expect(tab.getByTestId('here')).toHaveText('self page,device page')
  await click(tab, 'Add')
  await click(tab, 'Add')
  await expect(other.getByTestId('heard')).toHaveText('1,2')
  await click(other, 'Add')
  for (const page of [tab, other]) {
    await expect(page.getByTestId('heard')).toHaveText('1,2,1')
    await expect(page.getByTestId('total')).toHaveText('4')
  }
  await tab.reload()
  await expect(tab.getByTestId('total')).toHaveText('4')
  await click(tab, 'Clear')
  await expect(other.getByTestId('total')).toHaveText('0')
  await other.close()
  await expect(tab.getByTestId('here')).toHaveText('self page')
  expect(complaints.flat()).toEqual([])
})

test('what is not shown any more is not heard any more', async ({ app, page }) => {
  const complaints = await visit(page, app.url)
  const heard = () => page.evaluate(() => pageBus.hasSubscribers('cart.added'))
  expect(await heard()).toBe(true)
  await click(page, 'Add')
  await expect(page.getByTestId('total')).toHaveText('1')
  await click(page, 'Show')
  await expect(page.getByTestId('total')).toHaveCount(0)
  await click(page, 'Add')
  await click(page, 'Show')
  await expect(page.getByTestId('total')).toHaveText('3')
  await expect(page.getByTestId('heard')).toHaveText('')
  await click(page, 'Show')
  await expect.poll(heard).toBe(false)
  expect(complaints).toEqual([])
})

test('an edited component goes on with the bus, its handlers and reducers are the new ones', async ({
  app,
  page,
}) => {
  const complaints = await visit(page, app.url)
  await click(page, 'Add')
  await expect(page.getByTestId('heard')).toHaveText('1')
  await expect(page.getByTestId('total')).toHaveText('1')
  app.edit('cart.tsx', '[...list, data]', '[...list, data * 100]')
  app.edit('cart.tsx', 'sum + event.data', 'sum + 10 * event.data')
  app.edit('cart.tsx', '<h1>Cart</h1>', '<h1>Edited cart</h1>')
  await expect(page.getByRole('heading')).toHaveText('Edited cart')
  await expect(page.getByTestId('total')).toHaveText('10')
  await click(page, 'Add')
  // State is kept, and each event is heard once.
  await expect(page.getByTestId('heard')).toHaveText('1,200')
  await expect(page.getByTestId('total')).toHaveText('30')
  expect(complaints).toEqual([])
})

test('an edited bus takes the place of the old one', async ({ app, page }) => {
  const complaints = await visit(page, app.url)
  await click(page, 'Add')
  await expect(page.getByTestId('heard')).toHaveText('1')
  app.edit('bus.ts', "name: 'react-page'", "name: 'react-page', source: 'edited'")
  await expect.poll(() => page.evaluate(() => pageBus.source)).toBe('edited')
  await expect(page.getByTestId('total')).toHaveText('1')
  await click(page, 'Add')
  // The page was not loaded anew, and its components are not on both.
  await expect(page.getByTestId('heard')).toHaveText('1,2')
  await expect(page.getByTestId('total')).toHaveText('3')
  await expect(page.getByTestId('here')).toHaveText('self page')
  expect(complaints).toEqual([])
})

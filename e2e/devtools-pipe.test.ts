/** Between pages and a panel: what the content script carries, and what it comes back from. */
/// <reference types="chrome" />
import { cp, readFile, writeFile } from 'node:fs/promises'
import type { BrowserContext, Page } from '@playwright/test'
import { expect, test } from './lib/devtools.ts'

const BLANK = '<!doctype html><title>tap</title>'

test.beforeEach(async ({ context, site }) => {
  await serve(context, `${site}/tap`, BLANK)
})

const serve = (context: BrowserContext, url: string, body: string): Promise<unknown> =>
  context.route(url, (route) => route.fulfill({ contentType: 'text/html', body }))

declare global {
  /** Of a page: what it heard on the inspect channel. */
  var tapHeard: string[]
  /** Of a panel: its pipes, with what came over each. */
  var panelPipes: { port: chrome.runtime.Port; origin: string; opened: boolean; texts: string[] }[]
  var panelOpenings: number
  var wake: () => Promise<unknown>
  var inspectChannel: BroadcastChannel
}

/** Lets a page say and hear what a tap would. */
function tap(page: Pick<Page, 'evaluate'>): Promise<void> {
  return page.evaluate(() => {
    globalThis.tapHeard = []
    globalThis.inspectChannel = new BroadcastChannel('crosstown:inspect')
    inspectChannel.onmessage = ({ data }) => tapHeard.push(data)
  })
}

const say = (page: Pick<Page, 'evaluate'>, message: unknown): Promise<void> =>
  page.evaluate((message) => inspectChannel.postMessage(message), message)

const hello = (peer: string, more = ''): string =>
  `{"inspect":2,"frame":"hello","peer":${JSON.stringify(peer)}${more}}`

/** A panel with nothing but its ports: an extension's page that does as the panel does. */
async function barePanel(
  context: BrowserContext,
  extensionUrl: string,
  page: Page,
  name: string = crypto.randomUUID(),
): Promise<Page> {
  const panel = await context.newPage()
  await panel.goto(`${extensionUrl}manifest.json`)
  await page.bringToFront()
  await panel.evaluate(async (name) => {
    const [front] = await chrome.tabs.query({ active: true, lastFocusedWindow: true })
    const tab = front?.id as number
    globalThis.panelPipes = []
    globalThis.panelOpenings = 0
    const join = (port: chrome.runtime.Port, origin = '') => {
      const pipe = { port, origin, opened: false, texts: [] as string[] }
      panelPipes.push(pipe)
      let parts = ''
      port.onMessage.addListener((message) => {
        if (message.open) {
          pipe.opened = true
          panelOpenings += 1
        } else if (message.more !== undefined) parts += message.more
        else {
          pipe.texts.push(parts + message)
          parts = ''
        }
      })
      port.onDisconnect.addListener(() => {
        void chrome.runtime.lastError
        panelPipes.splice(panelPipes.indexOf(pipe), 1)
      })
    }
    chrome.runtime.onMessage.addListener((message, { tab: from, documentId, origin }, answer) => {
      if (message.crosstown !== 'here' || from?.id !== tab || !documentId) return
      if ((message.panel ?? name) !== name) return
      answer(true)
      join(chrome.tabs.connect(tab, { name: `crosstown:pipe:${name}`, documentId }), origin)
    })
    globalThis.wake = () => chrome.tabs.sendMessage(tab, { crosstown: 'wake', panel: name })
    await wake().catch(() => {})
  }, name)
  return panel
}

/** Origins of the pipes that carry. */
const carrying = (panel: Page): Promise<string[]> =>
  panel.evaluate(() =>
    panelPipes
      .filter(({ opened }) => opened)
      .map(({ origin }) => origin)
      .sort(),
  )

/** How often a pipe began to carry. */
const openings = (panel: Page): Promise<number> => panel.evaluate(() => panelOpenings)

const texts = (panel: Page): Promise<string[]> =>
  panel.evaluate(() => panelPipes.flatMap(({ texts }) => texts))

const post = (panel: Page, message: unknown): Promise<void> =>
  panel.evaluate((message) => {
    for (const { port } of panelPipes) port.postMessage(message)
  }, message)

const mark = (page: Page): Promise<string | null> =>
  page.evaluate(() => sessionStorage.getItem('crosstown:inspected'))

test('while no panel is open, a page is told nothing and nothing is left in it', async ({
  page,
  site,
}) => {
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(`${site}/tap`)
  await page.evaluate(() => sessionStorage.setItem('crosstown:inspected', '1'))
  await page.reload()
  // A panel that was there before the page was loaded anew is not any more.
  await expect.poll(() => mark(page)).toBeNull()
  expect(complaints).toEqual([])
})

test('frames of taps go up, frames of inspectors go down, and nothing else does', async ({
  page,
  site,
  context,
  extensionUrl,
}) => {
  await page.goto(`${site}/tap`)
  await tap(page)
  const panel = await barePanel(context, extensionUrl, page)
  await expect.poll(() => carrying(panel)).toEqual([site])
  expect(await mark(page)).toBe('1')

  const attach = '{"inspect":2,"frame":"attach","session":"s","credit":1}'
  const spaced = '{ "frame": "batch", "peer": "a" }'
  for (const message of [
    attach,
    '{"inspect":2,"frame":"ask","session":"s"}',
    'hello',
    { inspect: 2, frame: 'hello' },
    null,
    7,
    '{"frame":"constructor"}',
    spaced,
    hello('a'),
  ]) {
    await say(page, message)
  }
  await expect.poll(() => texts(panel)).toEqual([spaced, hello('a')])

  for (const message of [
    hello('forged'),
    '{"inspect":2,"frame":"batch","peer":"a"}',
    'publish',
    { frame: 'attach' },
    { more: 1 },
    null,
    attach,
  ]) {
    await post(panel, message)
  }
  await expect.poll(() => page.evaluate(() => tapHeard)).toEqual([attach])
})

test('a frame longer than a message may be arrives whole', async ({
  page,
  site,
  context,
  extensionUrl,
}) => {
  await page.goto(`${site}/tap`)
  await tap(page)
  const panel = await barePanel(context, extensionUrl, page)
  await expect.poll(() => carrying(panel)).toEqual([site])
  // Three million units; every border of a part falls on a letter of two.
  await page.evaluate(() => {
    const long = '\u{1f980}'.repeat(1_500_000)
    inspectChannel.postMessage(`{"inspect":2,"frame":"batch","peer":"a","long":"${long}"}`)
    inspectChannel.postMessage('{"inspect":2,"frame":"bye","peer":"a"}')
  })
  const arrived = () =>
    panel.evaluate(() => {
      const [long, bye] = panelPipes.flatMap(({ texts }) => texts)
      if (!long || !bye) return undefined
      const crabs = JSON.parse(long).long as string
      return [crabs.length, crabs.replaceAll('\u{1f980}', ''), JSON.parse(bye).frame]
    })
  await expect.poll(arrived).toEqual([3_000_000, '', 'bye'])
})

test('of the frames of a tab that hear the same, one carries; when it goes, another does', async ({
  page,
  site,
  context,
  extensionUrl,
}) => {
  const other = site.replace('127.0.0.1', 'localhost')
  await serve(context, `${other}/tap`, BLANK)
  const frames = `<iframe src="/tap"></iframe><iframe src="/tap"></iframe><iframe src="${other}/tap"></iframe>`
  await serve(context, `${site}/frames`, BLANK + frames)
  await page.goto(`${site}/frames`)
  await tap(page)
  const panel = await barePanel(context, extensionUrl, page)
  await expect.poll(() => panel.evaluate(() => panelPipes.length)).toBe(4)
  await expect.poll(() => carrying(panel)).toEqual([site, other].sort())
  await say(page, hello('once'))
  await expect.poll(() => texts(panel)).toEqual([hello('once')])

  // Whichever it was among those of the first origin, one is left in the end.
  await page.evaluate(() => {
    for (const frame of [...document.querySelectorAll('iframe')].slice(0, 2)) frame.remove()
  })
  await expect.poll(() => panel.evaluate(() => panelPipes.length)).toBe(2)
  await expect.poll(() => carrying(panel)).toEqual([site, other].sort())
  await say(page, hello('again'))
  await expect.poll(() => texts(panel)).toContain(hello('again'))
})

test('a reload, another page, and the way back and forth are survived', async ({
  page,
  site,
  context,
  extensionUrl,
}) => {
  const seen = `<script>
    addEventListener('pageshow', ({ persisted }) => { if (persisted) document.title = 'persisted' })
    document.documentElement.dataset.inspected = sessionStorage.getItem('crosstown:inspected')
  </script>`
  await serve(context, `${site}/first`, BLANK + seen)
  await page.goto(`${site}/first`)
  const panel = await barePanel(context, extensionUrl, page)
  await expect.poll(() => carrying(panel)).toEqual([site])

  await page.reload()
  // Its first script finds that it is inspected.
  expect(await page.evaluate(() => document.documentElement.dataset['inspected'])).toBe('1')
  await expect.poll(() => openings(panel)).toBe(2)
  await expect.poll(() => carrying(panel)).toEqual([site])

  const other = site.replace('127.0.0.1', 'localhost')
  await serve(context, `${other}/tap`, BLANK)
  await page.goto(`${other}/tap`)
  await expect.poll(() => carrying(panel)).toEqual([other])

  await page.evaluate(() => void setTimeout(() => history.back()))
  await expect(page).toHaveTitle('persisted')
  await expect.poll(() => carrying(panel)).toEqual([site])
  await tap(page)
  await say(page, hello('back'))
  await expect.poll(() => texts(panel)).toContain(hello('back'))
})

test('panels hear the pages of their own tab, and two panels of one tab both do', async ({
  page,
  site,
  context,
  extensionUrl,
}) => {
  const other = site.replace('127.0.0.1', 'localhost')
  await serve(context, `${other}/tap`, BLANK)
  await page.goto(`${site}/tap`)
  const second = await context.newPage()
  await second.goto(`${other}/tap`)
  const first = await barePanel(context, extensionUrl, page)
  const twin = await barePanel(context, extensionUrl, page)
  const elsewhere = await barePanel(context, extensionUrl, second)
  for (const panel of [first, twin]) await expect.poll(() => carrying(panel)).toEqual([site])
  await expect.poll(() => carrying(elsewhere)).toEqual([other])

  const before = await Promise.all([first, twin].map(openings))
  await page.reload()
  await tap(page)
  const after = () => Promise.all([first, twin].map(openings))
  await expect.poll(after).toEqual(before.map((count) => count + 1))
  await say(page, hello('mine'))
  for (const panel of [first, twin]) await expect.poll(() => texts(panel)).toEqual([hello('mine')])
  expect(await texts(elsewhere)).toEqual([])

  await first.close()
  await say(page, hello('on'))
  await expect.poll(() => texts(twin)).toContain(hello('on'))
  expect(await mark(page)).toBe('1')
  await twin.close()
  await expect.poll(() => mark(page)).toBeNull()
})

test('a page outlives its extension quietly', async ({ page, site, context, extensionUrl }) => {
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(`${site}/tap`)
  await tap(page)
  const panel = await barePanel(context, extensionUrl, page)
  await expect.poll(() => carrying(panel)).toEqual([site])
  const closed = panel.waitForEvent('close')
  await panel.evaluate(() => chrome.runtime.reload()).catch(() => {})
  await closed
  await expect.poll(() => mark(page)).toBeNull()
  await say(page, hello('nobody'))
  // What is left of the content script is told that the page was put away, and shown again.
  await page.evaluate(() => {
    dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
  })
  expect(complaints).toEqual([])
})

test.describe('another site', () => {
  test.use({ switches: ['--host-resolver-rules=MAP shop.test 127.0.0.1'] })
  const shopOf = (site: string) => site.replace('127.0.0.1', 'shop.test')

  test('is not touched, and the panel says so', async ({ page, site, openPanel }) => {
    const shop = shopOf(site)
    await page.goto(`${shop}/?name=shop`)
    const { panel } = await openPanel(page)
    const banner = panel.getByRole('alert')
    await expect(banner).toContainText(`The extension has no access to ${shop}.`)
    await expect(banner.getByRole('button', { name: 'Enable on this site' })).toBeVisible()
    expect(await mark(page)).toBeNull()
  })

  test.describe('that the user has allowed', () => {
    // The question is the browser's own window, which no test can answer.
    test.use({
      extension: async ({ extension }, use, info) => {
        const allowed = info.outputPath('allowed')
        await cp(extension, allowed, { recursive: true })
        const file = `${allowed}/manifest.json`
        const manifest = JSON.parse(await readFile(file, 'utf8'))
        const access = { host_permissions: ['*://shop.test/*'], permissions: ['scripting'] }
        await writeFile(file, JSON.stringify({ ...manifest, ...access }))
        await use(allowed)
      },
    })

    test('is heard at once, and after a reload', async ({ page, site, openPanel }) => {
      await page.goto(`${shopOf(site)}/?name=shop`)
      const { panel } = await openPanel(page)
      const shown = panel.getByRole('grid', { name: 'Events' })
      await expect(shown).toContainText('is here')
      await page.evaluate(() => peer.publish('shop.opened'))
      await expect(shown).toContainText('shop.opened')
      await page.reload()
      await page.evaluate(() => peer.publish('shop.opened_again'))
      await expect(shown).toContainText('shop.opened_again')
    })
  })
})

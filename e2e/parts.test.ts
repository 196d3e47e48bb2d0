// An application bundled as users do it, in chunks: what it loads with the page, what it loads later,
// and what becomes of it when that is not to be had.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import { test as base, expect, root } from './fixtures.ts'

interface Site {
  readonly url: string
  /** Files asked for so far, scripts only. */
  readonly asked: readonly string[]
  /** Another release was deployed: the files of this one are gone. */
  replace(): void
  restore(): void
}

/** A page that gives a test `bus` and `failures`; a service worker with the bus of either door. */
const ENTRIES: Record<string, string> = {
  page: `
    import { createBus } from '@crosstown/bus'
    globalThis.failures = []
    const onError = ({ code }) => failures.push(code)
    globalThis.bus = createBus({ name: 'split', onError })`,
  late: worker('@crosstown/bus'),
  whole: worker('@crosstown/bus/all'),
}

function worker(door: string): string {
  return `
    import { createBus } from '${door}'
    const bus = createBus({ name: 'split' })
    const read = async () => {
      const read = []
      for await (const event of bus.replay()) read.push(event.data)
      return { read }
    }
    const failed = ({ code, retryable, message }) => ({ code, retryable, message })
    addEventListener('install', () => skipWaiting())
    addEventListener('activate', (event) => event.waitUntil(clients.claim()))
    addEventListener('message', (event) =>
      event.waitUntil(read().catch(failed).then((said) => event.source.postMessage(said))))`
}

const test = base.extend<{ split: Site }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a pattern here
  split: async ({}, use) => {
    const files = new Map<string, Uint8Array>()
    for (const [name, contents] of Object.entries(ENTRIES)) {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: root },
        bundle: true,
        splitting: true,
        minify: true,
        format: 'esm',
        target: 'es2022',
        outdir: '/',
        entryNames: name,
        chunkNames: `${name}-[name]-[hash]`,
        write: false,
      })
      for (const { path, contents: text } of outputFiles) files.set(path, text)
    }
    const asked: string[] = []
    let served = true
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://site')
      const script = files.get(pathname)
      if (script) asked.push(pathname)
      response.setHeader('content-type', script ? 'text/javascript' : 'text/html')
      if (script && !served) response.statusCode = 404
      response.end(
        script ??
          '<!doctype html><html lang="en"><title>split</title><script type="module" src="/page.js"></script>',
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await use({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      asked,
      replace: () => {
        served = false
      },
      restore: () => {
        served = true
      },
    })
    server.closeAllConnections()
    server.close()
  },
})

declare global {
  var bus: import('@crosstown/bus').Bus<Record<string, unknown>>
  var failures: string[]
  var got: unknown[]
}

test('a page that publishes and listens loads no part; a consumer that has begun goes on when its release is gone', async ({
  page,
  split,
}) => {
  await page.goto(split.url)
  await expect.poll(() => page.evaluate(() => 'bus' in globalThis)).toBe(true)
  const first = [...split.asked]
  await page.evaluate(async () => {
    globalThis.got = []
    bus.subscribe('**', (event) => got.push(event.data))
    await bus.publish('order.placed', 1)
  })
  expect(split.asked).toEqual(first)
  await page.evaluate(async () => {
    got.length = 0
    bus.subscribe('order.**', (event) => got.push(event.data), { durable: 'mail' })
  })
  await expect.poll(() => page.evaluate(() => got)).toEqual([1])
  expect(split.asked.length).toBeGreaterThan(first.length)

  split.replace()
  await page.evaluate(() => bus.publish('order.placed', 2))
  // Live, and as the consumer has it.
  await expect.poll(() => page.evaluate(() => got)).toEqual([1, 2, 2])
  expect(await page.evaluate(() => failures)).toEqual([])
})

test('a part that cannot be loaded is an error that may be tried again, and no event is lost', async ({
  page,
  split,
}) => {
  await page.goto(split.url)
  await expect.poll(() => page.evaluate(() => 'bus' in globalThis)).toBe(true)
  split.replace()
  await page.evaluate(async () => {
    globalThis.got = []
    await bus.publish('order.placed', 1)
    bus.subscribe('order.**', (event) => got.push(event.data), { durable: 'mail' })
    await bus.publish('order.placed', 2)
  })
  const failed = await page.evaluate(() =>
    bus.get('x-1').catch(({ code, retryable }) => ({ code, retryable })),
  )
  expect(failed).toEqual({ code: 'unavailable', retryable: true })
  await expect.poll(() => page.evaluate(() => failures)).toContain('unavailable')
  split.restore()
  await expect.poll(() => page.evaluate(() => got)).toEqual([1, 2])
  expect(await page.evaluate(() => bus.get('x-1'))).toBeUndefined()
})

for (const door of ['late', 'whole'] as const) {
  const does = {
    late: 'cannot load parts, and says which door has them',
    whole: 'reads the log through the door with all parts',
  }
  test(`a service worker that is a module ${does[door]}`, async ({ page, split }) => {
    await page.goto(split.url)
    await expect.poll(() => page.evaluate(() => 'bus' in globalThis)).toBe(true)
    const said = await page.evaluate(async (door) => {
      await bus.publish('order.placed', 1)
      await navigator.serviceWorker.register(`/${door}.js`, { type: 'module' })
      const { active } = await navigator.serviceWorker.ready
      return new Promise((resolve) => {
        navigator.serviceWorker.onmessage = ({ data }) => resolve(data)
        active?.postMessage('read')
      })
    }, door)
    if (door === 'whole') expect(said).toEqual({ read: [1] })
    else
      expect(said).toEqual({
        code: 'unavailable',
        retryable: true,
        message: expect.stringContaining('@crosstown/bus/all'),
      })
  })
}

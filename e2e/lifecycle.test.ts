/**
 * What the browser does to pages and workers that nobody drives: it hides and freezes them, keeps
 * them for the way back, and stops service workers. Someone leads all the same, with one socket,
 * and nothing is lost or doubled.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test as base, expect, type Relay, startRelay, stop } from './fixtures.ts'
import { type BareBrowser, INSECURE_HOST, startBareBrowser, type Tab } from './lib/bare-browser.ts'

declare global {
  /** What a page heard, and what it published. */
  var heard: number[]
  var published: number[]
  /** Publishes one after the other, each once the last one is in the log, until `stopped`. */
  var publishing: Promise<void>
  var stopped: boolean
  var restored: boolean
}

const test = base.extend<{ bare: BareBrowser; device: TestDevice }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a pattern here
  bare: async ({}, use) => {
    const browser = await startBareBrowser()
    await use(browser)
    await browser.close()
  },
  device: async ({ bare, relay, site }, use, { testId }) => {
    await use(new TestDevice(bare, relay, site, testId))
  },
})

/** A server that answers when it is told to. */
async function startHang(): Promise<{ url: string; asked: Promise<void>; end(): void }> {
  const asked = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const server = createServer(async (_, response) => {
    asked.resolve()
    await ended.promise
    response.setHeader('access-control-allow-origin', '*')
    response.end()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, asked: asked.promise, end: ended.resolve }
}

class TestDevice {
  readonly tabs: Tab[] = []
  readonly #browser: BareBrowser
  readonly #relay: Relay
  readonly #site: string
  readonly #room: string

  constructor(browser: BareBrowser, relay: Relay, site: string, room: string) {
    this.#browser = browser
    this.#relay = relay
    this.#site = site
    this.#room = room
  }

  get url(): string {
    return `${this.#site}/?relay=${encodeURIComponent(this.#relay.url)}&room=${this.#room}`
  }

  /** A tab in front of the others, which is online. */
  async open(): Promise<Tab> {
    const tab = await this.#browser.open(`${this.url}&name=tab-${this.tabs.length}`)
    this.tabs.push(tab)
    const relay = () => tab.evaluate(() => globalThis.peer?.status.relay).catch(() => '')
    await expect.poll(relay).toBe('online')
    await tab.evaluate(() => {
      globalThis.heard = []
      globalThis.published = []
      addEventListener('pageshow', (event) => {
        globalThis.restored = event.persisted
      })
      peer.subscribe('counted', (event) => globalThis.heard.push(event.data as number))
    })
    return tab
  }

  /** Closes a tab that has published nothing. */
  async close(tab: Tab): Promise<void> {
    await tab.close()
    this.tabs.splice(this.tabs.indexOf(tab), 1)
  }

  /** The tab leads, alone, over the one socket there is. */
  async leads(tab: Tab): Promise<void> {
    await expect.poll(() => tab.evaluate(() => peer.leader.get().self)).toBe(true)
    const others = this.tabs.filter((other) => other !== tab)
    for (const other of others) {
      expect(await other.evaluate(() => peer.leader.get().self)).toBe(false)
    }
    await expect.poll(() => this.#connections()).toBe(1)
  }

  async #connections(): Promise<number> {
    const stats = await fetch(`${this.#relay.http}/rooms/${this.#room}/stats`)
    return (await stats.json()).connections
  }

  /** Lets tabs publish from now on, each numbers of its own. */
  async publish(tabs: readonly Tab[] = this.tabs): Promise<void> {
    for (const tab of tabs) {
      await tab.evaluate((from) => {
        globalThis.stopped = false
        globalThis.publishing = (async () => {
          for (let n = from + globalThis.published.length; !globalThis.stopped; n++) {
            await peer.publish('counted', n)
            globalThis.published.push(n)
          }
        })()
      }, this.tabs.indexOf(tab) * 1_000_000)
    }
  }

  /** So many more are published by the tab. */
  async more(tab: Tab, count = 50): Promise<void> {
    const before = await tab.evaluate(() => globalThis.published.length)
    const published = () => tab.evaluate(() => globalThis.published.length)
    await expect.poll(published).toBeGreaterThan(before + count)
  }

  /** Lets nobody publish any more; all that was is in the room, and nobody has anything to do. */
  async rest(): Promise<void> {
    for (const tab of this.tabs) {
      await tab.evaluate(async () => {
        globalThis.stopped = true
        await globalThis.publishing
        await peer.flush({ until: 'relayed' })
      })
    }
    for (const tab of this.tabs) {
      await expect.poll(() => tab.evaluate(() => peer.status.outbox.pending)).toBe(0)
    }
  }

  /** What was published is in the room, and was heard by every tab, once and in order. */
  async nothingIsLostOrDoubled(): Promise<void> {
    const all: number[] = []
    for (const tab of this.tabs) {
      const published = await tab.evaluate(async () => {
        globalThis.stopped = true
        await globalThis.publishing
        return globalThis.published
      })
      all.push(...published)
    }
    const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)
    for (const tab of this.tabs) {
      const heard = () => tab.evaluate(() => globalThis.heard)
      await expect.poll(async () => sorted(await heard())).toEqual(sorted(all))
      for (let from = 0; from < this.tabs.length; from++) {
        const ofOne = (await heard()).filter((n) => Math.floor(n / 1_000_000) === from)
        expect(ofOne).toEqual(sorted(ofOne))
      }
    }
    await expect.poll(async () => sorted(await this.#inRoom())).toEqual(sorted(all))
  }

  async #inRoom(): Promise<number[]> {
    const events: number[] = []
    for (let after = ''; ; ) {
      const query = `limit=1000${after && `&after=${after}`}`
      const answer = await fetch(`${this.#relay.http}/rooms/${this.#room}/events?${query}`)
      const page = (await answer.json()).events as { data: number; position: string }[]
      events.push(...page.map(({ data }) => data))
      if (page.length < 1000) return events
      after = page.at(-1)?.position as string
    }
  }
}

test('a leader that is hidden hands over to the tab that is shown', async ({ device }) => {
  const one = await device.open()
  await device.leads(one)
  const two = await device.open()
  await device.leads(two)
  await device.publish()
  for (const shown of [one, two, one]) {
    await shown.activate()
    await device.leads(shown)
    await device.more(one)
  }
  await device.nothingIsLostOrDoubled()
})

test('a leader that is frozen: another one leads, and it catches up when it moves', async ({
  device,
}) => {
  const one = await device.open()
  const two = await device.open()
  await device.leads(two)
  await device.publish()
  await device.more(two)
  await two.send('Page.setWebLifecycleState', { state: 'frozen' })
  await device.leads(one)
  await device.more(one)
  await two.send('Page.setWebLifecycleState', { state: 'active' })
  await device.more(two)
  await device.nothingIsLostOrDoubled()
  expect(await two.evaluate(() => peer.leader.get())).toEqual({ self: false, present: true })
})

test('a leader that goes into the back/forward cache: another one leads, and it catches up when it is back', async ({
  device,
}) => {
  const one = await device.open()
  const two = await device.open()
  await device.leads(two)
  await device.publish()
  await device.more(two)
  // A page with a transaction that others wait for is not kept: the browser lets go of it.
  await device.rest()
  // Of another site, which the way back leads away from.
  await two.send('Page.navigate', { url: device.url.replace('127.0.0.1', 'localhost') })
  await expect.poll(() => one.evaluate(() => peer.leader.get().self)).toBe(true)
  await device.publish([one])
  await device.more(one)
  const history = await two.send('Page.getNavigationHistory')
  const entries = history['entries'] as { id: number }[]
  const entryId = entries[(history['currentIndex'] as number) - 1]?.id
  await two.send('Page.navigateToHistoryEntry', { entryId })
  await expect.poll(() => two.evaluate(() => globalThis.restored).catch(() => undefined)).toBe(true)
  await device.publish([two])
  await device.more(two)
  await device.nothingIsLostOrDoubled()
  const leaders = () =>
    Promise.all(device.tabs.map((tab) => tab.evaluate(() => peer.leader.get().self)))
  expect((await leaders()).filter(Boolean)).toHaveLength(1)
})

test('where there are no locks, as on plain http, a lease says who leads, and who closes gives it back', async ({
  bare,
  site,
}, { testId }) => {
  const { relay, child } = await startRelay('memory', '0', '--origins', '*')
  const device = new TestDevice(bare, relay, site.replace('127.0.0.1', INSECURE_HOST), testId)
  const one = await device.open()
  expect(await one.evaluate(() => [isSecureContext, 'locks' in navigator])).toEqual([false, false])
  await device.leads(one)
  const two = await device.open()
  await device.publish([two])
  await device.more(two)
  await device.close(one)
  await device.leads(two)
  await device.more(two)
  await device.nothingIsLostOrDoubled()
  await stop(child)
})

test('a leader that hangs is robbed by the tab that is shown, and stops when it goes on', async ({
  device,
}) => {
  const one = await device.open()
  const two = await device.open()
  await device.leads(two)
  await device.publish()
  await device.more(two)
  await device.rest()
  const hang = await startHang()
  // A request that blocks the page until it is answered.
  const hung = two.evaluate((url) => {
    const request = new XMLHttpRequest()
    request.open('GET', url, false)
    request.send()
  }, hang.url)
  await hang.asked
  await one.activate()
  await expect.poll(() => one.evaluate(() => peer.leader.get().self)).toBe(true)
  await device.publish([one])
  await device.more(one)
  hang.end()
  await hung
  await device.leads(one)
  await device.publish([two])
  await device.more(two)
  await device.nothingIsLostOrDoubled()
})

test('a service worker that the browser stopped catches up from the log when a fetch wakes it', async ({
  bare,
  site,
}) => {
  test.setTimeout(120_000)
  const page = await bare.open(`${site}/?name=page`)
  const ready = () => page.evaluate(() => globalThis.peer !== undefined).catch(() => false)
  await expect.poll(ready).toBe(true)
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/sleeper.js', { type: 'module', scope: '/' })
    await navigator.serviceWorker.ready
  })
  await expect
    .poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null))
    .toBe(true)
  const publish = (from: number) =>
    page.evaluate(async (from) => {
      for (let n = from; n < from + 20; n++) await peer.publish('counted', n)
    }, from)
  const heard = (count: number) =>
    page.evaluate(async (count) => {
      const answer = await fetch(`/heard?count=${count}`)
      return (await answer.json()) as { boot: string; heard: number[]; leads: boolean }
    }, count)
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
  await publish(0)
  const before = await heard(20)
  expect(before.heard).toEqual(numbers(20))
  const runs = () =>
    page.evaluate(async () => {
      const { held } = await navigator.locks.query()
      return held?.some(({ name }) => name === 'sleeper runs')
    })
  expect(await runs()).toBe(true)
  // The browser stops it after half a minute without an event of its own.
  await expect.poll(runs, { timeout: 90_000 }).toBe(false)
  await publish(20)
  const after = await heard(40)
  expect(after.boot).not.toBe(before.boot)
  expect(after.heard).toEqual(numbers(40))
  // The page is there: it leads, also where the worker is awake.
  expect([before.leads, after.leads]).toEqual([false, false])
  expect(await page.evaluate(() => peer.leader.get().self)).toBe(true)
})

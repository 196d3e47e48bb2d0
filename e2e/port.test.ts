import type { Frame, Page } from '@playwright/test'
import { expect, type Relay, test } from './fixtures.ts'

declare global {
  /** A link of a page, what came over it, and the codes of what it reported. */
  var end: { send(text: string): void; heard: string[]; codes: string[] }
}

/** The same pages under another origin: another host. */
const elsewhere = (site: string): string => site.replace('127.0.0.1', 'localhost')

/** A page with an iframe of another origin. */
async function framed(page: Page, site: string): Promise<Frame> {
  await page.goto(`${site}/link`)
  const src = `${elsewhere(site)}/link`
  await page.evaluate((src) => links.frame(src).then(() => {}), src)
  return page.frame({ url: src }) as Frame
}

/** Opens an end in a window: of the page to its iframe, of the iframe to its page. */
async function open(window: Page | Frame, origin: string): Promise<void> {
  await window.evaluate((origin) => {
    const other = parent === globalThis.window ? frames[0] : parent
    const link = links.portLink(other as Window, { origins: [origin] })
    globalThis.end = { send: (text) => link.send(text), heard: [], codes: [] }
    link.receive(
      (text) => end.heard.push(text),
      (error) => end.codes.push(error.code),
    )
  }, origin)
}

/** Sends until something new is heard at the other end: before there is a connection, texts are lost. */
async function connected(from: Page | Frame, to: Page | Frame): Promise<void> {
  await to.evaluate(() => end.heard.splice(0))
  await expect
    .poll(async () => {
      await from.evaluate(() => end.send('hello'))
      return to.evaluate(() => end.heard.length)
    })
    .toBeGreaterThan(0)
}

test('a link between windows of two origins passes the link contract', async ({ page, site }) => {
  await page.goto(`${site}/link`)
  const result = await page.evaluate((src) => links.contract(src), `${elsewhere(site)}/link`)
  expect(result).toEqual({ tests: '8' })
})

test('whichever window is up first, they find each other, also when one is loaded anew', async ({
  page,
  site,
}) => {
  const frame = await framed(page, site)
  await open(page, elsewhere(site))
  await open(frame, site)
  await connected(page, frame)
  await connected(frame, page)
  // Several times: which of the two sends the port is decided by chance.
  for (let round = 0; round < 5; round++) {
    await frame.goto(`${elsewhere(site)}/link?round=${round}`)
    await open(frame, site)
    await connected(frame, page)
    await connected(page, frame)
  }
  await page.evaluate(() => document.querySelector('iframe')?.remove())
  await page.evaluate(() => end.send('to nobody'))
  expect(await page.evaluate(() => end.codes)).toEqual([])
})

test('a window of an origin that was not stated gets nothing, and is reported', async ({
  page,
  site,
}) => {
  const frame = await framed(page, site)
  const seen = await frame.evaluateHandle(() => {
    const seen: unknown[] = []
    addEventListener('message', ({ data, ports }) => seen.push({ data, ports: ports.length }))
    return seen
  })
  await open(page, 'https://widget.example')
  await open(frame, site)
  await expect.poll(() => page.evaluate(() => end.codes)).toEqual(['bad_origin'])
  // The page has answered nothing: neither a greeting nor a port came.
  expect(await seen.jsonValue()).toEqual([])

  await page.reload()
  const again = await framed(page, site)
  await open(again, 'https://shop.example')
  await open(page, elsewhere(site))
  await expect.poll(() => again.evaluate(() => end.codes)).toEqual(['bad_origin'])
  await page.evaluate(() => end.send('secret'))
  expect(await again.evaluate(() => end.heard)).toEqual([])
})

test('greetings that somebody else posts, or that are none, lead to nothing', async ({
  page,
  site,
}) => {
  const frame = await framed(page, site)
  await open(page, elsewhere(site))
  await open(frame, site)
  await connected(page, frame)
  // A second frame of the stated origin is another window, and knows how a greeting looks.
  await page.evaluate((src) => links.frame(src).then(() => {}), `${elsewhere(site)}/link?stranger`)
  const stranger = page.frame({ url: /stranger/ }) as Frame
  await stranger.evaluate((origin) => {
    const { port1, port2 } = new MessageChannel()
    port1.postMessage('from a stranger')
    const nonce = 'zzzzzzzz'
    parent.postMessage({ crosstown: 'crosstown', nonce }, origin)
    parent.postMessage({ crosstown: 'crosstown', nonce, answers: nonce }, origin, [port2])
  }, site)
  await frame.evaluate((origin) => {
    const { port2 } = new MessageChannel()
    for (const message of [
      null,
      'crosstown',
      {},
      { crosstown: 'another', nonce: 'zz' },
      { crosstown: 'crosstown' },
      { crosstown: 'crosstown', nonce: 7 },
      { crosstown: 'crosstown', nonce: 'z'.repeat(1_000) },
      { crosstown: 'crosstown', nonce: 'zz', answers: 7 },
    ]) {
      parent.postMessage(message, origin)
    }
    parent.postMessage({ crosstown: 'crosstown', nonce: 'zz', answers: 'wrong' }, origin, [port2])
  }, site)
  await connected(frame, page)
  await connected(page, frame)
  const heard = await page.evaluate(() => new Set(end.heard).size)
  expect(heard).toBe(1)
})

/** What the room has, in its order. */
async function inRoom(relay: Relay, room: string): Promise<unknown[]> {
  const page = await (await fetch(`${relay.http}/rooms/${room}/events?limit=1000`)).json()
  return page.events.map((event: { data: unknown }) => event.data)
}

async function connections(relay: Relay, room: string): Promise<number> {
  return (await (await fetch(`${relay.http}/rooms/${room}/stats`)).json()).connections
}

/** Makes a bus in a page of the shop, which notes what it hears. */
function shop(page: Page, url: string, room: string, linked: string[] = []): Promise<void> {
  return page.evaluate(
    ({ url, room, linked }) => {
      const heard: unknown[] = []
      globalThis.own = links.createBus({
        name: 'shop',
        relay: links.relayLink({ url, room }),
        links: linked.map((origin) => links.portLink(frames[0] as Window, { origins: [origin] })),
      })
      globalThis.end = { send: () => {}, heard: heard as string[], codes: [] }
      own.subscribe('said', (event) => heard.push(event.data))
    },
    { url, room, linked },
  )
}

test("a guest in an iframe of another origin: its events are in the page's log, its tabs and its room, once", async ({
  context,
  relay,
  site,
}) => {
  const room = `guest-${Date.now()}`
  const [page, other] = [await context.newPage(), await context.newPage()]
  const frame = await framed(page, site)
  await other.goto(`${site}/link`)
  await shop(page, relay.url, room, [elsewhere(site)])
  await shop(other, relay.url, room)
  const widget = async (from: number) =>
    frame.evaluate(
      async ({ from, site }) => {
        globalThis.own = links.createBus({
          name: 'shop',
          log: false,
          tabs: false,
          links: [links.portLink(parent, { origins: [site] })],
        })
        globalThis.end = { send: () => {}, heard: [], codes: [] }
        own.subscribe('said', (event) => end.heard.push(String(event.data)))
        // Published before there is a connection, and then in bursts.
        const published = Array.from({ length: 50 }, (_, n) => own.publish('said', from + n))
        return (await Promise.all(published)).map(({ id }) => id)
      },
      { from, site },
    )
  const ids = await widget(0)
  await frame.goto(`${elsewhere(site)}/link?again`)
  ids.push(...(await widget(50)))
  const all = Array.from({ length: 100 }, (_, n) => n)
  for (const tab of [page, other]) {
    await expect.poll(() => tab.evaluate(() => end.heard)).toEqual(all)
  }
  await expect.poll(() => inRoom(relay, room)).toEqual(all)
  expect(await connections(relay, room)).toBe(1)
  const kept = await other.evaluate(
    (ids) => Promise.all(ids.map(async (id) => (await own.get(id))?.data)),
    ids,
  )
  expect(kept).toEqual(all)
  await other.evaluate(() => own.publish('said', 'to the widget'))
  await expect.poll(() => frame.evaluate(() => end.heard.at(-1))).toBe('to the widget')
})

test('a tab whose database does not open has another tab keep its events, with one socket for both', async ({
  context,
  relay,
  site,
}) => {
  const room = `hosted-${Date.now()}`
  const [page, broken] = [await context.newPage(), await context.newPage()]
  await page.goto(`${site}/link`)
  await shop(page, relay.url, room)
  await page.evaluate(() => own.publish('said', 'first'))
  await expect.poll(() => page.evaluate(() => own.status.relay)).toBe('online')
  await broken.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('the disk is broken', 'UnknownError')
    }
  })
  await broken.goto(`${site}/link`)
  await shop(broken, relay.url, room)
  const relayed = await broken.evaluate(async () => {
    await own.publish('said', 'second')
    return (await own.publish('said', 'third', { until: 'relayed' })).position
  })
  expect(relayed).toMatch(/\.3\./)
  expect(await inRoom(relay, room)).toEqual(['first', 'second', 'third'])
  expect(await connections(relay, room)).toBe(1)
  const { kind, code, leads } = await broken.evaluate(() => ({
    kind: own.status.log.kind,
    code: own.status.lastError?.code,
    leads: own.status.leader,
  }))
  expect([kind, code, leads]).toEqual(['none', 'log_unavailable', false])
  await page.evaluate(() => own.publish('said', 'fourth'))
  await expect.poll(() => broken.evaluate(() => end.heard)).toEqual(['second', 'third', 'fourth'])
  expect(await page.evaluate(() => end.heard)).toEqual(['first', 'second', 'third', 'fourth'])
})

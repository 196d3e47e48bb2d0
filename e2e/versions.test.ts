import type { ChildProcess } from 'node:child_process'
import type { Browser, BrowserContext, Page } from '@playwright/test'
import { expect, type Relay, start, stop, test } from './fixtures.ts'
import type { Read } from './peers/versions.ts'

/** What all of the current version make of `{ item: 'A1' }`, written by version 1. */
const CURRENT = { data: { sku: 'A1', quantity: 1 }, version: 3 }

interface Told {
  readonly by: string
  readonly origin: string
  readonly event: Read
}

/** Opens a page of the application; resolves when it is in the room. */
async function open(context: BrowserContext, site: string, query: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${site}/versions?${query}`)
  await expect.poll(() => page.evaluate(() => app.status.relay)).toBe('online')
  return page
}

/** What the peers said they read of the event, by who said it. */
async function told(page: Page, id: string): Promise<Record<string, Told>> {
  const all = await page.evaluate(async (id) => {
    const all: Told[] = []
    for await (const { data } of app.replay({ pattern: 'cart.read' })) all.push(data as Told)
    return all.filter(({ event }) => event.id === id)
  }, id)
  return Object.fromEntries(all.map((one) => [one.by, one]))
}

async function expectReadings(page: Page, id: string): Promise<void> {
  const all = () => page.evaluate((id) => readings(id), id)
  // The log has it once the room's stream came so far.
  await expect.poll(async () => (await all()).get).toEqual({ id, ...CURRENT })
  for (const [way, read] of Object.entries(await all()))
    expect(read, way).toEqual({ id, ...CURRENT })
}

let contexts: BrowserContext[] = []
let children: ChildProcess[] = []

test.afterEach(async () => {
  await Promise.all([...contexts.map((context) => context.close()), ...children.map(stop)])
  contexts = []
  children = []
})

async function device(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext()
  contexts.push(context)
  return context
}

async function service(relay: Relay, room: string, ...args: string[]): Promise<string> {
  const [name = '', version = '', ...more] = args
  const ready = more.length > 0 ? /published (\S+)/ : /online/
  const script = ['e2e/peers/versions-peer.ts', name, version, relay.url, room, ...more]
  const { child, match } = await start(process.execPath, script, ready)
  children.push(child)
  return match[1] ?? ''
}

test('an event written by version 1 of a type is read as version 3, live, replayed and over the relay', async ({
  browser,
  relay,
  site,
}) => {
  const room = `versions-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const [desk, phone] = [await device(browser), await device(browser)]
  const old = await open(desk, site, `name=old&version=1&${query}`)
  const tab = await open(desk, site, `name=tab&version=3&${query}`)
  await open(phone, site, `name=phone&version=3&${query}`)
  await service(relay, room, 'node', '3')

  const id = await old.evaluate(async () => {
    const options = { stream: 'cart-1', until: 'relayed' } as const
    return (await app.publish('cart.added', { item: 'A1' }, options)).id
  })

  await test.step('live: over tabs, and over the relay in a browser and in Node', async () => {
    const event = { id, ...CURRENT }
    await expect
      .poll(() => told(tab, id))
      .toEqual({
        tab: { by: 'tab', origin: 'device', event },
        phone: { by: 'phone', origin: 'room', event },
        node: { by: 'node', origin: 'room', event },
      })
  })

  await test.step('replayed: from the log of the device that wrote it, and of another', async () => {
    await expectReadings(tab, id)
    const [page] = phone.pages()
    await expectReadings(page as Page, id)
    // Whoever reads it changes nothing: for version 1 it is what it was.
    const { replay } = await old.evaluate((id) => readings(id), id)
    expect(replay).toEqual({ id, data: { item: 'A1' }, version: 1 })
  })

  await test.step('replayed by a page that was not there, and by a device that has it of the relay', async () => {
    await expectReadings(await open(desk, site, `name=later&version=3&${query}`), id)
    await expectReadings(await open(await device(browser), site, `name=new&version=3&${query}`), id)
  })

  await test.step('the relay has it as it was written', async () => {
    const answer = await fetch(`${relay.http}/rooms/${room}/events/${id}`)
    expect(await answer.json()).toMatchObject({ data: { item: 'A1' }, version: 1 })
  })
})

test('what a service of version 1, or a plain HTTP client, publishes is read as version 3', async ({
  browser,
  relay,
  site,
}) => {
  const room = `versions-http-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const tab = await open(await device(browser), site, `name=tab&version=3&${query}`)
  const id = await service(relay, room, 'till', '1', 'A1')
  const live = { by: 'tab', origin: 'room' }
  await expect.poll(() => told(tab, id)).toMatchObject({ tab: { ...live, event: CURRENT } })

  const answer = await fetch(`${relay.http}/rooms/${room}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'cart.added', version: 2, data: { sku: 'A1' } }),
  })
  expect(answer.status).toBe(201)
  const { events } = (await answer.json()) as { events: readonly [{ id: string }] }
  await expect
    .poll(() => told(tab, events[0].id))
    .toMatchObject({ tab: { ...live, event: CURRENT } })
})

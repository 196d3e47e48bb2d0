import type { Page } from '@playwright/test'
import { expect, type Relay, test } from './fixtures.ts'

async function connections(relay: Relay, room: string): Promise<number> {
  const stats = await (await fetch(`${relay.http}/rooms/${room}/stats`)).json()
  return stats.connections
}

/** What the room has, in its order. */
async function inRoom(relay: Relay, room: string): Promise<unknown[]> {
  const page = await (await fetch(`${relay.http}/rooms/${room}/events?limit=1000`)).json()
  return page.events.map((event: { data: unknown }) => event.data)
}

const leads = (page: Page) => page.evaluate(() => peer.status.leader)

test('when the tab that leads is closed another one leads, with one socket, nothing lost or doubled', async ({
  browser,
  relay,
  site,
}) => {
  const room = `lead-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const context = await browser.newContext()
  const pages: Page[] = []
  for (const name of ['one', 'two', 'three']) {
    const page = await context.newPage()
    await page.goto(`${site}/?name=${name}&${query}`)
    await expect.poll(() => page.evaluate(() => peer.status.relay)).toBe('online')
    pages.push(page)
  }
  const published: number[] = []
  for (let round = 0; round < 3; round++) {
    await expect
      .poll(async () => (await Promise.all(pages.map(leads))).filter(Boolean).length)
      .toBe(1)
    await expect.poll(() => connections(relay, room)).toBe(1)
    // Every page publishes; the one that leads is closed while they do.
    const numbers = pages.map((_, i) =>
      Array.from({ length: 50 }, (_, n) => round * 1_000 + i * 100 + n),
    )
    const publishing = pages.map((page, i) =>
      page.evaluate(async (numbers) => {
        await Promise.all(numbers.map((n) => peer.publish('counted', n)))
      }, numbers[i] as number[]),
    )
    await Promise.all(publishing)
    published.push(...numbers.flat())
    const leader = (await Promise.all(pages.map(leads))).indexOf(true)
    if (pages.length > 1) await pages.splice(leader, 1)[0]?.close()
  }
  const last = pages[0] as Page
  await expect.poll(() => last.evaluate(() => peer.status.outbox.pending)).toBe(0)
  await expect.poll(async () => (await inRoom(relay, room)).length).toBe(published.length)
  expect(new Set(await inRoom(relay, room))).toEqual(new Set(published))
  expect(await connections(relay, room)).toBe(1)
  await context.close()
})

test('a tab closed by force right after publish: the event is in the log, and reaches the relay', async ({
  browser,
  relay,
  site,
}) => {
  const room = `forced-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const context = await browser.newContext()
  // Another page keeps the browser's storage of this context; it is of another room.
  const keeper = await context.newPage()
  await keeper.goto(`${site}/?name=keeper`)
  for (let n = 0; n < 3; n++) {
    const page = await context.newPage()
    await page.goto(`${site}/?name=victim&${query}`)
    const id = await page.evaluate(async (n) => (await peer.publish('note.made', n)).id, n)
    const crashed = page.waitForEvent('crash')
    void page.goto('chrome://crash').catch(() => {})
    await crashed
    await page.close()
    const again = await context.newPage()
    await again.goto(`${site}/?name=witness&${query}`)
    expect(await again.evaluate((id) => peer.get(id).then((event) => event?.data), id)).toBe(n)
    await expect.poll(() => inRoom(relay, room)).toContain(n)
    await again.close()
  }
  expect(await inRoom(relay, room)).toEqual([0, 1, 2])
  await context.close()
})

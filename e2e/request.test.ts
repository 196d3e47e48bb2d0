import { once } from 'node:events'
import type { Page } from '@playwright/test'
import { expect, start, stop, test } from './fixtures.ts'

/** Ends a tab without a word. */
async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent('crash')
  void page.goto('chrome://crash').catch(() => {})
  await crashed
  await page.close()
}

test('tabs, workers, service workers, devices and servers reply, whoever asks', async ({
  browser,
  relay,
  site,
}) => {
  const room = `request-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const [device, other] = [await browser.newContext(), await browser.newContext()]
  const args = ['e2e/peers/server-peer.ts', 'node', relay.url, room]
  const { child: server } = await start(process.execPath, args, /online/)
  try {
    const open = async (context: typeof device, name: string, more = ''): Promise<Page> => {
      const page = await context.newPage()
      await page.goto(`${site}/?name=${name}&${query}${more}`)
      return page
    }
    const tabA = await open(device, 'tabA', '&with=worker&with=sw')
    const tabB = await open(device, 'tabB')
    const phone = await open(other, 'phone')
    const all = ['tabA', 'tabB', 'tabA-worker', 'tabA-sw', 'phone', 'node']
    await expect.poll(() => tabA.evaluate(() => peer.presence.get().length)).toBe(all.length)
    for (const page of [tabA, tabB, phone]) {
      const replies = await page.evaluate(async (names) => {
        const asked = names.map((name) => peer.request(`name.of.${name}`, { sku: 'A1' }))
        return (await Promise.all(asked)).map(
          ({ from, seen }) => from + [...seen].map(([sku, at]) => ` ${sku} ${at.toISOString()}`),
        )
      }, all)
      expect(replies).toEqual(all.map((name) => `${name} A1 1970-01-01T00:00:00.000Z`))
    }
    const nobody = await phone.evaluate(() =>
      peer.request('name.of.nobody', { sku: 'A1' }).catch(({ code }) => code),
    )
    expect(nobody).toBe('no_responder')
    expect(await tabB.evaluate(() => peer.ping())).toBeGreaterThanOrEqual(0)

    await test.step('a server that is killed responds no more', async () => {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
      const code = (): Promise<unknown> =>
        phone.evaluate(() =>
          peer.request('name.of.node', { sku: 'A1' }, { timeout: 500 }).catch(({ code }) => code),
        )
      await expect.poll(code).toBe('no_responder')
    })
  } finally {
    await Promise.all([device.close(), other.close(), stop(server)])
  }
})

test('a tab that crashes is gone at once, and what it was at is handed to another', async ({
  browser,
  site,
}) => {
  const context = await browser.newContext()
  const open = async (name: string): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`${site}/?name=${name}`)
    await page.evaluate((name) => {
      peer.presence.subscribe(() => {})
      // The one that is named never replies.
      peer.respond('name.of.anyone', ({ data }) => {
        document.title = 'asked'
        const { sku } = data as { sku: string }
        return sku === name ? new Promise(() => {}) : { from: name, seen: new Map() }
      })
    }, name)
    return page
  }
  // Another page keeps the browser's storage of this context.
  const asker = await context.newPage()
  await asker.goto(`${site}/?name=asker`)
  const pages: Record<string, Page> = { one: await open('one'), two: await open('two') }
  const members = (): Promise<{ id: string; source: string }[]> =>
    asker.evaluate(() => peer.presence.get().map(({ id, source }) => ({ id, source })))
  await expect.poll(async () => (await members()).length).toBe(3)
  const [, first, second] = (await members()).map(({ source }) => source)
  const victim = pages[first as string] as Page
  const reply = asker.evaluate(
    (sku) => peer.request('name.of.anyone', { sku }, { timeout: 30_000 }).then(({ from }) => from),
    first as string,
  )
  await expect.poll(() => victim.title()).toBe('asked')
  await crash(victim)
  expect(await reply).toBe(second)
  await expect
    .poll(async () => (await members()).map(({ source }) => source))
    .toEqual(['asker', second])
  await context.close()
})

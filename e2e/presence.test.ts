import { once } from 'node:events'
import type { Page } from '@playwright/test'
import { expect, start, stop, test } from './fixtures.ts'
import type { Talk } from './peers/peer.ts'

type Report = Talk['report.given']

/** What each context sees, as it says itself; of those that answer within a moment. */
async function views(page: Page): Promise<Record<string, string[]>> {
  return page.evaluate(async () => {
    const round = Math.random()
    const views: Record<string, string[]> = {}
    const off = peer.subscribe('report.given', (event) => {
      const { from, sees, round: of } = event.data as Report
      if (of === round) views[from] = [sees[0] ?? '', ...sees.slice(1).sort()]
    })
    await peer.publish('report.wanted', { round })
    const heard = AbortSignal.timeout(400)
    while (!heard.aborted) await peer.once('report.given', { signal: heard }).catch(() => {})
    off()
    return views
  })
}

/** Waits until each of these sees itself first, and all of these. */
async function allSee(page: Page, names: readonly string[]): Promise<void> {
  const expected = names.map((name) => [name, ...names.filter((other) => other !== name).sort()])
  await expect
    .poll(() => views(page), { timeout: 30_000 })
    .toEqual(Object.fromEntries(names.map((name, i) => [name, expected[i]])))
}

test('every tab, worker, service worker, device and server sees who is here, and who goes', async ({
  browser,
  relay,
  site,
}) => {
  const room = `presence-${Date.now()}`
  const query = `relay=${encodeURIComponent(relay.url)}&room=${room}`
  const device = await browser.newContext()
  const other = await browser.newContext()
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
    await open(other, 'phone')
    const all = ['tabA', 'tabB', 'tabA-worker', 'tabA-sw', 'phone', 'node']
    await allSee(tabA, all)

    await test.step('with what they are', async () => {
      const members = await tabA.evaluate(() => peer.presence.get())
      const by = new Map(members.map((member) => [member.source, member]))
      expect(by.get('tabA')).toMatchObject({ kind: 'page', origin: 'self' })
      expect(by.get('tabA-worker')).toMatchObject({ kind: 'worker', origin: 'device' })
      expect(by.get('tabA-sw')).toMatchObject({ kind: 'service-worker', origin: 'device' })
      expect(by.get('phone')).toMatchObject({ kind: 'page', origin: 'room', leader: true })
      expect(by.get('node')).toMatchObject({ kind: 'process', origin: 'room', leader: true })
      expect(new Set(members.map(({ device }) => device)).size).toBe(3)
      expect(members.filter(({ leader }) => leader)).toHaveLength(3)
      // Without tokens nobody is anybody.
      expect(members.filter((member) => 'subject' in member)).toEqual([])
    })

    await test.step('a tab that is reloaded is there once', async () => {
      const before = await tabB.evaluate(() => peer.presence.get()[0]?.id)
      await tabB.reload()
      await allSee(tabA, all)
      expect(await tabB.evaluate(() => peer.presence.get()[0]?.id)).not.toBe(before)
    })

    await test.step('a tab that goes is gone', async () => {
      await tabB.goto('about:blank')
      await allSee(
        tabA,
        all.filter((name) => name !== 'tabB'),
      )
    })

    await test.step('a server that is killed is gone', async () => {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
      await allSee(
        tabA,
        all.filter((name) => name !== 'tabB' && name !== 'node'),
      )
    })
  } finally {
    await Promise.all([device.close(), other.close(), stop(server)])
  }
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from '@playwright/test'
import { chromiumLaunch } from '../scripts/lib/chromium.ts'
import { expect, startRelay, stop, test } from './fixtures.ts'

/** What the log holds, by reading it from its start. */
function readLog(page: Page, last: string): Promise<unknown[]> {
  return page.evaluate(async (last) => {
    const data: unknown[] = []
    for await (const event of peer.events('note.**', { from: 'start' })) {
      data.push(event.data)
      if (event.data === last) break
    }
    return data
  }, last)
}

test('events are still in the log after a reload and after a restart of the browser', async ({
  site,
}) => {
  const profile = mkdtempSync(join(tmpdir(), 'crosstown-'))
  const launch = (): Promise<BrowserContext> =>
    chromium.launchPersistentContext(profile, { headless: true, ...chromiumLaunch })
  let browser = await launch()
  let page = await browser.newPage()
  await page.goto(`${site}/?name=writer`)
  const ids = await page.evaluate(async () => {
    const events = [await peer.publish('note.made', 'one'), await peer.publish('note.made', 'two')]
    return events.map((event) => event.id)
  })
  await page.reload()
  expect(await readLog(page, 'two')).toEqual(['one', 'two'])
  await page.evaluate(() => peer.publish('note.made', 'three'))
  await browser.close()

  browser = await launch()
  page = await browser.newPage()
  await page.goto(`${site}/?name=reader`)
  expect(await readLog(page, 'three')).toEqual(['one', 'two', 'three'])
  expect(
    await page.evaluate((id) => peer.get(id).then((event) => event?.data), ids[0] as string),
  ).toBe('one')
  await browser.close()
  rmSync(profile, { recursive: true })
})

test('a device that was away gets what the room said meanwhile, and the room what it said', async ({
  browser,
  site,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
  const store = `sqlite:${join(folder, 'room.db')}`
  const first = await startRelay(store)
  const query = `relay=${encodeURIComponent(first.relay.url)}&room=away`
  const [one, two] = [await browser.newContext(), await browser.newContext()]
  const [home, away] = [await one.newPage(), await two.newPage()]
  await home.goto(`${site}/?name=home&${query}`)
  await away.goto(`${site}/?name=away&${query}`)
  await home.evaluate(() => peer.publish('note.made', 'before', { until: 'relayed' }))
  expect(await readLog(away, 'before')).toEqual(['before'])

  await stop(first.child)
  await expect.poll(() => away.evaluate(() => peer.status.relay)).toBe('offline')
  await home.evaluate(() => peer.publish('note.made', 'from home'))
  await away.evaluate(() => peer.publish('note.made', 'from away'))
  expect(await home.evaluate(() => peer.status.outbox.pending)).toBe(1)

  const port = new URL(first.relay.http).port
  const again = await startRelay(store, port)
  await home.evaluate(() => peer.flush({ until: 'relayed' }))
  await away.evaluate(() => peer.flush({ until: 'relayed' }))
  await home.evaluate(() => peer.publish('note.made', 'end', { until: 'relayed' }))
  expect((await readLog(home, 'end')).sort()).toEqual(['before', 'end', 'from away', 'from home'])
  expect((await readLog(away, 'end')).sort()).toEqual(['before', 'end', 'from away', 'from home'])
  await Promise.all([one.close(), two.close(), stop(again.child)])
  rmSync(folder, { recursive: true })
})

import type { Page } from '@playwright/test'
import { expect, test } from './fixtures.ts'

test('a browser that gives no more room: publish rejects, others are told, and it goes on when there is room', async ({
  context,
  site,
}) => {
  const [page, other] = [await context.newPage(), await context.newPage()]
  // Before the first write: the browser remembers for a while how much room there was.
  const cdp = await context.newCDPSession(page)
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: site, quotaSize: 2_000_000 })
  await page.goto(`${site}/?name=writer`)
  await other.goto(`${site}/?name=other`)
  await other.evaluate(() => peer.publish('here'))
  const before = await page.evaluate(async () => (await peer.publish('note.made', 'before')).id)
  const { codes, lost } = await page.evaluate(async () => {
    // What can be compressed takes no room.
    const note = () =>
      Array.from({ length: 2 }, () => crypto.getRandomValues(new Uint8Array(60_000)).join(''))
        .join('')
        .slice(0, 200 * 1024)
    const heard: string[] = []
    peer.subscribe('note.made', (event) => heard.push(event.id))
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => peer.publish('note.made', note())),
    )
    const codes = outcomes.map((one) => (one.status === 'rejected' ? one.reason.code : 'logged'))
    return { codes, lost: heard[codes.indexOf('quota_exceeded')] }
  })
  expect(new Set(codes)).toEqual(new Set(['logged', 'quota_exceeded']))
  expect(await page.evaluate(() => peer.status.lastError?.code)).toBe('quota_exceeded')
  // It was posted while it was written: whoever heard it is told that no log has it.
  await expect.poll(() => other.evaluate(() => peer.status.lastError?.code)).toBe('quota_exceeded')
  expect(await other.evaluate((id) => peer.get(id), lost as string)).toBeUndefined()

  await cdp.send('Storage.overrideQuotaForOrigin', { origin: site })
  const publishAgain = () =>
    page.evaluate(() =>
      peer
        .publish('note.made', 'after')
        .then((event) => event.id)
        .catch(() => ''),
    )
  await expect.poll(publishAgain, { timeout: 30_000 }).not.toBe('')
  expect(await other.evaluate((id) => peer.get(id).then((event) => event?.id), before)).toBe(before)
})

/** What the log of the page holds. */
const stored = (page: Page) =>
  page.evaluate(async () => {
    const end = await peer.publish('end')
    const notes: unknown[] = []
    for await (const event of peer.events('*', { from: 'start' })) {
      if (event.id === end.id) return notes
      if (event.type === 'note.made') notes.push(event.data)
    }
    return notes
  })

const lastError = (page: Page) => page.evaluate(() => peer.status.lastError?.code)

for (const [how, code] of [
  ['deleted by a script', 'log_cleared'],
  ['cleared with the data of the site', 'log_lost'],
] as const) {
  test(`a log that is ${how} under running tabs: they say so, and go on with an empty one`, async ({
    context,
    site,
  }) => {
    const [page, other] = [await context.newPage(), await context.newPage()]
    await page.goto(`${site}/?name=writer`)
    await other.goto(`${site}/?name=other`)
    for (const one of [page, other]) await one.evaluate(() => peer.publish('note.made', 1))
    // In the midst of publishing: what was not committed rejects, nothing hangs.
    const publishing = page.evaluate(async () => {
      const codes = new Set<string>()
      for (let n = 0; peer.status.lastError === undefined; n++) {
        await peer.publish('note.lost', n).catch((error) => codes.add(error.code))
      }
      return [...codes]
    })
    if (code === 'log_cleared') {
      await other.evaluate(() => void indexedDB.deleteDatabase('crosstown:talk:'))
    } else {
      const cdp = await context.newCDPSession(other)
      await cdp.send('Storage.clearDataForOrigin', { origin: site, storageTypes: 'indexeddb' })
    }
    for (const rejected of await publishing) expect(['log_cleared', 'log_lost']).toContain(rejected)
    for (const one of [page, other]) {
      await expect.poll(() => lastError(one)).toMatch(/log_cleared|log_lost/)
      await expect.poll(() => one.evaluate(() => peer.status.log.state)).toBe('open')
    }
    await page.evaluate(() => peer.publish('note.made', 2))
    await other.evaluate(() => peer.publish('note.made', 3))
    expect(await stored(page)).toEqual([2, 3])
    expect(await stored(other)).toEqual([2, 3])
  })
}

test('clear() empties the log for all tabs; they hear each other, and the relay, as a new device', async ({
  context,
  site,
  relay,
}) => {
  const query = `relay=${encodeURIComponent(relay.url)}&room=cleared`
  const [page, other] = [await context.newPage(), await context.newPage()]
  await page.goto(`${site}/?name=one&${query}`)
  await other.goto(`${site}/?name=two&${query}`)
  await page.evaluate(() => peer.publish('note.made', 1, { until: 'relayed' }))
  await other.evaluate(() => {
    globalThis.heard = []
    peer.subscribe('note.made', (event) => globalThis.heard.push(event.data as number))
  })
  await page.evaluate(() => peer.clear())
  await page.evaluate(() => peer.publish('note.made', 2, { until: 'relayed' }))
  await other.evaluate(() => peer.publish('note.made', 3, { until: 'relayed' }))
  expect(await other.evaluate(() => globalThis.heard)).toEqual([2, 3])
  // What the room has comes again, in its order: to it this is a device it never saw.
  expect([...(await stored(page))].sort()).toEqual([1, 2, 3])
  expect(await lastError(page)).toBeUndefined()
  expect(await lastError(other)).toBe('log_cleared')
})

test('a log that somebody holds on to cannot be cleared: clear() says so, and the tab goes on when it is free', async ({
  context,
  site,
}) => {
  test.setTimeout(90_000)
  const [page, other] = [await context.newPage(), await context.newPage()]
  await page.goto(`${site}/?name=writer`)
  await page.evaluate(() => peer.publish('note.made', 1))
  await other.goto(`${site}/nothing`)
  await other.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.open('crosstown:talk:')
        request.onsuccess = () => {
          Object.assign(globalThis, { holds: request.result })
          resolve()
        }
        request.onerror = reject
      }),
  )
  const code = await page.evaluate(() =>
    peer.clear().then(
      () => 'cleared',
      (error) => error.code,
    ),
  )
  expect(code).toBe('log_unavailable')
  expect(await page.evaluate(() => peer.status.log.state)).toBe('closed')
  await other.close()
  await page.evaluate(() => peer.publish('note.made', 2))
  expect(await stored(page)).toEqual([2])
})

test('a browser that gives no more room for what others publish: it says so, and takes the log for full, not for lost', async ({
  browser,
  context,
  site,
  relay,
}) => {
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: site, quotaSize: 2_000_000 })
  const query = `relay=${encodeURIComponent(relay.url)}&room=full`
  await page.goto(`${site}/?name=reader&${query}`)
  await page.evaluate(() => peer.publish('note.made', 'joined', { until: 'relayed' }))
  const elsewhere = await browser.newContext()
  const writer = await elsewhere.newPage()
  await writer.goto(`${site}/?name=writer&${query}`)
  await writer.evaluate(async () => {
    const note = () =>
      Array.from({ length: 2 }, () => crypto.getRandomValues(new Uint8Array(60_000)).join(''))
        .join('')
        .slice(0, 200 * 1024)
    const notes = Array.from({ length: 50 }, () => peer.publish('note.made', note()))
    await Promise.all(notes)
    await peer.flush({ until: 'relayed' })
  })
  await expect.poll(() => page.evaluate(() => peer.status.lastError?.code)).toBe('quota_exceeded')
  expect(await page.evaluate(() => peer.status.log.state)).toBe('open')
  await elsewhere.close()
})

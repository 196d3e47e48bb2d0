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

test('a log that is deleted under running tabs: they say so, and go on with a new one', async ({
  context,
  site,
}) => {
  const [page, other] = [await context.newPage(), await context.newPage()]
  await page.goto(`${site}/?name=writer`)
  await other.goto(`${site}/?name=other`)
  const old = await page.evaluate(async () => (await peer.publish('note.made', 1)).id)
  await other.evaluate((id) => peer.get(id), old)
  await other.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase('crosstown:talk:')
        request.onsuccess = resolve
        request.onerror = reject
      }),
  )
  for (const tab of [page, other]) {
    await expect.poll(() => tab.evaluate(() => peer.status.lastError?.code)).toBe('log_cleared')
    await expect.poll(() => tab.evaluate(() => peer.status.log.state)).toBe('open')
  }
  const { id, offset } = await page.evaluate(() => peer.publish('note.made', 2))
  expect(offset).toBeGreaterThan(0)
  for (const tab of [page, other]) {
    expect(await tab.evaluate((one) => peer.get(one).then((event) => event?.data), id)).toBe(2)
    expect(await tab.evaluate((one) => peer.get(one), old)).toBeUndefined()
  }
})

test('site data that is deleted under a running tab: it says so, and goes on with a new log', async ({
  context,
  site,
}) => {
  const page = await context.newPage()
  await page.goto(`${site}/?name=writer`)
  const old = await page.evaluate(async () => (await peer.publish('note.made', 1)).id)
  const cdp = await context.newCDPSession(page)
  await cdp.send('Storage.clearDataForOrigin', { origin: site, storageTypes: 'all' })
  await expect
    .poll(() => page.evaluate(() => peer.status.lastError?.code))
    .toMatch(/^log_(lost|cleared)$/)
  await expect.poll(() => page.evaluate(() => peer.status.log.state)).toBe('open')
  const id = await page.evaluate(async () => (await peer.publish('note.made', 2)).id)
  expect(await page.evaluate((one) => peer.get(one).then((event) => event?.data), id)).toBe(2)
  expect(await page.evaluate((one) => peer.get(one), old)).toBeUndefined()
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

/** The fixture for end-to-end tests of applications, on applications that know nothing of it. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JSONReport } from '@playwright/test/reporter'
import { root } from './fixtures.ts'
import { test as panels } from './lib/panel.ts'
import { expect, test } from './lib/recorded.ts'

test('has the events of tabs, iframes, workers and service workers, from the first one on', async ({
  page,
  crosstown,
  site,
}) => {
  await page.goto(`${site}/early?name=tab&with=worker&with=sw`)
  await page.evaluate(() => {
    const frame = document.createElement('iframe')
    frame.src = '/early?name=iframe'
    document.body.append(frame)
  })
  await crosstown.newPage(`${site}/early?name=second tab`)
  const names = ['tab', 'worker', 'sw', 'iframe', 'second tab']
  for (const name of names)
    await crosstown.expectEvent('context.started', { where: ({ source }) => source === name })
  const started = await crosstown.events('context.*')
  expect(started.map(({ source }) => source).sort()).toEqual([...names].sort())
  for (const { data, source, origin, id, offset } of started) {
    expect({ data, origin }).toEqual({ data: { name: source }, origin: 'device' })
    expect(id).toMatch(/-1$/)
    expect(offset === undefined || offset > 0).toBe(true)
  }
})

test('has what was published up to now, with data as it was, also when its page is gone', async ({
  page,
  crosstown,
  site,
}) => {
  await page.goto(`${site}/?name=tab`)
  const data = { skus: new Map([['A1', 2]]), at: new Date(0), total: 12n }
  const published = (n: number) =>
    page.evaluate(async (to) => {
      for (let i = 0; i < to; i++) void peer.publish('order.line', { i })
      await peer.publish('order.placed', {
        skus: new Map([['A1', 2]]),
        at: new Date(0),
        total: 12n,
      })
    }, n)
  await published(1_200)
  expect(await crosstown.events('order.line')).toHaveLength(1_200)
  expect(await crosstown.events('order.paid')).toEqual([])
  const [placed] = await crosstown.events('order.placed')
  expect(placed?.data).toEqual(data)

  await published(10)
  await page.goto(`${site}/?name=again`)
  expect(await crosstown.events('order.line')).toHaveLength(1_210)
  const second = await crosstown.expectEvent('order.placed', { count: 2 })
  expect(second.data).toEqual(data)
})

test('has more than a tap can keep: what went over its ring comes from the log', async ({
  page,
  crosstown,
  site,
}) => {
  await page.goto(`${site}/?name=tab`)
  await page.evaluate(async () => {
    for (let i = 0; i < 25_000; i++) void peer.publish('tick', i, { until: 'accepted' })
    await peer.flush()
  })
  expect(await crosstown.count('tick')).toBe(25_000)
  await crosstown.publish('tock', 25_000)
  expect((await crosstown.events('tock')).map(({ data }) => data)).toEqual([25_000])
})

test('says what came instead where an event does not come', async ({ page, crosstown, site }) => {
  await page.goto(`${site}/?name=tab`)
  await page.evaluate(() => peer.publish('order.placed', { total: 12 }))
  const where = ({ data }: { data: unknown }) => (data as { total: number }).total === 13
  const missing = crosstown.expectEvent('order.placed', { where, timeout: 300 })
  await expect(missing).rejects.toThrow(
    [
      'device 1 has not recorded order.placed where it was asked for within 300 ms.',
      'Recorded, the last of 1:',
      '  order.placed of tab: {"total":12}',
      'All: order.placed × 1',
    ].join('\n'),
  )
})

test('publishes as the page would, and tells what went wrong in its handlers', async ({
  page,
  crosstown,
  site,
}) => {
  await page.goto(`${site}/early?name=tab`)
  const stream = 'order-7'
  const event = await crosstown.publish('order.placed', new Set([7]), { stream })
  expect(event).toMatchObject({ data: new Set([7]), stream, metadata: { inspector: true } })
  expect(await crosstown.errors()).toEqual([])
  await crosstown.publish('order.placed')
  expect(await crosstown.errors()).toMatchObject([
    { code: 'handler_failed', message: 'an order of nothing', source: 'tab', type: 'order.placed' },
  ])
  await expect(crosstown.publish('no type')).rejects.toThrow('invalid_type')
  await expect(crosstown.publish('a', 1, { bus: 'another', timeout: 100 })).rejects.toThrow(
    'device 1 has no bus named another to publish on',
  )
})

test('takes devices offline, and back', async ({ page, crosstown, relay, site }) => {
  const address = (name: string) =>
    `${site}/?name=${name}&relay=${encodeURIComponent(relay.url)}&room=fixture-${Date.now()}`
  const room = address('tab')
  const phone = await crosstown.device('phone')
  await page.goto(room)
  await phone.newPage(room)
  await crosstown.publish('greeting', 1)
  expect(await phone.expectEvent('greeting')).toMatchObject({ data: 1, origin: 'room' })

  await phone.offline({ except: `${site}/**` })
  // One that comes while it is offline is offline, too.
  const tab = await phone.newPage(room)
  await crosstown.publish('greeting', 2)
  await phone.publish('greeting', 'from the tunnel')
  await phone.context.pages()[0]?.evaluate(() => peer.flush())
  const pending = () => tab.evaluate(() => peer.outbox.get().pending)
  await expect.poll(pending).toBe(1)
  expect((await phone.events('greeting')).map(({ data }) => data)).toEqual([1, 'from the tunnel'])
  expect(await crosstown.events('greeting')).toHaveLength(2)

  await phone.online()
  await phone.expectEvent('greeting', { where: ({ data }) => data === 2 })
  await crosstown.expectEvent('greeting', { where: ({ origin }) => origin === 'room' })
  await expect.poll(pending).toBe(0)
})

panels(
  'a test that fails has what was recorded attached, and the panel opens it',
  async ({ site, openPanel }, info) => {
    const cli = join(root, 'node_modules/@playwright/test/cli.js')
    const args = [cli, 'test', '-c', join(root, 'e2e/lib/failing/playwright.config.ts')]
    const env = { ...process.env, SITE: site, OUTPUT: info.outputPath('failing') }
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, args, { cwd: root, env }, (_, stdout) => resolve(stdout))
    })
    const { suites, stats } = JSON.parse(output) as JSONReport
    expect(stats).toMatchObject({ expected: 1, unexpected: 1 })
    const results = suites.flatMap((suite) =>
      suite.specs.map(({ ok, tests }) => ({ ok, result: tests[0]?.results[0] })),
    )
    const attached = (ok: boolean) =>
      results.find((one) => one.ok === ok)?.result?.attachments.map(({ name }) => name)
    expect(attached(true)).toEqual([])
    expect(attached(false)).toContain('crosstown-session.ndjson')
    const file = results
      .flatMap(({ result }) => result?.attachments ?? [])
      .find(({ name }) => name === 'crosstown-session.ndjson')?.path as string
    expect(await readFile(file, 'utf8')).toMatch(/^\{"crosstown":"session","version":1,/)

    const page = await openPanel({ query: 'x' })
    await page.getByRole('button', { name: /^Session: export/ }).click()
    await page.getByLabel('Session file').setInputFiles(file)
    const grid = page.getByRole('grid', { name: 'Events' })
    await expect(grid).toContainText('order.placed')
    await expect(grid).toContainText('order.confirmed')
    await expect(grid).not.toContainText('not there any more')
    await grid.getByRole('row').filter({ hasText: 'order.placed' }).first().click()
    const detail = page.getByRole('complementary', { name: 'Detail' })
    await expect(detail).toContainText('total')
    await expect(detail).toContainText('12')
  },
)

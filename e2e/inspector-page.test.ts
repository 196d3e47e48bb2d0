/** The panel as the relay serves it: for servers, phones, and browsers without the extension. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import type { Page } from '@playwright/test'
import { expect, start, startRelay, stop, test } from './fixtures.ts'

const service = async (url: string, room: string) =>
  (await start(process.execPath, ['e2e/peers/server-peer.ts', 'node', url, room], /online/)).child

/** What the page's policy did not allow, and what it threw. */
function faults(page: Page): string[] {
  const found: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') found.push(message.text())
  })
  page.on('pageerror', (error) => found.push(String(error)))
  return found
}

test('a relay serves the panel, which shows what servers and devices of the room do', async ({
  page,
  browser,
  relay,
  site,
}) => {
  const room = `page-${Date.now()}`
  const node = await service(relay.url, room)
  const device = await browser.newContext()
  try {
    const wrong = faults(page)
    await page.goto(`${relay.http}/inspector?room=${room}`)
    await expect(page).toHaveURL(`${relay.http}/inspector/?room=${room}`)
    const phone = await device.newPage()
    await phone.goto(`${site}/?name=phone&relay=${encodeURIComponent(relay.url)}&room=${room}`)
    await phone.evaluate(() => peer.publish('go', { count: 4 }, { until: 'relayed' } as never))
    const row = (...texts: string[]) =>
      texts.reduce(
        (rows, text) => rows.filter({ has: page.getByRole('gridcell', { name: text }) }),
        page.getByRole('row'),
      )
    await expect(row('go', 'tab 1').first()).toBeVisible()
    await expect(row('said', 'node').first()).toBeVisible()
    await expect(row('said', 'tab 1').first()).toBeVisible()
    await expect(page.getByRole('button', { name: '3 peers' })).toBeVisible()
    expect(wrong).toEqual([])
    const { CROSSTOWN_SHOTS: shots } = process.env
    if (shots) await page.screenshot({ path: join(shots, 'inspector.png') })
  } finally {
    await device.close()
    await stop(node)
  }
})

test('a token is typed into the page, is in no address, and there again after a reload', async ({
  page,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'inspector-'))
  const auth = join(folder, 'auth.mjs')
  writeFileSync(
    auth,
    `const all = { publish: ['**'], subscribe: ['**'] }
    export default (token) =>
      token === 'secret-of-dev' ? { subject: 'dev', rights: { ...all, inspect: true } }
      : token === 'secret-of-user' ? { subject: 'user', rights: all } : undefined`,
  )
  const { relay, child } = await startRelay('memory', '0', '--auth', auth)
  try {
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    page.on('websocket', (socket) => asked.push(socket.url()))
    await page.goto(`${relay.http}/inspector?room=shop`)
    const sources = page.getByRole('button', { name: /^Sources/ })
    await sources.click()
    const dialog = page.getByRole('dialog')
    await expect(dialog).toContainText('asks for a token')
    await expect(dialog.getByLabel('Room')).toHaveValue('shop')
    const connect = async (token: string): Promise<void> => {
      await dialog.getByLabel('Token').fill(token)
      await dialog.getByRole('button', { name: 'Connect' }).click()
    }
    await connect('secret-of-user')
    await expect(dialog).toContainText('does not allow inspecting')
    await connect('secret-of-dev')
    await expect(dialog.getByRole('listitem').last()).toContainText('open')
    await page.reload()
    await expect(sources).toContainText('1 open')
    expect(asked.filter((url) => url.includes('secret'))).toEqual([])
    expect(asked.some((url) => url.startsWith('ws:'))).toBe(true)
  } finally {
    await stop(child)
    rmSync(folder, { recursive: true })
  }
})

test('the page comes back when the relay was restarted, with what happened meanwhile', async ({
  page,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'inspector-'))
  const store = `sqlite:${join(folder, 'events.db')}`
  const first = await startRelay(store)
  const { port } = new URL(first.relay.http)
  const bus = createBus({
    name: 'orders',
    source: 'orders',
    log: memoryLog(),
    relay: relayLink({ url: first.relay.url, room: 'shop' }),
  })
  let second: Awaited<ReturnType<typeof startRelay>> | undefined
  try {
    await bus.publish('order.before', 1, { until: 'relayed' })
    await page.goto(`${first.relay.http}/inspector/?room=shop`)
    const sources = page.getByRole('button', { name: /^Sources/ })
    await expect(sources).toContainText('1 open')
    const row = (type: string) =>
      page.getByRole('row').filter({ has: page.getByRole('gridcell', { name: type, exact: true }) })
    await bus.publish('order.seen', 2, { until: 'relayed' })
    await expect(row('order.seen')).toBeVisible()
    await stop(first.child)
    await expect(sources).toContainText('reconnecting')
    await bus.publish('order.meanwhile', 3)
    second = await startRelay(store, port)
    await expect(sources).toContainText('1 open')
    await bus.publish('order.after', 4, { until: 'relayed' })
    for (const type of ['order.seen', 'order.meanwhile', 'order.after'])
      await expect(row(type)).toHaveCount(1)
    await expect(page.getByText('were lost')).toHaveCount(0)
  } finally {
    await bus.close({ timeout: 0 })
    for (const one of [first, second]) if (one) await stop(one.child)
    rmSync(folder, { recursive: true })
  }
})

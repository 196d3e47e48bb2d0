/**
 * Why an event did not arrive, as a person reads it in the panel: real buses in tabs of its origin,
 * and real services behind a relay that serves it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import type { Locator, Page } from '@playwright/test'
import { build } from 'esbuild'
import { root, startRelay, stop } from './fixtures.ts'
import { expect, test } from './lib/panel.ts'
import { wireTo } from './lib/proxy.ts'

type AnyBus = Bus<Record<string, unknown>>

declare global {
  interface Window {
    busOf(source: string): AnyBus
    bus: AnyBus
  }
}

/** What the panel says of the delivery of the newest event of a type. */
async function deliveryOf(page: Page, type: string): Promise<Locator> {
  await page.getByRole('tablist', { name: 'Views' }).getByRole('tab', { name: 'Log' }).click()
  const rows = page.getByRole('grid', { name: 'Events' }).locator('.log-rows > .log-row')
  await rows.filter({ hasText: type }).first().click()
  const detail = page.getByRole('complementary', { name: 'Detail' })
  await detail.getByRole('tab', { name: /^Delivery/ }).click()
  return detail
}

/** Asks "why did nothing happen?" of a type. */
async function why(page: Page, type: string): Promise<Locator> {
  await page.getByRole('tablist', { name: 'Views' }).getByRole('tab', { name: 'Peers' }).click()
  const box = page.getByRole('region', { name: 'Why did nothing happen?' })
  await box.getByLabel('Event type').fill(type)
  await box.getByRole('button', { name: 'Explain' }).click()
  return box.getByRole('status')
}

test('between tabs: what went wrong is said in words, and a typo is one click from what was meant', async ({
  context,
  openPanel,
  panelOrigin,
}) => {
  const page = await openPanel()
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createBus } from '@crosstown/bus'
        window.busOf = (source) => createBus({ name: 'shop', source, onError() {} })`,
      resolveDir: root,
    },
    bundle: true,
    write: false,
    format: 'iife',
  })
  const tab = async (title: string): Promise<Page> => {
    const url = `${panelOrigin}${title.toLowerCase()}`
    const body = `<!doctype html><html lang="en"><title>${title}</title>`
    await context.route(url, (route) => route.fulfill({ contentType: 'text/html', body }))
    const opened = await context.newPage()
    await opened.goto(url)
    await opened.addScriptTag({ content: outputFiles[0]?.text ?? '' })
    await opened.evaluate((source) => {
      window.bus = window.busOf(source)
      window.bus.subscribe('test.none', () => {})
    }, title)
    return opened
  }
  const [cart, orders] = [await tab('Cart'), await tab('Orders')]
  await orders.evaluate(() => {
    const { bus } = window
    bus.subscribe('order.placed', () => {})
    bus.subscribe('payment.failed', () => {
      throw new Error('no such order')
    })
    bus.subscribe('stock.*', () => {}, { where: () => false })
    bus.subscribe('draft.saved', () => {})
    Object.assign(window, { loop: bus.events('pointer.*', { buffer: 1, overflow: 'drop-oldest' }) })
  })
  await page.bringToFront()
  await expect(page.getByRole('button', { name: '2 peers' })).toBeVisible()
  await cart.evaluate(async () => {
    const { bus } = window
    await bus.publish('order.plcaed', 1)
    await bus.publish('nobody.listens', 1)
    await bus.publish('payment.failed', 1)
    await bus.publish('stock.changed', 1)
    await bus.publish('draft.saved', 1, { scope: 'context' })
    await bus.publish('pointer.moved', 1)
    await bus.publish('pointer.stopped', 1)
    await bus.publish('early.bird', 1)
  })
  await orders.evaluate(() => window.bus.subscribe('early.*', () => {}))

  for (const [type, sentence] of [
    ['nobody.listens', 'Nobody known here listens to nobody.listens.'],
    ['order.plcaed', 'which differs by one letter: is it a typo?'],
    ['payment.failed', /in tab \d · Orders threw after .*: “no such order”\./],
    ['stock.changed', 'did not run: the `where` it was given did not let the event through.'],
    ['draft.saved', /published with scope 'context' and stays in tab \d · Cart\./],
    ['pointer.moved', 'dropped it: its buffer was full'],
    ['early.bird', /tab \d · Orders subscribed too late: the handler of early\.\*/],
  ] as const)
    await expect(await deliveryOf(page, type), type).toContainText(sentence)

  // What failed is copied as a test that fails.
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await deliveryOf(page, 'order.plcaed')
  await page.getByRole('grid', { name: 'Events' }).focus()
  await page.keyboard.press('c')
  await page.getByRole('menuitem', { name: 'Copy as failing test' }).click()
  await expect(page.getByText('Copied the test')).toBeVisible()
  const copied = await page.evaluate(() => navigator.clipboard.readText())
  expect(copied).toMatch(/^test\('order\.plcaed comes to tab \d · Orders', async/m)
  expect(copied).toContain("publish('order.plcaed', 1)")

  const answer = await why(page, 'order.plcaed')
  await expect(answer).toContainText('and nobody subscribes to it.')
  await expect(answer).toContainText(
    /subscribes to order\.placed \(differs by one letter\): is it meant to hear order\.plcaed\?/,
  )
  await answer.getByRole('button', { name: 'order.placed', exact: true }).first().click()
  await expect(answer).toContainText('order.placed was not published while this panel listened.')
  await expect(answer).toContainText('Something like it was published: order.plcaed')
  const { CROSSTOWN_SHOTS: shots } = process.env
  if (shots) await page.screenshot({ path: join(shots, 'why.png') })
})

test('through a relay: no right, a refusal and a device that is offline are said in words', async ({
  page,
}) => {
  const folder = mkdtempSync(join(tmpdir(), 'explain-'))
  const auth = join(folder, 'auth.mjs')
  writeFileSync(
    auth,
    `const all = ['**'], fine = ['fine.*']
    const rights = {
      all: { publish: all, subscribe: all },
      narrow: { publish: fine, subscribe: fine },
      panel: { publish: [], subscribe: [], inspect: true },
    }
    export default (token) => rights[token] && { subject: token, rights: rights[token] }`,
  )
  const { relay, child } = await startRelay('memory', '0', '--auth', auth)
  const wire = await wireTo(Number(new URL(relay.http).port))
  const buses: AnyBus[] = []
  const service = (source: string, token: string, patterns: string[], url = relay.url): AnyBus => {
    const link = relayLink({ url, room: 'shop', token })
    const bus: AnyBus = createBus({
      name: source,
      source,
      log: memoryLog(),
      relay: link,
      onError: () => {},
    })
    buses.push(bus)
    for (const pattern of ['test.none', ...patterns]) bus.subscribe(pattern, () => {})
    return bus
  }
  try {
    await page.addInitScript(() => sessionStorage.setItem('crosstown:relay-token', 'panel'))
    await page.goto(`${relay.http}/inspector?room=shop`)
    const orders = service('orders', 'all', ['order.*'])
    const reader = service('reader', 'narrow', ['secret.*'])
    service('phone', 'all', ['order.*'], wire.url)
    await expect(page.getByRole('button', { name: '4 peers' })).toBeVisible()

    await orders.publish('secret.thing', 1, { until: 'relayed' })
    await expect(await deliveryOf(page, 'secret.thing')).toContainText(
      'the token of reader · node does not allow reading secret.thing, only fine.*. Give its token the right in rights.subscribe.',
    )
    await reader.publish('order.refused', 1)
    await expect(await deliveryOf(page, 'order.refused')).toContainText(
      'The relay refused order.refused of reader · node (forbidden)',
    )
    wire.cut()
    await page.getByRole('tablist', { name: 'Views' }).getByRole('tab', { name: 'Log' }).click()
    await expect(page.getByRole('grid', { name: 'Events' })).toContainText('phone · node is gone')
    await orders.publish('order.placed', 1, { until: 'relayed' })
    await expect(await deliveryOf(page, 'order.placed')).toContainText(
      /phone · node has not been connected to the relay since .*: the room keeps the event, and sends it when phone · node is back\./,
    )
    const { CROSSTOWN_SHOTS: shots } = process.env
    if (shots) await page.screenshot({ path: join(shots, 'ledger.png') })
  } finally {
    await Promise.all(buses.map((bus) => bus.close({ timeout: 0 })))
    await wire.close()
    await stop(child)
    rmSync(folder, { recursive: true })
  }
})

// The panel in real DevTools, while an order of the demo goes its way through two tabs, a phone and two
// services: docs/images/devtools-{log,sequence,peers,consumers}-{light,dark}.png.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchWithExtension, openPanel } from './devtools-browser.ts'
import { root } from './project.mjs'

const SIZE = { width: 1400, height: 820 }

/**
 * @param {{ url: string, relay: string }} demo a demo that runs, its services in the room `demo`
 * @param {import('@playwright/test').Browser} browser for the phone
 * @param {string} folder where the pictures go
 */
export async function takeDevtoolsPictures(demo, browser, folder) {
  const profile = await mkdtemp(join(tmpdir(), 'crosstown-pictures-'))
  const { context, origin } = await launchWithExtension({ profile })
  const device = await browser.newContext()
  try {
    const [shop, cart, phone] = [
      context.pages()[0],
      await context.newPage(),
      await device.newPage(),
    ]
    const address = `${demo.url}/?room=demo`
    for (const page of [shop, cart, phone]) {
      await page.goto(address)
      await page.locator('[data-testid=status-relay][data-state=online]').waitFor()
    }
    for (const theme of ['light', 'dark']) {
      if (theme === 'dark') {
        const { setTheme, close } = await openPanel(context, shop, origin)
        await setTheme('dark')
        await close()
      }
      const { panel, frontend, undock, close } = await openPanel(context, shop, origin)
      await undock(SIZE)
      await connect(panel, demo.relay)
      await playScene(shop, phone)
      const take = async (name) => {
        await frontend.mouse.move(0, 0)
        const path = join(folder, `devtools-${name}-${theme}.png`)
        await frontend.screenshot({ path, animations: 'disabled' })
        console.log(path.slice(root.length + 1))
      }

      // The event that an order began with, and all that came of it.
      const field = panel.getByRole('combobox', { name: 'Filter' })
      const rows = panel.getByRole('grid', { name: 'Events' }).getByRole('row')
      await field.fill('type:order.created')
      await field.press('Enter')
      await rows.filter({ hasText: 'order.created' }).last().click()
      await field.fill('')
      await field.press('Enter')
      const detail = panel.getByRole('complementary', { name: 'Detail' })
      await detail.getByRole('tab', { name: /Delivery/ }).click()
      await rows.and(panel.locator('[aria-selected=true]')).scrollIntoViewIfNeeded()
      await take('log')
      await panel.getByRole('tab', { name: 'Sequence' }).click()
      await panel.getByRole('listbox').waitFor()
      await take('sequence')
      await panel.getByRole('tab', { name: 'Peers' }).click()
      await take('peers')
      await postStray(demo.relay)
      await panel.getByRole('tab', { name: 'Consumers' }).click()
      const ask = panel.getByRole('button', { name: 'Ask again' })
      const letters = panel.getByText('it is not in the stream of its order')
      while ((await letters.count()) === 0) await ask.click()
      await panel.getByText('Asking…').waitFor({ state: 'hidden' })
      await take('consumers')
      await panel.getByRole('tab', { name: 'Log' }).click()
      await close()
    }
  } finally {
    await device.close()
    await context.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** Servers and the phone are seen through the relay. */
async function connect(panel, relay) {
  await panel.getByRole('button', { name: 'Sources' }).click()
  const dialog = panel.getByRole('dialog', { name: 'Sources' })
  await dialog.getByLabel('Address').fill(relay)
  await dialog.getByLabel('Room').fill('demo')
  await dialog.getByRole('button', { name: 'Connect' }).click()
  await dialog
    .getByRole('listitem')
    .filter({ hasText: '/demo' })
    .filter({ hasText: 'open' })
    .waitFor()
  await dialog.getByRole('button', { name: 'Close', exact: true }).click()
}

/** The phone begins a cart, the shop goes on with it and orders. */
async function playScene(shop, phone) {
  await phone.getByTestId('add-milk').click()
  await shop.getByTestId('nav-shop').click()
  await shop.locator('[data-testid=cart-count][data-count="1"]').waitFor()
  await shop.getByTestId('add-bread').click()
  await shop.getByTestId('checkout').click()
  await shop.waitForURL(/orders\/./)
  const id = shop.url().split('/').at(-1)
  await shop.locator(`[data-order="${id}"][data-state=confirmed]`).waitFor()
}

/** An order that nobody can handle: it becomes a dead letter. */
async function postStray(relay) {
  const data = { id: 'STRAY1', items: [], total: 0, payment: 'card', delivery: 'bicycle' }
  const { status } = await fetch(`${relay.replace(/^ws/, 'http')}/rooms/demo/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'order.created', data }),
  })
  if (status !== 201) throw new Error(`the relay answered ${status}`)
}

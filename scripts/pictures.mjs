// npm run pictures: builds, starts the demo, plays scenes with two devices and writes the pictures of
// README and docs: docs/images/demo-*.png and devtools-*.png, each in light and dark. Needs a Chromium
// and a Deno.
//   npm run pictures -- devtools   those of the DevTools only
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from '@playwright/test'
import { findCapabilities } from './lib/capabilities.mjs'
import { startDemo } from './lib/demo-stack.mjs'
import { build } from './lib/phases.mjs'
import { root } from './lib/project.mjs'

const built = await build()
if (built.code !== 0) throw new Error(built.output)
const { env, missing } = await findCapabilities(['chromium', 'deno'])
if (missing.size > 0) throw new Error([...missing.values()].join('; '))
process.env.CROSSTOWN_CHROMIUM = env.CROSSTOWN_CHROMIUM
const { chromiumLaunch } = await import('./lib/chromium.ts')
const { takeDevtoolsPictures } = await import('./lib/devtools-pictures.mjs')

const folder = join(root, 'docs/images')
mkdirSync(folder, { recursive: true })
const demo = await startDemo()
const browser = await chromium.launch(chromiumLaunch)
try {
  if (!process.argv.includes('devtools')) await demoPictures()
  await takeDevtoolsPictures(demo, browser, folder)
} finally {
  await browser.close()
  await demo.stop()
}

async function demoPictures() {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
  })
  const shop = await context.newPage()
  await shop.goto(`${demo.url}/?room=demo`)
  await online(shop)

  // One order that ends well, one whose card is declined, and one without a ferry.
  await order(shop, ['bread', 'coffee', 'coffee'])
  await order(shop, ['tea'], { payment: 'declined' }, 'failed')
  await order(shop, ['honey', 'bread'], { delivery: 'ferry' }, 'failed')
  await shop.waitForURL(/orders/)
  await pictures(shop, 'demo-orders')
  await shop.getByTestId('order-thread').first().click()
  await shop.locator('[data-testid=thread-count][data-count="8"]').waitFor()
  await pictures(shop, 'demo-activity')
  await shop.close()

  // Both devices fill one cart; the phone has just ordered from it.
  const both = await context.newPage()
  await both.goto(`${demo.url}/devices.html?room=demo`)
  const [laptop, phone] = ['laptop', 'phone'].map((kind) =>
    both.frameLocator(`[data-testid=device-${kind}]`),
  )
  for (const device of [laptop, phone]) await online(device)
  await phone.getByTestId('add-milk').click()
  await laptop.locator('[data-testid=cart-count][data-count="1"]').waitFor()
  await laptop.getByTestId('add-bread').click()
  await phone.locator('[data-testid=cart-count][data-count="2"]').waitFor()
  await phone.getByTestId('checkout').click()
  await phone.locator('[data-testid=order]:first-child[data-state=confirmed]').waitFor()
  for (const sku of ['tea', 'honey', 'coffee']) await laptop.getByTestId(`add-${sku}`).click()
  await laptop.locator('html').evaluate(() => scrollTo(0, 0))
  await phone.locator('[data-testid=cart-count][data-count="3"]').waitFor()
  await pictures(both, 'demo')
}

function online(page) {
  return page.locator('[data-testid=status-relay][data-state=online]').waitFor()
}

/** Orders these, in this way, and waits until it is known how that ended. */
async function order(page, skus, choices = {}, end = 'confirmed') {
  await page.getByTestId('nav-shop').click()
  for (const sku of skus) await page.getByTestId(`add-${sku}`).click()
  for (const [name, value] of Object.entries(choices)) {
    await page.getByTestId(name).selectOption(value)
  }
  await page.getByTestId('checkout').click()
  await page.waitForURL(/orders\/./)
  const id = page.url().split('/').at(-1)
  await page.locator(`[data-order="${id}"][data-state=${end}]`).waitFor()
}

async function pictures(page, name) {
  await page.mouse.move(0, 0)
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    const path = join(folder, `${name}-${colorScheme}.png`)
    await page.screenshot({ path, animations: 'disabled' })
    console.log(path.slice(root.length + 1))
  }
}

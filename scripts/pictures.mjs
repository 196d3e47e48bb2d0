// node scripts/pictures.mjs: starts the demo, plays a scene with two devices and writes the
// README's pictures, docs/images/demo-light.png and demo-dark.png. Needs Node 24 (the pinned one
// is node_modules/.bin/node), built packages and a Chromium.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from '@playwright/test'
import { findCapabilities } from './lib/capabilities.mjs'
import { startDemo } from './lib/demo-stack.mjs'
import { root } from './lib/project.mjs'

const { env, missing } = await findCapabilities(['chromium', 'deno'])
if (missing.size > 0) throw new Error([...missing.values()].join('; '))
process.env.CROSSTOWN_CHROMIUM = env.CROSSTOWN_CHROMIUM
const { chromiumLaunch } = await import('./lib/chromium.ts')

const folder = join(root, 'docs/images')
mkdirSync(folder, { recursive: true })
const demo = await startDemo()
const browser = await chromium.launch(chromiumLaunch)
try {
  const laptop = await open({ width: 1360, height: 960 })
  const secondTab = await laptop.context().newPage()
  await visit(secondTab)
  const phone = await open({ width: 400, height: 800 })

  // An order from the phone, then a cart that all three fill.
  await press(laptop, 'add-bread')
  await press(phone, 'add-coffee')
  await cartHas(phone, 2)
  await press(phone, 'checkout')
  await laptop.locator('[data-testid=order-step][data-done=true]').nth(2).waitFor()
  await laptop.locator('[data-testid=event-row][data-type="notification.counted"]').waitFor()
  await press(laptop, 'add-tea')
  await cartHas(laptop, 1)
  await press(secondTab, 'add-honey')
  await cartHas(laptop, 2)
  await press(phone, 'add-coffee')
  await cartHas(laptop, 3)
  await press(phone, 'more-coffee')
  await cartHas(laptop, 4)
  await laptop.locator('[data-testid=worker-heard][data-count="10"]').waitFor()

  for (const colorScheme of ['light', 'dark']) {
    await laptop.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await laptop.mouse.move(0, 0)
    const path = join(folder, `demo-${colorScheme}.png`)
    await laptop.screenshot({ path, animations: 'disabled' })
    console.log(path.slice(root.length + 1))
  }
} finally {
  await browser.close()
  await demo.stop()
}

/** A device of its own: no storage in common with the others. */
async function open(viewport) {
  const context = await browser.newContext({ viewport, locale: 'en-GB' })
  const page = await context.newPage()
  await visit(page)
  return page
}

async function visit(page) {
  await page.goto(demo.url)
  await page.locator('[data-testid=status-relay][data-state=online]').waitFor()
  await page.locator('[data-testid=status-worker][data-state=ready]').waitFor()
}

function press(page, id) {
  return page.getByTestId(id).click()
}

function cartHas(page, count) {
  return page.locator(`[data-testid=cart-count][data-count="${count}"]`).waitFor()
}

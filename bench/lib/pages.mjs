// Real tabs for suites that need a browser, in a Chromium whose profile is on the disk.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from '@playwright/test'
import { chromiumLaunch } from '../../scripts/lib/chromium.ts'
import { serveSite } from './site.mjs'

let version

/** Of the last browser that was opened. */
export const chromiumVersion = () => version

/** For suites that open one themselves. */
export function usesChromium(opened) {
  version = opened
}

/**
 * Opens `count` tabs of one origin, each with the script `pages/<script>`, and more with `open()`,
 * which takes a path of the site. What the script hangs on `globalThis.bench` is called with `call(tab, name, argument)`.
 */
export async function openPages(script, count, options) {
  const site = await serveSite(script, options)
  const profile = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  const errors = []
  let context
  const close = async () => {
    await context?.close()
    site.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    context = await chromium.launchPersistentContext(profile, {
      ...chromiumLaunch,
      args: [...chromiumLaunch.args, '--js-flags=--expose-gc'],
      headless: true,
    })
    usesChromium(context.browser()?.version())
    const tabs = []
    for (let i = 0; i < count; i++) tabs.push(await open())
    return { tabs, open, call, close }
  } catch (error) {
    await close()
    throw error
  }

  async function open(path = '') {
    const tab = await context.newPage()
    tab.on('pageerror', (error) => errors.push(error.message))
    tab.on('console', (line) => line.type() === 'error' && errors.push(line.text()))
    await tab.goto(site.url + path)
    if (!(await tab.evaluate(() => globalThis.crossOriginIsolated && typeof gc === 'function'))) {
      throw new Error('the page is not isolated, or has no gc(): its clock would be too coarse')
    }
    return tab
  }

  async function call(tab, name, argument) {
    const result = await tab.evaluate(
      ([name, argument]) => globalThis.bench[name](argument),
      [name, argument],
    )
    if (errors.length > 0) throw new Error(`a page reported: ${errors.splice(0).join('; ')}`)
    return result
  }
}

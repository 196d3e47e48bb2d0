// Real tabs for suites that need a browser: bundles a script of pages/, serves it on the loopback,
// and opens it in a Chromium whose profile is on the disk.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from '@playwright/test'
import { build } from 'esbuild'
import { chromiumLaunch } from '../../scripts/lib/chromium.ts'

let version

/** Of the last browser that was opened. */
export const chromiumVersion = () => version

/**
 * Opens `count` tabs of one origin, each with the script `pages/<script>`. What the script hangs
 * on `globalThis.bench` is called with `call(tab, name, argument)`.
 */
export async function openPages(script, count) {
  const bundle = await bundled(script)
  const server = createServer((request, response) => {
    // Isolated, a page's clock counts in steps of 5 µs instead of 100.
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    response.setHeader('cross-origin-embedder-policy', 'require-corp')
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(isScript ? bundle : '<!doctype html><script src="/page.js"></script>')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const profile = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  const errors = []
  let context
  const close = async () => {
    await context?.close()
    server.closeAllConnections()
    server.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    context = await chromium.launchPersistentContext(profile, {
      ...chromiumLaunch,
      args: [...chromiumLaunch.args, '--js-flags=--expose-gc'],
      headless: true,
    })
    version = context.browser()?.version() ?? version
    const tabs = []
    for (let i = 0; i < count; i++) {
      const tab = await context.newPage()
      tab.on('pageerror', (error) => errors.push(error.message))
      tab.on('console', (line) => line.type() === 'error' && errors.push(line.text()))
      await tab.goto(`http://127.0.0.1:${server.address().port}/`)
      if (!(await tab.evaluate(() => globalThis.crossOriginIsolated && typeof gc === 'function'))) {
        throw new Error('the page is not isolated, or has no gc(): its clock would be too coarse')
      }
      tabs.push(tab)
    }
    return { tabs, call, close }
  } catch (error) {
    await close()
    throw error
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

async function bundled(script) {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, '../pages', script)],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    write: false,
  })
  return outputFiles[0].text
}

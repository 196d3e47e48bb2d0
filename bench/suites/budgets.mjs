// What a page pays: until it hears something, and what it has to load for it.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { root } from '../../scripts/lib/project.mjs'
import { openPages } from '../lib/pages.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

const SIZES = [
  ['in a page, with tabs and log', ['createBus'], 15],
  ['with a relay', ['createBus', 'relayLink'], 24],
]

export const about = {
  title: 'Start and size',
  text: 'What a page pays: until it hears something, and what it has to load for it.',
}

export async function run(bench) {
  const { tabs, open, call, close } = await openPages('start.mjs', 1)
  try {
    const [publisher] = tabs
    await call(publisher, 'start')
    await bench.budget({
      work: 'page start to first event heard',
      how: 'from navigationStart until a handler has an event that another tab publishes every few ms',
      unit: 'ms',
      budget: { atMost: 100 },
      rounds: 15,
      measure: async () => {
        const page = await open()
        const ms = await call(page, 'firstHeard')
        await page.close()
        return ms
      },
    })
    await call(publisher, 'stop')
  } finally {
    await close()
  }

  for (const [what, names, kilobytes] of SIZES) {
    await bench.budget({
      work: `what is loaded ${what}`,
      how: `import { ${names.join(', ')} }, minified, gzip, dependencies included`,
      unit: 'kB',
      budget: { atMost: kilobytes },
      rounds: 1,
      warmups: 0,
      measure: () => bundledSize(names),
    })
  }
}

/** In kB of 1,000 bytes. */
async function bundledSize(names) {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${names.join(', ')} } from '@crosstown/bus'`, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  return gzipSync(outputFiles[0].contents, { level: 9 }).length / 1_000
}

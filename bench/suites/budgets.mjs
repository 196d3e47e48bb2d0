// What a page pays: until it hears something, and what it has to load for it.
import { ENTRIES, sizesOf } from '../../scripts/lib/sizes.mjs'
import { openPages } from '../lib/pages.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

/** The design's, in kB of 1,000 bytes; those that hold are in scripts/lib/sizes.mjs. */
const SIZES = { 'in a page, with tabs and log': 15, 'with a relay': 24 }

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

  for (const [what, kilobytes] of Object.entries(SIZES)) {
    const { first, all } = await sizesOf(ENTRIES[what])
    for (const [when, { gzip }] of [
      ['with the page', first],
      ['with every part', all],
    ]) {
      await bench.budget({
        work: `what is loaded ${what}, ${when}`,
        how: `${ENTRIES[what]}, in chunks, minified, gzip, dependencies included`,
        unit: 'kB',
        budget: { atMost: kilobytes },
        rounds: 1,
        warmups: 0,
        measure: () => gzip / 1_000,
      })
    }
  }
}

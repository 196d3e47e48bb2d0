// The panel of the devtools, as it is built, in a real browser.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../scripts/lib/project.mjs'
import { openPages } from '../lib/pages.mjs'
import { quantile } from '../lib/stats.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

const EVENTS = 100_000
/** Events published at once, at most; a third of what is published is such a burst. */
const BURST = 200
const PANEL = join(root, 'packages/devtools-extension/dist/page')
/** How much is scrolled in a frame, as a wheel that is turned fast does. */
const SCROLL_PX = 400
const FRAMES = 300

export const about = {
  title: 'The panel',
  text: 'The panel as a page, in a real Chromium. 100,000 events of two tabs, two workers, a phone and two services, with some twenty steps each, in bursts of up to 200: from the first frame of a tap until the list has them all; what the panel then holds in memory; frames while it is scrolled. Then a page that publishes 5,000 events a second and works as much as it can besides: what work it gets done while the panel of another tab shows its events, against no panel. Beside what the panel does stands what the machine does without it: an empty list scrolled, and an inspector that shows nothing.',
}

export async function run(bench) {
  if (!existsSync(join(PANEL, 'index.html'))) {
    throw new Error('the panel is not built: run npm run build')
  }
  const { tabs, open, call, close } = await openPages('devtools.mjs', 1, { panel: PANEL })
  const [page] = tabs
  try {
    await bench.budget({
      work: `${EVENTS.toLocaleString('en')} events loaded`,
      how: 'from the first frame of a tap until the list shows them all',
      unit: 'ms',
      budget: { atMost: 500 },
      rounds: 7,
      warmups: 1,
      measure: () => withPanel(open, loaded),
    })
    await bench.budget({
      work: `memory of a panel with ${EVENTS.toLocaleString('en')} events`,
      how: 'heap and buffers after a garbage collection, less those of an empty panel',
      unit: 'kB',
      budget: { atMost: 150_000 },
      rounds: 3,
      warmups: 0,
      measure: async () => {
        const empty = await withPanel(open, heap, 1)
        const full = await withPanel(open, async (panel) => {
          await loaded(panel)
          return heap(panel)
        })
        return (full - empty) / 1_000
      },
    })
    await bench.budget({
      work: 'frames while the list is scrolled, of 100 the longest but one',
      how: `${FRAMES} frames of ${SCROLL_PX} px through ${EVENTS.toLocaleString('en')} rows; a frame is 16.7 ms`,
      unit: 'ms',
      budget: { atMost: 20 },
      rounds: 5,
      warmups: 1,
      measure: () =>
        withPanel(open, async (panel) => {
          await loaded(panel)
          return quantile(await scrolled(panel), 0.99)
        }),
    })

    await bench.budget({
      work: 'the same of a page with nothing in it',
      how: 'an empty list as long, scrolled alike: what this machine draws of it',
      unit: 'ms',
      budget: { atMost: 20 },
      rounds: 5,
      warmups: 1,
      measure: () =>
        withPanelAt(open, '', async (empty) => {
          await empty.evaluate(emptyList, EVENTS)
          return quantile(await scrolled(empty), 0.99)
        }),
    })

    await call(page, 'start')
    await bench.compare({
      work: 'work of a page that publishes 5,000 events a second, panel open',
      against: 'no panel open',
      unit: 'events/s',
      goal: { atLeast: 0.9 },
      rounds: 9,
      warmups: 1,
      ours: () =>
        withPanelAt(open, 'panel/?channel', async (panel) => {
          await panel.waitForFunction(() => document.body.textContent.includes('1 peer'))
          const done = await call(page, 'work')
          const { published } = done
          // All of it was shown, or the panel did not do what is measured.
          await panel.waitForFunction(
            (least) => Number(shownRows().replaceAll(',', '')) >= least,
            published,
          )
          return done.rate
        }),
      peer: async () => (await call(page, 'work')).rate,
    })
    await bench.compare({
      work: 'the same, inspected by a page that shows nothing',
      against: 'no panel open',
      unit: 'events/s',
      goal: { atLeast: 0.9 },
      rounds: 9,
      warmups: 1,
      ours: () =>
        withPanelAt(open, '', async (inspector) => {
          await call(inspector, 'inspect')
          const { rate, published } = await call(page, 'work')
          await call(inspector, 'told', published)
          return rate
        }),
      peer: async () => (await call(page, 'work')).rate,
    })
  } finally {
    await close()
  }
}

function withPanel(open, measure, events = EVENTS) {
  return withPanelAt(open, `panel/?demo=${events}&burst=${BURST}`, measure)
}

async function withPanelAt(open, path, measure) {
  const panel = await open(path)
  await panel.evaluate(() => {
    globalThis.shownRows = () => document.querySelector('.filter-count')?.textContent ?? ''
  })
  try {
    return await measure(panel)
  } finally {
    await panel.close()
  }
}

/**
 * Milliseconds until the list had all rows there are, as many as the panel keeps, and they were painted.
 * What waits for it draws no frames of its own.
 */
function loaded(panel) {
  return panel.evaluate(async (all) => {
    const isShown = () =>
      shownRows() === all && document.querySelector('.log-rows > .log-row') !== null
    await new Promise((resolve) => {
      const look = () => isShown() && resolve()
      new MutationObserver(look).observe(document.body, {
        subtree: true,
        childList: true,
        characterData: true,
      })
      look()
    })
    await new Promise((resolve) => requestAnimationFrame(resolve))
    // The next task comes after the frame.
    const { port1, port2 } = new MessageChannel()
    const painted = new Promise((resolve) => {
      port1.onmessage = resolve
    })
    port2.postMessage(null)
    await painted
    const first = performance.getEntriesByName('capture: first frame')
    return performance.now() - Math.min(...first.map((mark) => mark.startTime))
  }, EVENTS.toLocaleString('en'))
}

/** Makes a page an empty list as long as the panel's, scrolled to its end. */
function emptyList(rows) {
  const list = document.createElement('div')
  const inside = document.createElement('div')
  list.className = 'log-grid'
  list.style.cssText = 'contain: strict; height: 600px; overflow: hidden auto'
  inside.style.height = `${rows * 22}px`
  list.append(inside)
  document.body.append(list)
  list.scrollTop = list.scrollHeight
}

/** Milliseconds between frames while the list is scrolled up from its end. */
function scrolled(panel) {
  return panel.evaluate(
    async ([frames, px]) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
      const list = document.querySelector('.log-grid')
      const times = []
      let last = await frame()
      for (let i = 0; i < frames; i++) {
        list.scrollTop -= px
        const now = await frame()
        times.push(now - last)
        last = now
      }
      if (list.scrollTop <= 0) throw new Error('the list was at its start')
      return times
    },
    [FRAMES, SCROLL_PX],
  )
}

/** Bytes of a page's heap and of its buffers. */
async function heap(panel) {
  const session = await panel.context().newCDPSession(panel)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize, backingStorageSize = 0 } = await session.send('Runtime.getHeapUsage')
  await session.detach()
  return usedSize + backingStorageSize
}

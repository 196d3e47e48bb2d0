// From the tab that leads to the one that does next, in a browser that hides and freezes its tabs.
import { setTimeout as pause } from 'node:timers/promises'
import { startBareBrowser } from '../../e2e/lib/bare-browser.ts'
import { usesChromium } from '../lib/pages.mjs'
import { startRelay, untilClosed } from '../lib/processes.mjs'
import { serveSite } from '../lib/site.mjs'

export const needs = ['CROSSTOWN_CHROMIUM']

export const about = {
  title: 'Hand-over of leadership',
  text: 'Two tabs in a Chromium that hides and freezes its tabs as it does for people; one of them leads, that is, holds the connection to the relay.',
}

export async function run(bench) {
  const closing = []
  const kept = async (opening) => {
    const opened = await opening
    closing.push(() => (opened.stop ?? opened.close)())
    return opened
  }
  try {
    const relay = await kept(startRelay('memory'))
    const site = await kept(serveSite('handover.mjs'))
    const browser = await startBareBrowser()
    closing.push(untilClosed(() => browser.close()))
    const url = `${site.url}?relay=${encodeURIComponent(relay.url)}`
    // This tab stays, and leads between the rounds.
    const next = await opened(browser, url)
    const { product } = await next.send('Browser.getVersion')
    usesChromium(product.split('/').at(-1))

    /**
     * Opens a tab that leads, for it is the one in front, and lets `end` put an end to it. The time
     * is taken by the next leader's clock alone: it begins before the browser is told, so that the
     * way of that command is in it, too.
     */
    async function handOver(end) {
      await next.evaluate(() => bench.leads())
      const leader = await opened(browser, url)
      await leader.evaluate(() => bench.leads())
      await next.evaluate(() => bench.follows())
      await next.evaluate(() => bench.mark())
      await end(leader)
      const ms = await next.evaluate(() => bench.tookOver())
      return { ms, leader }
    }

    await bench.budget({
      work: 'hand-over when the tab that leads is closed',
      how: 'from the command to close it until bus.leader.get().self is true in the other tab',
      unit: 'ms',
      budget: { atMost: 50 },
      rounds: 15,
      warmups: 1,
      measure: async () => (await handOver((leader) => leader.send('Page.close'))).ms,
    })
    await bench.budget({
      work: 'hand-over when the tab that leads is frozen',
      how: 'from the command to freeze it until bus.leader.get().self is true in the other tab',
      unit: 'ms',
      budget: { atMost: 2_000 },
      rounds: 15,
      warmups: 1,
      measure: async () => {
        const frozen = { state: 'frozen' }
        const { ms, leader } = await handOver((tab) =>
          tab.send('Page.setWebLifecycleState', frozen),
        )
        await leader.close()
        return ms
      },
    })
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** A tab whose script runs. */
async function opened(browser, url) {
  const tab = await browser.open(url)
  const ready = () => tab.evaluate(() => globalThis.bench !== undefined).catch(() => false)
  while (!(await ready())) await pause(10)
  return tab
}

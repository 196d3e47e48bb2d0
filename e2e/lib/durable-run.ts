/** A durable consumer whose tab is killed again and again, while events come. */
import type { BrowserContext, Page } from '@playwright/test'

declare global {
  /** Tells this process of an event that is being handled; resolves when it is noted here. */
  var handled: (stream: string, n: number) => Promise<void>
}

export interface DurableRun {
  readonly events: number
  readonly kills: number
  readonly seed: number
  /** Writes each event to a database of the page's, in the transaction of its cursor. */
  readonly transact?: boolean
  /** URL of a page that has a bus at `peer`. */
  readonly url: (name: string) => string
}

export interface DurableOutcome {
  /** Calls of the handler. */
  readonly calls: number
  readonly lost: number
  /** An event before an earlier one of its stream. */
  readonly disorder: number
  readonly killed: number
  /** With `transact`: how many events have not exactly one effect. */
  readonly notOnce: number
}

const STREAMS = 10

/** Numbers from 0 to 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Kills the page's process; resolves when it is gone. */
export async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent('crash')
  void page.goto('chrome://crash').catch(() => {})
  await crashed
  await page.close()
}

/** Two tabs consume by turns; the one that has the turn is killed, and another one is opened. */
export async function durableRun(
  context: BrowserContext,
  { events, kills, seed, url, transact = false }: DurableRun,
): Promise<DurableOutcome> {
  const random = seeded(seed)
  const at = Array.from({ length: kills }, () => Math.floor(random() * events * 0.95))
  at.sort((a, b) => a - b)
  const heard = new Map<string, Set<number>>()
  let [calls, disorder, done] = [0, 0, 0]
  let holder: Page | undefined
  let news = Promise.withResolvers<void>()
  await context.exposeBinding('handled', ({ page }, stream: string, n: number) => {
    calls += 1
    holder = page
    const of = heard.get(stream) ?? new Set()
    heard.set(stream, of)
    if (!of.has(n)) {
      // Each stream counts from 0: all before it must have been handled.
      if (of.size !== n) disorder += 1
      of.add(n)
      done += 1
    }
    news.resolve()
    news = Promise.withResolvers()
  })
  const publisher = await context.newPage()
  await publisher.goto(url('publisher'))
  const consumer = async (): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(url('consumer'))
    if (transact) await page.evaluate(consumeOnce)
    else
      await page.evaluate(() => {
        peer.subscribe(
          'counted.one',
          (event) => globalThis.handled(event.stream as string, event.data as number),
          { durable: 'killed', orderBy: 'stream' },
        )
      })
    return page
  }
  const tabs = new Set([await consumer(), await consumer()])
  const published = publisher.evaluate(
    async ([events, streams]) => {
      for (let n = 0; n < events; n += streams) {
        await Promise.all(
          Array.from({ length: Math.min(streams, events - n) }, (_, s) =>
            peer.publish('counted.one', n / streams, { stream: `s-${s}` }),
          ),
        )
      }
    },
    [events, STREAMS] as const,
  )
  let killed = 0
  for (const threshold of at) {
    const consumes = (): boolean => holder !== undefined && tabs.has(holder)
    while (done < events && (done <= threshold || !consumes())) await news.promise
    const victim = (consumes() ? holder : [...tabs][0]) as Page
    tabs.delete(victim)
    await crash(victim)
    killed += 1
    tabs.add(await consumer())
  }
  await published
  while (done < events) await news.promise
  if (!transact) return { calls, lost: events - done, disorder, killed, notOnce: 0 }
  const counts = async (): Promise<number[]> => {
    const effects = await publisher.evaluate(effectsOf)
    const times = new Map<string, number>()
    for (const one of effects) times.set(one, (times.get(one) ?? 0) + 1)
    return [...times.values()]
  }
  // What was told of may not be committed yet.
  let all = await counts()
  while (all.length < events) all = await counts()
  const notOnce = all.filter((count) => count !== 1).length
  return { calls, lost: events - all.length, disorder: 0, killed, notOnce }
}

/** In the page: opens its own database, and consumes into it. */
async function consumeOnce(): Promise<void> {
  const request = indexedDB.open('own', 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore('effects', { autoIncrement: true })
    testing.createCursorStore(request.result)
  }
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  peer.subscribe(
    'counted.one',
    ({ stream, data }, { tx }) => {
      tx.objectStore('effects').add(`${stream} ${data}`)
      void globalThis.handled(stream as string, data as number)
    },
    { durable: 'killed', transact: { db, stores: ['effects'] } },
  )
}

/** In a page: what is in the database. */
async function effectsOf(): Promise<string[]> {
  const opened = indexedDB.open('own', 1)
  return new Promise((resolve) => {
    opened.onsuccess = () => {
      const all = opened.result.transaction('effects').objectStore('effects').getAll()
      all.onsuccess = () => {
        opened.result.close()
        resolve(all.result)
      }
    }
  })
}

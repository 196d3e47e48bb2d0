/**
 * One cart on several devices: each folds it from the room. What two of them change while both are
 * offline is the same for all once they are back, and for one that comes later.
 */
import type { BrowserContext, Page } from '@playwright/test'
import { expect, test } from './fixtures.ts'
import { type Wire, wireTo } from './lib/proxy.ts'

type Cart = Readonly<Record<string, number>>

declare global {
  var cart: { get(): Cart; readonly ready: Promise<void> }
}

const wires = new Set<Wire>()
const contexts = new Set<BrowserContext>()

test.afterEach(async () => {
  await Promise.all([...contexts].map((context) => context.close()))
  await Promise.all([...wires].map((wire) => wire.close()))
  wires.clear()
  contexts.clear()
})

/** In whatever order changes come, another order is another cart. */
function openCart(page: Page): Promise<void> {
  return page.evaluate(async () => {
    globalThis.cart = peer.project(
      'cart.*',
      (cart: Cart, { type, data }): Cart => {
        const { sku, quantity = 0 } = (data ?? {}) as { sku: string; quantity?: number }
        switch (type) {
          case 'cart.set':
            return { ...cart, [sku]: quantity }
          case 'cart.doubled':
            return { ...cart, [sku]: (cart[sku] ?? 0) * 2 }
          case 'cart.cleared':
            return {}
          default:
            return cart
        }
      },
      {},
      { key: 'cart' },
    )
    await cart.ready
  })
}

async function openDevice(
  { newContext }: { newContext: () => Promise<BrowserContext> },
  url: string,
): Promise<Page> {
  const context = await newContext()
  contexts.add(context)
  const page = await context.newPage()
  await page.goto(url)
  await openCart(page)
  return page
}

/** Publishes one change after the other; the cart has each when its promise resolves. */
function change(page: Page, ...changes: [type: string, sku?: string, quantity?: number][]) {
  return page.evaluate(async (all) => {
    for (const [type, sku, quantity] of all) {
      await peer.publish(type, sku === undefined ? undefined : { sku, quantity })
    }
    return cart.get()
  }, changes)
}

const cartOf = (page: Page) => page.evaluate(() => cart.get())
const relayOf = (page: Page) => expect.poll(() => page.evaluate(() => peer.status.relay))
const pendingOf = (page: Page) => page.evaluate(() => peer.outbox.get().pending)

test('carts changed on two devices that were offline end equal, also on a third that is new', async ({
  browser,
  relay,
  site,
}) => {
  const port = Number(new URL(relay.http).port)
  const wired = async (): Promise<Wire> => {
    const wire = await wireTo(port)
    wires.add(wire)
    return wire
  }
  const room = `cart-${Date.now()}`
  const address = (name: string, url: string) =>
    `${site}/?name=${name}&relay=${encodeURIComponent(url)}&room=${room}`
  const device = { newContext: () => browser.newContext() }
  const [near, far] = [await wired(), await wired()]
  const a = await openDevice(device, address('a', near.url))
  const b = await openDevice(device, address('b', far.url))
  // A second tab, which does not lead.
  const tab = await a.context().newPage()
  await tab.goto(address('tab', near.url))
  await openCart(tab)

  await relayOf(a).toBe('online')
  await change(a, ['cart.set', 'tea', 1], ['cart.set', 'cup', 2])
  for (const page of [a, b, tab]) await expect.poll(() => cartOf(page)).toEqual({ tea: 1, cup: 2 })

  near.cut()
  far.cut()
  await relayOf(a).toBe('offline')
  await relayOf(b).toBe('offline')
  expect(await change(a, ['cart.set', 'tea', 5], ['cart.doubled', 'cup'])).toEqual({
    tea: 5,
    cup: 4,
  })
  expect(
    await change(b, ['cart.cleared'], ['cart.set', 'tea', 7], ['cart.doubled', 'tea']),
  ).toEqual({ tea: 14 })
  await expect.poll(() => cartOf(tab)).toEqual({ tea: 5, cup: 4 })
  expect(await change(tab, ['cart.set', 'pot', 1])).toEqual({ tea: 5, cup: 4, pot: 1 })
  await expect.poll(() => cartOf(a)).toEqual({ tea: 5, cup: 4, pot: 1 })
  expect([await pendingOf(a), await pendingOf(b)]).toEqual([3, 3])

  // The one that comes back last has the last word.
  far.mend()
  await expect.poll(() => pendingOf(b)).toBe(0)
  near.mend()
  await expect.poll(() => pendingOf(a)).toBe(0)
  const agreed = { tea: 5, pot: 1, cup: 0 }
  for (const page of [a, b, tab]) await expect.poll(() => cartOf(page)).toEqual(agreed)

  const third = await openDevice(device, address('c', relay.url))
  await expect.poll(() => cartOf(third)).toEqual(agreed)
  // From the log alone, as it is when the page comes back.
  near.cut()
  await a.reload()
  await openCart(a)
  expect(await cartOf(a)).toEqual(agreed)
})

/**
 * One cart on several devices: each folds it from the room. What two of them change while both are
 * offline is the same for all once they are back, and for one that comes later.
 */
import type { Page } from '@playwright/test'
import { type Device, expect, test } from './lib/recorded.ts'

type Cart = Readonly<Record<string, number>>

declare global {
  var cart: { get(): Cart; readonly ready: Promise<void> }
}

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

async function openPage(device: Device, url: string): Promise<Page> {
  const page = await device.newPage(url)
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
  crosstown,
  relay,
  site,
}) => {
  const query = `relay=${encodeURIComponent(relay.url)}&room=cart-${Date.now()}`
  const address = (name: string) => `${site}/?name=${name}&${query}`
  const [near, far] = [crosstown, await crosstown.device('far')]
  const a = await openPage(near, address('a'))
  const b = await openPage(far, address('b'))
  // A second tab, which does not lead.
  const tab = await openPage(near, address('tab'))

  await relayOf(a).toBe('online')
  await change(a, ['cart.set', 'tea', 1], ['cart.set', 'cup', 2])
  for (const page of [a, b, tab]) await expect.poll(() => cartOf(page)).toEqual({ tea: 1, cup: 2 })

  await near.offline()
  await far.offline()
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
  const [ofNear, ofFar] = [await near.events('cart.*'), await far.events('cart.*')]
  expect([ofNear, ofFar].map(({ length }) => length)).toEqual([5, 5])

  // The one that comes back last has the last word.
  await far.online()
  await expect.poll(() => pendingOf(b)).toBe(0)
  await near.online()
  await expect.poll(() => pendingOf(a)).toBe(0)
  const agreed = { tea: 5, pot: 1, cup: 0 }
  for (const page of [a, b, tab]) await expect.poll(() => cartOf(page)).toEqual(agreed)
  for (const device of [near, far]) {
    await device.expectEvent('cart.*', { count: 8 })
    expect(await device.events('cart.*')).toHaveLength(8)
    expect(await device.errors()).toEqual([])
  }

  const third = await openPage(await crosstown.device('third'), address('c'))
  await expect.poll(() => cartOf(third)).toEqual(agreed)
  // From the log alone, as it is when the page comes back.
  await near.offline({ except: `${site}/**` })
  await a.reload()
  await openCart(a)
  expect(await cartOf(a)).toEqual(agreed)
})

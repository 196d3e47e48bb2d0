import { createRecordingBus, createTestNetwork, type TestContext } from '@crosstown/bus/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { orderStream } from '../catalogue/catalogue.ts'
import { checkoutSteps, type Services } from './checkout.ts'
import { type CheckoutBus, type Events, events } from './events.ts'
import { nextOf, runSaga } from './saga.ts'

const order: Events['order.created'] = {
  orderId: '7',
  customerId: 'c1',
  items: [{ sku: 'A1', quantity: 2, price: 350 }],
}

/** Services in memory: what they have done, by what they were asked. */
class Shop implements Services {
  readonly calls: string[] = []
  missing: readonly string[] = []
  declines = false
  courier: boolean | Error = true

  async reserve() {
    this.calls.push('reserve')
    return this.missing
  }
  async release() {
    this.calls.push('release')
  }
  async pay(_: string, amount: number) {
    this.calls.push(`pay ${amount}`)
    return this.declines ? undefined : 'p1'
  }
  async refund() {
    this.calls.push('refund')
    return 'p1'
  }
  async ship() {
    this.calls.push('ship')
    if (this.courier instanceof Error) throw this.courier
    return this.courier
  }
  async recall() {
    this.calls.push('recall')
  }
}

const place = (bus: CheckoutBus) =>
  bus.publish('order.created', order, { stream: orderStream('7'), metadata: { requestId: 'r1' } })

describe('on a bus that records', () => {
  async function run(shop: Shop) {
    await using bus = createRecordingBus({ events })
    runSaga(bus, checkoutSteps(shop))
    const created = await place(bus)
    await bus.waitFor(['order.confirmed', 'order.cancelled'])
    const published = bus.published()
    expect(new Set(published.map(({ correlationId }) => correlationId))).toEqual(
      new Set([created.id]),
    )
    expect(published.map(({ causationId }) => causationId)).toEqual([
      undefined,
      ...published.slice(0, -1).map(({ id }) => id),
    ])
    expect(published.every(({ metadata }) => metadata?.requestId === 'r1')).toBe(true)
    return published.map(({ type }) => type)
  }

  test('an order that goes well', async () => {
    const shop = new Shop()
    expect(await run(shop)).toEqual([
      'order.created',
      'inventory.reserved',
      'payment.authorized',
      'shipment.requested',
      'order.confirmed',
    ])
    expect(shop.calls).toEqual(['reserve', 'pay 700', 'ship'])
  })

  test('what fails first has nothing to undo', async () => {
    const shop = Object.assign(new Shop(), { missing: ['A1'] })
    expect(await run(shop)).toEqual(['order.created', 'inventory.missing', 'order.cancelled'])
    expect(shop.calls).toEqual(['reserve'])
  })

  test('what fails last undoes all before it, in reverse', async () => {
    const shop = Object.assign(new Shop(), { courier: false })
    expect(await run(shop)).toEqual([
      'order.created',
      'inventory.reserved',
      'payment.authorized',
      'shipment.refused',
      'payment.refunded',
      'inventory.released',
      'order.cancelled',
    ])
    expect(shop.calls).toEqual(['reserve', 'pay 700', 'ship', 'refund', 'release'])
  })
})

describe('on devices', () => {
  const open = (context: TestContext): CheckoutBus =>
    context.createBus<Events>({ name: 'shop', events, onError: () => {} })

  const typesOf = async (bus: CheckoutBus) =>
    (await bus.loadStream(orderStream('7'))).map(({ type }) => type)

  test('a tab that crashes in the middle is followed by another, which goes on', async () => {
    const network = createTestNetwork()
    const device = network.device('till')
    const context = device.open()
    const bus = open(context)
    const shop = new Shop()
    shop.courier = new Error('the courier does not answer')
    runSaga(bus, checkoutSteps(shop))
    await network.until(place(bus))
    await network.until(() => shop.calls.includes('ship'))
    context.crash()

    shop.courier = false
    const next = open(device.open())
    const cancelled = next.once('order.cancelled')
    runSaga(next, checkoutSteps(shop))
    expect((await network.until(cancelled)).data.reason).toBe('shipment.refused')
    expect(await network.until(typesOf(next))).toEqual([
      'order.created',
      'inventory.reserved',
      'payment.authorized',
      'shipment.refused',
      'payment.refunded',
      'inventory.released',
      'order.cancelled',
    ])
    expect(shop.calls.filter((call) => call === 'pay 700')).toHaveLength(1)
  })

  test('where two tabs run it, each step is recorded once', async () => {
    const network = createTestNetwork()
    const device = network.device('till')
    const tabs = [open(device.open()), open(device.open())] as const
    for (const bus of tabs) runSaga(bus, checkoutSteps(new Shop()))
    const confirmed = tabs[1].once('order.confirmed')
    await network.until(place(tabs[0]))
    await network.until(confirmed)
    await network.run(10_000)
    expect(await network.until(typesOf(tabs[0]))).toEqual([
      'order.created',
      'inventory.reserved',
      'payment.authorized',
      'shipment.requested',
      'order.confirmed',
    ])
  })

  test('what else happens to the order does not stop it', async () => {
    const network = createTestNetwork()
    const bus = open(network.device('till').open())
    const shop = new Shop()
    const shipped = Promise.withResolvers<boolean>()
    shop.ship = () => shipped.promise
    runSaga(bus, checkoutSteps(shop))
    await network.until(place(bus))
    const [item] = order.items
    const reserved = bus.once('payment.authorized')
    await network.until(reserved)
    const added = { orderId: '7', item: item! }
    await network.until(bus.publish('order.item_added', added, { stream: orderStream('7') }))
    const confirmed = bus.once('order.confirmed')
    shipped.resolve(true)
    await network.until(confirmed)
    expect(await network.until(typesOf(bus))).toContain('order.item_added')
  })
})

test('whatever fails, it ends, and either all steps are done or none is left done', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<readonly string[]>([], ['A1']),
      fc.boolean(),
      fc.boolean(),
      async (missing, declines, courier) => {
        const steps = checkoutSteps(Object.assign(new Shop(), { missing, declines, courier }))
        const happened = new Set<string>(['order.created'])
        for (let next = nextOf(steps, happened); next; next = nextOf(steps, happened)) {
          const { type } = await next(order)
          expect(happened.has(type)).toBe(false)
          happened.add(type)
        }
        const left = steps.filter(({ done, undone }) => happened.has(done) && !happened.has(undone))
        expect(left).toHaveLength(happened.has('order.confirmed') ? steps.length : 0)
      },
    ),
  )
})

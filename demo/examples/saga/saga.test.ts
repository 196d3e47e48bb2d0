import { createRecordingBus, createTestNetwork, type TestContext } from '@crosstown/bus/testing'
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { orderStream } from '../catalogue/catalogue.ts'
import { checkoutSteps } from './checkout.ts'
import { type CheckoutBus, type Events, events } from './events.ts'
import { nextOf, runSaga } from './saga.ts'

const order: Events['order.created'] = {
  orderId: '7',
  customerId: 'c1',
  items: [{ sku: 'A1', quantity: 2, price: 350 }],
}

/** What happens to an order that goes well. */
const WELL = [
  'order.created',
  'inventory.reserved',
  'payment.authorized',
  'shipment.requested',
  'order.confirmed',
]

/** The services, in one process: what they did, and what they are to say. */
class Shop {
  readonly calls: string[] = []
  missing: readonly string[] = []
  declines = false
  courier: () => boolean | Promise<boolean> = () => true

  serve(bus: CheckoutBus): this {
    const reply = <Reply>(call: string, value: Reply): Reply => {
      this.calls.push(call)
      return value
    }
    bus.respond('inventory.reserve', () => reply('reserve', this.missing))
    bus.respond('inventory.release', () => reply('release', undefined))
    bus.respond('payment.take', ({ data }) =>
      reply(`pay ${data.amount}`, this.declines ? undefined : 'p1'),
    )
    bus.respond('payment.give_back', () => reply('refund', 'p1'))
    bus.respond('shipment.order', () => {
      this.calls.push('ship')
      return this.courier()
    })
    bus.respond('shipment.recall', () => reply('recall', undefined))
    return this
  }
}

const place = (bus: CheckoutBus) =>
  bus.publish('order.created', order, { stream: orderStream('7'), metadata: { requestId: 'r1' } })

describe('on a bus that records', () => {
  async function run(shop: Shop) {
    await using bus = createRecordingBus<Events>({ events })
    shop.serve(bus)
    runSaga(bus, checkoutSteps(bus))
    const created = await place(bus)
    await bus.waitFor(['order.confirmed', 'order.cancelled'], { timeout: 30_000 })
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
    expect(await run(shop)).toEqual(WELL)
    expect(shop.calls).toEqual(['reserve', 'pay 700', 'ship'])
  })

  test('what fails first has nothing to undo', async () => {
    const shop = Object.assign(new Shop(), { missing: ['A1'] })
    expect(await run(shop)).toEqual(['order.created', 'inventory.missing', 'order.cancelled'])
    expect(shop.calls).toEqual(['reserve'])
  })

  test('what fails last undoes all before it, in reverse', async () => {
    const shop = Object.assign(new Shop(), { courier: () => false })
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
    const shop = new Shop().serve(open(device.open('worker')))
    shop.courier = () => new Promise(() => {})
    const context = device.open()
    const bus = open(context)
    runSaga(bus, checkoutSteps(bus))
    await network.until(place(bus))
    await network.until(() => shop.calls.includes('ship'))
    context.crash()

    shop.courier = () => false
    const next = open(device.open())
    const cancelled = next.once('order.cancelled')
    runSaga(next, checkoutSteps(next))
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

  test('where two tabs run it, each step is done once, and recorded once', async () => {
    const network = createTestNetwork()
    const device = network.device('till')
    const tabs = [open(device.open()), open(device.open())] as const
    const shop = new Shop().serve(tabs[0])
    for (const bus of tabs) runSaga(bus, checkoutSteps(bus))
    const confirmed = tabs[1].once('order.confirmed')
    await network.until(place(tabs[0]))
    await network.until(confirmed)
    await network.run(10_000)
    expect(shop.calls).toEqual(['reserve', 'pay 700', 'ship'])
    expect(await network.until(typesOf(tabs[0]))).toEqual(WELL)
  })

  test('where two devices run it, each step is recorded once; the services are on a third one', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const join = (device: string): CheckoutBus =>
      network.device(device).open().createBus<Events>({ name: 'shop', room: 'shop', events })
    const [one, two, services] = [join('one'), join('two'), join('services')]
    new Shop().serve(services)
    for (const bus of [one, two]) runSaga(bus, checkoutSteps(bus))
    await network.until(() => [one, two, services].every(({ status }) => status.relay === 'online'))
    const confirmed = two.once('order.confirmed')
    await network.until(place(one))
    await network.until(confirmed)
    expect(await network.settle()).toBe(true)
    expect(await network.until(typesOf(one))).toEqual(WELL)
  })

  test('services that are not there yet are asked again', async () => {
    const network = createTestNetwork()
    const device = network.device('till')
    const bus = open(device.open())
    runSaga(bus, checkoutSteps(bus))
    const confirmed = bus.once('order.confirmed')
    await network.until(place(bus))
    await network.run(1_000)
    expect(await network.until(typesOf(bus))).toEqual(['order.created'])

    const shop = new Shop().serve(open(device.open('worker')))
    await network.until(confirmed)
    expect(shop.calls).toEqual(['reserve', 'pay 700', 'ship'])
  })

  test('what else happens to the order does not stop it', async () => {
    const network = createTestNetwork()
    const bus = open(network.device('till').open())
    const shop = new Shop().serve(bus)
    const shipped = Promise.withResolvers<boolean>()
    shop.courier = () => shipped.promise
    runSaga(bus, checkoutSteps(bus))
    const confirmed = bus.once('order.confirmed')
    await network.until(place(bus))
    await network.until(() => shop.calls.includes('ship'))
    const added = { orderId: '7', item: order.items[0]! }
    await network.until(bus.publish('order.item_added', added, { stream: orderStream('7') }))
    shipped.resolve(true)
    await network.until(confirmed)
    expect(await network.until(typesOf(bus))).toEqual([
      ...WELL.slice(0, 3),
      'order.item_added',
      ...WELL.slice(3),
    ])
  })
})

test('whatever fails, it ends, and either all steps are done or none is left done', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<readonly string[]>([], ['A1']),
      fc.boolean(),
      fc.boolean(),
      async (missing, declines, courier) => {
        await using bus = createRecordingBus<Events>({ events })
        Object.assign(new Shop(), { missing, declines, courier: () => courier }).serve(bus)
        const steps = checkoutSteps(bus)
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

import { createBus, memoryLog } from '@crosstown/bus'
import { createTestNetwork, type TestNetwork } from '@crosstown/bus/testing'
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { describe, expect, test } from 'vitest'
import {
  type Catalogue,
  type CatalogueBus,
  catalogue,
  type Item,
  orderStream,
} from '../catalogue/catalogue.ts'
import { change } from './change.ts'
import { addItem, confirm, create, LIMIT } from './order.ts'

const item = (sku: string, price = 100): Item => ({ sku, quantity: 1, price })
const order = { orderId: '7', customerId: 'c1', items: [item('A1')] }

const skusOf = ({ items }: { readonly items: readonly Item[] }): string[] =>
  items.map(({ sku }) => sku)

describe('on one device', () => {
  const start = (): CatalogueBus =>
    createBus({ name: 'shop', log: memoryLog(), tabs: false, events: catalogue })

  test('an order is what its events make of it', async () => {
    await using bus = start()
    await change(bus, '7', create(order))
    await change(bus, '7', addItem('7', item('B2')))
    const confirmed = await change(bus, '7', confirm('7'))
    expect(confirmed.status).toBe('confirmed')
    expect(skusOf(confirmed)).toEqual(['A1', 'B2'])
    const events = await bus.loadStream(orderStream('7'))
    expect(events.map(({ type, revision }) => [type, revision])).toEqual([
      ['order.created', 1],
      ['order.item_added', 2],
      ['order.confirmed', 3],
    ])
  })

  test('what is not allowed leaves no event', async () => {
    await using bus = start()
    await expect(change(bus, '7', confirm('7'))).rejects.toThrow('not open')
    await change(bus, '7', create(order))
    await expect(change(bus, '7', create(order))).rejects.toThrow('there already')
    await expect(change(bus, '7', addItem('7', item('B2', LIMIT)))).rejects.toThrow('limit')
    expect(await bus.loadStream(orderStream('7'))).toHaveLength(1)
  })

  test('what changes nothing publishes nothing', async () => {
    await using bus = start()
    await change(bus, '7', create(order))
    await change(bus, '7', confirm('7'))
    await change(bus, '7', confirm('7'))
    expect(await bus.loadStream(orderStream('7'))).toHaveLength(2)
  })

  test('commands that race are decided one after the other', async () => {
    await using bus = start()
    await change(bus, '7', create(order))
    const skus = ['B', 'C', 'D', 'E']
    await Promise.all(skus.map((sku) => change(bus, '7', addItem('7', item(sku)))))
    const { status, ...rest } = await change(bus, '7', confirm('7'))
    expect(skusOf(rest).sort()).toEqual(['A1', ...skus])
    expect(status).toBe('confirmed')
  })
})

describe('on two devices', () => {
  /** A device whose bus is online; a bus does nothing before it is used. */
  async function join(network: TestNetwork, device: string): Promise<CatalogueBus> {
    const context = network.device(device).open()
    const bus = context.createBus<Catalogue>({ name: 'shop', room: 'c1', events: catalogue })
    await network.until(() => bus.status.relay === 'online')
    return bus
  }

  /** Both have the order. */
  async function start() {
    const network = createTestNetwork({ seed: 1, relay: simulatedRelay() })
    const [phone, laptop] = [await join(network, 'phone'), await join(network, 'laptop')]
    await network.until(change(phone, '7', create(order)))
    await network.settle()
    return { network, phone, laptop }
  }

  test('who was slower decides again, on what the other one did', async () => {
    const { network, phone, laptop } = await start()
    const both = [addItem('7', item('B2')), addItem('7', item('C3'))] as const
    await network.until(Promise.all([change(phone, '7', both[0]), change(laptop, '7', both[1])]))
    await network.settle()
    const events = await network.until(laptop.loadStream(orderStream('7')))
    expect(events.map(({ revision }) => revision)).toEqual([1, 2, 3])
    expect(await network.until(phone.loadStream(orderStream('7')))).toMatchObject(
      events.map(({ id, revision }) => ({ id, revision })),
    )
  })

  test('the limit holds, though each of the two would have been within it', async () => {
    const { network, phone, laptop } = await start()
    const half = item('B2', LIMIT / 2)
    const outcomes = await network.until(
      Promise.allSettled([
        change(phone, '7', addItem('7', half)),
        change(laptop, '7', addItem('7', half)),
      ]),
    )
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const refused = outcomes.find(({ status }) => status === 'rejected')
    expect(refused).toMatchObject({ reason: { message: 'order 7 would be over the limit' } })
  })

  test('offline a device builds on what it has, and decides again when it is back', async () => {
    const { network, phone, laptop } = await start()
    network.device('phone').offline()
    const waiting = [
      change(phone, '7', addItem('7', item('B2'))),
      change(phone, '7', addItem('7', item('C3'))),
    ]
    await network.run(5_000)
    await network.until(change(laptop, '7', addItem('7', item('D4'))))
    network.heal()
    await network.until(Promise.all(waiting))
    await network.settle()
    const events = await network.until(laptop.loadStream(orderStream('7')))
    expect(events.map(({ revision }) => revision)).toEqual([1, 2, 3, 4])
  })
})

import { createTestNetwork } from '@crosstown/bus/testing'
import { expect, test } from 'vitest'
import { type Catalogue, catalogue, orderStream } from '../catalogue/catalogue.ts'
import { collectFacts, type Fact } from './analytics.ts'
import { type Message, notifyCustomers } from './notifications.ts'

const order = (orderId: string): Catalogue['order.created'] => ({
  orderId,
  customerId: `customer of ${orderId}`,
  items: [{ sku: 'A1', quantity: 1, price: 350 }],
})

/** An order that was created, on a bus of a page whose clock the test has. */
async function start(orderIds: readonly string[]) {
  const network = createTestNetwork()
  const bus = network
    .device('laptop')
    .open()
    .createBus<Catalogue>({
      name: 'shop',
      events: catalogue,
      onError: ({ code }) => errors.push(code),
    })
  const errors: string[] = []
  for (const id of orderIds)
    await network.until(bus.publish('order.created', order(id), { stream: orderStream(id) }))
  return { network, bus, errors }
}

test('a customer is told, also when the mail service fails at first', async () => {
  const { network, bus, errors } = await start(['7'])
  const sent: Message[] = []
  let failures = 2
  notifyCustomers(bus, {
    async send(message) {
      if (failures-- > 0) throw new Error('the mail service is away')
      sent.push(message)
    },
  })
  const { id } = await network.until(bus.publish('order.confirmed', { orderId: '7' }))
  await network.until(() => sent.length > 0)
  expect(sent).toEqual([
    { key: id, customerId: 'customer of 7', subject: 'Your order is on its way' },
  ])
  expect(errors).toEqual([])
})

test('one tab sends a mail, whatever tab the order was confirmed in, and another takes over', async () => {
  const { network, bus } = await start(['7', '8'])
  const device = network.device('laptop')
  const sent: string[] = []
  const send = (tab: string) => async (message: Message) => {
    sent.push(`${tab}: ${message.customerId}`)
  }
  notifyCustomers(bus, { send: send('first') })
  await network.until(bus.publish('order.confirmed', { orderId: '7' }))
  await network.until(() => sent.length > 0)
  const other = device.open().createBus<Catalogue>({ name: 'shop', events: catalogue })
  notifyCustomers(other, { send: send('second') })
  await network.run(1_000)
  device.contexts[0]?.crash()
  await network.until(other.publish('order.confirmed', { orderId: '8' }))
  await network.until(() => sent.length > 1)
  expect(sent).toEqual(['first: customer of 7', 'second: customer of 8'])
})

test('a mail that hangs is given up and tried again; the others do not wait for it', async () => {
  const { network, bus } = await start(['7', '8'])
  const sent: string[] = []
  let hangs = true
  notifyCustomers(bus, {
    async send({ customerId }, { signal }) {
      if (customerId === 'customer of 7' && hangs) {
        hangs = false
        await new Promise((_, reject) => signal.addEventListener('abort', reject))
      }
      sent.push(customerId)
    },
  })
  await network.until(bus.publish('order.confirmed', { orderId: '7' }))
  await network.until(bus.publish('order.cancelled', { orderId: '8', reason: 'sold out' }))
  await network.until(() => sent.length === 2)
  expect(sent).toEqual(['customer of 8', 'customer of 7'])
})

test('a mail that cannot be sent is a dead letter, the others go out, and it may be sent later', async () => {
  const { network, bus, errors } = await start(['7', '8'])
  const sent: string[] = []
  let knowsCustomer = false
  notifyCustomers(bus, {
    async send({ customerId }) {
      if (customerId === 'customer of 7' && !knowsCustomer) throw new Error('no such address')
      sent.push(customerId)
    },
  })
  await network.until(bus.publish('order.confirmed', { orderId: '7' }))
  await network.until(bus.publish('order.confirmed', { orderId: '8' }))
  await network.until(() => errors.length > 0)
  expect(sent).toEqual(['customer of 8'])
  expect(await network.until(bus.deadLetters.list())).toMatchObject([
    { consumer: 'mail', reason: 'failed', attempts: 5, event: { data: { orderId: '7' } } },
  ])

  knowsCustomer = true
  await network.until(bus.deadLetters.redrive({ consumer: 'mail' }))
  await network.until(() => sent.length === 2)
  await network.run(1_000)
  expect(await network.until(bus.deadLetters.list())).toEqual([])
})

test('facts come in lists: full ones at once, the rest after a second', async () => {
  const { network, bus } = await start([])
  const lists: number[] = []
  collectFacts(bus, { insert: async (facts) => void lists.push(facts.length) })
  for (let n = 0; n < 250; n++) void bus.publish('order.confirmed', { orderId: `${n}` })
  await network.until(bus.flush())
  await network.until(() => lists.length === 2)
  expect(lists).toEqual([100, 100])
  await network.run(1_000)
  expect(lists).toEqual([100, 100, 50])
})

test('facts say what and when, and nothing of anybody', async () => {
  const { network, bus } = await start([])
  const facts: Fact[] = []
  collectFacts(bus, { insert: async (list) => void facts.push(...list) })
  const { time } = await network.until(bus.publish('user.deleted', { userId: 'u1' }))
  await network.run(1_000)
  expect(facts).toEqual([{ type: 'user.deleted', time }])
})

test('a warehouse that does not answer costs the oldest facts, and nobody else anything', async () => {
  const { network, bus, errors } = await start(['7'])
  const sent: Message[] = []
  collectFacts(bus, { insert: () => new Promise(() => {}) })
  notifyCustomers(bus, { send: async (message) => void sent.push(message) })
  for (let n = 0; n < 10_200; n++) void bus.publish('user.deleted', { userId: `${n}` })
  await network.until(bus.publish('order.confirmed', { orderId: '7' }))
  await network.until(() => sent.length === 1)
  expect(errors).toEqual(['buffer_overflow'])
})

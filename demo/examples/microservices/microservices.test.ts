import { afterEach, describe, expect, test } from 'vitest'
import { endAll, node, type Program, relay, start } from '../processes.ts'

const DENO = [
  'run',
  '--node-modules-dir=manual',
  '--allow-net',
  '--allow-env',
  '--allow-read',
  '--allow-sys',
]
const deno = process.env['CROSSTOWN_DENO']

const path = (service: string) => `demo/examples/microservices/${service}.ts`
const onNode = (service: string, url: string) => node(path(service), url)
const onDeno = (service: string, url: string) => start(deno!, [...DENO, path(service), url])

afterEach(endAll)

interface RoomEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly correlationId: string
  readonly causationId?: string
}

/** What the relay has of the room. */
async function roomOf(http: string): Promise<readonly RoomEvent[]> {
  const response = await fetch(`${http}/rooms/shop/events`)
  return ((await response.json()) as { events: RoomEvent[] }).events
}

describe.each([
  ['on Node', onNode],
  ['the payments on Deno', deno === undefined ? undefined : onDeno],
])('three services, %s', (_, startPayments) => {
  async function run(body: (services: Services) => Promise<void>): Promise<void> {
    const { url, http } = await relay()
    const orders = onNode('orders', url)
    await orders.line(/orders is online/)
    await body({ url, http, orders, startPayments: () => startPayments!('payments', url) })
  }
  interface Services {
    readonly url: string
    readonly http: string
    readonly orders: Program
    startPayments(): Program
  }

  test.skipIf(!startPayments)('each hears the one before, in one conversation', () =>
    run(async ({ url, http, orders, startPayments }) => {
      startPayments()
      onNode('shipping', url)
      orders.write('7')
      const [, id] = await orders.line(/^7 created \((.*)\)$/)
      const [, correlation] = await orders.line(/^7 is on its way \((.*)\)$/)
      expect(correlation).toBe(id)
      const events = await roomOf(http)
      expect(events.map(({ type, source }) => [type, source])).toEqual([
        ['order.created', 'orders'],
        ['payment.authorized', 'payments'],
        ['shipment.requested', 'shipping'],
      ])
      expect(events.map(({ causationId }) => causationId)).toEqual([
        undefined,
        events[0]?.id,
        events[1]?.id,
      ])
      expect(new Set(events.map(({ correlationId }) => correlationId))).toEqual(new Set([id]))
    }),
  )

  test.skipIf(!startPayments)(
    'one that was killed takes up what came meanwhile, and answers nothing twice',
    () =>
      run(async ({ url, http, orders, startPayments }) => {
        const payments = startPayments()
        onNode('shipping', url)
        orders.write('7')
        await orders.line(/^7 is on its way/)
        await payments.kill()
        orders.write('8')
        await orders.line(/^8 created/)
        startPayments()
        await orders.line(/^8 is on its way/)
        const events = await roomOf(http)
        expect(events.filter(({ type }) => type === 'payment.authorized')).toHaveLength(2)
      }),
  )
})

test('a service that runs twice answers once', async () => {
  const { url, http } = await relay()
  const orders = onNode('orders', url)
  const twice = [onNode('payments', url), onNode('payments', url)]
  await Promise.all(twice.map((service) => service.line(/payments is online/)))
  onNode('shipping', url)
  for (const id of ['7', '8', '9']) orders.write(id)
  for (const id of ['7', '8', '9'])
    await orders.line(/is on its way/).then(({ input }) => expect(input).toContain(id))
  const events = await roomOf(http)
  expect(events.filter(({ type }) => type === 'payment.authorized')).toHaveLength(3)
})

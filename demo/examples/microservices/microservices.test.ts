import { afterEach, beforeEach, expect, test } from 'vitest'
import { endAll, node, type Program, relay, start } from '../processes.ts'

const deno = process.env['CROSSTOWN_DENO']
const DENO = [
  '--node-modules-dir=manual',
  '--allow-net',
  '--allow-env',
  '--allow-read',
  '--allow-sys',
]

let url: string
let http: string
let orders: Program
beforeEach(async () => {
  const { url: at, http: same } = await relay()
  url = at
  http = same
  orders = onNode('orders')
  await orders.line(/orders is online/)
})
afterEach(endAll)

const path = (service: string) => `demo/examples/microservices/${service}.ts`
const onNode = (service: string) => node(path(service), url)

/** The service that is on Deno, where there is one. */
const payments = () =>
  deno === undefined ? onNode('payments') : start(deno, ['run', ...DENO, path('payments'), url])

interface RoomEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly correlationId: string
  readonly causationId?: string
}

/** What the relay has of the room. */
async function room(): Promise<readonly RoomEvent[]> {
  const response = await fetch(`${http}/rooms/shop/events?limit=1000`)
  return ((await response.json()) as { events: RoomEvent[] }).events
}

const authorized = async () =>
  (await room()).filter(({ type }) => type === 'payment.authorized').length

test('each service hears the one before, in one conversation', async () => {
  payments()
  onNode('shipping')
  orders.write('7')
  const [, id] = await orders.line(/^7 created \((.*)\)$/)
  const [, correlation] = await orders.line(/^7 is on its way \((.*)\)$/)
  expect(correlation).toBe(id)
  const events = await room()
  expect(events.map(({ type, source }) => [type, source])).toEqual([
    ['order.created', 'orders'],
    ['payment.authorized', 'payments'],
    ['shipment.requested', 'shipping'],
  ])
  const [created, paid] = events
  expect(events.map(({ causationId }) => causationId)).toEqual([undefined, created?.id, paid?.id])
  expect(new Set(events.map(({ correlationId }) => correlationId))).toEqual(new Set([id]))
})

test('a service that was killed takes up what came meanwhile, and answers nothing twice', async () => {
  const service = payments()
  onNode('shipping')
  orders.write('7')
  await orders.line(/^7 is on its way/)
  await service.kill()
  orders.write('8')
  await orders.line(/^8 created/)
  payments()
  await orders.line(/^8 is on its way/)
  expect(await authorized()).toBe(2)
})

test('instances of a service share the orders', async () => {
  const instances = [onNode('payments'), payments()]
  onNode('shipping')
  const taken = () => instances.map((service) => service.count(/takes the money/))
  let placed = 0
  // An instance that has just been started may come late to the first orders.
  while (taken().includes(0)) {
    for (let n = 0; n < 10; n++) orders.write(`${placed++}`)
    for (let n = 0; n < 10; n++) await orders.line(/is on its way/)
  }
  expect(taken().reduce((sum, count) => sum + count)).toBe(placed)
  expect(await authorized()).toBe(placed)
})

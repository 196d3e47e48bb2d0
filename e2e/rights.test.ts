import { type Bus, type BusError, createBus, type Gap, memoryLog, relayLink } from '@crosstown/bus'
import { type Auth, createRelay } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { expect, test } from './fixtures.ts'

type Any = Record<string, unknown>

/** A token is the name of its user and what they may do: `ann:publish=cart.**:subscribe=**`. */
const auth: Auth = (token = '') => {
  const [subject = '', publish, subscribe] = token.split(':')
  if (publish === undefined || subscribe === undefined) return undefined
  return { subject, rights: { publish: publish.split(','), subscribe: subscribe.split(',') } }
}

let server: RelayServer
const buses: Bus<Any>[] = []

test.beforeEach(async () => {
  server = await serve(createRelay({ auth, onError: () => {} }), { port: 0 })
})
test.afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
  await server.close()
})

function join(token: string, errors: BusError[] = [], gaps: Gap[] = []): Bus<Any> {
  const bus = createBus<Any>({
    name: 'rights',
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url: server.url, room: 'office', token }),
    onError: (error) => errors.push(error),
    onGap: (gap) => gaps.push(gap),
  })
  buses.push(bus)
  return bus
}

/** What a bus hears, by data. */
function listen(bus: Bus<Any>, pattern = '**'): unknown[] {
  const heard: unknown[] = []
  bus.subscribe(pattern, (event) => heard.push(event.data))
  return heard
}

const online = (bus: Bus<Any>) => expect.poll(() => bus.status.relay).toBe('online')

test('a right to publish is enforced: the event is refused for good, the others go on', async () => {
  const [writer, reader] = [join('ann:cart.**:**'), join('bob:**:**')]
  const heard = listen(reader)
  const refused = writer.once('$event.refused')
  await Promise.all([online(writer), online(reader)])
  const first = writer.publish('cart.added', 1, { until: 'relayed' })
  const second = writer.publish('order.created', 2, { until: 'relayed' })
  const third = writer.publish('cart.added', 3, { until: 'relayed' })
  await expect(second).rejects.toMatchObject({ code: 'forbidden', eventType: 'order.created' })
  const [{ position }, last] = [await first, await third]
  expect(position).not.toBe(last.position)
  await expect.poll(() => heard).toEqual([1, 3])
  const { data } = await refused
  expect(data).toMatchObject({ type: 'order.created', code: 'forbidden' })
  expect(writer.status.outbox).toEqual({ pending: 0, refused: 1 })
  // Refused by the room, it is still what happened on this device.
  expect((await writer.get(data.id))?.data).toBe(2)
})

test('events of one batch are refused together', async () => {
  const [writer, reader] = [join('ann:cart.**:**'), join('bob:**:**')]
  const heard = listen(reader)
  await Promise.all([online(writer), online(reader)])
  const batch = writer.publishBatch(
    [
      { type: 'cart.added', data: 1 },
      { type: 'order.created', data: 2 },
    ],
    { until: 'relayed' },
  )
  await expect(batch).rejects.toMatchObject({ code: 'forbidden' })
  await writer.publish('cart.added', 3, { until: 'relayed' })
  await expect.poll(() => heard).toEqual([3])
})

test('a right to read is enforced, and what is hidden leaves no gap', async () => {
  const gaps: Gap[] = []
  const [writer, reader] = [join('ann:**:**'), join('bob:**:cart.**', [], gaps)]
  const heard = listen(reader)
  await Promise.all([online(writer), online(reader)])
  for (let n = 0; n < 20; n++) {
    await writer.publish(n % 2 ? 'order.created' : 'cart.added', n, { until: 'relayed' })
  }
  await expect.poll(() => heard).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
  expect(gaps).toEqual([])
})

test('a token that is not accepted is told as refused, once, and not tried again and again', async () => {
  const errors: BusError[] = []
  const stranger = join('nobody', errors)
  void stranger.publish('cart.added', 1)
  await expect.poll(() => stranger.status.relay).toBe('refused')
  expect(stranger.status.lastError?.code).toBe('unauthorized')
  expect(errors.map((error) => error.code)).toEqual(['unauthorized'])
  // Nothing is lost: it waits for a token that is.
  expect(stranger.status.outbox.pending).toBe(1)
})

test('what is not persisted reaches other devices too, and no log', async () => {
  const [a, b] = [join('ann:**:**'), join('bob:**:**')]
  const heard = b.once('mouse.moved')
  await Promise.all([online(a), online(b)])
  const event = await a.publish('mouse.moved', { x: 1 }, { persist: false })
  expect((await heard).data).toEqual({ x: 1 })
  expect((await heard).id).toBe(event.id)
  expect(await b.get(event.id)).toBeUndefined()
})

test('a publisher over HTTP is heard, and counted once however often it repeats itself', async () => {
  const bus = join('ann:**:**')
  const heard = listen(bus, 'cart.**')
  await online(bus)
  const post = async (body: unknown) =>
    fetch(`${server.url}/rooms/office/events`, {
      method: 'POST',
      headers: { authorization: 'Bearer shop:cart.**:**', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const [first, again] = [
    await post({ id: 'mine-1', type: 'cart.added', data: { sku: 'A1' } }),
    await post({ id: 'mine-1', type: 'cart.added', data: { sku: 'A1' } }),
  ]
  expect([first.status, again.status]).toEqual([201, 200])
  expect(await again.json()).toEqual(await first.json())
  expect((await post({ type: 'order.created' })).status).toBe(403)
  await post({ type: 'cart.added', data: 'last' })
  await expect.poll(() => heard).toEqual([{ sku: 'A1' }, 'last'])
})

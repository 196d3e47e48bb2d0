/** A device that may read little of a busy room, on real sockets: no false gap, whatever happens. */
import { type Bus, createBus, type Gap, memoryLog, relayLink } from '@crosstown/bus'
import { type Auth, createRelay, type Relay } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { expect, test } from './fixtures.ts'
import { type Wire, wireTo } from './lib/proxy.ts'

type Any = Record<string, unknown>

/** A token is the name of its user, and the patterns they may read. */
const auth: Auth = (token = '') => {
  const [subject = '', ...subscribe] = token.split(' ')
  return subject === '' ? undefined : { subject, rights: { publish: ['**'], subscribe } }
}

let relay: Relay
let server: RelayServer
let wire: Wire
const buses: Bus<Any>[] = []

test.beforeEach(async () => {
  relay = createRelay({ auth, onError: () => {} })
  server = await serve(relay, { port: 0 })
  wire = await wireTo(server.port)
})
test.afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
  await wire.close()
  await server.close()
})

function join(url: string, token: () => string, gaps: Gap[] = []): Bus<Any> {
  const bus = createBus<Any>({
    name: 'narrow',
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url, room: 'office', token }),
    onGap: (gap) => gaps.push(gap),
  })
  buses.push(bus)
  return bus
}

const isOrder = ([type]: readonly [string, number]) => type.startsWith('order.')

test('a device with rights to order.** alone hears all orders once, and of no gap, through reconnects and a change of rights', async () => {
  const gaps: Gap[] = []
  let token = 'clerk order.** chat.**'
  const writers = ['ann **', 'bob **'].map((one) => join(server.url, () => one))
  const clerk = join(wire.url, () => token, gaps)
  const heard: unknown[] = []
  clerk.subscribe('**', (event) => heard.push([event.type, event.data]))
  await expect.poll(() => clerk.status.relay).toBe('online')

  const published: (readonly [string, number])[] = []
  const types = ['order.created', 'cart.added', 'order.item.added', 'user.seen', 'orders.listed']
  const busy = async (events: number) => {
    for (let n = 0; n < events; n++) {
      const event = [types[published.length % types.length] as string, published.length] as const
      published.push(event)
      const sent = writers.map((writer) => writer.publish(event[0], event[1]))
      if (n % 7 === 0) await Promise.all(sent)
    }
    await Promise.all(writers.map((writer) => writer.flush({ until: 'relayed' })))
  }

  await busy(50)
  for (let round = 0; round < 3; round++) {
    wire.cut()
    await busy(40)
    wire.mend()
    await busy(40)
    // The relay sends it away as well.
    relay.revoke(({ subject }) => subject === 'clerk')
    await busy(10)
    await expect.poll(() => clerk.status.relay).toBe('online')
  }
  // Less than before, and in another order: nothing was hidden that is shown now.
  token = 'clerk order.item.* order.created'
  relay.revoke(({ subject }) => subject === 'clerk')
  await busy(40)
  await expect.poll(() => heard.length).toBe(2 * published.filter(isOrder).length)
  for (const event of published.filter(isOrder))
    expect(heard.filter((one) => String(one) === String(event))).toHaveLength(2)
  expect(gaps).toEqual([])

  // More than before: what was hidden stays so, and that is told, once.
  token = 'clerk order.** cart.**'
  relay.revoke(({ subject }) => subject === 'clerk')
  await expect.poll(() => gaps.map(({ reason }) => reason)).toEqual(['rights_changed'])
  const before = heard.length
  await busy(5)
  await expect.poll(() => heard.length).toBe(before + 2 * 3)
  expect(gaps).toHaveLength(1)
})

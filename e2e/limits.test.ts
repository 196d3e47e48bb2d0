/** Real buses at a relay that has little room and little patience: they wait, and lose nothing. */
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { createRelay, type RelayOptions } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { expect, test } from './fixtures.ts'

type Any = Record<string, unknown>

const servers: RelayServer[] = []
const buses: Bus<Any>[] = []

test.afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(options: RelayOptions): Promise<RelayServer> {
  const server = await serve(createRelay({ onError: () => {}, ...options }), { port: 0 })
  servers.push(server)
  return server
}

function join({ url }: RelayServer, errors: unknown[] = []): Bus<Any> {
  const bus = createBus<Any>({
    name: 'limits',
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url, room: 'office' }),
    onError: (error) => errors.push(error),
  })
  buses.push(bus)
  return bus
}

test('a device that publishes too fast is slowed down, and everything it published arrives, in order', async () => {
  const server = await start({ limits: { connectionRate: 40, roomRate: 100 } })
  const errors: unknown[] = []
  const [writer, reader] = [join(server, errors), join(server, errors)]
  const heard: unknown[] = []
  reader.subscribe('**', (event) => heard.push(event.data))
  await expect.poll(() => reader.status.relay).toBe('online')
  await expect.poll(() => writer.status.relay).toBe('online')
  const total = 500
  const relayed = []
  for (let n = 0; n < total; n++) {
    relayed.push(writer.publish('load.sent', n, { until: 'relayed' }))
    // Batches of a few: the first 400 are saved up, and the rest waits.
    if (n % 5 === 0) await writer.flush({ until: 'logged' })
  }
  await Promise.all(relayed)
  await expect.poll(() => heard.length).toBe(total)
  expect(heard).toEqual(Array.from({ length: total }, (_, n) => n))
  expect(writer.status.outbox).toEqual({ pending: 0, refused: 0 })
  expect(writer.status.relay).toBe('online')
  expect(errors).toEqual([])
})

test('a device that finds no room keeps its outbox, and sends it when there is room', async () => {
  const server = await start({ limits: { connections: 1 } })
  const first = join(server)
  await first.publish('first.said', 1, { until: 'relayed' })
  const errors: unknown[] = []
  const second = join(server, errors)
  await second.publish('second.said', 2)
  // It came to the door, and was sent away.
  await expect.poll(() => second.status.relay).toBe('offline')
  expect(second.status.outbox.pending).toBe(1)
  await first.close()
  await second.flush({ until: 'relayed' })
  expect(second.status.outbox).toEqual({ pending: 0, refused: 0 })
  const types: string[] = []
  for await (const event of second.replay({ order: 'room' })) types.push(event.type)
  expect(types).toEqual(['first.said', 'second.said'])
})

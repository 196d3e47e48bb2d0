/** Buses behind a relay that runs on sockets, seen by an inspector of their room. */
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { eventsOf } from '@crosstown/bus/inspect'
import { deviceName } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { LogRecord } from '../log.ts'
import type { RelayOptions } from '../options.ts'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'
import { connectInspector, type InspectorProbe } from '../testing/inspector.ts'

type Shop = { 'order.created': { id: string }; 'order.shipped': { id: string } }

const closing: { close(): Promise<unknown> | unknown }[] = []
afterEach(async () => {
  for (const open of closing.splice(0).reverse()) await open.close()
})

async function relayServer(options: RelayOptions = {}): Promise<RelayServer> {
  const server = await serve(createRelay(options), { port: 0 })
  closing.push(server)
  return server
}

/** A service with a log of its own: a device. */
function service(server: RelayServer, name: string, room = 'shop', inspect?: boolean): Bus<Shop> {
  const relay = relayLink({
    url: server.url,
    room,
    ...(inspect !== undefined && { inspect }),
  })
  const bus = createBus<Shop>({ name, source: name, log: memoryLog(), relay })
  closing.push(bus)
  return bus
}

async function inspector(server: RelayServer, room = 'shop') {
  const url = `${server.url.replace('http', 'ws')}/rooms/${room}/inspect`
  const panel = await connectInspector(url)
  closing.push(panel)
  await panel.join()
  panel.attach()
  const { peer } = await panel.next('hello', ({ kind }) => kind === 'relay')
  return Object.assign(panel, { relay: peer })
}

const online = (bus: Bus<Shop>): Promise<void> =>
  new Promise((resolve) => {
    const off = bus.status.subscribe(({ relay }) => {
      if (relay === 'online') {
        resolve()
        queueMicrotask(() => off())
      }
    })
  })

/** The hello of a bus by its source. */
const helloOf = (panel: InspectorProbe, source: string) =>
  panel.next('hello', (hello) => hello.source === source)

describe('an inspector of a room', () => {
  it('sees a batch from the service that publishes it, over the relay, to the one that handles it', async () => {
    const server = await relayServer()
    const orders = service(server, 'orders')
    const stock = service(server, 'stock')
    const heard = new Promise<string>((resolve) => {
      stock.subscribe('order.*', ({ id }) => resolve(id))
    })
    await Promise.all([online(orders), online(stock)])
    const panel = await inspector(server)
    const [from, to] = await Promise.all([helloOf(panel, 'orders'), helloOf(panel, 'stock')])
    expect(from).toMatchObject({ kind: 'node', bus: 'orders', relay: { room: 'shop' } })
    const { id } = await orders.publish('order.created', { id: 'o1' }, { until: 'relayed' })
    expect(await heard).toBe(id)
    const has = ({ ids }: { ids: readonly unknown[] }): boolean =>
      JSON.stringify(ids).includes(from.peer)
    const of = (peer: string) => (record: { peer: string; ids: readonly unknown[] }) =>
      record.peer === peer && has(record)
    await panel.record(
      'published',
      ({ peer, events }) => peer === from.peer && eventsOf(events)[0]?.id === id,
    )
    await panel.record('committed', of(from.peer))
    await panel.record('received', of(panel.relay))
    await panel.record('confirmed', of(panel.relay))
    const posted = await panel.record('posted', of(panel.relay))
    expect(posted.to).toBe(to.device ?? deviceName(''))
    await panel.record('received', of(to.peer))
    await panel.record('handled', of(to.peer))
    await panel.record('confirmed', of(from.peer))
  })

  it('asks one of them, and no other inspector hears the answer', async () => {
    const server = await relayServer()
    const orders = service(server, 'orders')
    await online(orders)
    const panel = await inspector(server)
    const other = await inspector(server)
    const { peer } = await helloOf(panel, 'orders')
    const { id } = await orders.publish('order.created', { id: 'o1' }, { until: 'relayed' })
    panel.ask(peer, 7, { what: 'payload', event: id })
    const answer = await panel.next('answer')
    expect(answer).toMatchObject({ peer, session: 'panel', id: 7, result: { type: 'object' } })
    other.sendRaw('{"frame":"ping"}')
    await other.next('heartbeat')
    expect(other.unread.filter(({ frame }) => frame === 'answer')).toEqual([])
  })

  it('sees a service that comes later, and hears that one has gone', async () => {
    const server = await relayServer()
    const panel = await inspector(server)
    const orders = service(server, 'orders')
    orders.subscribe('order.*', () => {})
    const { peer } = await helloOf(panel, 'orders')
    await orders.publish('order.created', { id: 'o1' })
    await panel.record('published', (record) => record.peer === peer)
    await orders.close()
    await panel.next('left', ({ peers }) => peers.includes(peer))
  })

  it('sees all contexts of a device, and none of another room', async () => {
    const server = await relayServer()
    const one = createBus<Shop>({
      name: 'twins',
      source: 'one',
      relay: relayLink({ url: server.url, room: 'shop' }),
    })
    const two = createBus<Shop>({
      name: 'twins',
      source: 'two',
      relay: relayLink({ url: server.url, room: 'shop' }),
    })
    const secret = service(server, 'secret', 'elsewhere')
    closing.push(one, two)
    await Promise.all([online(one), online(two), online(secret)])
    const panel = await inspector(server)
    const other = await inspector(server, 'elsewhere')
    await Promise.all([helloOf(panel, 'one'), helloOf(panel, 'two')])
    const { peer } = await helloOf(other, 'secret')
    await secret.publish('order.created', { id: 'hidden' })
    await one.publish('order.created', { id: 'o1' })
    await other.record('published')
    await panel.record('published')
    panel.ask(peer, 1, { what: 'store' })
    expect(await panel.next('answer')).toMatchObject({ error: { code: 'not_found' } })
    expect(panel.records.some((record) => record.peer === peer)).toBe(false)
    expect(panel.unread.some((frame) => 'peer' in frame && frame.peer === peer)).toBe(false)
    const third = createBus<Shop>({
      name: 'twins',
      source: 'three',
      relay: relayLink({ url: server.url, room: 'shop' }),
    })
    closing.push(third)
    third.subscribe('order.*', () => {})
    await helloOf(panel, 'three')
  })

  it('that stops reading is closed so that it may come back, and nobody waits for it', async () => {
    const limits = { pauseBytes: 64 * 1024, bufferBytes: 128 * 1024 }
    let slow = (): void => {}
    const found = new Promise<void>((resolve) => {
      slow = resolve
    })
    const log = ({ code }: LogRecord): void => {
      if (code === 'slow_reader') slow()
    }
    const server = await relayServer({ limits, log })
    const orders = service(server, 'orders')
    const stock = service(server, 'stock')
    await Promise.all([online(orders), online(stock)])
    const panel = await inspector(server)
    await helloOf(panel, 'orders')
    panel.pause()
    // It reads again before the relay lets go of who does not answer its close.
    void found.then(() => panel.resume())
    // More than the relay and the system's sockets hold between them.
    for (let batch = 0; batch < 60; batch++) {
      const events = Array.from({ length: 500 }, (_, i) => ({
        type: 'order.created' as const,
        data: { id: `${batch}-${i}` },
        metadata: { requestId: 'x'.repeat(200) },
      }))
      await orders.publishBatch(events, { until: 'relayed' })
    }
    const heard = new Promise<void>((resolve) => {
      stock.subscribe('order.shipped', () => resolve())
    })
    await orders.publish('order.shipped', { id: 'last' }, { until: 'relayed' })
    await heard
    expect(await panel.next('error')).toMatchObject({ code: 'slow_reader' })
    expect(await panel.end()).toEqual({ code: 3002, reason: 'slow_reader' })
  }, 60_000)

  it('does not see a device that does not want it', async () => {
    const server = await relayServer()
    const hidden = service(server, 'hidden', 'shop', false)
    const shown = service(server, 'shown')
    await Promise.all([online(hidden), online(shown)])
    const panel = await inspector(server)
    await helloOf(panel, 'shown')
    await hidden.publish('order.created', { id: 'o1' }, { until: 'relayed' })
    await panel.record('received', ({ peer }) => peer === panel.relay)
    expect(panel.unread.some((frame) => 'source' in frame && frame.source === 'hidden')).toBe(false)
  })
})

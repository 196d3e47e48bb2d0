// The model on what real buses tell: no frame of theirs may be unreadable here.
import { type Bus, createBus } from '@crosstown/bus'
import { afterEach, expect, test } from 'vitest'
import { createHub, type InspectorHub } from './hub.ts'
import { createFiltered } from './query/filtered.ts'
import { ChannelSource } from './testing/channel-source.ts'

type Shop = { 'cart.item_added': { sku: string }; 'cart.checked': { sku: string } }

const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

function shop(source: string): Bus<Shop> {
  const bus = createBus<Shop>({ name: 'shop', source, onError: () => {} })
  open.push(bus)
  return bus
}

function inspect(): InspectorHub {
  const hub = createHub([new ChannelSource()])
  open.push(hub)
  return hub
}

async function until(condition: () => unknown): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('an event of a real bus is a row, with who handled it and what became of it', async () => {
  const one = shop('one')
  const other = shop('other')
  const hub = inspect()
  const { session } = hub
  one.subscribe('cart.*', () => {})
  other.subscribe('cart.item_added', (event, ctx) => {
    void ctx.publish('cart.checked', { sku: event.data.sku })
  })
  other.subscribe('cart.checked', () => {
    throw new Error('out of paper')
  })
  await until(() => session.peers.size === 2)
  await until(() =>
    [...session.peers.values()].every(({ subscriptions }) => subscriptions.size > 0),
  )
  const { id } = await one.publish('cart.item_added', { sku: 'A1' })
  await until(() => session.event(id)?.state === 'logged' && session.event(id)!.delivered === 2)
  const row = session.event(id)!
  expect(row).toMatchObject({
    direction: 'out',
    expected: 2,
    failures: 0,
    event: { type: 'cart.item_added' },
  })
  expect(row.latency).toBeGreaterThanOrEqual(0)
  expect(session.peers.get(row.publisher)!.name).toBe('one · node')
  await until(() => session.effects(id)[0]?.failures)
  const [effect] = session.effects(id)
  expect(effect).toMatchObject({ event: { type: 'cart.checked', causationId: id } })
  expect(session.conversation(id).map(({ event }) => event.type)).toEqual([
    'cart.item_added',
    'cart.checked',
  ])
  expect(createFiltered(session, 'error:"out of paper"').length).toBe(1)
  const kinds = new Set(session.steps(id).map(({ is }) => is))
  for (const kind of ['published', 'committed', 'received', 'matched', 'handled'] as const)
    expect(kinds, kind).toContain(kind)
  expect(session.malformed).toEqual({ count: 0, reasons: [] })
})

test('data is asked for, and searched, where it is', async () => {
  const bus = shop('one')
  bus.subscribe('cart.*', () => {})
  const hub = inspect()
  const { session } = hub
  await until(() => session.peers.size === 1)
  const { id } = await bus.publish('cart.item_added', { sku: 'B2' })
  await bus.publish('cart.item_added', { sku: 'C3' })
  await until(() => session.types.get('cart.item_added') === 2)
  const [peer] = session.peers.keys()
  expect(await hub.ask(peer!, { what: 'payload', event: id })).toMatchObject({ type: 'object' })
  const filtered = createFiltered(session, 'data.sku:B2', hub)
  open.push(filtered)
  await until(() => filtered.length === 1)
  expect(filtered.at(0)).toMatchObject({ id })
  // What comes later is looked at as well.
  const later = await bus.publish('cart.item_added', { sku: 'B2' })
  await until(() => filtered.length === 2)
  expect(filtered.at(1)).toMatchObject({ id: later.id })
  // Another panel watches for something else: what it finds is none of this one's.
  const other = createFiltered(session, '', inspect())
  open.push(other)
  other.setQuery('data.sku:C3')
  await bus.publish('cart.item_added', { sku: 'C3' })
  const last = await bus.publish('cart.item_added', { sku: 'B2' })
  await until(() => filtered.length === 3)
  expect(filtered.at(2)).toMatchObject({ id: last.id })
})

test('a durable consumer is told of with what it gave up, and is given that again', async () => {
  const bus = shop('one')
  let paper = false
  bus.subscribe(
    'cart.*',
    (_, ctx) => {
      if (!paper) ctx.term('out of paper')
    },
    { durable: 'printer', from: 'start' },
  )
  bus.subscribe('cart.*', () => {}, { concurrency: 2 })
  const hub = inspect()
  await until(() => hub.session.peers.size === 1)
  const [peer] = hub.session.peers.keys()
  const { id } = await bus.publish('cart.item_added', { sku: 'A1' })
  const asked = () => hub.ask(peer!, { what: 'consumers' })
  const dead = () => hub.ask(peer!, { what: 'dead', limit: 10 })
  while ((await dead()).total === 0) await bus.flush()
  while ((await asked()).consumers[0]?.dead !== 1) await bus.flush()
  expect(await asked()).toMatchObject({
    consumers: [{ name: 'printer', patterns: ['cart.*'], state: 'here', pending: 0, lag: 0 }],
    groups: [],
    handlers: [{ patterns: ['cart.*'], concurrency: 2 }],
  })
  const { letters, total } = await dead()
  expect(letters).toMatchObject([
    {
      event: id,
      type: 'cart.item_added',
      consumer: 'printer',
      reason: 'terminated',
      detail: 'out of paper',
      attempts: 1,
    },
  ])
  expect(total).toBe(1)
  paper = true
  expect(await hub.ask(peer!, { what: 'redrive', letters: [letters[0]!.id] })).toEqual({
    letters: 1,
  })
  while ((await dead()).total > 0) await bus.flush()
})

test('who closes is gone, and said so', async () => {
  const bus = shop('one')
  bus.subscribe('cart.*', () => {})
  const { session } = inspect()
  await until(() => session.peers.size === 1)
  await bus.close()
  await until(() => [...session.peers.values()][0]!.state === 'gone')
})

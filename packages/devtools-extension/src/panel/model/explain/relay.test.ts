/** What only a relay can say of an event: real buses, a real relay on sockets, and its own tap. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { type Auth, createRelay, type RelayRights } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { afterEach, expect, it } from 'vitest'
import { relaySource } from '../../../sources/relay.ts'
import { createHub } from '../hub.ts'
import type { LedgerEntry, Session } from '../model.ts'
import { explainEvent, ledgerOf, sequenceOf } from './index.ts'

type Events = Record<string, unknown>

const RIGHTS: { readonly [token: string]: RelayRights } = {
  all: { publish: ['**'], subscribe: ['**'] },
  narrow: { publish: ['fine.*'], subscribe: ['fine.*'] },
  panel: { publish: [], subscribe: [], inspect: true },
}

const auth: Auth = (token = '') => {
  const rights = RIGHTS[token]
  return rights && { subject: token, rights }
}

const closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const open of closing.splice(0).reverse()) await open.close()
})

async function room() {
  const server = await serve(createRelay({ auth }), { port: 0 })
  const hub = createHub([relaySource({ url: server.url, room: 'shop', token: 'panel' })])
  closing.push(server, hub)
  return { server, hub, session: hub.session }
}

/** A service of its own, with the right of a token; resolves when it is online and inspected. */
async function service(
  { server, session }: { readonly server: RelayServer; readonly session: Session },
  source: string,
  token: string,
  patterns: readonly string[] = [],
  url: string = server.url,
): Promise<{ readonly bus: Bus<Events>; readonly peer: string }> {
  const relay = relayLink({ url, room: 'shop', token })
  const onError = () => {}
  const bus = createBus<Events>({ name: source, source, log: memoryLog(), relay, onError })
  closing.push(bus)
  bus.subscribe('test.none', () => {})
  for (const pattern of patterns) bus.subscribe(pattern, () => {})
  const peerOf = () => [...session.peers.values()].find(({ hello }) => hello.source === source)
  await until(session, () => peerOf()?.status.relay === 'online')
  return { bus, peer: peerOf()?.id as string }
}

/** A way to a port for one device, that can be cut. */
async function wireTo(port: number): Promise<{ readonly url: string; cut(): Promise<void> }> {
  const ends = new Set<Socket>()
  const wire = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const end of [near, far]) {
      ends.add(end)
      end.on('error', () => {})
    }
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve))
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => wire.close(resolve))
    for (const end of ends) end.destroy()
    await closed
  }
  closing.push({ close: () => (wire.listening ? cut() : undefined) })
  return { url: `ws://127.0.0.1:${(wire.address() as AddressInfo).port}`, cut }
}

/** Resolves when something holds of the session. */
function until(session: Session, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (holds()) {
      resolve()
      return
    }
    const off = session.subscribe(() => {
      if (!holds()) return
      off()
      resolve()
    })
  })
}

async function entryOf(
  session: Session,
  id: string,
  peer: string,
  is: (entry: LedgerEntry) => boolean,
): Promise<LedgerEntry> {
  const find = () => ledgerOf(session, id).find((entry) => entry.peer === peer && is(entry))
  await until(session, () => find() !== undefined)
  return find() as LedgerEntry
}

it('a device without the right to read a type is said to have none, by the relay', async () => {
  const town = await room()
  const { session } = town
  const { bus } = await service(town, 'orders', 'all')
  const reader = await service(town, 'reader', 'narrow', ['secret.*'])
  const { id } = await bus.publish('secret.thing', 1, { until: 'relayed' })
  const entry = await entryOf(session, id, reader.peer, ({ why }) => why.startsWith('The relay'))
  expect(entry).toMatchObject({ outcome: 'no_right', expected: false })
  expect(entry.why).toBe(
    'The relay did not send it: the token of reader · node does not allow reading secret.thing, only fine.*. Give its token the right in rights.subscribe.',
  )
  const relay = [...session.peers.values()].find(({ hello }) => hello.kind === 'relay')
  const said = await entryOf(
    session,
    id,
    relay?.id ?? '',
    ({ why }) => why.includes('may not read') && why.includes('after it was published'),
  )
  expect(said).toMatchObject({ outcome: 'received', expected: false })
  expect(said.why).toMatch(
    /^The relay took it at place \d+ of the room, [^,]* after it was published, and sent it to no device yet\. 1 device may not read secret\.thing: reader · node\.$/,
  )
})

it('an event that the relay refuses is said to be refused, why, and what to do', async () => {
  const town = await room()
  const { session } = town
  const publisher = await service(town, 'writer', 'narrow')
  const reader = await service(town, 'reader', 'all', ['order.*'])
  const { id } = await publisher.bus.publish('order.placed', 1)
  const entry = await entryOf(session, id, reader.peer, ({ outcome }) => outcome === 'refused')
  expect(entry).toMatchObject({
    expected: true,
    why: 'The relay refused order.placed of writer · node (forbidden), so it never came to reader · node. The publisher’s token does not allow publishing order.placed: give it the right in rights.publish.',
  })
  expect(explainEvent(session, id)).toMatchObject({
    headline: 'order.placed of writer · node was refused (forbidden).',
    findings: expect.arrayContaining([
      expect.objectContaining({
        severity: 'problem',
        text: 'It was refused for good (forbidden), and is in no other log than that of writer · node. The publisher’s token does not allow publishing order.placed: give it the right in rights.publish.',
      }),
    ]),
  })
})

it('a device that lost the relay is said to be offline, and to get the event when it is back', async () => {
  const town = await room()
  const { session } = town
  const wire = await wireTo(town.server.port)
  const orders = await service(town, 'orders', 'all')
  const phone = await service(town, 'phone', 'all', ['order.*'], wire.url)
  await wire.cut()
  await until(session, () => session.peers.get(phone.peer)?.state === 'gone')
  const { id } = await orders.bus.publish('order.placed', 1, { until: 'relayed' })
  const entry = await entryOf(session, id, phone.peer, ({ outcome }) => outcome === 'offline')
  expect(entry.why).toMatch(
    /^phone · node has not been connected to the relay since [\d:.]+, .* before the event was published: the room keeps the event, and sends it when phone · node is back\.$/,
  )
})

it('the way over the relay is drawn: up, down, and the handler at its end', async () => {
  const town = await room()
  const { session } = town
  const orders = await service(town, 'orders', 'all')
  const stock = await service(town, 'stock', 'all', ['order.*'])
  const { id } = await orders.bus.publish('order.placed', 1, { until: 'relayed' })
  await entryOf(session, id, stock.peer, ({ outcome }) => outcome === 'handled')
  const arrows = () => {
    const { lanes, messages } = sequenceOf(session, [id])
    return messages.map(({ from, to, via }) => [lanes[from]?.name, lanes[to]?.name, via])
  }
  await until(session, () => arrows().length === 2)
  expect(arrows()).toEqual([
    ['orders · node', 'relay', 'relay'],
    ['relay', 'stock · node', 'relay'],
  ])
  const { messages, bars, notes = [] } = sequenceOf(session, [id])
  for (const { sent, arrived, ms } of messages) {
    expect(arrived).toBeGreaterThanOrEqual(sent)
    expect(ms).toBeGreaterThanOrEqual(0)
  }
  expect(bars).toHaveLength(1)
  expect(notes.filter((note) => note.includes('not drawn'))).toEqual([])
})

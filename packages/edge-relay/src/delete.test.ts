/** Rooms that are deleted: over HTTP, with real devices in them. */
import { createBus, type Gap, memoryLog, relayLink } from '@crosstown/bus'
import { parsePosition } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Auth } from './auth.ts'
import type { LogRecord } from './log.ts'
import type { RelayOptions } from './options.ts'
import { createRelay, type Relay } from './relay.ts'
import { serve } from './runtimes/node.ts'
import { memoryStore } from './stores/memory.ts'
import { EventStreamProbe } from './testing/event-stream-probe.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { helloOf, ProbeSocket, publishOf } from './testing/probe.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const auth: Auth = (token) => {
  const rights = { publish: ['**'], subscribe: ['**'] }
  if (token === 'user') return { subject: 'ann', rights }
  return token === 'admin' ? { subject: 'root', rights: { ...rights, delete: true } } : undefined
}

const remove = (relay: Relay, token?: string, room = 'r') =>
  relay.request(`/rooms/${room}`, {
    method: 'DELETE',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })

const codeOf = async (response: Response): Promise<[number, string]> => {
  const { error } = (await response.json()) as { error: { code: string } }
  return [response.status, error.code]
}

function setup(options: RelayOptions = {}) {
  const relay = createRelay({ platform: new ManualPlatform(), onError: () => {}, ...options })
  const connect = () => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' })).probe
  }
  return { relay, connect }
}

describe('DELETE /rooms/:room', () => {
  it('needs a right of its own, and the room', async () => {
    const log: LogRecord[] = []
    const { connect, relay } = setup({ auth, log: (record) => void log.push(record) })
    const probe = connect()
    await probe.join('d', { token: 'user' })
    expect(await codeOf(await remove(relay))).toEqual([401, 'unauthorized'])
    expect(await codeOf(await remove(relay, 'user'))).toEqual([403, 'forbidden'])
    expect(await codeOf(await remove(relay, 'admin', 'none'))).toEqual([404, 'not_found'])
    expect(probe.closed).toBe(undefined)
    expect((await remove(relay, 'admin')).status).toBe(204)
    expect(await probe.end()).toEqual({ code: 3000, reason: 'going_away' })
    expect(await codeOf(await remove(relay, 'admin'))).toEqual([404, 'not_found'])
    expect(log.filter(({ event }) => event === 'delete')).toMatchObject([
      { level: 'warn', room: 'r', subject: 'root' },
    ])
  })

  it('is asked of the hook of the application', async () => {
    const asked: string[] = []
    const { connect, relay } = setup({
      auth,
      authorize: ({ action, identity }) => {
        asked.push(`${identity.subject} ${action}`)
        return action !== 'delete'
      },
    })
    await connect().join('d', { token: 'user' })
    asked.length = 0
    expect(await codeOf(await remove(relay, 'admin'))).toEqual([403, 'forbidden'])
    expect(asked).toEqual(['root delete'])
  })

  it('leaves nothing that is read, and a room that begins anew', async () => {
    const { connect, relay } = setup()
    const before = connect()
    const { epoch } = await before.join('d')
    before.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    await before.next('ack')
    expect(await relay.deleteRoom('r')).toBe(true)
    expect((await relay.request('/rooms/r/stats')).status).toBe(404)
    expect(await (await relay.request('/rooms/r/events')).json()).toEqual({ events: [] })
    expect((await relay.request('/rooms/r/events/a-1')).status).toBe(404)
    const after = connect()
    const welcome = await after.join('d')
    expect(welcome.epoch).not.toBe(epoch)
    expect(parsePosition(welcome.head)?.place).toBe(0)
  })

  it('does not ask devices for what they had in it, and takes what they have beyond', async () => {
    const { connect, relay } = setup()
    const before = connect()
    await before.join('d')
    before.send(publishOf(1, undefined, ['a-1']), ['1'])
    const { position } = (await before.next('stream')).frame
    await relay.deleteRoom('r')
    const confirmed = { batch: 1, id: 'a-1' }
    const after = connect()
    const welcome = await after.join('d', { cursor: position, confirmed })
    expect(welcome).toMatchObject({ recovered: false, reason: 'new_epoch', taken: confirmed })
    after.send(publishOf(2, 1, ['a-2']), ['2'])
    expect((await after.next('ack')).frame.batch).toBe(2)
    // Of a room that was lost a device is asked for all it has.
    const lost = connect()
    const other = { cursor: 'elsewhere.1.abc', confirmed: { batch: 1, id: 'b-1' } }
    expect((await lost.join('other', other)).taken).toBe(undefined)
  })

  it('ends what waits for the room over HTTP', async () => {
    const relay = createRelay()
    const server = await serve(relay, { port: 0 })
    opened.push(() => server.close())
    const url = `${server.url}/rooms/r/events`
    const headers = { 'content-type': 'application/json' }
    const post = () => fetch(url, { method: 'POST', headers, body: '{"type":"a.b"}' })
    await post()
    const stream = await EventStreamProbe.open(url)
    await stream.next()
    const { head } = (await (await fetch(url)).json()) as { head: string }
    const waiting = fetch(`${url}?after=${head}&wait=60000`)
    await vi.waitFor(async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text()
      expect(text).toContain('crosstown_connections_inflight{kind="reader"} 2')
    })
    expect((await fetch(`${server.url}/rooms/r`, { method: 'DELETE' })).status).toBe(204)
    expect(((await (await waiting).json()) as { events: unknown[] }).events).toEqual([])
    while (await stream.next()) {
      // What it still tells before it ends.
    }
    expect((await post()).status).toBe(201)
  })

  it('waits for what is being written, and holds up what comes meanwhile', async () => {
    const store = memoryStore()
    const { connect, relay } = setup({ store })
    const probe = connect()
    await probe.join('d')
    const append = store.append.bind(store)
    let write = (): void => {}
    const held = new Promise<void>((resolve) => {
      write = resolve
    })
    store.append = async (...args) => {
      await held
      return append(...args)
    }
    probe.send(publishOf(1, undefined, ['a-1']), ['1'])
    const deleted = relay.deleteRoom('r')
    const again = relay.deleteRoom('r')
    probe.send(publishOf(2, 1, ['a-2']), ['2'])
    const late = connect()
    late.send(helloOf('late'))
    expect(await late.end()).toMatchObject({ reason: 'going_away' })
    write()
    expect((await probe.next('ack')).frame.batch).toBe(1)
    expect((await probe.next('reject')).frame).toMatchObject({ batch: 2, code: 'going_away' })
    expect([await deleted, await again]).toEqual([true, true])
    expect(await store.load('r')).toBe(undefined)
    await connect().join('late')
  })

  it('is not over, for whoever puts the relay out of memory, before nothing of it is left', async () => {
    const store = memoryStore()
    const { relay } = setup({ store, driven: true })
    const driver = relay.driver
    const post = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"type":"a"}',
    }
    expect((await relay.request('/rooms/r/events', post)).status).toBe(201)
    await vi.waitFor(() => expect(driver.dueMs).toBe(Number.POSITIVE_INFINITY))
    let purged = (_: boolean): void => {}
    store.purge = () =>
      new Promise((resolve) => {
        purged = resolve
      })
    expect(await relay.deleteRoom('r')).toBe(true)
    expect(driver.dueMs).toBe(Number.NEGATIVE_INFINITY)
    purged(false)
    await vi.waitFor(() => expect(driver.dueMs).toBe(Number.POSITIVE_INFINITY))
  })

  it('that two ask for is one', async () => {
    const { connect, relay } = setup({ metrics: 'open' })
    await connect().join('d')
    expect(await Promise.all([relay.deleteRoom('r'), relay.deleteRoom('r')])).toEqual([true, true])
    const text = await (await relay.request('/metrics')).text()
    expect(text).toMatch(/^crosstown_rooms_deleted_total 1$/m)
  })

  it('that fails leaves a room that goes on', async () => {
    const store = memoryStore()
    const { connect, relay } = setup({ store })
    const probe = connect()
    await probe.join('d')
    const { delete: remove } = store
    store.delete = () => Promise.reject(new Error('disk'))
    expect((await relay.request('/rooms/r', { method: 'DELETE' })).status).toBe(503)
    await probe.end()
    store.delete = remove
    const { epoch } = await connect().join('d')
    expect((await store.head('r'))?.epoch).toBe(epoch)
  })
})

describe('devices in a room that is deleted', () => {
  it('are told, keep what they have, and bring nothing of it back', async () => {
    const relay = createRelay()
    const server = await serve(relay, { port: 0 })
    opened.push(() => server.close())
    const gaps: Gap[] = []
    const open = (name: string) => {
      const link = relayLink({ url: server.url.replace('http', 'ws'), room: 'r' })
      const bus = createBus({
        name,
        log: memoryLog(),
        relay: link,
        onGap: (gap) => gaps.push(gap),
        onError: () => {},
      })
      opened.push(() => bus.close())
      return bus
    }
    const [ann, bob] = [open('ann'), open('bob')]
    await ann.publish('note.written', 'by ann', { until: 'relayed' })
    await bob.publish('note.written', 'by bob', { until: 'relayed' })
    const dataIn = async (bus: ReturnType<typeof open>) => {
      const data: unknown[] = []
      for await (const event of bus.replay()) data.push(event.data)
      return data.sort()
    }
    await vi.waitFor(async () => expect(await dataIn(ann)).toEqual(['by ann', 'by bob']))
    await vi.waitFor(async () => expect(await dataIn(bob)).toEqual(['by ann', 'by bob']))

    expect(await relay.deleteRoom('r')).toBe(true)
    await bob.publish('note.written', 'later', { until: 'relayed' })
    await vi.waitFor(async () => expect(await dataIn(ann)).toContain('later'))

    expect(gaps.map(({ reason }) => reason)).toEqual(['new_epoch', 'new_epoch'])
    expect([ann, bob].map(({ status }) => status.outbox)).toEqual([
      { pending: 0, refused: 0 },
      { pending: 0, refused: 0 },
    ])
    expect(await dataIn(bob)).toEqual(['by ann', 'by bob', 'later'])
    for (const bus of [ann, bob]) {
      const view = bus.project('note.*', (all: unknown[], { data }) => [...all, data], [])
      await view.ready
      // What the room does not have any more is folded all the same, wherever it stands.
      expect([...view.get()].sort()).toEqual(['by ann', 'by bob', 'later'])
    }
    const page = await (await fetch(`${server.url}/rooms/r/events`)).json()
    expect((page as { events: { data: unknown }[] }).events.map(({ data }) => data)).toEqual([
      'later',
    ])
    // And not after they come once more, either.
    for (const bus of [ann, bob]) await bus.close()
    await open('ann').flush({ until: 'relayed' })
    expect((await relay.request('/rooms/r/stats')).status).toBe(200)
    expect(
      ((await (await fetch(`${server.url}/rooms/r/events`)).json()) as { events: unknown[] })
        .events,
    ).toHaveLength(1)
  })
})

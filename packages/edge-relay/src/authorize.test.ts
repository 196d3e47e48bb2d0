/** The hook beside the token: what it refuses, when it is asked, and what becomes of its mistakes. */
import { BUS_ERROR_CODES, BusError } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Authorize, AuthorizeRequest } from './authorize.ts'
import { createRelay, type Relay } from './relay.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, ProbeSocket, publishOf } from './testing/probe.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

function setup(authorize: Authorize, rights = {}) {
  const asked: AuthorizeRequest[] = []
  const reported: unknown[] = []
  const platform = new ManualPlatform()
  const relay = createRelay({
    platform,
    auth: (subject) =>
      subject === undefined
        ? undefined
        : { subject, rights: { publish: ['a.**'], subscribe: ['**'], inspect: true, ...rights } },
    authorize: (request) => {
      asked.push(request)
      return authorize(request)
    },
    onError: (error) => reported.push(error),
  })
  relays.push(relay)
  const connect = () => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' })).probe
  }
  const join = async (device: string, extra = {}) => {
    const probe = connect()
    return { probe, welcome: await probe.join(device, { token: device, ...extra }) }
  }
  const http = (path: string, init: RequestInit = {}) =>
    relay.request(`http://localhost/rooms/r/events${path}`, {
      ...init,
      headers: { authorization: 'Bearer ann', 'content-type': 'application/json' },
    })
  const post = (...types: string[]) =>
    http('', { method: 'POST', body: JSON.stringify(types.map((type) => ({ type }))) })
  const actions = () => asked.splice(0).map(({ action, type }) => type ?? action)
  return { actions, asked, connect, http, join, platform, post, relay, reported }
}

const later = async <T>(value: T): Promise<T> => {
  await new Promise((resolve) => setImmediate(resolve))
  return value
}

describe('the authorize hook', () => {
  it('is told who, where, what and which type, and of publishing only what the token allows', async () => {
    const { actions, asked, join, post } = setup(() => true)
    const { probe } = await join('ann')
    expect(asked[0]).toEqual({
      identity: {
        subject: 'ann',
        rights: { publish: ['a.**'], subscribe: ['**'], inspect: true },
      },
      room: 'r',
      action: 'subscribe',
    })
    expect(actions()).toEqual(['subscribe', 'history', 'presence'])
    const types = ['a.x', 'a.x', 'b.y', 'a.z']
    const headers = types.map((type, i) => headerOf(`n-${i + 1}`, type))
    probe.send(publishOf(1, undefined, headers), ['1', '2', '3', '4'])
    expect((await probe.next('ack')).frame.refused).toEqual([[2, 'forbidden']])
    expect(actions()).toEqual(['a.x', 'a.z'])
    expect((await post('a.x', 'a.y')).status).toBe(201)
    expect(actions()).toEqual(['a.x', 'a.y'])
  })

  it.each([
    ['at once', (allowed: boolean) => allowed],
    ['later', (allowed: boolean) => later(allowed)],
  ])('refuses types %s, on the socket, in casts and over HTTP', async (_, answer) => {
    const { join, post } = setup(({ type }) => answer(type !== 'a.secret'))
    const { probe } = await join('ann')
    const { probe: other, welcome } = await join('bob')
    const headers = [headerOf('n-1', 'a.x'), headerOf('n-2', 'a.secret')]
    probe.send({ frame: 'cast', events: headers }, ['1', '2'])
    expect((await other.next('cast')).frame.events.map(({ id }) => id)).toEqual(['n-1'])
    probe.send(publishOf(1, undefined, headers), ['1', '2'])
    expect((await probe.next('ack')).frame.refused).toEqual([[1, 'forbidden']])
    expect((await other.stream(welcome.from, () => true)).ids).toEqual(['n-1'])
    const answered = await post('a.x', 'a.secret')
    expect([answered.status, await answered.json()]).toMatchObject([
      403,
      { error: { code: 'forbidden' } },
    ])
  })

  it('keeps a publisher’s order, however long it takes over one batch', async () => {
    const waiting: (() => void)[] = []
    const { join } = setup(({ type }) =>
      type === 'a.slow' ? new Promise((resolve) => waiting.push(() => resolve(true))) : true,
    )
    const { probe } = await join('ann')
    probe.send(publishOf(1, undefined, [headerOf('n-1', 'a.slow')]), ['1'])
    probe.send(publishOf(2, 1, [headerOf('n-2', 'a.fast')]), ['2'])
    probe.send({ frame: 'ping' })
    await probe.next('heartbeat')
    for (const release of waiting) release()
    expect((await probe.next('ack')).frame.batch).toBe(1)
    expect((await probe.next('ack')).frame.batch).toBe(2)
  })

  it('that takes its time over a post keeps no device from hearing of it, however many rooms there are', async () => {
    const platform = new ManualPlatform()
    let allow: (() => void) | undefined
    const relay = createRelay({
      platform,
      limits: { idleRooms: 1 },
      authorize: ({ type }) =>
        type !== 'a.slow' ||
        new Promise((resolve) => {
          allow = () => resolve(true)
        }),
    })
    relays.push(relay)
    const join = async (room: string) => {
      const socket = new ProbeSocket()
      const { probe } = socket.open(relay.accept(socket, { room }))
      return { probe, welcome: await probe.join('d') }
    }
    const posted = relay.request('http://localhost/rooms/r/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'a.slow' }),
    })
    await vi.waitFor(() => expect(allow).toBeDefined())
    await join('other')
    const { probe, welcome } = await join('r')
    allow?.()
    expect((await posted).status).toBe(201)
    const { ids } = await probe.stream(welcome.from, (all) => all.length > 0)
    expect(ids).toHaveLength(1)
  })

  it.each([
    ['throws', () => Promise.reject(new Error('the database is down'))],
    [
      'throws at once',
      () => {
        throw new Error('the database is down')
      },
    ],
  ])(
    'that %s refuses for now, says so with a code, and nothing of why',
    async (_, fail: () => Promise<boolean>) => {
      let down = true
      const { connect, join, post, reported, http } = setup(() => (down ? fail() : true))
      const refused = connect()
      await expect(refused.join('ann', { token: 'ann' })).rejects.toThrow(/unavailable/)
      expect((await refused.end()).code).toBe(BUS_ERROR_CODES.unavailable)
      for (const response of [await post('a.x'), await http('')]) {
        expect(response.status).toBe(503)
        expect(response.headers.get('retry-after')).toBe('1')
        expect(await response.text()).not.toContain('database')
      }
      expect(reported).toHaveLength(3)
      down = false
      const { probe } = await join('ann')
      down = true
      probe.send(publishOf(1, undefined, [headerOf('n-1', 'a.x')]), ['1'])
      expect((await probe.next('reject')).frame).toMatchObject({ batch: 1, code: 'unavailable' })
      down = false
      probe.send(publishOf(1, undefined, [headerOf('n-1', 'a.x')]), ['1'])
      expect((await probe.next('ack')).frame).toEqual({ frame: 'ack', batch: 1 })
    },
  )

  it('that throws forbidden, or answers with anything but true, refuses', async () => {
    const answers: unknown[] = [undefined, 1, 'yes', {}]
    const { post } = setup(({ type }) => {
      if (type === 'a.thrown') throw new BusError('forbidden', 'not today')
      return answers.shift() as boolean
    })
    for (const type of ['a.thrown', 'a.u', 'a.n', 'a.s'])
      expect((await post(type)).status).toBe(403)
  })

  it('takes reading, history and presence away, each by itself', async () => {
    const { http, join, post } = setup(
      ({ action, identity }) => identity.subject !== `no-${action}` || action === 'publish',
    )
    await post('a.x')
    const { welcome: nothing } = await join('no-subscribe')
    expect(nothing.rights.subscribe).toEqual([])
    const { welcome: head } = await join('no-history', { from: 'start' })
    expect(head.from).toBe(head.head)
    const { welcome: all } = await join('bob', { from: 'start' })
    expect(all.from).not.toBe(all.head)
    expect((await http('')).status).toBe(200)
  })

  it('that forbids to read answers 403 to pages and event streams', async () => {
    const { http, relay } = setup(({ action }) => action !== 'subscribe')
    expect((await http('')).status).toBe(403)
    const stream = await relay.request('http://localhost/rooms/r/events', {
      headers: { authorization: 'Bearer ann', accept: 'text/event-stream' },
    })
    expect([stream.status, await stream.json()]).toMatchObject([
      403,
      { error: { code: 'forbidden' } },
    ])
  })

  it('is asked again with a fresh token, and what it allows no longer ends the connection', async () => {
    let may = true
    const { join } = setup(({ action }) => action !== 'history' || may)
    const { probe } = await join('ann')
    probe.send({ frame: 'token', token: 'ann' })
    await probe.next('renewed')
    may = false
    probe.send({ frame: 'token', token: 'ann' })
    expect((await probe.next('error')).frame.code).toBe('rights_changed')
    const { welcome } = await join('ann', { terms: [[2, 'two']] })
    expect(welcome.from).toBe(welcome.head)
  })

  it('is asked for inspection, and keeps inspectors out', async () => {
    const { relay } = setup(({ action }) => action !== 'inspect')
    const socket = new ProbeSocket()
    const events = relay.accept(socket, { room: 'r', inspect: true })
    socket.open(events)
    socket.probe.sendRaw('{"frame":"join","token":"ann"}')
    expect(await socket.probe.end()).toMatchObject({ reason: 'forbidden' })
  })
})

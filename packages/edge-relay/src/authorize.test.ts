/** The hook beside the token: what it refuses, when it is asked, and what becomes of its mistakes. */
import { BUS_ERROR_CODES, BusError } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Auth } from './auth.ts'
import type { Authorize, AuthorizeRequest } from './authorize.ts'
import type { RelayOptions } from './options.ts'
import { createRelay, type Relay } from './relay.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, ProbeSocket, publishOf } from './testing/probe.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

const NEVER = new Promise<never>(() => {})

function setup(
  authorize: Authorize,
  { auth, limits = {} }: Pick<RelayOptions, 'auth' | 'limits'> = {},
) {
  const asked: AuthorizeRequest[] = []
  const reported: unknown[] = []
  const platform = new ManualPlatform()
  const relay = createRelay({
    platform,
    limits,
    auth: (subject, request) => {
      if (subject === undefined) return undefined
      const rights = { publish: ['a.**'], subscribe: ['**'], inspect: true }
      return auth?.(subject, request) ?? { subject, rights }
    },
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

  it('that never answers refuses for now after a while, on the socket and over HTTP', async () => {
    let stuck = false
    const { connect, http, join, platform, post, reported } = setup(() => (stuck ? NEVER : true), {
      limits: { hookMs: 2_000 },
    })
    const { probe } = await join('ann')
    stuck = true
    for (let batch = 1; batch <= 3; batch++)
      probe.send(publishOf(batch, undefined, [headerOf(`n-${batch}`, 'a.x')]), ['1'])
    const refused = connect().join('bob', { token: 'bob' })
    const answers = [post('a.x'), http('')]
    await vi.waitFor(() => expect(platform.timers).toBe(7))
    platform.advance(2_000)
    for (const batch of [1, 2, 3])
      expect((await probe.next('reject')).frame).toMatchObject({ batch, code: 'unavailable' })
    await expect(refused).rejects.toThrow(/unavailable/)
    for (const answer of answers) expect((await answer).status).toBe(503)
    expect(String(reported[0])).toMatch(/authorize has not answered within 2000 ms/)
    stuck = false
    probe.send(publishOf(1, undefined, [headerOf('n-1', 'a.x')]), ['1'])
    expect((await probe.next('ack')).frame).toEqual({ frame: 'ack', batch: 1 })
    expect(platform.timers).toBe(1)
  })

  it('beside an auth that never answers: neither holds up anybody for longer than hookMs', async () => {
    let stuck = false
    const auth: Auth = () => (stuck ? NEVER : undefined)
    const { connect, http, join, platform, reported } = setup(() => true, { auth })
    const { probe } = await join('ann')
    stuck = true
    probe.send({ frame: 'token', token: 'ann' })
    const refused = connect().join('bob', { token: 'bob' })
    const answer = http('')
    await vi.waitFor(() => expect(platform.timers).toBe(4))
    platform.advance(5_000)
    await expect(refused).rejects.toThrow(/unavailable/)
    expect((await answer).status).toBe(503)
    expect(String(reported[0])).toMatch(/auth has not answered within 5000 ms/)
    // The token it has is good until it ends.
    probe.send({ frame: 'ping' })
    await probe.next('heartbeat')
  })

  it('that does not answer cannot be made to pile up refusals: who goes on sending is sent away', async () => {
    const { join } = setup(({ type }) => (type === undefined ? true : NEVER), {
      limits: { pauseBytes: 1_000, bufferBytes: 1_000 },
    })
    const { probe } = await join('ann')
    for (let batch = 1; batch <= 2_000; batch++)
      probe.send(publishOf(batch, undefined, [headerOf(`n-${batch}`, 'a.x')]), ['1'])
    expect((await probe.end()).code).toBe(BUS_ERROR_CODES.rate_limited)
  })

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

import { BusError, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import type { Auth } from './auth.ts'
import type { RelayOptions } from './options.ts'
import { createRelay, type Relay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, ProbeSocket, publishOf } from './testing/probe.ts'

const auth: Auth = (token) =>
  token === 'all'
    ? { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } }
    : token === 'some'
      ? { subject: 'bob', rights: { publish: ['public.**'], subscribe: ['public.**'] } }
      : undefined

function setup(options: RelayOptions = {}): Relay {
  return createRelay({
    platform: new ManualPlatform(),
    onError: (error) => expect.fail(String(error)),
    ...options,
  })
}

const post = (relay: Relay, body: unknown, headers: Record<string, string> = {}, room = 'r') =>
  relay.request(`/rooms/${room}/events`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })

const get = (relay: Relay, path: string, headers: Record<string, string> = {}) =>
  relay.request(`/rooms${path}`, { headers })

interface Shown {
  id: string
  type: string
  position: string
  data: number
}

interface Answer {
  events: Shown[] & { 0: Shown; 1: Shown }
  head: string
  next?: string
  error: { code: string; message: string }
}

/** Everything of a JSON answer, in the shape tests compare. */
const json = async (
  response: Response | Promise<Response>,
): Promise<{ status: number; body: Answer }> => {
  const done = await response
  return { status: done.status, body: (await done.json()) as Answer }
}

describe('POST /rooms/:room/events', () => {
  it('publishes one event, or an array, and answers with ids and positions', async () => {
    const relay = setup()
    const one = await json(post(relay, { type: 'cart.item_added', data: { sku: 'A1' } }))
    expect(one.status).toBe(201)
    expect(one.body).toEqual({
      events: [{ id: expect.stringMatching(/-1$/), position: expect.any(String) }],
    })
    const two = await json(
      post(relay, [{ type: 'a.b' }, { type: 'a.c', data: [1], stream: 's-1' }]),
    )
    expect(two.body.events).toHaveLength(2)
    const { body } = await json(get(relay, '/r/events'))
    expect(body.events.map(({ type }) => type)).toEqual(['cart.item_added', 'a.b', 'a.c'])
    expect(body.events[0]).toEqual({
      ...one.body.events[0],
      type: 'cart.item_added',
      source: 'http',
      time: 1_700_000_000_000,
      version: 1,
      correlationId: one.body.events[0].id,
      data: { sku: 'A1' },
    })
    expect(body.events[1]).not.toHaveProperty('data')
    expect(body.events[1]).not.toHaveProperty('encoding')
  })

  it('takes every field of an event, and correlation and trace from the headers', async () => {
    const relay = setup()
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const event = {
      type: 'a.b',
      data: null,
      source: 'billing',
      stream: 'order-1',
      time: '2026-01-02T03:04:05.678Z',
      version: 3,
      causationId: 'c-1',
      metadata: { userId: 'u' },
    }
    await post(relay, event, { 'x-correlation-id': 'corr', traceparent })
    const { body } = await json(get(relay, '/r/events'))
    expect(body.events[0]).toMatchObject({
      ...event,
      time: Date.parse(event.time),
      correlationId: 'corr',
      traceparent,
    })
  })

  it('writes an event with an own id once for each subject and source', async () => {
    const relay = setup({ auth })
    const as = (token: string) => ({ authorization: `Bearer ${token}` })
    const event = { type: 'public.paid', data: 1, id: 'payment-1' }
    const first = await json(post(relay, event, as('all')))
    expect(first.status).toBe(201)
    expect(first.body.events[0].id).toMatch(/^h-[\w-]{22}$/)
    const again = await json(post(relay, { ...event, data: 2 }, as('all')))
    expect(again).toEqual({ status: 200, body: first.body })
    expect((await json(post(relay, [event, { type: 'a.b' }], as('all')))).status).toBe(201)
    expect((await json(post(relay, event, as('some')))).status).toBe(201)
    expect((await json(post(relay, { ...event, source: 'other' }, as('all')))).status).toBe(201)
    const { body } = await json(get(relay, '/r/events', as('all')))
    expect(body.events).toHaveLength(4)
    expect(body.events[0]).toMatchObject({ data: 1, ownId: 'payment-1' })
  })

  const bad: [string, unknown, number, string][] = [
    ['a body that is not JSON', '{', 400, 'invalid_options'],
    ['a body that is no event', '"x"', 400, 'invalid_options'],
    ['an empty array', [], 400, 'invalid_options'],
    [
      'more events than one request may have',
      Array.from({ length: 1_001 }, () => ({ type: 'a' })),
      413,
      'too_large',
    ],
    ['no type', { data: 1 }, 400, 'invalid_type'],
    ['a type of ours', { type: '$event.refused' }, 400, 'invalid_type'],
    ['an unknown field', { type: 'a', payload: 1 }, 400, 'invalid_options'],
    ['an id with control characters', { type: 'a', id: 'a\nb' }, 400, 'invalid_options'],
    ['a source that is no text', { type: 'a', source: 7, id: 'x' }, 400, 'invalid_options'],
    ['a time that is none', { type: 'a', time: 'yesterday' }, 400, 'invalid_options'],
    ['metadata that is not flat', { type: 'a', metadata: { a: {} } }, 400, 'invalid_options'],
    ['an event over its limit', { type: 'a', data: 'x'.repeat(300_000) }, 413, 'too_large'],
    ['a body over its limit', { type: 'a', data: 'x'.repeat(1_100_000) }, 413, 'too_large'],
  ]
  it.each(bad)('refuses %s, and writes nothing', async (_, body, status, code) => {
    const relay = setup()
    const answer = await json(post(relay, body))
    expect(answer).toEqual({ status, body: { error: { code, message: expect.any(String) } } })
    expect((await get(relay, '/r/stats')).status).toBe(404)
  })

  it('asks for a token and holds its rights', async () => {
    const relay = setup({ auth })
    const event = { type: 'secret.x', data: 1 }
    expect((await json(post(relay, event))).body.error.code).toBe('unauthorized')
    expect((await post(relay, event)).headers.get('www-authenticate')).toBe('Bearer')
    expect(await json(post(relay, event, { authorization: 'Bearer x' }))).toMatchObject({
      status: 401,
    })
    const forbidden = await json(post(relay, event, { authorization: 'Bearer some' }))
    expect(forbidden).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } })
    expect((await post(relay, event, { authorization: 'bearer all' })).status).toBe(201)
  })

  it('wants JSON by its content type, so that no form can post', async () => {
    const relay = setup()
    expect(await json(post(relay, '{"type":"a"}', { 'content-type': 'text/plain' }))).toMatchObject(
      { status: 400 },
    )
  })

  it('reaches the devices of the room', async () => {
    const relay = setup()
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    const { from } = await probe.join('d')
    const { body } = await json(post(relay, { type: 'a.b', data: 'hi' }))
    const { data, frame } = await probe.next('stream')
    expect(frame).toMatchObject({
      prev: from,
      position: expect.stringContaining(`${body.events[0].position}.`),
    })
    expect(data).toEqual(['"hi"'])
  })
})

describe('GET /rooms/:room/events', () => {
  async function filled(): Promise<Relay> {
    const platform = new ManualPlatform()
    platform.set(1_000)
    const relay = setup({ auth, platform })
    const all = { authorization: 'Bearer all' }
    await post(relay, { type: 'public.a', data: 1, stream: 's-1' }, all)
    platform.set(2_000)
    await post(
      relay,
      [
        { type: 'secret.a', data: 2 },
        { type: 'public.b', data: 3, correlationId: 'c' },
      ],
      all,
    )
    platform.set(3_000)
    await post(relay, { type: 'public.c.d', data: 4, stream: 's-1' }, all)
    return relay
  }
  const queries: [string, string, string, number[]][] = [
    ['everything the token may read', 'all', '', [1, 2, 3, 4]],
    ['only what the token may read', 'some', '', [1, 3, 4]],
    ['a type', 'all', '?type=secret.a', [2]],
    ['a pattern', 'all', '?type=public.*', [1, 3]],
    ['several patterns', 'all', '?type=secret.a&type=public.c.**', [2, 4]],
    ['a pattern beyond the rights', 'some', '?type=secret.**', []],
    ['a stream', 'all', '?stream=s-1', [1, 4]],
    ['a conversation', 'all', '?correlation_id=c', [3]],
    ['since a time', 'all', '?since=2000', [2, 3, 4]],
    ['since an ISO time', 'all', '?since=1970-01-01T00:00:03Z', [4]],
    ['since a time to come', 'all', '?since=9000', []],
    ['a first page', 'all', '?limit=2', [1, 2]],
  ]
  it.each(queries)('gives %s', async (_, token, query, expected) => {
    const { status, body } = await json(
      get(await filled(), `/r/events${query}`, { authorization: `Bearer ${token}` }),
    )
    expect(status).toBe(200)
    expect(body.events.map(({ data }) => data)).toEqual(expected)
  })

  it('gives page after page, until there is no next', async () => {
    const relay = await filled()
    const seen: number[] = []
    let query = '?limit=1'
    for (let pages = 0; pages < 9; pages++) {
      const { body } = await json(get(relay, `/r/events${query}`, { authorization: 'Bearer all' }))
      seen.push(...body.events.map(({ data }) => data))
      if (body.next === undefined) {
        expect(body.head).toBe(body.events.at(-1)?.position)
        break
      }
      query = `?limit=1&after=${body.next}`
    }
    expect(seen).toEqual([1, 2, 3, 4])
  })

  const wrong: [string, number, string][] = [
    ['?type=a..b', 400, 'invalid_pattern'],
    ['?limit=0', 400, 'invalid_options'],
    ['?limit=1001', 400, 'invalid_options'],
    ['?limit=many', 400, 'invalid_options'],
    ['?since=soon', 400, 'invalid_options'],
    ['?after=nowhere', 404, 'not_found'],
    ['?types=a', 400, 'invalid_options'],
  ]
  it.each(wrong)('refuses %s', async (query, status, code) => {
    const answer = await json(
      get(await filled(), `/r/events${query}`, { authorization: 'Bearer all' }),
    )
    expect(answer).toEqual({ status, body: { error: { code, message: expect.any(String) } } })
  })

  it('keeps the encoding of data that is not JSON', async () => {
    const relay = setup()
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    await probe.join('d')
    const text = '[["Date","2026-01-01T00:00:00.000Z"]]'
    probe.send(
      publishOf(1, undefined, [headerOf('a-1', 'a.b', { encoding: 'devalue', group: 2 })]),
      [text],
    )
    await probe.next('ack')
    const { body } = await json(get(relay, '/r/events/a-1'))
    expect(body).toMatchObject({ id: 'a-1', encoding: 'devalue', data: JSON.parse(text) })
    expect(body).not.toHaveProperty('group')
  })

  it('lets no data break out of the answer', async () => {
    const relay = setup()
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    await probe.join('d')
    probe.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1},{"id":"forged"', '2'])
    await probe.next('ack')
    const { body } = await json(get(relay, '/r/events'))
    expect(body.events).toMatchObject([
      { id: 'a-1', unreadable: true },
      { id: 'a-2', data: 2 },
    ])
    expect(body.events[0]).not.toHaveProperty('data')
  })

  it('finds one event by its id, for those who may read it', async () => {
    const relay = await filled()
    const { body } = await json(get(relay, '/r/events', { authorization: 'Bearer all' }))
    const { 0: first, 1: second } = body.events
    expect(
      await json(get(relay, `/r/events/${first.id}`, { authorization: 'Bearer some' })),
    ).toEqual({ status: 200, body: first })
    for (const [id, token] of [
      [second.id, 'some'],
      ['nobody-1', 'all'],
      ['%00', 'all'],
    ]) {
      expect(
        await json(get(relay, `/r/events/${id}`, { authorization: `Bearer ${token}` })),
      ).toMatchObject({
        status: 404,
        body: { error: { code: 'not_found' } },
      })
    }
  })

  it('says what a room holds', async () => {
    const relay = await filled()
    const { status, body } = await json(get(relay, '/r/stats', { authorization: 'Bearer some' }))
    expect(status).toBe(200)
    expect(body).toEqual({
      events: 4,
      bytes: expect.any(Number),
      first: expect.any(String),
      head: expect.any(String),
      devices: 0,
      connections: 0,
    })
  })

  it('makes no room on a read', async () => {
    const store = memoryStore()
    const relay = setup({ store })
    expect(await json(get(relay, '/new/events'))).toEqual({ status: 200, body: { events: [] } })
    expect((await get(relay, '/new/events/a-1')).status).toBe(404)
    expect((await get(relay, '/new/stats')).status).toBe(404)
    expect(await store.load('new')).toBe(undefined)
  })
})

describe('who may come', () => {
  const upgrade = {
    upgrade: 'websocket',
    connection: 'upgrade',
    'sec-websocket-protocol': `other, ${SUBPROTOCOL}`,
  }
  const open = async (
    relay: Relay,
    headers: Record<string, string>,
    room = 'r',
    url = 'http://localhost',
  ) => {
    let admitted: unknown
    const response = await relay.fetch(new Request(`${url}/rooms/${room}/socket`, { headers }), {
      upgrade: (admission) => {
        admitted = admission
        return new Response('upgraded')
      },
    })
    return admitted ?? { status: response.status, ...((await response.json()) as object) }
  }

  it('upgrades a socket request, and passes on room and origin', async () => {
    const origin = 'http://localhost:5173'
    expect(await open(setup(), { ...upgrade, origin }, 'a.room~1')).toEqual({
      room: 'a.room~1',
      origin,
    })
    expect(await open(setup(), upgrade)).toEqual({ room: 'r' })
  })

  it('does not touch the answer to an upgrade', async () => {
    const response = await setup().fetch(
      new Request('http://localhost/rooms/r/socket', {
        headers: { ...upgrade, origin: 'http://localhost:1' },
      }),
      { upgrade: () => new Response('upgraded') },
    )
    expect([...response.headers.keys()].filter((name) => name !== 'content-type')).toEqual([])
  })

  const refused: [string, Record<string, string>, string, number, string][] = [
    ['a plain GET', {}, 'r', 426, 'unsupported_version'],
    [
      'another subprotocol',
      { ...upgrade, 'sec-websocket-protocol': 'crosstown.v9' },
      'r',
      400,
      'unsupported_version',
    ],
    ['a foreign page', { ...upgrade, origin: 'https://evil.example' }, 'r', 403, 'bad_origin'],
    ['a sandboxed page', { ...upgrade, origin: 'null' }, 'r', 403, 'bad_origin'],
    [
      'a page of a similar name',
      { ...upgrade, origin: 'http://localhost.evil.example' },
      'r',
      403,
      'bad_origin',
    ],
    [
      'another Host, without auth',
      { ...upgrade, host: 'rebound.example:8787' },
      'r',
      403,
      'bad_origin',
    ],
    ['a room that is no name', upgrade, 'a%2Fb', 400, 'invalid_room'],
    ['a room of too long a name', upgrade, 'x'.repeat(129), 400, 'invalid_room'],
  ]
  it.each(refused)('refuses %s before the upgrade', async (_, headers, room, status, code) => {
    expect(await open(setup(), headers, room)).toEqual({
      status,
      error: { code, message: expect.any(String) },
    })
  })

  it('holds the origin on every route, with CORS for those it serves', async () => {
    const relay = setup({ origins: ['https://shop.example'], auth })
    for (const path of ['/health', '/rooms/r/events', '/rooms/r/stats', '/nowhere']) {
      expect(
        (await relay.request(path, { headers: { origin: 'https://evil.example' } })).status,
      ).toBe(403)
      expect(
        (await relay.request(path, { headers: { origin: 'http://localhost:5173' } })).status,
      ).toBe(403)
    }
    const fine = await relay.request('/health', { headers: { origin: 'https://shop.example' } })
    expect(await json(fine)).toEqual({ status: 200, body: { status: 'ok' } })
    expect(fine.headers.get('access-control-allow-origin')).toBe('https://shop.example')
    const preflight = await relay.request('/rooms/r/events', {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization')
    const denied = await relay.request('/rooms/r/events', {
      headers: { origin: 'https://shop.example' },
    })
    expect(denied.status).toBe(401)
    expect(denied.headers.get('access-control-allow-origin')).toBe('https://shop.example')
  })

  it('serves every page with *, and every Host with auth', async () => {
    const relay = setup({ origins: ['*'], auth })
    const headers = { ...upgrade, origin: 'https://any.example', host: 'relay.example' }
    expect(await open(relay, headers, 'r', 'http://relay.example')).toEqual({
      room: 'r',
      origin: 'https://any.example',
    })
  })

  it('answers unknown routes as JSON', async () => {
    expect(await json(setup().request('/nowhere'))).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    })
  })

  it('refuses options that are none', () => {
    expect(() => createRelay({ origins: ['shop.example'] })).toThrow(BusError)
    expect(() => createRelay({ origins: ['https://shop.example/path'] })).toThrow(BusError)
    expect(() => createRelay({ limits: { heartbeatMs: 0 } })).toThrow(BusError)
    expect(() => createRelay({ limits: { bodyBytes: 5_000_000 } })).toThrow(BusError)
    expect(() => createRelay({ limits: { postEvents: 1_001 } })).toThrow(BusError)
    expect(() => createRelay({ limits: { bufferBytes: 1_000 } })).toThrow(/pauseBytes/)
    expect(() => createRelay({ limits: { frames: 1 } as object })).toThrow(BusError)
  })
})

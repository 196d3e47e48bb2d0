/** Who sends, asks or connects too much: is told to wait, loses nothing, and takes nobody with it. */
import { BUS_ERROR_CODES } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Limits } from './limits.ts'
import type { RelayOptions } from './options.ts'
import { createRelay, type Relay } from './relay.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, type Probe, ProbeSocket, publishOf } from './testing/probe.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

function setup(limits: Partial<Limits>, options: RelayOptions = {}) {
  const platform = new ManualPlatform()
  const reported: unknown[] = []
  const onError = (error: unknown) => reported.push(error)
  const relay = createRelay({ platform, limits, onError, ...options })
  relays.push(relay)
  const connect = (address?: string, room = 'r') => {
    const socket = new ProbeSocket()
    const admission = { room, ...(address !== undefined && { address }) }
    const events = relay.accept(socket, admission)
    return Object.assign(socket.open(events), { gone: () => events.onClose() })
  }
  const join = async (device: string, room = 'r') => {
    const { probe } = connect(undefined, room)
    await probe.join(device)
    return probe
  }
  const ask = (path: string, init: RequestInit = {}, address = '203.0.113.7') =>
    relay.request(`http://localhost${path}`, init, { address })
  const post = (events: unknown, address?: string) => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(events)
    return ask('/rooms/r/events', { method: 'POST', headers, body }, address)
  }
  return { ask, connect, join, platform, post, relay, reported }
}

const publish = (probe: Probe, batch: number): void =>
  probe.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`n-${batch}`]), [`${batch}`])

async function told(response: Response) {
  const { error } = (await response.json()) as { error: { code: string } }
  return [response.status, error.code, response.headers.get('retry-after')]
}

describe('a connection that publishes too much', () => {
  it('is told to wait, and everything it has is taken once it did', async () => {
    const { join, platform } = setup({ connectionRate: 1 })
    const probe = await join('d')
    // The hello was the first of ten.
    for (let batch = 1; batch <= 14; batch++) publish(probe, batch)
    // What was taken before is acknowledged first, or the device would send it again.
    for (let batch = 1; batch <= 9; batch++)
      expect((await probe.next('ack')).frame).toEqual({ frame: 'ack', batch })
    const refused = []
    for (let n = 0; n < 5; n++) refused.push((await probe.next('reject')).frame)
    expect(refused.map(({ batch, code }) => [batch, code])).toEqual(
      [10, 11, 12, 13, 14].map((batch) => [batch, 'rate_limited']),
    )
    platform.advance(refused[0]?.retryAfterMs ?? 0)
    publish(probe, 10)
    expect((await probe.next('ack')).frame).toEqual({ frame: 'ack', batch: 10 })
    expect(probe.closed).toBe(undefined)
  })

  it('is told of by all it says of its contexts: that is not said again', async () => {
    const { join, platform } = setup({ connectionRate: 1 })
    const [probe, other] = [await join('d'), await join('e')]
    const say = (from: Probe, ...ids: string[]): void => {
      const members = ids.map((id) => ({ id, kind: 'page', source: 's' }) as const)
      from.send({ frame: 'presence', devices: [{ members }] })
    }
    say(other, 'mine')
    await other.next('presence')
    say(probe, 'first')
    await other.next('presence')
    for (let batch = 1; batch <= 12; batch++) publish(probe, batch)
    await probe.next('reject')
    say(probe, 'second')
    platform.advance(1_000)
    const [seen] = (await other.next('presence')).frame.devices
    expect(seen?.members.map(({ id }) => id)).toEqual(['second'])
  })

  it('pays for what is large by its size', async () => {
    const { join } = setup({ connectionRate: 10 })
    const probe = await join('d')
    const large = JSON.stringify('x'.repeat(99 * 1_024))
    probe.send(publishOf(1, undefined, ['n-1']), [large])
    probe.send(publishOf(2, 1, ['n-2']), ['2'])
    probe.send(publishOf(3, 2, ['n-3']), ['3'])
    expect((await probe.next('reject')).frame).toMatchObject({ code: 'rate_limited' })
  })

  it('and does not wait loses the connection, to come back', async () => {
    const { join } = setup({ connectionRate: 1 })
    const probe = await join('d')
    for (let n = 1; n <= 2_000; n++) publish(probe, n)
    expect(await probe.end()).toEqual({
      code: BUS_ERROR_CODES.rate_limited,
      reason: 'rate_limited',
    })
    await join('d2')
  })

  it.each([
    ['pings', { frame: 'ping' }],
    ['casts', { frame: 'cast', events: [headerOf('c-1')] }],
    ['presence', { frame: 'presence', devices: [{ members: [] }] }],
  ] as const)(
    'floods of %s end with it, and reach nobody else beyond the limit',
    async (_, frame) => {
      const { join } = setup({ connectionRate: 10 })
      const other = await join('other')
      const probe = await join('d')
      for (let n = 0; n < 3_000; n++) probe.send(frame, frame.frame === 'cast' ? ['1'] : [])
      expect(await probe.end()).toMatchObject({ reason: 'rate_limited' })
      expect(other.unread.length).toBeLessThanOrEqual(110)
      other.send({ frame: 'ping' })
      await other.next('heartbeat')
    },
  )

  it('has one fresh token looked at at a time', async () => {
    let asked = 0
    const auth = (token?: string) => {
      asked += 1
      const identity = { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } }
      return token === 'slow' ? new Promise<typeof identity>(() => {}) : identity
    }
    const { join } = setup({}, { auth })
    const probe = await join('d')
    for (let n = 0; n < 100; n++) probe.send({ frame: 'token', token: 'slow' })
    expect(await probe.end()).toMatchObject({ reason: 'rate_limited' })
    expect(asked).toBe(2)
  })
})

describe('a room in which too much is published', () => {
  it('rejects for now on sockets and over HTTP, and leaves other rooms alone', async () => {
    const { join, platform, post } = setup({ roomRate: 1 })
    const [one, two, elsewhere] = [await join('a'), await join('b'), await join('c', 'other')]
    for (let batch = 1; batch <= 6; batch++) publish(one, batch)
    for (let batch = 1; batch <= 6; batch++) {
      const prev = batch === 1 ? undefined : batch - 1
      two.send(publishOf(batch, prev, [`m-${batch}`]), ['1'])
    }
    for (let batch = 1; batch <= 4; batch++)
      expect((await two.next('ack')).frame).toEqual({ frame: 'ack', batch })
    const { retryAfterMs, code } = (await two.next('reject')).frame
    expect([code, retryAfterMs]).toEqual(['rate_limited', 1_000])
    expect(await told(await post({ type: 'a.b' }))).toEqual([429, 'rate_limited', '1'])
    publish(elsewhere, 1)
    await elsewhere.next('ack')
    platform.advance(retryAfterMs)
    two.send(publishOf(5, 4, ['m-5']), ['1'])
    expect((await two.next('ack')).frame).toEqual({ frame: 'ack', batch: 5 })
    platform.advance(1_000)
    expect((await post({ type: 'a.b' })).status).toBe(201)
  })
})

describe('a room in which too much is said that nobody keeps', () => {
  it('hands on no more than its rate, and takes what is to be kept all the same', async () => {
    const { join, platform } = setup({ roomRate: 1 })
    const [one, two, hears] = [await join('a'), await join('b'), await join('c')]
    const cast = (probe: Probe, n: number) =>
      probe.send({ frame: 'cast', events: [headerOf(`m-${n}`)] }, [`${n}`])
    for (let n = 1; n <= 8; n++) cast(one, n)
    for (let n = 9; n <= 16; n++) cast(two, n)
    publish(one, 1)
    await one.next('ack')
    const handed = () => hears.unread.splice(0).filter(({ frame }) => frame.frame === 'cast').length
    expect(handed()).toBe(10)
    platform.advance(1_000)
    for (const n of [17, 18]) cast(two, n)
    two.send({ frame: 'ping' })
    await two.next('heartbeat')
    expect(handed()).toBe(1)
  })
})

describe('an address that asks too often', () => {
  it('gets 429 and when to come again; another one, and the relay’s own machine, do not', async () => {
    const { ask, platform } = setup({ addressRequests: 1 })
    for (let n = 0; n < 10; n++) expect((await ask('/rooms/r/stats')).status).toBe(404)
    expect(await told(await ask('/rooms/r/stats'))).toEqual([429, 'rate_limited', '1'])
    expect((await ask('/rooms/r/stats', {}, '198.51.100.1')).status).toBe(404)
    for (let n = 0; n < 30; n++)
      expect((await ask('/rooms/r/stats', {}, '127.0.0.1')).status).toBe(404)
    expect((await ask('/health')).status).toBe(200)
    platform.advance(1_000)
    expect((await ask('/rooms/r/stats')).status).toBe(404)
  })

  it('cannot say that it is another one, unless a proxy says so', async () => {
    const asking = (trustProxy: number) => {
      const { ask, reported } = setup({ addressRequests: 1 }, { trustProxy })
      const from = (n: number) => ({ headers: { 'x-forwarded-for': `10.0.0.${n}, 192.0.2.9` } })
      return { reported, ask: (n: number) => ask('/rooms/r/stats', from(n)) }
    }
    for (const trusted of [0, 1]) {
      const { ask, reported } = asking(trusted)
      for (let n = 0; n < 10; n++) expect((await ask(n)).status).toBe(404)
      expect((await ask(11)).status).toBe(429)
      // Said once, as it counts everybody behind the proxy as one.
      expect(reported.map(String)).toEqual(
        trusted === 0 ? [expect.stringContaining('trustProxy')] : [],
      )
    }
    const { ask } = asking(2)
    for (let n = 0; n < 30; n++) expect((await ask(n)).status).toBe(404)
  })
})

describe('a read', () => {
  it('with more patterns than anybody needs is refused: each event is held against each of them', async () => {
    const { ask, post } = setup({})
    await post({ type: 'a.b' })
    const query = (count: number) =>
      Array.from({ length: count }, (_, n) => `type=*.x${n}`).join('&')
    expect((await ask(`/rooms/r/events?${query(100)}`)).status).toBe(200)
    for (const headers of [{}, { accept: 'text/event-stream' }]) {
      const [status, code] = await told(await ask(`/rooms/r/events?${query(101)}`, { headers }))
      expect([status, code]).toEqual([413, 'too_large'])
    }
  })
})

describe('connections', () => {
  const upgrade = (relay: Relay, address: string) =>
    relay.request(
      'http://localhost/rooms/r/socket',
      {
        headers: {
          upgrade: 'websocket',
          'sec-websocket-protocol': 'crosstown.v1',
          host: 'localhost',
        },
      },
      { address, upgrade: () => new Response(null, { status: 204 }) },
    )

  it('of one address, and in all, are refused before the upgrade when there are too many', async () => {
    const { connect, relay } = setup({ connections: 3, addressConnections: 2 })
    const one = connect('203.0.113.7')
    connect('203.0.113.7')
    expect(await told(await upgrade(relay, '203.0.113.7'))).toEqual([429, 'rate_limited', '5'])
    expect((await upgrade(relay, '203.0.113.8')).status).toBe(204)
    connect('203.0.113.8')
    expect(await told(await upgrade(relay, '203.0.113.9'))).toEqual([503, 'unavailable', '5'])
    one.gone()
    expect((await upgrade(relay, '203.0.113.7')).status).toBe(204)
  })

  it('that were admitted at the same moment are closed when there is no room, to come back', async () => {
    const { connect, join } = setup({ connections: 2 })
    await join('a')
    const last = connect()
    const late = connect()
    expect(await late.probe.end()).toEqual({
      code: BUS_ERROR_CODES.unavailable,
      reason: 'unavailable',
    })
    last.gone()
    await join('b')
  })

  it('have event streams and waiting pages among them, for as long as they last', async () => {
    const { ask, platform, post } = setup({ addressConnections: 2 })
    await post({ type: 'a.b' })
    const accept = { headers: { accept: 'text/event-stream' } }
    const stream = await ask('/rooms/r/events', accept)
    const page = ask('/rooms/r/events?after=now&wait=30000')
    // A timer of the page that waits: until then it is on its way.
    while (platform.timers < 1) await new Promise((resolve) => setImmediate(resolve))
    expect(await told(await ask('/rooms/r/events'))).toEqual([429, 'rate_limited', '5'])
    await stream.body?.cancel()
    expect((await ask('/rooms/r/events')).status).toBe(200)
    platform.advance(30_000)
    expect((await page).status).toBe(200)
    for (let n = 0; n < 5; n++) {
      expect((await ask('/rooms/r/events?limit=x')).status).toBe(400)
      expect((await ask('/rooms/r/events?after=e.1.1', accept)).status).toBe(404)
      const head = await ask('/rooms/r/events', { ...accept, method: 'HEAD' })
      expect(head.status).toBe(200)
    }
  })
})

describe('limits that make no sense are refused:', () => {
  it.each([
    ['a nesting that leaves no room for frames', { limits: { nesting: 3 } }],
    ['a nesting deeper than stacks', { limits: { nesting: 100_000 } }],
    ['a rate of nothing', { limits: { roomRate: 0 } }],
    ['proxies by name', { trustProxy: true as unknown as number }],
    ['fewer proxies than none', { trustProxy: -1 }],
  ])('%s', (_, options) => {
    expect(() => createRelay(options)).toThrow(/nesting|roomRate|trustProxy/)
  })
})

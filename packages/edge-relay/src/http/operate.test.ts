/** What operators ask a relay over HTTP: its metrics, and whether it is ready. */
import { BusError } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { COUNTERS, GAUGES, METRIC_PREFIX, TIMINGS } from '../metrics.ts'
import type { RelayOptions } from '../options.ts'
import { createRelay, type Relay } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { headerOf, ProbeSocket, publishOf } from '../testing/probe.ts'

const auth: Auth = (token) =>
  token === 'all' ? { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } } : undefined

function setup(options: RelayOptions = {}) {
  const platform = new ManualPlatform()
  const relay = createRelay({ platform, onError: () => {}, ...options })
  const connect = (inspect = false) => {
    const socket = new ProbeSocket()
    const admission = { room: 'secret-room', ...(inspect && { inspect: true as const }) }
    return Object.assign(socket.open(relay.accept(socket, admission)), { socket })
  }
  return { relay, platform, connect }
}

const post = (relay: Relay, body: unknown) =>
  relay.request('/rooms/secret-room/events', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })

/** The values of a relay's metrics, by name and labels as they are written. */
async function measured(relay: Relay, headers = {}): Promise<Map<string, number>> {
  const text = await (await relay.request('/metrics', { headers })).text()
  const lines = text.split('\n').filter((line) => line.startsWith(METRIC_PREFIX))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(METRIC_PREFIX.length, at), Number(line.slice(at + 1))] as const
    }),
  )
}

describe('GET /metrics', () => {
  it('counts events, deliveries and what came again', async () => {
    const { connect, relay } = setup()
    const [one, two] = [connect(), connect()]
    await one.probe.join('one')
    await two.probe.join('two')
    one.probe.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    await one.probe.next('ack')
    await two.probe.next('stream')
    one.probe.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    await one.probe.next('ack')
    await post(relay, [{ type: 'a.b', id: '1' }])
    await post(relay, [{ type: 'a.b', id: '1' }])
    const values = await measured(relay)
    expect(values.get('events_total')).toBe(3)
    expect(values.get('dedupe_hits_total')).toBe(3)
    // Two for what the device published, one of them to itself; two for the post.
    expect(values.get('frames_sent_total')).toBe(4)
    expect(values.get('publish_seconds_count{engine="memory"}')).toBeGreaterThanOrEqual(2)
    expect(values.get('broadcast_seconds_count')).toBe(2)
    expect(values.get('pubsub_lag_seconds_bucket{le="+Inf"}')).toBe(2)
    expect(values.get('connections_accepted_total{kind="device"}')).toBe(2)
    expect(values.get('connections_inflight{kind="device"}')).toBe(2)
    expect(values.get('subscriptions_inflight')).toBe(2)
    expect(values.get('rooms_inflight')).toBe(1)
  })

  it('counts how devices came back, and what they were behind by', async () => {
    const { connect, relay } = setup()
    const one = connect()
    await one.probe.join('one')
    one.probe.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    await one.probe.next('ack')
    const late = connect()
    const { from } = await late.probe.join('late')
    const { position } = await late.probe.stream(from, (ids) => ids.length === 2)
    late.drop()
    await connect().probe.join('late', { cursor: position })
    await connect().probe.join('foreign', { cursor: 'elsewhere.7.abc' })
    const values = await measured(relay)
    expect(values.get('recover_total{outcome="new"}')).toBe(2)
    expect(values.get('recover_total{outcome="recovered"}')).toBe(1)
    expect(values.get('recover_total{outcome="new_epoch"}')).toBe(1)
    expect(values.get('recovered_events_total')).toBe(4)
  })

  it('counts what it refuses and whom it closes, by code', async () => {
    const { connect, platform, relay } = setup({ limits: { helloMs: 1_000 } })
    const bad = connect()
    bad.probe.sendRaw('nonsense')
    await bad.probe.end()
    const silent = connect()
    platform.advance(2_000)
    await silent.probe.end()
    const slow = connect()
    await slow.probe.join('slow')
    slow.socket.bufferedAmount = 1e9
    await post(relay, [{ type: 'a b' }])
    await post(relay, [{ type: 'a.b' }])
    await slow.probe.end()
    const writer = connect()
    await writer.probe.join('writer')
    const big = headerOf('a-1', 'a.b', { source: 'x' })
    writer.probe.send(publishOf(1, undefined, [big]), [JSON.stringify('x'.repeat(300_000))])
    await writer.probe.next('ack')
    const values = await measured(relay)
    expect(values.get('server_disconnects_total{code="bad_frame"}')).toBe(1)
    expect(values.get('server_disconnects_total{code="timeout"}')).toBe(1)
    expect(values.get('server_disconnects_total{code="slow_reader"}')).toBe(1)
    expect(values.get('slow_closes_total')).toBe(1)
    expect(values.get('reply_errors_total{code="invalid_type"}')).toBe(1)
    expect(values.get('reply_errors_total{code="too_large"}')).toBe(1)
    const route = 'method="POST",route="/rooms/:room/events"'
    expect(values.get(`http_requests_total{${route},status="400"}`)).toBe(1)
    expect(values.get(`http_requests_total{${route},status="201"}`)).toBe(1)
  })

  it('has every metric of the table, and nothing of a room, a device or whoever asks', async () => {
    const { connect, relay } = setup()
    await connect().probe.join('secret-device')
    connect(true)
    await post(relay, { type: 'secret.type', data: 'secret-data', source: 'secret-source' })
    await relay.request('/secret-path', { method: 'PROPFIND' })
    const response = await relay.request('/metrics')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = await response.text()
    for (const name of Object.keys({ ...COUNTERS, ...GAUGES, ...TIMINGS }))
      expect(text).toContain(`# TYPE ${METRIC_PREFIX}${name} `)
    expect(text).toContain('method="other",route="none",status="404"')
    expect(text).toContain('process_cpu_seconds_total')
    expect(text).not.toMatch(/secret/)
  })

  it('is of one relay, however many there are in a process', async () => {
    const [one, other] = [setup(), setup()]
    await post(one.relay, { type: 'a.b' })
    expect((await measured(one.relay)).get('events_total')).toBe(1)
    expect((await measured(other.relay)).get('events_total')).toBe(0)
  })

  it('is for nobody on a relay with auth, unless it has a token of its own, or is open', async () => {
    const ask = async (options: RelayOptions, headers = {}) =>
      (await setup({ auth, ...options }).relay.request('/metrics', { headers })).status
    const token = 'scrape-me-if-you-can'
    expect(await ask({})).toBe(403)
    expect(await ask({}, { authorization: 'Bearer all' })).toBe(403)
    expect(await ask({ metrics: 'open' })).toBe(200)
    expect(await ask({ metrics: { token } })).toBe(401)
    expect(await ask({ metrics: { token } }, { authorization: 'Bearer all' })).toBe(401)
    expect(await ask({ metrics: { token } }, { authorization: `Bearer ${token}` })).toBe(200)
    expect(() => createRelay({ metrics: { token: 'short' } })).toThrow('16 characters')
  })

  it('says so where the store fails', async () => {
    const store = memoryStore()
    const { relay } = setup({ store })
    await post(relay, { type: 'a.b' })
    store.append = () => Promise.reject(new BusError('unavailable', 'disk full', { stage: 'log' }))
    expect((await post(relay, { type: 'a.b' })).status).toBe(503)
    const values = await measured(relay)
    expect(values.get('store_errors_total')).toBe(1)
    expect(values.get('reply_errors_total{code="unavailable"}')).toBe(1)
  })
})

describe('GET /ready', () => {
  it('asks the store once a second, however often it is asked itself', async () => {
    const store = memoryStore()
    const rooms = store.rooms.bind(store)
    let asked = 0
    store.rooms = (...args) => {
      asked += 1
      return rooms(...args)
    }
    const { relay, platform } = setup({ store })
    const answers = Array.from({ length: 50 }, () => relay.request('/ready'))
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200)
    expect((await relay.request('/ready')).status).toBe(200)
    expect(asked).toBe(1)
    platform.advance(1_000)
    expect((await relay.request('/ready')).status).toBe(200)
    expect(asked).toBe(2)
  })

  const ask = async (relay: Relay) => {
    const response = await relay.request('/ready')
    const body = (await response.json()) as { status?: string; error?: { code: string } }
    return [response.status, body.status ?? body.error?.code]
  }

  it('is ready while the store answers, and not while the relay drains', async () => {
    const { connect, relay } = setup()
    expect(await ask(relay)).toEqual([200, 'ready'])
    relay.drain()
    expect(await ask(relay)).toEqual([503, 'going_away'])
    // Whoever still comes is served: that is what the time of draining is for.
    await connect().probe.join('late')
    expect((await relay.request('/health')).status).toBe(200)
    await relay.close()
    expect(await ask(relay)).toEqual([503, 'going_away'])
    expect((await relay.request('/health')).status).toBe(200)
  })

  it('is not ready where the store fails, or does not answer in time', async () => {
    const store = memoryStore()
    const { platform, relay } = setup({ store })
    store.rooms = () => Promise.reject(new BusError('unavailable', 'no', { stage: 'log' }))
    expect(await ask(relay)).toEqual([503, 'unavailable'])
    store.rooms = () => new Promise(() => {})
    platform.advance(1_000)
    const answer = ask(relay)
    while (platform.timers === 0) await new Promise(setImmediate)
    platform.advance(2_000)
    expect(await answer).toEqual([503, 'unavailable'])
    expect(platform.timers).toBe(0)
  })
})

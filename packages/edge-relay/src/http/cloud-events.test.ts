/** CloudEvents over HTTP, with the JavaScript SDK of CloudEvents at the other end. */
import { createBus, fromCloudEvent, memoryLog, relayLink, toCloudEvent } from '@crosstown/bus'
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from 'cloudevents'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'

const servers: RelayServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start() {
  const server = await serve(createRelay({ onError: (error) => expect.fail(String(error)) }), {
    port: 0,
  })
  servers.push(server)
  const url = `${server.url}/rooms/r/events`
  const post = async (body: BodyInit, headers: Record<string, string>) => {
    const response = await fetch(url, { method: 'POST', body, headers })
    return {
      status: response.status,
      body: (await response.json()) as { error?: { code: string } },
    }
  }
  const page = async (query = '', accept = 'application/cloudevents-batch+json') => {
    const response = await fetch(url + query, { headers: { accept } })
    return { response, events: (await response.json()) as Record<string, unknown>[] }
  }
  return { server, url, post, page }
}

const order = (id: string, more = {}) =>
  new CloudEvent({
    id,
    type: 'order.created',
    source: 'https://shop.example/web',
    subject: 'order-7',
    data: { total: 12, note: 'ü😀' },
    tenant: 'blue',
    ...more,
  })

describe('the SDK of CloudEvents', () => {
  it.each([
    ['binary', Mode.BINARY],
    ['structured', Mode.STRUCTURED],
  ] as const)('publishes in %s mode, and reads back what it published', async (_, mode) => {
    const { url, page } = await start()
    const emit = emitterFor(httpTransport(url), { mode })
    await emit(order('1'))
    await emit(order('2', { data: 'just text', datacontenttype: 'text/plain' }))
    const { response, events } = await page()
    const message = {
      headers: { 'content-type': response.headers.get('content-type') as string },
      body: JSON.stringify(events),
    }
    const [first, second] = HTTP.toEvent(message) as CloudEvent<unknown>[]
    expect(first).toMatchObject({
      id: '1',
      type: 'order.created',
      source: 'https://shop.example/web',
      subject: 'order-7',
      tenant: 'blue',
      revision: 1,
      data: { total: 12, note: 'ü😀' },
    })
    expect(second?.data).toBe('just text')
    const one = await fetch(`${url}/${String(first?.['eventid'])}`, {
      headers: { accept: 'application/cloudevents+json' },
    })
    const alone = HTTP.toEvent({
      headers: { 'content-type': one.headers.get('content-type') as string },
      body: await one.text(),
    })
    expect(alone).toMatchObject({ id: '1', data: { total: 12 } })
  })

  it('publishes many at once, and again without doubling any', async () => {
    const { post, page } = await start()
    const body = JSON.stringify([order('1'), order('2'), order('3')])
    const headers = { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' }
    expect((await post(body, headers)).status).toBe(201)
    expect((await post(body, headers)).status).toBe(200)
    expect((await page()).events.map(({ id }) => id)).toEqual(['1', '2', '3'])
  })
})

describe('a reader of CloudEvents', () => {
  it('finds the next page in a Link', async () => {
    const { url, post, page } = await start()
    await post(JSON.stringify([1, 2, 3].map((n) => order(String(n)))), {
      'content-type': 'application/cloudevents-batch+json',
    })
    const { response, events } = await page('?limit=2')
    expect(events.map(({ id }) => id)).toEqual(['1', '2'])
    const [, next = ''] = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '') ?? []
    const last = await fetch(new URL(next, url), {
      headers: { accept: 'application/cloudevents-batch+json' },
    })
    expect(await last.json()).toMatchObject([{ id: '3' }])
    expect(last.headers.get('link')).toBe(null)
  })

  it('gets another tag than a reader of our JSON', async () => {
    const { url, post, page } = await start()
    await post(JSON.stringify(order('1')), { 'content-type': 'application/cloudevents+json' })
    const { response } = await page()
    const json = await fetch(url, { headers: { accept: 'application/json' } })
    expect(json.headers.get('content-type')).toMatch(/^application\/json/)
    expect(response.headers.get('etag')).not.toBe(json.headers.get('etag'))
    expect(response.headers.get('vary')).toContain('Accept')
  })

  it('gets of a bus what the bus published, whatever values it has', async () => {
    const { server, page } = await start()
    const bus = createBus<{ 'a.b': unknown }>({
      name: 'ce',
      log: memoryLog(),
      relay: relayLink({ url: server.url.replace('http', 'ws'), room: 'r' }),
    })
    const data = { when: new Date(0), tags: new Set(['x']), big: 2n ** 70n }
    const event = await bus.publish('a.b', data, {
      until: 'relayed',
      stream: 's',
      metadata: { userId: 'ann' },
      version: 2,
    })
    const { events } = await page()
    const back = fromCloudEvent(events[0] as Record<string, unknown>)
    const { offset: _, ...shared } = event
    expect(back).toEqual(shared)
    await bus.close()
  })

  it('may publish what toCloudEvent made, and a bus hears the same values', async () => {
    const { server, post } = await start()
    const bus = createBus<{ 'a.b': unknown }>({
      name: 'ce2',
      log: memoryLog(),
      relay: relayLink({ url: server.url.replace('http', 'ws'), room: 'r' }),
    })
    const heard = bus.once('a.b')
    await vi.waitFor(() => expect(bus.status.relay).toBe('online'))
    const data = new Map([['k', new Uint8Array([1, 2])]])
    const cloud = toCloudEvent({
      id: 'x-1',
      type: 'a.b',
      data,
      source: 'elsewhere',
      time: 1,
      scope: 'room',
      version: 1,
      correlationId: 'c',
    })
    await post(JSON.stringify(cloud), { 'content-type': 'application/cloudevents+json' })
    expect(await heard).toMatchObject({ data, source: 'elsewhere', time: 1, correlationId: 'c' })
    await bus.close()
  })
})

describe('what is no CloudEvent of ours', () => {
  const type = 'application/cloudevents+json'
  const good = { specversion: '1.0', id: '1', source: 's', type: 'a.b' }
  const wrong: [string, string, string, number, string][] = [
    ['no JSON', type, '{', 400, 'invalid_options'],
    ['a list in place of one', type, JSON.stringify([good]), 400, 'invalid_options'],
    [
      'one in place of a list',
      'application/cloudevents-batch+json',
      JSON.stringify(good),
      400,
      'invalid_options',
    ],
    ['nobody', 'application/cloudevents-batch+json', '[]', 400, 'invalid_options'],
    [
      'an old version',
      type,
      JSON.stringify({ ...good, specversion: '0.3' }),
      400,
      'invalid_options',
    ],
    ['a type with a slash', type, JSON.stringify({ ...good, type: 'a/b' }), 400, 'invalid_type'],
    [
      'data twice',
      type,
      JSON.stringify({ ...good, data: 1, data_base64: 'AA==' }),
      400,
      'invalid_options',
    ],
    ['no base64', type, JSON.stringify({ ...good, data_base64: '%' }), 400, 'invalid_options'],
    [
      'a nested extension',
      type,
      JSON.stringify({ ...good, ext: { a: 1 } }),
      400,
      'invalid_options',
    ],
    [
      'a prototype',
      type,
      `{"specversion":"1.0","id":"1","source":"s","type":"a.b","__proto__":{"a":1}}`,
      400,
      'invalid_options',
    ],
  ]
  it.each(wrong)('%s is refused', async (_, contentType, body, status, code) => {
    const { post, page } = await start()
    const answer = await post(body, { 'content-type': contentType })
    expect([answer.status, answer.body.error?.code]).toEqual([status, code])
    expect((await page()).events).toEqual([])
  })

  it('a header that is not percent-encoded is refused, one that is, is read', async () => {
    const { post, page } = await start()
    const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': 's', 'ce-type': 'a.b' }
    expect((await post('1', { ...headers, 'ce-note': '%zz' })).status).toBe(400)
    const sent = { ...headers, 'ce-note': '%C3%BC', 'content-type': 'application/json' }
    expect((await post('1', sent)).status).toBe(201)
    expect((await page()).events).toMatchObject([{ note: 'ü', data: 1 }])
  })
})

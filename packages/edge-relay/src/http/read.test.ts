import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Auth } from '../auth.ts'
import type { RelayOptions } from '../options.ts'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'

const auth: Auth = (token) => ({
  subject: 'ann',
  rights: { publish: ['**'], subscribe: token === 'some' ? ['public.**'] : ['**'] },
})

const servers: RelayServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

interface Page {
  events: { id: string; data: unknown; position: string }[]
  head?: string
  next?: string
}

async function start(options: RelayOptions = {}) {
  const platform = new ManualPlatform()
  const relay = createRelay({
    platform,
    onError: (error) => expect.fail(String(error)),
    ...options,
  })
  const server = await serve(relay, { port: 0 })
  servers.push(server)
  const events = `${server.url}/rooms/r/events`
  const post = (type: string, data: unknown, headers: Record<string, string> = {}) =>
    fetch(events, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ type, data }),
    })
  const get = (query = '', init: RequestInit = {}) => fetch(events + query, init)
  const page = async (query = ''): Promise<Page> => (await (await get(query)).json()) as Page
  return { platform, server, events, post, get, page }
}

const dataOf = ({ events }: Page) => events.map(({ data }) => data)

describe('a page that waits', () => {
  it('answers at once with what there is', async () => {
    const { page, post, platform } = await start()
    await post('a', 1)
    expect(dataOf(await page('?wait=60000'))).toEqual([1])
    expect(platform.timers).toBe(0)
  })

  it('answers as soon as something matches, and not before', async () => {
    const { page, platform, post } = await start()
    await post('a', 1)
    const { head } = await page()
    const answer = page(`?after=${head}&type=wanted&wait=60000`)
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    await post('other', 2)
    await post('wanted', 3)
    expect(dataOf(await answer)).toEqual([3])
  })

  it('waits for the first event of a room', async () => {
    const { page, platform, post } = await start()
    const answer = page('?wait=60000')
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    await post('a', 1)
    expect(dataOf(await answer)).toEqual([1])
  })

  it('answers empty when its time is over, with a head to go on after', async () => {
    const { page, platform, post } = await start()
    await post('a', 1)
    const answer = page('?after=now&wait=1000')
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    platform.advance(1_000)
    const { head, ...rest } = await answer
    expect(rest).toEqual({ events: [], first: expect.any(String) })
    await post('a', 2)
    expect(dataOf(await page(`?after=${head}`))).toEqual([2])
  })

  it('misses nothing and repeats nothing, asked again and again while others write', async () => {
    const { page, post } = await start()
    const total = 60
    const writing = (async () => {
      for (let i = 1; i <= total; i++) await post(i % 3 === 0 ? 'noise' : 'a', i)
    })()
    const seen: unknown[] = []
    let after: string | undefined
    while (!seen.includes(total - 1)) {
      const query = after === undefined ? '' : `&after=${after}`
      const answer = await page(`?type=a&limit=5&wait=60000${query}`)
      seen.push(...dataOf(answer))
      after = answer.next ?? answer.head
    }
    await writing
    const expected = Array.from({ length: total }, (_, i) => i + 1).filter((i) => i % 3 !== 0)
    expect(seen).toEqual(expected)
  })

  it('ends when its reader goes, and answers when the relay closes', async () => {
    const { get, page, platform, server } = await start()
    const abort = new AbortController()
    const left = get('?wait=60000', { signal: abort.signal })
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    abort.abort()
    await expect(left).rejects.toThrow()
    await vi.waitFor(() => expect(platform.timers).toBe(0))
    const answer = page('?wait=60000')
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    await server.close()
    expect(await answer).toEqual({ events: [] })
  })

  it.each(['?wait=60001', '?wait=-1', '?wait=1.5', '?wait=', '?wait=1&wait=2'])(
    'refuses %s',
    async (query) => {
      const { get } = await start()
      const response = await get(query)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { code: 'invalid_options' } })
    },
  )
})

describe('a read of what the reader has', () => {
  it('answers 304 to the tag of a page, until the room grows', async () => {
    const { get, post } = await start()
    await post('a', 1)
    const first = await get()
    const tag = first.headers.get('etag') as string
    expect(first.headers.get('cache-control')).toBe('private, no-cache')
    const again = await get('', { headers: { 'if-none-match': `"other", ${tag}` } })
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', tag])
    await post('b', 2)
    expect((await get('', { headers: { 'if-none-match': tag } })).status).toBe(200)
  })

  it('waits, asked for a page that the reader has, until there is another', async () => {
    const { get, platform, post } = await start()
    await post('a', 1)
    const tag = (await get()).headers.get('etag') as string
    const waiting = get('?wait=60000', { headers: { 'if-none-match': tag } })
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    await post('a', 2)
    expect(dataOf((await (await waiting).json()) as Page)).toEqual([1, 2])
  })

  it('answers 304 to a wait in which nothing happened', async () => {
    const { get, platform, post } = await start()
    await post('a', 1)
    const tag = (await get('?after=now')).headers.get('etag') as string
    const waiting = get('?after=now&wait=1000', { headers: { 'if-none-match': tag } })
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    platform.advance(1_000)
    expect((await waiting).status).toBe(304)
  })

  it('has a tag of its own for a token that reads other types', async () => {
    const { get, post } = await start({ auth })
    await post('secret', 1)
    const tagAs = async (token: string) =>
      (await get('', { headers: { authorization: `Bearer ${token}` } })).headers.get('etag')
    expect(await tagAs('all')).toBe(await tagAs('all'))
    expect(await tagAs('all')).not.toBe(await tagAs('some'))
  })

  it('answers 304 for one event for ever, but only to those who may read it', async () => {
    const { events, page, post } = await start({ auth })
    await post('secret', 1)
    const { id, position } = (await page()).events[0] as Page['events'][0]
    await post('secret', 2)
    const ask = (token: string) =>
      fetch(`${events}/${id}`, {
        headers: { 'if-none-match': `"${position}"`, authorization: `Bearer ${token}` },
      })
    expect((await ask('all')).status).toBe(304)
    expect((await ask('some')).status).toBe(404)
  })

  it('answers HEAD with the headers of GET, without waiting', async () => {
    const { events, get, post, page } = await start()
    await post('a', 1)
    const { id } = (await page()).events[0] as Page['events'][0]
    for (const path of ['', `/${id}`]) {
      const head = await fetch(events + path, { method: 'HEAD' })
      const full = await fetch(events + path)
      expect([head.status, await head.text()]).toEqual([200, ''])
      for (const name of ['etag', 'content-type', 'cache-control'])
        expect(head.headers.get(name)).toBe(full.headers.get(name))
    }
    expect((await get('?after=now&wait=60000', { method: 'HEAD' })).status).toBe(200)
  })
})

describe('correlation and trace over HTTP', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

  it('go into the events of a request, and come back with its answer and with each event', async () => {
    const { events, page, post } = await start()
    const headers = { 'x-correlation-id': 'order 7', traceparent }
    const answer = await post('a', 1, headers)
    const event = (await page()).events[0] as Page['events'][0]
    expect(event).toMatchObject({ correlationId: 'order 7', traceparent })
    for (const { headers: given } of [answer, await fetch(`${events}/${event.id}`)]) {
      expect(given.get('x-correlation-id')).toBe('order 7')
      expect(given.get('traceparent')).toBe(traceparent)
    }
  })

  it.each([
    ['an unknown version', `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['no trace', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['no parent', `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`],
    ['nonsense', 'mine'],
  ])('leave out a traceparent with %s, as it must not fail a request', async (_, value) => {
    const { page, post } = await start()
    const answer = await post('a', 1, { traceparent: value })
    expect([answer.status, answer.headers.get('traceparent')]).toEqual([201, null])
    expect((await page()).events[0]).not.toHaveProperty('traceparent')
  })

  it('refuses a correlation id that no event can have', async () => {
    const { post } = await start()
    const answer = await post('a', 1, { 'x-correlation-id': 'x'.repeat(257) })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: 'invalid_options' } })
  })

  it('leaves out of the headers what they cannot carry', async () => {
    const { events, page } = await start()
    const body = JSON.stringify({ type: 'a', correlationId: 'größer 😀' })
    await fetch(events, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const event = (await page()).events[0] as Page['events'][0]
    const { status, headers } = await fetch(`${events}/${event.id}`)
    expect([status, headers.get('x-correlation-id')]).toEqual([200, null])
  })
})

describe('pages of other origins', () => {
  it('may read streams and tags where their origin is served, and only there', async () => {
    const { events } = await start({ origins: ['https://shop.example'], auth })
    const ask = (origin: string, method = 'GET') =>
      fetch(events, { method, headers: { origin, 'access-control-request-method': 'GET' } })
    const { headers } = await ask('https://shop.example')
    expect(headers.get('access-control-allow-origin')).toBe('https://shop.example')
    expect(headers.get('access-control-expose-headers')).toMatch(/ETag.*X-Correlation-ID/)
    expect(headers.get('vary')).toMatch(/Accept/)
    expect(headers.get('vary')).toMatch(/Origin/)
    const preflight = await ask('https://shop.example', 'OPTIONS')
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(
      /If-None-Match.*Last-Event-ID/,
    )
    const foreign = await fetch(events, {
      headers: { origin: 'https://evil.example', accept: 'text/event-stream' },
    })
    expect(foreign.status).toBe(403)
    expect(foreign.headers.get('access-control-allow-origin')).toBe(null)
  })
})

it('a page of large events ends where it is large, and the next one goes on', async () => {
  const { page, post } = await start()
  const data = 'x'.repeat(200_000)
  const total = 40
  for (let i = 0; i < total; i++) expect((await post('a', `${i} ${data}`)).status).toBe(201)
  const seen: string[] = []
  let after: string | undefined
  let pages = 0
  do {
    const answer = await page(after === undefined ? '' : `?after=${after}`)
    expect(JSON.stringify(answer).length).toBeLessThan(6 * 1024 * 1024)
    seen.push(...answer.events.map((event) => String(event.data).split(' ')[0] as string))
    after = answer.next
    pages += 1
  } while (after !== undefined)
  expect(seen).toEqual(Array.from({ length: total }, (_, i) => String(i)))
  expect(pages).toBe(2)
})

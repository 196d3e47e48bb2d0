import { request } from 'node:http'
import { EventSource } from 'eventsource'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Auth } from '../auth.ts'
import type { RelayOptions } from '../options.ts'
import { markIn, type RoomHead, type RoomRecord, START } from '../record.ts'
import { createRelay, type Relay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { EventStreamProbe } from '../testing/event-stream-probe.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { connectProbe, publishOf } from '../testing/probe.ts'

const auth: Auth = (token) => ({
  subject: 'ann',
  rights: { publish: ['**'], subscribe: token === 'some' ? ['public.**'] : ['**'] },
})

const servers: RelayServer[] = []
const probes: EventStreamProbe[] = []
afterEach(async () => {
  for (const probe of probes.splice(0)) probe.close()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(options: RelayOptions = {}) {
  const platform = new ManualPlatform()
  const store = options.store ?? memoryStore()
  const relay = createRelay({
    platform,
    onError: (error) => expect.fail(String(error)),
    ...options,
    store,
  })
  const server = await serve(relay, { port: 0 })
  servers.push(server)
  const events = `${server.url}/rooms/r/events`
  return {
    platform,
    relay,
    server,
    store,
    events,
    async open(query = '', headers: Record<string, string> = {}): Promise<EventStreamProbe> {
      const probe = await EventStreamProbe.open(events + query, headers)
      probes.push(probe)
      expect(probe.response.status).toBe(200)
      return probe
    },
    async refusal(query: string, headers: Record<string, string> = {}): Promise<unknown> {
      const { response } = await EventStreamProbe.open(events + query, headers)
      const { error } = (await response.json()) as { error: { code: string; message: string } }
      return [response.status, error.code, error.message]
    },
    async post(...all: object[]): Promise<string[]> {
      const response = await fetch(events, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(all),
      })
      const { events: posted } = (await response.json()) as { events: { position: string }[] }
      return posted.map(({ position }) => position)
    },
  }
}

const numbered = (from: number, to: number, type = 'a.b') =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ type, data: from + i }))

/** Drops all records of the room but those that are needed for its last event. */
async function trimAll(store: Store): Promise<void> {
  const keep = { events: 1, bytes: Number.MAX_SAFE_INTEGER, since: 0 }
  while (await store.trim('r', keep, { events: 1_000, bytes: 1_000_000 }));
}

describe('an event stream', () => {
  it('gives what the room has and then what comes, as messages whose id is the position', async () => {
    const { open, post } = await start()
    const [first] = await post({ type: 'cart.item_added', data: { sku: 'A1' } }, { type: 'a.c' })
    const probe = await open()
    expect(probe.response.headers.get('content-type')).toBe('text/event-stream')
    expect(probe.response.headers.get('cache-control')).toContain('no-transform')
    expect(await probe.next()).toEqual({ retry: '2000' })
    const { id, event, data } = await probe.message()
    expect({ id, event }).toEqual({ id: first, event: undefined })
    expect(JSON.parse(data)).toMatchObject({
      type: 'cart.item_added',
      position: first,
      data: { sku: 'A1' },
    })
    expect(JSON.parse((await probe.message()).data)).not.toHaveProperty('data')
    const [live] = await post({ type: 'a.d', data: 'ü😀' })
    expect(await probe.message()).toMatchObject({ id: live, data: expect.stringContaining('ü😀') })
  })

  it('waits in a room that was never written to, and makes none', async () => {
    const { open, post, store } = await start()
    const probe = await open()
    await probe.next()
    expect(await store.load('r')).toBe(undefined)
    await post(...numbered(1, 2))
    expect(await probe.data(2)).toEqual([1, 2])
  })

  it('goes on behind Last-Event-ID with exactly what was missed, whatever the address says', async () => {
    const { open, post } = await start()
    const [first] = await post(...numbered(1, 3))
    const probe = await open()
    await probe.data(2)
    probe.close()
    await post(...numbered(4, 5))
    for (const query of ['', `?after=${first}`, '?since=0']) {
      const again = await open(query, { 'last-event-id': probe.lastEventId })
      expect(await again.data(3)).toEqual([3, 4, 5])
    }
    const after = await open(`?after=${first}`, { 'last-event-id': '' })
    expect(await after.data(4)).toEqual([2, 3, 4, 5])
  })

  it('begins at the end with after=now, and a break before the first event loses nothing', async () => {
    const { open, post } = await start()
    await post(...numbered(1, 3))
    const probe = await open('?after=now')
    expect(await probe.next()).toEqual({ retry: '2000' })
    expect(await probe.next()).toEqual({ id: expect.any(String) })
    probe.close()
    await post(...numbered(4, 4))
    const again = await open('?after=now', { 'last-event-id': probe.lastEventId })
    await post(...numbered(5, 5))
    expect(await again.data(2)).toEqual([4, 5])
  })

  it('gives one reader of many what it asked for, of the past and of what comes', async () => {
    const { open, platform, post } = await start()
    platform.set(1_000)
    const write = (data: number) =>
      post(
        { type: 'a.b', data, stream: 's-1' },
        { type: 'c', data: data + 1, correlationId: 'talk' },
        { type: 'a.b.c', data: data + 2 },
      )
    await write(1)
    platform.set(2_000)
    await write(11)
    const queries: [string, number[]][] = [
      ['?type=a.*', [1, 11, 21]],
      ['?type=c&type=a.**', [1, 2, 3, 11, 12, 13, 21, 22, 23]],
      ['?stream=s-1', [1, 11, 21]],
      ['?correlation_id=talk', [2, 12, 22]],
      ['?since=2000', [11, 12, 13, 21, 22, 23]],
      ['?since=1970-01-01T00:00:02Z&type=c', [12, 22]],
    ]
    const readers = await Promise.all(queries.map(([query]) => open(query)))
    await write(21)
    for (const [i, [, expected]] of queries.entries())
      expect(await readers[i]?.data(expected.length)).toEqual(expected)
  })

  it('gives nothing that was written before a time to come', async () => {
    const { open, platform, post } = await start()
    platform.set(1_000)
    await post(...numbered(1, 1))
    const probe = await open('?since=2000')
    await post(...numbered(2, 2))
    platform.set(2_000)
    await post(...numbered(3, 3))
    expect(await probe.data(1)).toEqual([3])
  })

  it('holds the rights of its token for each event', async () => {
    const { open, post } = await start({ auth })
    await post({ type: 'secret', data: 1 }, { type: 'public.a', data: 2 })
    const queries = ['', '?type=**', '?type=secret&type=public.**']
    const headers = { authorization: 'Bearer some' }
    const readers = await Promise.all(queries.map((query) => open(query, headers)))
    await post({ type: 'secret', data: 3 })
    await post({ type: 'public.b', data: 4 })
    for (const reader of readers) expect(await reader.data(2)).toEqual([2, 4])
  })

  it('beats in silence, and tells how far it is where nothing matched', async () => {
    const { open, platform, post } = await start()
    const probe = await open('?type=wanted')
    await probe.next()
    platform.advance(25_000)
    expect(await probe.next()).toEqual({ comment: true })
    await post(...numbered(1, 2, 'other'))
    platform.advance(25_000)
    expect(await probe.next()).toEqual({ id: expect.any(String) })
    const again = await open('', { 'last-event-id': probe.lastEventId })
    await post(...numbered(3, 3, 'wanted'))
    expect(await again.data(1)).toEqual([3])
  })

  it('lets no data forge a field: line ends in it stay in it', async () => {
    const { open, server } = await start()
    const device = await connectProbe(`${server.url.replace('http', 'ws')}/rooms/r/socket`)
    await device.join('d')
    device.send(publishOf(1, undefined, ['a-1', 'a-2']), ['{"a":\rid: forged\r\r1}', '[\r1\r]'])
    await device.next('ack')
    const probe = await open()
    expect(JSON.parse((await probe.message()).data)).toMatchObject({ unreadable: true })
    expect(JSON.parse((await probe.message()).data)).toMatchObject({ id: 'a-2', data: [1] })
  })

  it('gives many readers of a commit the same, without asking the store for each', async () => {
    const store = memoryStore()
    const { open, post } = await start({ store })
    await post(...numbered(1, 1))
    const readers = await Promise.all(Array.from({ length: 5 }, () => open()))
    for (const reader of readers) expect(await reader.data(1)).toEqual([1])
    const read = vi.spyOn(store, 'read')
    await post(...numbered(2, 4))
    for (const reader of readers) expect(await reader.data(3)).toEqual([2, 3, 4])
    expect(read).not.toHaveBeenCalled()
  })

  it('sees what another process wrote at its next beat', async () => {
    const store = memoryStore()
    const one = await start({ store })
    const other = await start({ store })
    await one.post(...numbered(1, 1))
    const probe = await one.open()
    await probe.data(1)
    await other.post(...numbered(2, 2))
    one.platform.advance(25_000)
    expect(await probe.data(1)).toEqual([2])
    servers.splice(servers.indexOf(other.server), 1)
    await other.server.close()
  })
})

describe('an event stream that cannot go on where its reader was', () => {
  it('says what was trimmed away: as a gap to a reader that comes back, as 410 to a new one', async () => {
    const { open, post, refusal, store } = await start()
    const [first] = await post(...numbered(1, 1))
    for (let i = 2; i <= 5; i++) await post(...numbered(i, i))
    await trimAll(store)
    expect(await refusal(`?after=${first}`)).toEqual([
      410,
      'not_found',
      expect.stringMatching(/trimmed away; go on after \S+/),
    ])
    const probe = await open('', { 'last-event-id': first as string })
    const gap = await probe.message()
    expect(gap).toEqual({ event: 'gap', id: expect.any(String), data: expect.any(String) })
    expect(JSON.parse(gap.data)).toEqual({ reason: 'trimmed', first: gap.id })
    expect(await probe.data(1)).toEqual([5])
  })

  it('tells a reader that is overtaken by retention while it reads', async () => {
    const { open, post, store } = await start({ limits: { streamEvents: 1 } })
    await post(...numbered(1, 1))
    const readOn = Promise.withResolvers<void>()
    const read = store.read.bind(store)
    let asked = false
    store.read = async (...args) => {
      if (args[1] > 0) {
        asked = true
        await readOn.promise
      }
      return read(...args)
    }
    for (let i = 2; i <= 5; i++) await post(...numbered(i, i))
    const probe = await open()
    expect(await probe.data(1)).toEqual([1])
    await vi.waitFor(() => expect(asked).toBe(true))
    await trimAll(store)
    readOn.resolve()
    expect(JSON.parse((await probe.message()).data)).toMatchObject({ reason: 'trimmed' })
    expect(await probe.data(1)).toEqual([5])
  })

  it('says that the room is another one, and begins with what that has', async () => {
    const { open, post } = await start()
    const foreign = 'Qm3vT8xYbK2d.1.tnylwn'
    const empty = await open('', { 'last-event-id': foreign })
    expect(JSON.parse((await empty.message()).data)).toEqual({ reason: 'new_epoch' })
    await post(...numbered(1, 1))
    expect(await empty.data(1)).toEqual([1])
    const probe = await open('', { 'last-event-id': foreign })
    expect(JSON.parse((await probe.message()).data)).toMatchObject({ reason: 'new_epoch' })
    expect(await probe.data(1)).toEqual([1])
  })

  it('ends where the room was restored under it, so that its reader comes back and is told', async () => {
    const whole = memoryStore()
    const copy = memoryStore()
    let current = whole
    const store = new Proxy(whole, {
      get: (_, key) => {
        const value: unknown = Reflect.get(current, key)
        return typeof value === 'function' ? value.bind(current) : value
      },
    })
    const { open, post } = await start({ store })
    for (let i = 1; i <= 3; i++) await post(...numbered(i, i))
    const probe = await open()
    expect(await probe.data(3)).toEqual([1, 2, 3])
    const [record] = (await whole.read('r', 0, { events: 1, bytes: 1 })) as [RoomRecord]
    const { epoch } = (await whole.head('r')) as RoomHead
    const { time } = record
    await copy.append('r', {
      expected: { epoch, version: 0, ...START, time: 0 },
      head: { epoch, version: 1, ...markIn(record, 1), time },
      records: [record],
      state: [],
    })
    current = copy
    // So many that the room is longer than it was: by places alone it would go on with the last one.
    await post(...numbered(11, 13))
    while (await probe.next());
    const again = await open('', { 'last-event-id': probe.lastEventId })
    expect(JSON.parse((await again.message()).data)).toMatchObject({ reason: 'restored' })
    expect(await again.data(4)).toEqual([1, 11, 12, 13])
  })

  it.each([
    ['its token was called back', (relay: Relay) => relay.revoke(() => true)],
    ['the room was deleted', (relay: Relay) => relay.deleteRoom('r')],
  ])('ends where %s while it was looked up where it begins', async (_, end) => {
    const whole = memoryStore()
    const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let isSlow = false
    const store = new Proxy(whole, {
      get: (_, key) => {
        const value: unknown = Reflect.get(whole, key)
        if (key === 'head' && isSlow)
          return async (room: string) => {
            const head = await whole.head(room)
            asked.resolve()
            await answered.promise
            return head
          }
        return typeof value === 'function' ? value.bind(whole) : value
      },
    })
    const { events, post, relay } = await start({ store })
    await post(...numbered(1, 3))
    isSlow = true
    const opened = fetch(events, { headers: { accept: 'text/event-stream' } })
    await asked.promise
    await end(relay)
    answered.resolve()
    // Its reader comes back, and is told then.
    expect(await (await opened).text()).toBe('retry: 500\n\n')
  })

  const wrong: [string, string, Record<string, string>, number, string, RegExp][] = [
    ['an unknown position', '?after=nowhere', {}, 404, 'not_found', /leave it out/],
    ['a foreign id', '', { 'last-event-id': '7' }, 404, 'not_found', /leave it out/],
    ['a limit', '?limit=5', {}, 400, 'invalid_options', /is for pages/],
    ['a wait', '?wait=5', {}, 400, 'invalid_options', /is for pages/],
    ['another filter', '?topic=a', {}, 400, 'invalid_options', /use type, stream/],
    ['a filter twice', '?stream=a&stream=b', {}, 400, 'invalid_options', /once/],
    ['an empty filter', '?stream=', {}, 400, 'invalid_options', /1 to 256/],
    ['a pattern that is none', '?type=a..b', {}, 400, 'invalid_pattern', /a\.\.b/],
  ]
  it.each(wrong)('refuses %s as JSON, before it begins', async (_, query, headers, ...expected) => {
    const { post, refusal } = await start()
    await post(...numbered(1, 1))
    const [status, code, message] = expected
    expect(await refusal(query, headers)).toEqual([status, code, expect.stringMatching(message)])
  })
})

describe('the end of an event stream', () => {
  it('cuts a reader that does not read, with little of the room read for it, and lets it come back', async () => {
    const { events, open, platform, post, store } = await start()
    const total = 80
    const filler = 'x'.repeat(250_000)
    for (let i = 1; i <= total; i++) await post({ type: 'a.b', data: { data: i, filler } })
    const read = vi.spyOn(store, 'read')
    const cut = new Promise<string>((resolve, reject) => {
      const asked = request(events, { headers: { accept: 'text/event-stream' } })
      asked.on('error', reject)
      asked.on('response', async (response) => {
        // The first bytes are looked at, and nothing after them until the relay has had enough.
        await new Promise<void>((taken) => response.once('readable', taken))
        await vi.waitFor(() => {
          platform.advance(60_000)
          expect(platform.timers).toBe(0)
        })
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('error', () => resolve(text))
        response.on('end', () => resolve(text))
      })
      asked.end()
    })
    const text = await cut
    const whole = [...text.slice(0, text.lastIndexOf('\n\n')).matchAll(/^id: (.+)\ndata: /gm)]
    expect(read.mock.calls.length).toBeLessThan(total / 4)
    expect(whole.length).toBeLessThan(total)
    const last = whole.at(-1)?.[1]
    const again = await open('', last === undefined ? {} : { 'last-event-id': last })
    const rest = (await again.data(total - whole.length)) as { data: number }[]
    expect(rest.map(({ data }) => data)).toEqual(
      Array.from({ length: total - whole.length }, (_, i) => whole.length + i + 1),
    )
  })

  it('leaves nothing behind when its reader goes', async () => {
    const { open, platform } = await start()
    const probe = await open()
    await probe.next()
    await vi.waitFor(() => expect(platform.timers).toBe(1))
    probe.close()
    await vi.waitFor(() => expect(platform.timers).toBe(0))
  })

  it('sends its readers away when the relay closes, to come back spread', async () => {
    const { open, post, server, platform } = await start()
    await post(...numbered(1, 1))
    const readers = [await open(), await open(), await open('?type=none')]
    for (const reader of readers) await reader.next()
    await vi.waitFor(() => expect(platform.timers).toBe(3))
    await server.close()
    const last = await Promise.all(
      readers.map(async (reader) => {
        let retry: string | undefined
        for (let block = await reader.next(); block; block = await reader.next())
          retry = block.retry ?? retry
        return Number(retry)
      }),
    )
    expect(last.sort((a, b) => a - b)).toEqual([500, 1_167, 1_833])
    expect(platform.timers).toBe(0)
  })

  it('is over at once for HEAD', async () => {
    const { events, platform } = await start()
    const response = await fetch(events, {
      method: 'HEAD',
      headers: { accept: 'text/event-stream' },
    })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toBe('')
    expect(platform.timers).toBe(0)
  })
})

describe('the eventsource package', () => {
  it('goes on where its connection broke off, by Last-Event-ID', async () => {
    const { events, post, relay } = await start()
    await post(...numbered(1, 2))
    const heard: unknown[] = []
    const source = new EventSource(events)
    source.onmessage = ({ data }) => heard.push((JSON.parse(data) as { data: unknown }).data)
    await vi.waitFor(() => expect(heard).toEqual([1, 2]), 10_000)
    // The relay ends the stream as it does with a token that was called back: readers come again.
    expect(relay.revoke(() => true)).toBe(1)
    await post(...numbered(3, 4))
    await vi.waitFor(() => expect(heard).toEqual([1, 2, 3, 4]), 10_000)
    source.close()
  })
})

/** Tokens that end, are renewed, are called back, or allow other things than the one before. */
import { BUS_ERROR_CODES, BusError } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Identity } from './auth.ts'
import { createRelay, type Relay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { cursorAfter, type Probe, ProbeSocket, publishOf } from './testing/probe.ts'

const MINUTE = 60_000
const EXPIRED = { code: BUS_ERROR_CODES.token_expired, reason: 'token_expired' }

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

/** A relay whose tokens are `subject subscribe minutes flags`, as in `ann ** 5 nohistory`. */
function setup(limits = {}) {
  const platform = new ManualPlatform()
  const auth = (token = ''): Identity | undefined => {
    const [subject, subscribe = '**', minutes, ...flags] = token.split(' ')
    if (!subject) return undefined
    return {
      subject,
      rights: {
        publish: ['**'],
        subscribe: [subscribe],
        history: !flags.includes('nohistory'),
        presence: !flags.includes('nopresence'),
      },
      ...(Number(minutes) > 0 && { expiresAt: platform.now() + Number(minutes) * MINUTE }),
    }
  }
  const reported: unknown[] = []
  const store = memoryStore()
  const onError = (error: unknown) => reported.push(error)
  const relay = createRelay({ platform, auth, limits, store, onError })
  relays.push(relay)
  const connect = (): ProbeSocket => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' }))
  }
  const join = async (device: string, token: string, extra = {}) => {
    const { probe } = connect()
    return { probe, welcome: await probe.join(device, { token, ...extra }) }
  }
  const get = (query: string, token: string, headers: Record<string, string> = {}) =>
    relay.request(`http://localhost/rooms/r/events${query}`, {
      headers: { authorization: `Bearer ${token}`, host: 'localhost', ...headers },
    })
  return { platform, relay, store, reported, connect, join, get }
}

const codeOf = async (probe: Probe): Promise<string> => (await probe.next('error')).frame.code

async function codeIn(response: Response): Promise<[number, string]> {
  const { error } = (await response.json()) as { error: { code: string } }
  return [response.status, error.code]
}

describe('a token that ends', () => {
  it('is told in the welcome, and ends the connection, to come back with another', async () => {
    const { platform, join } = setup()
    const { probe, welcome } = await join('d', 'ann ** 2')
    expect(welcome.expiresInMs).toBe(2 * MINUTE)
    const { probe: endless, welcome: other } = await join('e', 'bob **')
    expect(other).not.toHaveProperty('expiresInMs')
    platform.advance(2 * MINUTE - 1_000)
    expect(probe.closed).toBe(undefined)
    platform.advance(1_000)
    expect(await codeOf(probe)).toBe('token_expired')
    expect(await probe.end()).toEqual(EXPIRED)
    expect(endless.closed).toBe(undefined)
    await join('d', 'ann ** 2', { terms: [[2, 'two']] })
  })

  it('does not end a connection that was given a fresh one', async () => {
    const { platform, join } = setup()
    const { probe } = await join('d', 'ann ** 2')
    for (let n = 0; n < 3; n++) {
      platform.advance(MINUTE)
      probe.send({ frame: 'token', token: 'ann ** 2' })
      expect((await probe.next('renewed')).frame.expiresInMs).toBe(2 * MINUTE)
    }
    platform.advance(MINUTE)
    probe.send({ frame: 'token', token: 'ann **' })
    expect((await probe.next('renewed')).frame).toEqual({ frame: 'renewed' })
    platform.advance(2 * MINUTE)
    probe.send({ frame: 'ping' })
    await probe.next('heartbeat')
  })

  it('ends by the clock that nobody sets', async () => {
    const { platform, join } = setup()
    const { probe } = await join('d', 'ann ** 2')
    platform.set(platform.now() - 60 * MINUTE)
    platform.advance(2 * MINUTE)
    expect(await probe.end()).toEqual(EXPIRED)
  })

  it('ends a read that waits, and an event stream, which goes on with a fresh one', async () => {
    const { platform, join, get } = setup()
    const { probe } = await join('d', 'ann **')
    probe.send(publishOf(1, undefined, ['a-1']), ['1'])
    await probe.next('ack')
    const page = get('?after=now&wait=60000', 'bob ** 0.5')
    const stream = await get('?after=now', 'bob ** 0.5', { accept: 'text/event-stream' })
    const text = stream.text()
    while (platform.timers < 3) await new Promise((resolve) => setImmediate(resolve))
    platform.advance(MINUTE / 2)
    expect(await (await page).json()).toMatchObject({ events: [] })
    expect(await text).toMatch(/retry: \d+\n/)
  })
})

describe('a fresh token', () => {
  it('that is not accepted ends the connection for good', async () => {
    const { join } = setup()
    const { probe } = await join('d', 'ann ** 2')
    probe.send({ frame: 'token', token: '' })
    expect(await codeOf(probe)).toBe('unauthorized')
  })

  it('of another subject is refused: the log stays whose it is', async () => {
    const { join } = setup()
    const { probe } = await join('d', 'ann ** 2')
    probe.send({ frame: 'token', token: 'bob ** 2' })
    expect(await codeOf(probe)).toBe('subject_changed')
  })

  it.each(['ann cart.** 2', 'ann ** 2 nohistory', 'ann ** 2 nopresence'])(
    'that allows other things, "%s", sends the device to join anew with it',
    async (token) => {
      const { join } = setup()
      const { probe } = await join('d', 'ann ** 2')
      probe.send({ frame: 'token', token })
      expect(await codeOf(probe)).toBe('rights_changed')
      expect((await probe.end()).code).toBeLessThan(3500)
    },
  )

  it('takes rights away at once: nothing of before the change is sent after it', async () => {
    const { join } = setup()
    const { probe: writer } = await join('w', 'ann **')
    const { probe, welcome } = await join('d', 'bob ** 2')
    probe.send({ frame: 'token', token: 'bob public.** 2' })
    expect(await codeOf(probe)).toBe('rights_changed')
    writer.send(publishOf(1, undefined, ['a-1']), ['1'])
    await writer.next('ack')
    const again = await join('d', 'bob public.** 2', { cursor: welcome.head, terms: [[2, 'two']] })
    const { ids } = await again.probe.stream(again.welcome.from, (_, { runs }) => runs.length === 0)
    expect(ids).toEqual([])
  })
})

describe('a token that was called back', () => {
  it('ends its connections and event streams, and no others', async () => {
    const { relay, join, get } = setup()
    const { probe: ann } = await join('d', 'ann **')
    const { probe: bob } = await join('e', 'bob **')
    const stream = await get('?after=now', 'ann **', { accept: 'text/event-stream' })
    expect(relay.revoke(({ subject }) => subject === 'ann')).toBe(2)
    expect(await ann.end()).toEqual(EXPIRED)
    expect(await stream.text()).toMatch(/retry: /)
    bob.send({ frame: 'ping' })
    await bob.next('heartbeat')
    expect(relay.revoke(({ subject }) => subject === 'ann')).toBe(0)
  })
})

describe('without a right to history', () => {
  async function withHistory() {
    const all = setup()
    const { probe, welcome } = await all.join('w', 'ann **')
    probe.send(publishOf(1, undefined, ['a-1', 'a-2', 'a-3']), ['1', '2', '3'])
    await probe.next('ack')
    const { epoch } = welcome
    return { ...all, writer: probe, epoch, cursor: cursorAfter(epoch, ['a-1']) }
  }
  const WITHOUT = 'bob ** 9 nohistory'

  it.each([
    ['from the start', { from: 'start' }],
    ['of the last ten', { from: { last: 10 } }],
    ['since ever', { from: { time: 0 } }],
  ])('a new device that asks for all %s begins at the head', async (_, hello) => {
    const { join } = await withHistory()
    const { welcome } = await join('d', WITHOUT, hello)
    expect(welcome.from).toBe(welcome.head)
  })

  it('a position that anybody can name proves nothing', async () => {
    const { join, epoch, cursor } = await withHistory()
    const [place, check] = cursor.split('.').slice(1)
    for (const forged of [`${epoch}.0.0`, `${epoch}.${place}.${check}`]) {
      const { welcome } = await join(`d${forged.length}`, WITHOUT, {
        cursor: forged,
        older: [forged],
      })
      expect([welcome.from, welcome.recovered]).toEqual([welcome.head, false])
      const { welcome: other } = await join(`e${forged.length}`, WITHOUT, {
        from: { position: forged },
      })
      expect(other.from).toBe(other.head)
    }
  })

  it('a device that was there goes on where it was', async () => {
    const { join, cursor } = await withHistory()
    const { probe, welcome } = await join('d', WITHOUT, { cursor })
    expect([welcome.from, welcome.recovered]).toEqual([cursor, true])
    expect((await probe.stream(cursor, (ids) => ids.length === 2)).ids).toEqual(['a-2', 'a-3'])
  })

  it('HTTP gives what comes, and nothing of before', async () => {
    const { get, epoch, writer } = await withHistory()
    for (const query of ['', '?since=0', '?after=now&since=0', `?after=${epoch}.0.0`, '/a-1'])
      expect(await codeIn(await get(query, WITHOUT))).toEqual([403, 'forbidden'])
    const stream = await get('', WITHOUT, { accept: 'text/event-stream' })
    expect(await codeIn(stream)).toEqual([403, 'forbidden'])
    const forged = { accept: 'text/event-stream', 'last-event-id': `${epoch}.0.0` }
    expect(await codeIn(await get('', WITHOUT, forged))).toEqual([403, 'forbidden'])
    const page = (await (await get('?after=now', WITHOUT)).json()) as { head: string }
    writer.send(publishOf(2, 1, ['a-4']), ['4'])
    await writer.next('ack')
    expect(await (await get(`?after=${page.head}`, WITHOUT)).json()).toMatchObject({
      events: [{ id: 'a-4' }],
    })
  })
})

describe('without a right to presence', () => {
  it('a device says who is there, and hears of nobody', async () => {
    const { platform, join } = setup()
    const member = (id: string) => ({ id, kind: 'page', source: id }) as const
    const { probe: quiet } = await join('q', 'ann ** 9 nopresence')
    const { probe: other } = await join('o', 'bob **')
    for (const [probe, name] of [
      [quiet, 'q1'],
      [other, 'o1'],
    ] as const)
      probe.send({ frame: 'presence', devices: [{ members: [member(name)] }] })
    const seen = async () =>
      (await other.next('presence')).frame.devices.flatMap(({ members }) =>
        members.map(({ id }) => id),
      )
    platform.advance(1_000)
    expect(await seen()).toContain('q1')
    quiet.send({ frame: 'ping' })
    await quiet.next('heartbeat')
    expect(quiet.unread.filter(({ frame }) => frame.frame === 'presence')).toEqual([])
  })
})

describe('without a right to history, in a room that was trimmed', () => {
  it('where the kept history begins, as everybody is told, is no proof of having been there', async () => {
    const { relay, join, platform, store } = setup({ roomEvents: 2 })
    const { probe, welcome } = await join('w', 'ann **')
    for (let n = 1; n <= 6; n++) {
      probe.send(publishOf(n, n === 1 ? undefined : n - 1, [`a-${n}`]), [`${n}`])
      await probe.next('ack')
    }
    const keep = { events: 3, bytes: Number.MAX_SAFE_INTEGER, since: 0 }
    while (await store.trim('r', keep, { events: 100, bytes: 1_000_000 }));
    const token = 'bob ** 9 nohistory'
    const headers = { authorization: `Bearer ${token}`, host: 'localhost' }
    const stats = await relay.request('http://localhost/rooms/r/stats', { headers })
    const { first } = (await stats.json()) as { first: string }
    expect(first).not.toContain(`${welcome.epoch}.0.`)
    const read = await relay.request(`http://localhost/rooms/r/events?after=${first}`, { headers })
    expect(await codeIn(read)).toEqual([403, 'forbidden'])
    const { welcome: mine } = await join('d', token, { cursor: first })
    expect([mine.from, mine.recovered]).toEqual([mine.head, false])
    // Nor is the position of an event, which who knows ids can make.
    const [place, check] = cursorAfter(welcome.epoch, ['a-1', 'a-2', 'a-3', 'a-4'])
      .split('.')
      .slice(1)
    const made = `${welcome.epoch}.${place}.${check}`
    const forged = await relay.request(`http://localhost/rooms/r/events?after=${made}`, { headers })
    expect(await codeIn(forged)).toEqual([403, 'forbidden'])
    platform.advance(1)
  })

  it('an event stream goes on by the ids that it gives', async () => {
    const { get, join } = setup()
    const { probe } = await join('w', 'ann **')
    probe.send(publishOf(1, undefined, ['a-1']), ['1'])
    await probe.next('ack')
    const stream = await get('?after=now', 'bob ** 9 nohistory', { accept: 'text/event-stream' })
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
    let text = ''
    const more = async () => {
      text += new TextDecoder().decode((await reader.read()).value)
    }
    while (!text.includes('id: ')) await more()
    probe.send(publishOf(2, 1, ['a-2', 'a-3']), ['2', '3'])
    await probe.next('ack')
    while (!text.includes('"a-2"')) await more()
    await reader.cancel()
    const id = /^id: (\S+)\ndata: [^\n]*"a-2"/m.exec(text)?.[1] as string
    const again = await get('', 'bob ** 9 nohistory', {
      accept: 'text/event-stream',
      'last-event-id': id,
    })
    expect(again.status).toBe(200)
    await again.body?.cancel()
  })
})

describe('an auth that cannot be asked', () => {
  it('sends devices away to come back, and ends nothing that goes on', async () => {
    let down = false
    const relay = createRelay({
      auth: () => {
        if (down) throw new BusError('unavailable', 'the keys cannot be had')
        return { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } }
      },
      onError: () => {},
    })
    relays.push(relay)
    const connect = () => {
      const socket = new ProbeSocket()
      return socket.open(relay.accept(socket, { room: 'r' })).probe
    }
    const there = connect()
    await there.join('d', { token: 'x' })
    down = true
    there.send({ frame: 'token', token: 'y' })
    const late = connect()
    await expect(late.join('e', { token: 'x' })).rejects.toThrow('unavailable')
    expect((await late.end()).code).toBeLessThan(3500)
    there.send({ frame: 'ping' })
    await there.next('heartbeat')
  })
})

import type { Ask } from '@crosstown/bus/inspect'
import { deviceName, type Rights } from '@crosstown/bus/protocol'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth, RelayRights } from '../auth.ts'
import type { Admission } from '../connection.ts'
import type { Limits } from '../limits.ts'
import { createRelay, type Relay, type RelayOptions } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { InspectorSocket } from '../testing/inspector.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { headerOf, type Probe, ProbeSocket, publishOf } from '../testing/probe.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

const FLUSH_MS = 50

interface Setup {
  readonly auth?: Auth
  readonly limits?: Partial<Limits>
  readonly store?: Store
  readonly platform?: ManualPlatform
}

/** Chance of its own in each relay. */
class NoncePlatform extends ManualPlatform {
  #count = 0
  override randomName(length: number): string {
    this.#count += 1
    return String(this.#count).padStart(length, '0')
  }
}

function setup(given: Setup = {}) {
  const { auth, limits = {}, store = memoryStore(), platform = new ManualPlatform() } = given
  const errors: unknown[] = []
  const relay = createRelay({
    platform,
    store,
    limits,
    ...(auth && { auth }),
    onError: (error) => errors.push(error),
  })
  relays.push(relay)
  const connect = (): Probe => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' })).probe
  }
  const join = async (device: string, extra = {}): Promise<Probe & { socket: ProbeSocket }> => {
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    await probe.join(device, extra)
    return Object.assign(probe, { socket })
  }
  const inspector = (room?: string) => new InspectorSocket(relay, room)
  /** An inspector that is attached, and heard the relay. */
  const attached = async (token?: string) => {
    const socket = inspector()
    await socket.probe.join(token)
    socket.probe.attach()
    const { peer } = await socket.probe.next('hello', ({ kind }) => kind === 'relay')
    return Object.assign(socket.probe, { socket, relay: peer })
  }
  return { relay, platform, errors, connect, join, inspector, attached }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const tokens =
  (rights: Record<string, RelayRights>): Auth =>
  (token) => {
    const found = rights[token ?? '']
    return found && { subject: token as string, rights: found }
  }
const ALL: Rights = { publish: ['**'], subscribe: ['**'] }

describe('joining', () => {
  it('tells how many devices are there', async () => {
    const { join, inspector } = setup()
    await join('d')
    expect(await inspector().probe.join()).toEqual({ frame: 'joined', room: 'r', peers: 1 })
  })

  it('is for those whose token allows it', async () => {
    const { inspector } = setup({
      auth: tokens({ may: { ...ALL, inspect: true }, not: ALL, no: { ...ALL, inspect: false } }),
    })
    await inspector().probe.join('may')
    for (const token of ['not', 'no']) {
      const { probe } = inspector()
      probe.sendRaw(JSON.stringify({ frame: 'join', token }))
      expect(await probe.next('error')).toMatchObject({ code: 'forbidden' })
      expect(await probe.end()).toEqual({ code: 3503, reason: 'forbidden' })
    }
    const { probe } = inspector()
    probe.sendRaw('{"frame":"join"}')
    expect(await probe.next('error')).toMatchObject({ code: 'unauthorized' })
  })

  it('needs rights that are well-formed', async () => {
    const { inspector, errors } = setup({
      auth: () => ({ subject: 's', rights: { ...ALL, inspect: 'yes' as unknown as boolean } }),
    })
    const { probe } = inspector()
    probe.sendRaw('{"frame":"join"}')
    expect(await probe.next('error')).toMatchObject({ code: 'unauthorized' })
    expect(String(errors[0])).toContain('rights.inspect')
  })

  it('is for so many at a time', async () => {
    const { inspector } = setup({ limits: { inspectors: 2 } })
    const first = inspector()
    await first.probe.join()
    await inspector().probe.join()
    const third = inspector().probe
    third.sendRaw('{"frame":"join"}')
    expect(await third.next('error')).toMatchObject({ code: 'rate_limited' })
    expect((await third.end()).code).toBeLessThan(3500)
    first.drop()
    await inspector().probe.join()
    await inspector('another').probe.join()
  })

  it('ends with the token', async () => {
    const { inspector, platform, relay } = setup({
      auth: (token) => ({
        subject: token as string,
        rights: { ...ALL, inspect: true },
        ...(token === 'short' && { expiresAt: 1_700_000_000_000 + 5_000 }),
      }),
    })
    const { probe } = inspector()
    await probe.join('short')
    platform.advance(4_500)
    expect(probe.closed).toBeUndefined()
    platform.advance(1_000)
    expect(await probe.next('error')).toMatchObject({ code: 'token_expired' })
    const other = inspector().probe
    await other.join('other')
    expect(relay.revoke(({ subject }) => subject === 'other')).toBe(1)
    expect(await other.next('error')).toMatchObject({ code: 'token_expired' })
  })

  it('has its time', async () => {
    const { inspector, platform } = setup({ limits: { helloMs: 1_000 } })
    const { probe } = inspector()
    platform.advance(1_500)
    expect(await probe.next('error')).toMatchObject({ code: 'timeout' })
  })
})

describe("the relay's own tap", () => {
  it('says what became of a batch: received, confirmed, posted', async () => {
    const { attached, join, platform } = setup()
    const one = await join('one')
    await join('two')
    const panel = await attached()
    one.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '{"x":22}'])
    await one.next('ack')
    platform.advance(FLUSH_MS)
    const received = await panel.record('received')
    expect(received).toMatchObject({
      peer: panel.relay,
      via: 'relay',
      origin: 'room',
      from: deviceName('one'),
      ids: [['a', 1, 2]],
      events: [{ id: 'a-1', type: 'cart.item_added', source: 'test', time: 1 }, { id: 'a-2' }],
    })
    const [first, second] = received.events ?? []
    expect((second?.bytes ?? 0) - (first?.bytes ?? 0)).toBe('{"x":22}'.length - 1)
    expect(await panel.record('confirmed')).toMatchObject({ ids: [['a', 1, 2]], place: 1 })
    const posted = panel.records.filter(({ is }) => is === 'posted')
    expect(posted).toMatchObject([{ to: deviceName('two'), ids: [['a', 1, 2]], via: 'relay' }])
    expect(panel.records.map(({ is }) => is).filter((is) => is !== 'device')).toEqual([
      'received',
      'confirmed',
      'posted',
    ])
  })

  it('says what was refused, with the code', async () => {
    const { attached, join, platform } = setup({
      auth: tokens({
        w: { publish: ['fine.*'], subscribe: ['**'] },
        p: { ...ALL, inspect: true },
      }),
    })
    const one = await join('one', { token: 'w' })
    const panel = await attached('p')
    one.send(
      publishOf(1, undefined, [headerOf('a-1', 'fine.one'), headerOf('a-2', 'bad.one')], {
        indexes: [3, 5],
      }),
      ['1', '2'],
    )
    await one.next('ack')
    platform.advance(FLUSH_MS)
    expect(await panel.record('refused')).toMatchObject({
      ids: [['a', 2, 1]],
      code: 'forbidden',
      final: true,
    })
    expect(await panel.record('confirmed')).toMatchObject({ ids: [['a', 1, 1]] })
  })

  it('says which device may not read, and which does not want to', async () => {
    const { attached, join, platform } = setup({
      auth: tokens({
        w: ALL,
        r: { publish: [], subscribe: ['fine.*'] },
        p: { ...ALL, inspect: true },
      }),
    })
    const one = await join('one', { token: 'w' })
    await join('may-not', { token: 'r' })
    await join('unwanting', { token: 'w', types: ['other.*'] })
    const panel = await attached('p')
    one.send(publishOf(1, undefined, [headerOf('a-1', 'secret.thing')]), ['1'])
    await one.next('ack')
    platform.advance(FLUSH_MS)
    expect(await panel.record('dropped', ({ why }) => why === 'no_right')).toMatchObject({
      ids: [['a', 1, 1]],
      count: 1,
      to: deviceName('may-not'),
    })
    expect(await panel.record('dropped', ({ why }) => why === 'unwanted')).toMatchObject({
      to: deviceName('unwanting'),
    })
    expect(panel.records.some(({ is }) => is === 'posted')).toBe(false)
  })

  it('tells what is posted to one who reads behind the head', async () => {
    const { attached, join, platform } = setup()
    const one = await join('one')
    one.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    await one.next('ack')
    const panel = await attached()
    const late = await join('late')
    await late.next('stream')
    platform.advance(FLUSH_MS)
    expect(await panel.record('posted')).toMatchObject({
      ids: [['a', 1, 2]],
      to: deviceName('late'),
    })
  })

  it('tells of casts, and of those whose socket is too full for them', async () => {
    const { attached, join, platform } = setup()
    const one = await join('one')
    await join('two')
    const slow = await join('slow')
    slow.socket.bufferedAmount = 2 * 1024 * 1024
    const panel = await attached()
    one.send({ frame: 'cast', events: [headerOf('c-1', 'cursor.moved')] }, ['1'])
    platform.advance(FLUSH_MS)
    expect(await panel.record('received')).toMatchObject({ events: [{ persist: false }] })
    expect(await panel.record('posted')).toMatchObject({ to: deviceName('two') })
    expect(await panel.record('dropped')).toMatchObject({
      to: deviceName('slow'),
      why: 'overflow',
      count: 1,
    })
  })

  it('tells of devices that are there, that come and that go, with their rights and queues', async () => {
    const { attached, join, platform } = setup({
      auth: tokens({
        r: { publish: ['a.*'], subscribe: ['b.*'] },
        p: { ...ALL, inspect: true },
      }),
    })
    const one = await join('one', { token: 'r' })
    const panel = await attached('p')
    platform.advance(FLUSH_MS)
    expect(await panel.record('device')).toMatchObject({
      device: deviceName('one'),
      online: true,
      subject: 'r',
      rights: { publish: ['a.*'], subscribe: ['b.*'] },
      queued: 0,
    })
    one.socket.bufferedAmount = 100_000
    platform.advance(600)
    platform.advance(FLUSH_MS)
    await panel.record('device', ({ queued }) => queued === 100_000)
    one.socket.drop()
    await join('two', { token: 'r' })
    platform.advance(FLUSH_MS)
    await panel.record('device', ({ online }) => !online)
    await panel.record('device', ({ device }) => device === deviceName('two'))
  })

  it('tells of a batch that was rejected for now, and came again', async () => {
    const store = memoryStore()
    const { attached, join, platform } = setup({ store })
    const one = await join('one')
    const panel = await attached()
    const append = store.append.bind(store)
    store.append = () => Promise.reject(new Error('no disk'))
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    expect((await one.next('reject')).frame.code).toBe('unavailable')
    store.append = append
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    await one.next('ack')
    platform.advance(FLUSH_MS)
    expect(await panel.record('refused')).toMatchObject({ code: 'unavailable', final: false })
    expect(await panel.record('retried')).toMatchObject({ ids: [['a', 1, 1]], attempt: 2 })
  })

  it('tells of what was posted over HTTP', async () => {
    const { attached, relay, platform } = setup()
    const panel = await attached()
    const response = await relay.request('http://localhost/rooms/r/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"type":"order.created","data":1}',
    })
    expect(response.status).toBe(201)
    platform.advance(FLUSH_MS)
    const received = await panel.record('received')
    expect(received).toMatchObject({ events: [{ type: 'order.created' }] })
    expect(received.from).toBeUndefined()
    await panel.record('confirmed')
  })

  it('tells of a stream that does not go on where the device stands', async () => {
    const { attached, join, platform } = setup()
    const panel = await attached()
    await join('one', { cursor: 'other0000000.7.abc.def' })
    platform.advance(FLUSH_MS)
    expect(await panel.record('gap')).toMatchObject({
      gap: { reason: 'new_epoch', lost: 'other0000000.7.abc.def' },
      device: deviceName('one'),
    })
  })

  it('answers what the room holds, and refuses what it has not', async () => {
    const { attached, join } = setup()
    const one = await join('one')
    one.send(publishOf(1, undefined, ['a-1', 'a-2', 'b-1']), ['{"deep":{"x":[1]}}', '2', ''])
    await one.next('ack')
    const panel = await attached()
    const asked = async (ask: Ask, to = panel.relay) => {
      panel.ask(to, 1, ask)
      return panel.next('answer')
    }
    expect((await asked({ what: 'store' })).result).toMatchObject({ kind: 'memory', head: 3 })
    expect((await asked({ what: 'payload', event: 'a-1' })).result).toMatchObject({
      type: 'object',
      bytes: 18,
      encoding: 'json',
      children: [['deep', { type: 'object', size: 1 }]],
    })
    const deep = { what: 'payload', event: 'a-1', path: ['deep', 'x', 0] } as const
    expect((await asked(deep)).result).toEqual({ type: 'number', preview: '1' })
    expect((await asked({ what: 'text', event: 'a-2' })).result).toEqual({ text: '2' })
    expect((await asked({ what: 'text', event: 'b-1' })).result).toEqual({})
    expect((await asked({ what: 'payload', event: 'b-1' })).result).toMatchObject({
      type: 'undefined',
    })
    expect((await asked({ what: 'headers', ids: [['a', 2, 2]] })).result).toMatchObject({
      events: [{ id: 'a-2', type: 'cart.item_added' }],
      missing: [['a', 3, 1]],
    })
    expect((await asked({ what: 'log', limit: 1 })).result).toMatchObject({
      events: [{ id: 'a-1', offset: 1 }],
      next: 2,
    })
    const rest = (await asked({ what: 'log', from: 2, limit: 10 })).result
    expect(rest).toMatchObject({ events: [{ id: 'a-2', offset: 2 }, { id: 'b-1' }] })
    expect(rest).not.toHaveProperty('next')
    const codes: [Ask, string][] = [
      [{ what: 'payload', event: 'a-9' }, 'not_found'],
      [{ what: 'travel' }, 'unknown_ask'],
      [{ what: 'payload', event: 7 as unknown as string }, 'invalid_ask'],
      [{ what: 'payload', event: 'a-1', depth: -1 }, 'invalid_ask'],
      [{ what: 'headers', ids: [['a', 1, 'x']] as never }, 'invalid_ask'],
      [{ what: 'log', limit: 0 }, 'invalid_ask'],
      [{ what: 'nonsense' } as unknown as Ask, 'unknown_ask'],
    ]
    for (const [ask, code] of codes)
      expect(await asked(ask), JSON.stringify(ask)).toMatchObject({ error: { code } })
    expect(await asked({ what: 'store' }, 'nobody')).toMatchObject({ error: { code: 'not_found' } })
  })

  it('tells the data of events only to those whose token may read them', async () => {
    const { attached, join, platform } = setup({
      auth: tokens({
        w: ALL,
        p: { publish: [], subscribe: ['fine.*'], inspect: true },
      }),
    })
    const one = await join('one', { token: 'w' })
    const events = [headerOf('a-1', 'fine.one'), headerOf('a-2', 'secret.one')]
    const panel = await attached('p')
    one.send(publishOf(1, undefined, events), ['"shown"', '"hidden"'])
    await one.next('ack')
    for (const what of ['payload', 'text'] as const) {
      panel.ask(panel.relay, 1, { what, event: 'a-1' })
      expect(JSON.stringify(await panel.next('answer'))).toContain('shown')
      panel.ask(panel.relay, 2, { what, event: 'a-2' })
      expect(await panel.next('answer')).toMatchObject({ error: { code: 'forbidden' } })
    }
    platform.advance(FLUSH_MS)
    await panel.record('confirmed')
    expect(JSON.stringify([panel.unread, panel.records])).not.toContain('hidden')
  })

  it('is another peer after the relay was started anew', async () => {
    const platform = new NoncePlatform()
    const peers = await Promise.all(
      [setup({ platform }), setup({ platform })].map(
        async ({ attached }) => (await attached()).relay,
      ),
    )
    expect(new Set(peers).size).toBe(2)
    for (const peer of peers) expect(peer).toMatch(/^relay:r:/)
  })
})

describe('nobody inspects', () => {
  it('and nothing is recorded, no timer runs; again as soon as the last one said so', async () => {
    const { attached, join, platform } = setup()
    await join('one')
    const idle = platform.timers
    const panel = await attached()
    expect(platform.timers).toBeGreaterThan(idle)
    panel.say({ frame: 'detach', session: 'panel' })
    expect(platform.timers).toBe(idle)
    panel.attach()
    expect(platform.timers).toBeGreaterThan(idle)
  })

  it('for a while, after a connection ended; devices are told that it is over', async () => {
    const { attached, join, platform } = setup()
    const one = await join('one')
    const idle = platform.timers
    const panel = await attached()
    await one.next('inspect')
    panel.socket.drop()
    platform.advance(40_000)
    expect(platform.timers).toBeGreaterThan(idle)
    expect(one.unread.filter(({ frame }) => frame.frame === 'inspect')).toEqual([])
    platform.advance(10_000)
    expect(platform.timers).toBe(idle)
    const { frame } = await one.next('inspect')
    expect(JSON.parse(frame.text)).toMatchObject({ frame: 'detach', session: '1.panel' })
  })

  it('and who comes back in time gets what happened meanwhile', async () => {
    const { attached, inspector, join, platform } = setup()
    const one = await join('one')
    const panel = await attached()
    platform.advance(FLUSH_MS)
    const { first, records } = await panel.next('batch')
    panel.socket.drop()
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    await one.next('ack')
    const again = inspector().probe
    await again.join()
    again.attach('panel', 10, { [panel.relay]: first + records.length })
    const batch = await again.next('batch')
    expect(batch.first).toBe(first + records.length)
    expect(batch.records.map(({ is }) => is)).toContain('confirmed')
  })
})

/** What a device hears for the taps behind it, as soon as there is more of it. */
async function heard(device: Probe): Promise<Record<string, unknown>> {
  const { frame } = await device.next('inspect')
  return JSON.parse(frame.text) as Record<string, unknown>
}

const tell = (device: Probe, frame: object): void =>
  device.send({ frame: 'inspect', text: JSON.stringify({ inspect: 1, ...frame }) })
const hello = (peer: string, next = 1) => ({ frame: 'hello', peer, kind: 'page', next })
const batch = (peer: string, first: number, count = 1) => ({
  frame: 'batch',
  peer,
  first,
  records: Array.from({ length: count }, () => ({ at: 1, is: 'life', state: 'hidden' })),
})

describe('devices with taps', () => {
  it('hear whoever attaches, by a name nobody else has; and whom they come after', async () => {
    const { attached, join } = setup()
    const early = await join('early')
    const panel = await attached()
    expect(await heard(early)).toEqual({
      inspect: 1,
      frame: 'attach',
      session: '1.panel',
      credit: 1_000,
    })
    await attached()
    expect(await heard(early)).toMatchObject({ session: '2.panel' })
    const late = await join('late')
    expect(await heard(late)).toMatchObject({ frame: 'attach', session: '1.panel' })
    expect(await heard(late)).toMatchObject({ frame: 'attach', session: '2.panel' })
    panel.say({ frame: 'detach', session: 'panel' })
    expect(await heard(early)).toMatchObject({ frame: 'detach', session: '1.panel' })
  })

  it('are asked and granted by peer, and answer the one who asked, in its words', async () => {
    const { attached, join } = setup()
    const one = await join('one')
    const two = await join('two')
    const panel = await attached()
    const other = await attached()
    tell(one, hello('tab1'))
    tell(two, hello('tab2'))
    await panel.hello('tab1')
    await other.hello('tab2')
    for (const device of [one, two]) device.unread.length = 0
    panel.ask('tab1', 3, { what: 'store' })
    expect(await heard(one)).toMatchObject({ frame: 'ask', session: '1.panel', to: 'tab1', id: 3 })
    panel.say({ frame: 'grant', session: 'panel', to: 'tab2', credit: 5 })
    expect(await heard(two)).toMatchObject({ frame: 'grant', to: 'tab2', credit: 5 })
    const answer = { frame: 'answer', peer: 'tab1', session: '1.panel', id: 3, result: 'yes' }
    tell(one, answer)
    expect(await panel.next('answer')).toEqual({ inspect: 1, ...answer, session: 'panel' })
    await turns()
    expect(other.unread.filter(({ frame }) => frame === 'answer')).toEqual([])
    expect(one.unread).toEqual([])
  })

  it('are attached to from where they were heard, when they come back', async () => {
    const { attached, join } = setup()
    const one = await join('one')
    const panel = await attached()
    tell(one, hello('tab1'))
    tell(one, batch('tab1', 1, 7))
    await panel.next('batch', ({ peer }) => peer === 'tab1')
    one.socket.drop()
    expect(await panel.next('left')).toEqual({ frame: 'left', peers: ['tab1'] })
    const other = await join('two')
    expect(await heard(other)).not.toHaveProperty('resume.tab1')
    const again = await join('one')
    expect(await heard(again)).toMatchObject({ frame: 'attach', resume: { tab1: 8 } })
    tell(again, batch('tab1', 8))
    await panel.next('batch', ({ first }) => first === 8)
  })

  it('are heard by all inspectors, and not when nobody inspects', async () => {
    const { attached, inspector, join } = setup()
    const one = await join('one')
    tell(one, hello('tab1'))
    one.send({ frame: 'ping' })
    await one.next('heartbeat')
    const idle = inspector().probe
    await idle.join()
    tell(one, hello('tab1'))
    const [panel, other] = [await attached(), await attached()]
    tell(one, hello('tab2'))
    await Promise.all([panel.hello('tab2'), other.hello('tab2'), idle.hello('tab2')])
    expect([panel, other, idle].flatMap(({ unread }) => unread)).not.toContainEqual(
      expect.objectContaining({ peer: 'tab1' }),
    )
  })

  it('get nothing while they have much to take already', async () => {
    const { attached, join } = setup()
    const one = await join('one')
    one.socket.bufferedAmount = 2 * 1024 * 1024
    await attached()
    await turns()
    expect(one.unread.filter(({ frame }) => frame.frame === 'inspect')).toEqual([])
  })

  const lies: [string, object | string][] = [
    ['no JSON', '{'],
    ['null', 'null'],
    ['a frame of an inspector', { frame: 'detach', session: 'panel' }],
    ['one of the relay', { frame: 'joined', room: 'r', peers: 1 }],
    ['an error for the inspector', { frame: 'error', code: 'forbidden', message: '' }],
    ['something for the relay', hello('relay:r:1')],
    ['something for a peer of another', hello('tab2')],
    ['a bye of another', { frame: 'bye', peer: 'tab2', reason: 'closed' }],
    ['no peer', { frame: 'hello', peer: 7 }],
    ['a peer with a long name', hello('x'.repeat(200))],
    ['an answer that nobody asked for', { frame: 'answer', peer: 'tab1', session: '9.x', id: 1 }],
    ['an answer to what is no name', { frame: 'answer', peer: 'tab1', session: { toString: 1 } }],
    ['an answer without session', { frame: 'answer', peer: 'tab1', id: 1 }],
    ['a peer called as what objects have', hello('__proto__')],
  ]
  it.each(lies)('are not believed %s', async (_, lie) => {
    const { attached, errors, join } = setup()
    const one = await join('one')
    const two = await join('two')
    const panel = await attached()
    tell(two, hello('tab2'))
    await panel.hello('tab2')
    panel.unread.length = 0
    if (typeof lie === 'string') one.send({ frame: 'inspect', text: lie })
    else tell(one, lie)
    tell(one, hello('tab1'))
    tell(two, batch('tab2', 1))
    await panel.hello('tab1')
    await panel.next('batch')
    const allowed = JSON.stringify(lie).includes('__proto__') ? ['hello'] : []
    expect(panel.unread.map(({ frame }) => frame)).toEqual(allowed)
    expect(panel.closed).toBeUndefined()
    expect(errors).toEqual([])
  })

  it('that send more than is good are heard in part, and go on with events', async () => {
    const { attached, join } = setup()
    const one = await join('one')
    const panel = await attached()
    const filler = 'x'.repeat(200_000)
    for (let i = 1; i <= 100; i++) tell(one, { ...batch('tab1', i), filler })
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    await one.next('ack')
    const count = panel.unread.filter(({ frame }) => frame === 'batch').length
    expect(count).toBeGreaterThan(10)
    expect(count).toBeLessThan(60)
  })
})

describe('whatever is said', () => {
  const names = [
    ...['hello', 'batch', 'bye', 'answer', 'mismatch', 'attach', 'grant', 'detach', 'ask'],
    ...['join', 'joined', 'ping', 'left', 'goaway', 'error', '__proto__'],
  ]
  const peers = ['tab1', 'tab2', 'relay:r:n1__', 'relay:r:', '__proto__', 'constructor', '']
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(-1, 0, 1, 5, 1e308, 2 ** 53, ...peers, 'panel', '1.panel', '2.panel'),
  )
  const asks = fc.oneof(
    fc.constantFrom('store', 'payload', 'headers', 'log', 'text', 'publish', 'nothing'),
    odd,
  )
  const ask = fc.record(
    { what: asks, event: odd, ids: fc.array(odd), path: odd, depth: odd, from: odd, limit: odd },
    { requiredKeys: ['what'] },
  )
  const frames = fc
    .record(
      {
        inspect: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, odd),
        frame: fc.constantFrom(...names),
        peer: fc.oneof(fc.constantFrom(...peers), odd),
        to: fc.oneof(fc.constantFrom(...peers), odd),
        session: fc.oneof(fc.constantFrom('panel', '1.panel', '2.panel', 'x'.repeat(300)), odd),
        credit: odd,
        resume: fc.oneof(fc.dictionary(fc.constantFrom(...peers), odd), odd),
        id: odd,
        ask,
        first: odd,
        records: fc.oneof(fc.array(odd), odd),
        token: odd,
      },
      { requiredKeys: ['inspect', 'frame'] },
    )
    .map((frame) => JSON.stringify(frame))
  const texts = fc.array(fc.tuple(fc.constantFrom('inspector', 'device'), frames), {
    minLength: 30,
    maxLength: 60,
  })

  it('events go on, nothing is reported, and others that inspect hear the truth', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (texts) => {
        const { attached, connect, errors, inspector, join, platform, relay } = setup()
        const one = await join('one')
        const liar = await join('liar')
        const panel = await attached()
        tell(one, hello('tab2'))
        await panel.hello('tab2')
        panel.unread.length = 0
        let bad = inspector().probe
        await bad.join()
        for (const [who, text] of texts) {
          if (who === 'device') liar.send({ frame: 'inspect', text })
          else bad.sendRaw(text)
          if (!bad.closed) continue
          await turns()
          bad = inspector().probe
          await bad.join()
        }
        one.send(publishOf(1, undefined, ['a-1']), ['1'])
        await one.next('ack')
        platform.advance(FLUSH_MS)
        await panel.record('confirmed', ({ peer }) => peer === panel.relay)
        expect(panel.closed).toBeUndefined()
        expect(liar.closed).toBeUndefined()
        expect(errors).toEqual([])
        const told = panel.unread.flatMap((frame) => ('peer' in frame ? frame : []))
        for (const { frame, peer } of told) {
          // For another's, and for the relay itself, nobody else speaks; it asked neither of them.
          if (peer === panel.relay) expect(frame).not.toBe('answer')
          expect(peer).not.toBe('tab2')
          if (peer !== panel.relay) expect(peer).not.toMatch(/^relay:/)
        }
        expect(await connect().join('another')).toMatchObject({ frame: 'welcome' })
        await relay.close()
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})

describe('pages that may inspect', () => {
  const ask = (origin: string | undefined, options: RelayOptions = {}, host = 'localhost:8787') => {
    const relay = createRelay(options)
    relays.push(relay)
    const headers = {
      host,
      upgrade: 'websocket',
      'sec-websocket-protocol': 'crosstown.inspect.v1',
      ...(origin !== undefined && { origin }),
    }
    const upgrade = (admission: Admission): Response => Response.json(admission)
    return (route = 'inspect') =>
      relay.fetch(new Request(`http://${host}/rooms/r/${route}`, { headers }), { upgrade })
  }
  const EXTENSIONS = ['chrome-extension://abcdefghijklmnop', 'moz-extension://4f9c-a1']

  it.each(EXTENSIONS)('are those of the extension %s, on this route only', async (origin) => {
    const asked = ask(origin)
    expect(await (await asked()).json()).toEqual({ room: 'r', origin, inspect: true })
    expect((await asked('socket')).status).toBe(403)
    expect((await asked('events')).status).toBe(403)
    // A token decides, where there are tokens.
    const guarded = ask(origin, { auth: () => undefined, origins: [] }, 'relay.example')
    expect((await guarded()).status).toBe(200)
  })

  it("are the relay's own, and those that are served", async () => {
    const options = { auth: () => undefined, origins: ['https://shop.example'] }
    for (const [origin, status] of [
      ['https://relay.example', 200],
      ['https://shop.example', 200],
      [undefined, 200],
      ['https://evil.example', 403],
      ['https://relay.example.evil.example', 403],
      ['https://relay.example:444', 403],
      ['null', 403],
      ['chrome-extension-not://x', 403],
    ] as const)
      expect((await ask(origin, options, 'relay.example')()).status, origin).toBe(status)
  })

  it('are none that gave this machine a name of their own, without auth', async () => {
    for (const origin of [undefined, 'http://evil.example:8787', ...EXTENSIONS])
      expect((await ask(origin, {}, 'evil.example:8787')()).status).toBe(403)
  })

  it('come with a WebSocket of the right subprotocol', async () => {
    const relay = createRelay()
    relays.push(relay)
    const url = 'http://localhost/rooms/r/inspect'
    const plain = await relay.request(url)
    expect(plain.status).toBe(426)
    expect(await plain.text()).toContain('crosstown.inspect.v1')
    const headers = { upgrade: 'websocket', 'sec-websocket-protocol': 'crosstown.v1' }
    expect((await relay.request(url, { headers })).status).toBe(400)
  })
})

describe('an inspector', () => {
  it('that does not read is told, and closed so that it may come back; the room goes on', async () => {
    const { attached, join, platform } = setup()
    const one = await join('one')
    const panel = await attached()
    panel.socket.bufferedAmount = 9 * 1024 * 1024
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    await one.next('ack')
    platform.advance(FLUSH_MS)
    expect(await panel.next('error')).toMatchObject({ code: 'slow_reader' })
    expect(await panel.end()).toEqual({ code: 3002, reason: 'slow_reader' })
    one.send(publishOf(2, 1, ['a-2']), ['1'])
    await one.next('ack')
  })

  const garbage: [string, string, string][] = [
    ['no JSON', '{', 'bad_frame'],
    ['a list', '[]', 'bad_frame'],
    ['a frame of a tap', '{"inspect":1,"frame":"hello","peer":"x"}', 'bad_frame'],
    [
      'a batch',
      '{"inspect":1,"frame":"batch","peer":"relay:r","first":1,"records":[]}',
      'bad_frame',
    ],
    ['a frame of a device', '{"frame":"publish","batch":1}', 'bad_frame'],
    ['credit that is none', '{"inspect":1,"frame":"grant","session":"s","credit":-1}', 'bad_frame'],
    ['an ask to nobody', '{"inspect":1,"frame":"ask","session":"s","id":1,"ask":{}}', 'bad_frame'],
    [
      'another version',
      '{"inspect":2,"frame":"attach","session":"s","credit":1}',
      'unsupported_version',
    ],
    ['too much', `"${'x'.repeat(300_000)}"`, 'too_large'],
  ]
  it.each(garbage)('that sends %s is closed, and nobody else notices', async (_, text, code) => {
    const { attached, errors, join, platform } = setup()
    const one = await join('one')
    const other = await attached()
    const panel = await attached()
    panel.sendRaw(text)
    expect(await panel.next('error')).toMatchObject({ code })
    await panel.end()
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    await one.next('ack')
    platform.advance(FLUSH_MS)
    await other.record('confirmed')
    expect(errors).toEqual([])
  })

  it('that floods is closed so that it may come back', async () => {
    const { attached } = setup()
    const panel = await attached()
    for (let i = 0; i < 600; i++) panel.sendRaw('{"frame":"ping"}')
    expect(await panel.next('error')).toMatchObject({ code: 'rate_limited' })
  })

  it('that says nothing for long is closed', async () => {
    const { attached, platform } = setup()
    const panel = await attached()
    platform.advance(179_000)
    panel.sendRaw('{"frame":"ping"}')
    await panel.next('heartbeat')
    platform.advance(179_000)
    expect(panel.closed).toBeUndefined()
    platform.advance(2_000)
    expect(await panel.next('error')).toMatchObject({ code: 'silent' })
  })

  it('hears nothing of another room', async () => {
    const { attached, inspector, join, platform } = setup()
    const one = await join('one')
    const other = inspector('other').probe
    await other.join()
    other.attach()
    await other.hello()
    const panel = await attached()
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    await one.next('ack')
    platform.advance(FLUSH_MS)
    await panel.record('confirmed')
    await turns()
    expect(other.records).toEqual([])
    other.ask(panel.relay, 1, { what: 'store' })
    expect(await other.next('answer')).toMatchObject({ error: { code: 'not_found' } })
  })

  it('is asked to come back when the relay closes', async () => {
    const { attached, relay } = setup()
    const panel = await attached()
    await relay.close()
    expect(await panel.next('goaway')).toMatchObject({ afterMs: 500 })
    expect((await panel.end()).reason).toBe('going_away')
  })
})

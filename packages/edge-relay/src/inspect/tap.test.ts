import type { Ask } from '@crosstown/bus/inspect'
import { deviceName } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../stores/memory.ts'
import { ALL, closeRelays, FLUSH_MS, inspectedRelay, tokens } from '../testing/inspected-relay.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { headerOf, publishOf } from '../testing/probe.ts'

afterEach(closeRelays)

/** Chance of its own in each relay. */
class NoncePlatform extends ManualPlatform {
  #count = 0
  override randomName(length: number): string {
    this.#count += 1
    return String(this.#count).padStart(length, '0')
  }
}

describe("the relay's own tap", () => {
  it('says what became of a batch: received, confirmed, posted', async () => {
    const { attached, join, platform } = inspectedRelay()
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
    const { attached, join, platform } = inspectedRelay({
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
    const { attached, join, platform } = inspectedRelay({
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
    const { attached, join, platform } = inspectedRelay()
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
    const { attached, join, platform } = inspectedRelay()
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
    const { attached, join, platform } = inspectedRelay({
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
    const { attached, join, platform } = inspectedRelay({ store })
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
    const { attached, relay, platform } = inspectedRelay()
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

  it('tells of what was posted over HTTP and refused', async () => {
    const { attached, relay, platform } = inspectedRelay({
      auth: tokens({
        h: { publish: ['fine.*'], subscribe: [] },
        p: { ...ALL, inspect: true },
      }),
    })
    const panel = await attached('p')
    const response = await relay.request('http://localhost/rooms/r/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer h' },
      body: '[{"type":"fine.one"},{"type":"bad.one"}]',
    })
    expect(response.status).toBe(403)
    platform.advance(FLUSH_MS)
    expect(await panel.record('error')).toMatchObject({
      code: 'forbidden',
      message: '2 event(s) posted over HTTP were refused: fine.one, bad.one',
    })
  })

  it('tells of a stream that does not go on where the device stands', async () => {
    const { attached, join, platform } = inspectedRelay()
    const panel = await attached()
    await join('one', { cursor: 'other0000000.7.abc.def' })
    platform.advance(FLUSH_MS)
    expect(await panel.record('gap')).toMatchObject({
      gap: { reason: 'new_epoch', lost: 'other0000000.7.abc.def' },
      device: deviceName('one'),
    })
  })

  it('answers what the room holds, and refuses what it has not', async () => {
    const { attached, join } = inspectedRelay()
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
    const { attached, join, platform } = inspectedRelay({
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
      [inspectedRelay({ platform }), inspectedRelay({ platform })].map(
        async ({ attached }) => (await attached()).relay,
      ),
    )
    expect(new Set(peers).size).toBe(2)
    for (const peer of peers) expect(peer).toMatch(/^relay:r:/)
  })
})

describe('nobody inspects', () => {
  it('and nothing is recorded, no timer runs; again as soon as the last one said so', async () => {
    const { attached, join, platform } = inspectedRelay()
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
    const { attached, join, platform } = inspectedRelay()
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
    const { attached, inspector, join, platform } = inspectedRelay()
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

import { afterEach, describe, expect, it } from 'vitest'
import type { Admission } from '../connection/context.ts'
import type { RelayOptions } from '../options.ts'
import { createRelay, type Relay } from '../relay.ts'
import {
  ALL,
  closeRelays,
  FLUSH_MS,
  inspectedRelay,
  tokens,
  turns,
} from '../testing/inspected-relay.ts'
import { publishOf } from '../testing/probe.ts'

const closing: Relay[] = []
afterEach(closeRelays)
afterEach(() => Promise.all(closing.splice(0).map((relay) => relay.close())))

describe('joining', () => {
  it('tells how many devices are there', async () => {
    const { join, inspector } = inspectedRelay()
    await join('d')
    expect(await inspector().probe.join()).toEqual({ frame: 'joined', room: 'r', peers: 1 })
  })

  it('is for those whose token allows it', async () => {
    const { inspector } = inspectedRelay({
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
    const { inspector, errors } = inspectedRelay({
      auth: () => ({ subject: 's', rights: { ...ALL, inspect: 'yes' as unknown as boolean } }),
    })
    const { probe } = inspector()
    probe.sendRaw('{"frame":"join"}')
    expect(await probe.next('error')).toMatchObject({ code: 'unauthorized' })
    expect(String(errors[0])).toContain('rights.inspect')
  })

  it('is for so many at a time', async () => {
    const { inspector } = inspectedRelay({ limits: { inspectors: 2 } })
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
    const { inspector, platform, relay } = inspectedRelay({
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
    const { inspector, platform } = inspectedRelay({ limits: { helloMs: 1_000 } })
    const { probe } = inspector()
    platform.advance(1_500)
    expect(await probe.next('error')).toMatchObject({ code: 'timeout' })
  })
})

describe('pages that may inspect', () => {
  const ask = (origin: string | undefined, options: RelayOptions = {}, host = 'localhost:8787') => {
    const relay = createRelay(options)
    closing.push(relay)
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
    closing.push(relay)
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
    const { attached, join, platform } = inspectedRelay()
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
    ['a frame of a tap', '{"inspect":2,"frame":"hello","peer":"x"}', 'bad_frame'],
    [
      'a batch',
      '{"inspect":2,"frame":"batch","peer":"relay:r","first":1,"records":[]}',
      'bad_frame',
    ],
    ['a frame of a device', '{"frame":"publish","batch":1}', 'bad_frame'],
    ['credit that is none', '{"inspect":2,"frame":"grant","session":"s","credit":-1}', 'bad_frame'],
    ['an ask to nobody', '{"inspect":2,"frame":"ask","session":"s","id":1,"ask":{}}', 'bad_frame'],
    [
      'another version',
      '{"inspect":3,"frame":"attach","session":"s","credit":1}',
      'unsupported_version',
    ],
    ['too much', `"${'x'.repeat(300_000)}"`, 'too_large'],
  ]
  it.each(garbage)('that sends %s is closed, and nobody else notices', async (_, text, code) => {
    const { attached, errors, join, platform } = inspectedRelay()
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
    const { attached } = inspectedRelay()
    const panel = await attached()
    for (let i = 0; i < 600; i++) panel.sendRaw('{"frame":"ping"}')
    expect(await panel.next('error')).toMatchObject({ code: 'rate_limited' })
  })

  it('that says nothing for long is closed', async () => {
    const { attached, platform } = inspectedRelay()
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
    const { attached, inspector, join, platform } = inspectedRelay()
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

  it('is asked to come back when the relay closes, which says goodbye as a peer; devices go on', async () => {
    const { attached, join, platform, relay } = inspectedRelay()
    const one = await join('one')
    const panel = await attached()
    await one.next('inspect')
    await relay.close()
    expect(await panel.next('bye')).toMatchObject({ peer: panel.relay, reason: 'closed' })
    expect(await panel.next('goaway')).toMatchObject({ afterMs: 500 })
    expect((await panel.end()).reason).toBe('going_away')
    expect(one.unread.filter(({ frame }) => frame.frame === 'inspect')).toEqual([])
    expect(platform.timers).toBe(0)
  })
})

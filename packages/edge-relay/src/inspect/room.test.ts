import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  batch,
  closeRelays,
  FLUSH_MS,
  heard,
  hello,
  inspectedRelay,
  tell,
  turns,
} from '../testing/inspected-relay.ts'
import { publishOf } from '../testing/probe.ts'

afterEach(closeRelays)

describe('devices with taps', () => {
  it('hear whoever attaches, by a name nobody else has; and whom they come after', async () => {
    const { attached, join } = inspectedRelay()
    const early = await join('early')
    const panel = await attached()
    expect(await heard(early)).toEqual({
      inspect: 2,
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
    const { attached, join } = inspectedRelay()
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
    expect(await panel.next('answer')).toEqual({ inspect: 2, ...answer, session: 'panel' })
    await turns()
    expect(other.unread.filter(({ frame }) => frame === 'answer')).toEqual([])
    expect(one.unread).toEqual([])
  })

  it('are attached to from where they were heard, when they come back', async () => {
    const { attached, join } = inspectedRelay()
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
    const { attached, inspector, join } = inspectedRelay()
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
    const { attached, join } = inspectedRelay()
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
    const { attached, errors, join } = inspectedRelay()
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
    const { attached, join } = inspectedRelay()
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
        const { attached, connect, errors, inspector, join, platform, relay } = inspectedRelay()
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

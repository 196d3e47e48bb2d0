import {
  BUS_ERROR_CODES,
  type BusErrorCode,
  encodeFrame,
  type Frame,
  type HelloFrame,
  MAX_FRAME_BYTES,
} from '@crosstown/bus/protocol'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createRelay, type Relay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, helloOf, type Probe, ProbeSocket, publishOf, TERM } from './testing/probe.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

/** Answers within a few turns of the event loop: a test can tell that nothing more will come. */
class QuickPlatform extends ManualPlatform {
  override async sha256(text: string): Promise<string> {
    return `hash of ${text}`
  }
}
const ANSWER_TURNS = 12

/** A room with two devices that mind their business, and a door for others. */
async function setup() {
  const errors: unknown[] = []
  const store = memoryStore()
  const relay = createRelay({
    store,
    platform: new QuickPlatform(),
    onError: (error) => errors.push(error),
  })
  relays.push(relay)
  const connect = (): Probe => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' })).probe
  }
  const writer = connect()
  await writer.join('writer', { types: [] })
  const reader = connect()
  let { from } = await reader.join('reader', { types: ['fine.*'] })
  let batch = 0
  /** What one of the two publishes reaches the other. */
  const undisturbed = async (): Promise<void> => {
    batch += 1
    const id = `w-${batch}`
    writer.send(
      publishOf(batch, batch === 1 ? undefined : batch - 1, [headerOf(id, 'fine.event')]),
      ['1'],
    )
    expect((await writer.next('ack')).frame).toEqual({ frame: 'ack', batch })
    const { ids, position } = await reader.stream(from, (seen) => seen.includes(id))
    expect(ids).toEqual([id])
    from = position
  }
  return { errors, relay, store, connect, undisturbed }
}

const closedWith = (code: BusErrorCode) => ({ code: BUS_ERROR_CODES[code], reason: code })
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const hello = (extra: object): string =>
  encodeFrame({ ...helloOf('hostile'), ...extra } as HelloFrame)

describe('a message that is none', () => {
  const before: [string, string | Uint8Array, BusErrorCode][] = [
    ['binary', new Uint8Array([1, 2, 3]), 'bad_frame'],
    ['nothing', '', 'bad_frame'],
    ['brackets without end', '['.repeat(500_000), 'bad_frame'],
    ['brackets a quarter of a million deep', nested(250_000), 'bad_frame'],
    ['more than a frame holds', 'x'.repeat(MAX_FRAME_BYTES + 1), 'too_large'],
    [
      'fewer characters than a frame holds, but more bytes',
      'é'.repeat(MAX_FRAME_BYTES / 2 + 1),
      'too_large',
    ],
    ['a frame called __proto__', '{"frame":"__proto__"}', 'bad_frame'],
    ['a frame called constructor', '{"frame":"constructor"}', 'bad_frame'],
    ['a hello of another version', hello({ version: 2 }), 'unsupported_version'],
    ['a hello with a pattern a..b', hello({ types: ['a..b'] }), 'invalid_pattern'],
    ['a hello with a pattern **.x', hello({ types: ['**.x'] }), 'invalid_pattern'],
    ['a hello with 1,001 patterns', hello({ types: Array(1_001).fill('a') }), 'bad_frame'],
    ['a hello with 1,001 terms', hello({ terms: Array(1_001).fill(TERM) }), 'bad_frame'],
    ['a hello without terms', hello({ terms: [] }), 'bad_frame'],
    ['a hello with a term above all numbers', hello({ terms: [[2 ** 53, 'n']] }), 'bad_frame'],
    ['a hello with 33 older positions', hello({ older: Array(33).fill('e.1.a') }), 'bad_frame'],
    ['a hello whose device is an array', hello({ device: ['id', 'secret'] }), 'bad_frame'],
    [
      'a hello from a time of no clock',
      `${hello({}).slice(0, -1)},"from":{"time":1e999}}`,
      'bad_frame',
    ],
    ['a welcome', '{"frame":"welcome","version":1}', 'bad_frame'],
  ]
  it.each(before)('%s ends that connection, and no other', async (_, message, code) => {
    const { connect, errors, undisturbed } = await setup()
    const probe = connect()
    probe.sendRaw(message)
    await undisturbed()
    expect(await probe.end()).toEqual(closedWith(code))
    expect(errors).toEqual([])
  })

  const header = JSON.stringify(headerOf('h-1'))
  const publish = (events: string, data: string): string =>
    `{"frame":"publish","batch":1,"term":${JSON.stringify(TERM)},"events":${events}}\n${data}`
  const within = (field: string): string => `[${header.replace('{', `{${field},`)}]`
  const after: [string, string, BusErrorCode][] = [
    ['a second hello', hello({}), 'bad_frame'],
    ['a stream', '{"frame":"stream","prev":"e.0.0","position":"e.0.0","runs":[]}', 'bad_frame'],
    ['an event without data', `${publish(`[${header}]`, '').slice(0, -1)}`, 'bad_frame'],
    ['more data than events', publish(`[${header}]`, '1\n2'), 'bad_frame'],
    [
      'an event at no time',
      publish(within('"time":1e999').replace(',"time":1}', '}'), '1'),
      'bad_frame',
    ],
    [
      'an event whose type has an empty segment',
      publish(`[${header.replace('cart.', 'cart..')}]`, '1'),
      'bad_frame',
    ],
    ['an event with a lone surrogate', publish(within('"stream":"\\ud800"'), '1'), 'bad_frame'],
    ['metadata that is nested', publish(within('"metadata":{"a":{}}'), '1'), 'bad_frame'],
    [
      'indexes that descend',
      publish(`[${header},${header}]`, '1\n2').replace('"events"', '"indexes":[1,0],"events"'),
      'bad_frame',
    ],
    [
      'a field nested deeper than a stack',
      publish(within(`"extra":${nested(100_000)}`), '1'),
      'bad_frame',
    ],
    [
      'a cast nested deeper than a stack',
      `{"frame":"cast","events":${within(`"extra":${nested(100_000)}`)}}\n1`,
      'bad_frame',
    ],
  ]
  it.each(after)(
    '%s ends a connection that was welcome, and no other',
    async (_, message, code) => {
      const { connect, errors, undisturbed } = await setup()
      const probe = connect()
      await probe.join('hostile')
      probe.sendRaw(message)
      await undisturbed()
      expect(await probe.end()).toEqual(closedWith(code))
      expect(errors).toEqual([])
    },
  )

  it('metadata called __proto__ is metadata', async () => {
    const { connect, undisturbed } = await setup()
    const probe = connect()
    await probe.join('hostile')
    probe.sendRaw(publish(within('"metadata":{"__proto__":"x","constructor":1}'), '1'))
    await probe.next('ack')
    const other = connect()
    const { from } = await other.join('other')
    const { frames } = await other.stream(from, (ids) => ids.includes('h-1'))
    expect(JSON.stringify(frames)).toContain('{"__proto__":"x","constructor":1}')
    expect(({} as { x?: unknown }).x).toBe(undefined)
    await undisturbed()
  })
})

it('a body nested deeper than a stack is refused as what it is, and nobody is told to look into it', async () => {
  const { errors, relay, undisturbed } = await setup()
  const data = '['.repeat(100_000) + ']'.repeat(100_000)
  const answer = await relay.request('http://localhost/rooms/r/events', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: `{"type":"a.b","data":${data}}`,
  })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({ error: { code: 'invalid_options' } })
  await undisturbed()
  expect(errors).toEqual([])
})

const MEMBER = { id: 'p', kind: 'page', source: 'x', leader: true } as const

describe('10,000 frames that somebody made up', () => {
  const VALID: readonly [Frame, readonly string[]][] = [
    [helloOf('hostile', { cursor: 'e.1.a', older: ['e.0.0'], types: ['a.*'] }), []],
    [helloOf('hostile', { from: { last: 3 } }), []],
    [publishOf(1, undefined, [headerOf('h-1', 'made.up', { metadata: { a: 1 } })]), ['1']],
    [publishOf(2, 1, ['h-2', 'h-3'], { indexes: [0, 4] }), ['{"x":1}', '[2]']],
    [{ frame: 'cast', events: [headerOf('u-1', 'made.up')] }, ['1']],
    [{ frame: 'presence', devices: [{ members: [MEMBER] }] }, []],
    [{ frame: 'presence', whole: true, devices: [{ device: 'd', members: [] }] }, []],
    [{ frame: 'ping' }, []],
    [{ frame: 'ack', batch: 1, refused: [[0, 'forbidden']] }, []],
    [{ frame: 'heartbeat', head: 'e.1.a' }, []],
    [{ frame: 'stream', prev: 'e.0.0', position: 'e.0.0', runs: [] }, []],
  ]
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.maxSafeNat(),
    fc.constantFrom<unknown>(
      ...['', '__proto__', 'constructor', 'a..b', '**.x', '\ud800', 'x'.repeat(9_000)],
      ...[-1, 0, 0.5, 2 ** 53, Number.MAX_VALUE, null, true],
      ...[[], {}, [null], Array(1_001).fill([1, 'n']), Array(1_001).fill('a'), [[1, 'n', 2]]],
    ),
  )
  /** JSON has no word for infinity, but a number that is read as it. */
  const textOf = (value: unknown): string =>
    typeof value === 'number' && !Number.isFinite(value) ? '1e999' : JSON.stringify(value)
  const field = fc.oneof(
    fc.constantFrom(...[...new Set(VALID.flatMap(([frame]) => Object.keys(frame)))]),
    fc.constantFrom('__proto__', 'constructor', 'toJSON', 'length'),
    fc.string(),
  )
  const changed = fc
    .tuple(fc.constantFrom(...VALID), fc.array(fc.tuple(field, odd), { maxLength: 3 }))
    .map(([[frame, data], fields]) => {
      const made = Object.entries(frame).filter(([key]) => !fields.some(([name]) => name === key))
      const members = [...made, ...fields].map(
        ([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`,
      )
      return [`{${members.join(',')}}`, ...data].join('\n')
    })
  const inside = fc
    .tuple(fc.constantFrom(...VALID), fc.nat(), odd)
    .map(([[frame, data], at, value]) => {
      const text = JSON.stringify(frame)
      const values = [...text.matchAll(/(?<=[:[,])(?:"[^"]*"|-?\d+)(?=[,\]}])/g)]
      const hit = values[at % Math.max(1, values.length)]
      if (!hit) return text
      const head = text.slice(0, hit.index) + textOf(value) + text.slice(hit.index + hit[0].length)
      return [head, ...data].join('\n')
    })
  const mangled = fc
    .tuple(fc.constantFrom(...VALID), fc.nat(), fc.nat(6), fc.string({ unit: 'binary' }))
    .map(([[frame, data], at, length, piece]) => {
      const text = encodeFrame(frame, data)
      const index = at % text.length
      return text.slice(0, index) + piece + text.slice(index + length)
    })
  const message = fc.oneof(
    { weight: 4, arbitrary: changed },
    { weight: 4, arbitrary: inside },
    { weight: 3, arbitrary: mangled },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.uint8Array() },
  )

  it('are taken, or end the connection with a code: the room and the others never notice', {
    timeout: 60_000,
  }, async () => {
    const { errors, store, connect, undisturbed } = await setup()
    const codes = new Map<string, number>()
    let runs = 0
    await fc.assert(
      fc.asyncProperty(message, fc.boolean(), async (text, joined) => {
        const probe = connect()
        // A device of its own each time: then its first batch is taken, and all others hear of it.
        if (joined) await probe.join(`hostile-${runs}`)
        probe.sendRaw(text)
        if (!(await isAnswered(probe))) probe.send(joined ? { frame: 'ping' } : helloOf('hostile'))
        expect(await isAnswered(probe)).toBe(true)
        const reason = probe.closed?.reason ?? 'open'
        codes.set(reason, (codes.get(reason) ?? 0) + 1)
        if (probe.closed) expect(probe.closed.code).toBe(BUS_ERROR_CODES[reason as BusErrorCode])
        if (++runs % 100 === 0) await undisturbed()
        expect(errors).toEqual([])
      }),
      { numRuns: 10_000 },
    )
    // It would prove little if all of it ended in one place.
    for (const reason of ['open', 'bad_frame', 'unsupported_version'])
      expect([reason, (codes.get(reason) ?? 0) > 10]).toEqual([reason, true])
    const taken = await store.stats('r')
    expect(taken?.events).toBeGreaterThan(runs / 50)
    const late = connect()
    const { from, head } = await late.join('late')
    await late.stream(from, (_, { position }) => position === head)
  })
})

const ANSWERS: ReadonlySet<string> = new Set(['heartbeat', 'welcome'])

async function isAnswered(probe: Probe): Promise<boolean> {
  for (let turn = 0; turn < ANSWER_TURNS; turn++) {
    if (probe.closed || probe.unread.some(({ frame }) => ANSWERS.has(frame.frame))) return true
    await new Promise((resolve) => setImmediate(resolve))
  }
  return false
}

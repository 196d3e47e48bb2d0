import { ConsecutiveBreaker, circuitBreaker, handleAll, retry, wrap } from 'cockatiel'
import { describe, expect, it } from 'vitest'
import { TestInspector } from '../testing/inspector.ts'
import { createTestNetwork, type TestNetwork } from '../testing/network/network.ts'
import type { Bus } from '../types.ts'
import { type Answers, type Ask, INSPECT_CHANNEL, type Tree } from './frames.ts'
import { inspection } from './inspection.ts'

type AnyBus = Bus<Record<string, unknown>>

class Inspected {
  readonly network: TestNetwork = createTestNetwork()
  readonly errors: string[] = []
  readonly bus: AnyBus
  readonly inspector: TestInspector

  constructor(options: Parameters<typeof inspection>[1] = {}) {
    const device = this.network.device('phone')
    this.bus = device
      .open()
      .createBus({ name: 'shop', onError: ({ message }) => this.errors.push(message) })
    inspection(this.bus, options)
    const Channel = device.open('worker').platform.BroadcastChannel as typeof BroadcastChannel
    const channel = new Channel(INSPECT_CHANNEL)
    this.inspector = new TestInspector((text) => channel.postMessage(text))
    channel.onmessage = ({ data }) => this.inspector.hear(data as string)
  }

  async attach(): Promise<this> {
    this.bus.subscribe('none', () => {})
    await this.network.until(() => this.inspector.hellos.length > 0)
    this.inspector.attach()
    await this.network.run(50)
    return this
  }

  get peer(): string {
    return this.inspector.hellos.at(-1)?.peer as string
  }

  publish(type: string, data?: unknown): Promise<{ id: string; offset?: number }> {
    return this.network.until(this.bus.publish(type, data))
  }

  async parts<What extends Ask['what']>(
    ask: Extract<Ask, { what: What }>,
  ): Promise<{ parts: Answers[What][]; error?: { code: string; message: string } }> {
    const answer = this.inspector.ask<What>(this.peer, ask)
    return (await this.network.until(answer)) as NonNullable<ReturnType<typeof answer>>
  }

  async ask<What extends Ask['what']>(ask: Extract<Ask, { what: What }>): Promise<Answers[What]> {
    const { parts, error } = await this.parts<What>(ask)
    if (error) throw Object.assign(new Error(error.message), error)
    return parts.at(-1) as Answers[What]
  }

  async code(ask: object): Promise<string | undefined> {
    return (await this.parts(ask as Extract<Ask, { what: 'store' }>)).error?.code
  }
}

function childOf(tree: Tree, ...path: (string | number)[]): Tree | undefined {
  let at: Tree | undefined = tree
  for (const step of path) at = at?.children?.find(([key]) => key === step)?.[1]
  return at
}

const cyclic: { name: string; self?: unknown } = { name: 'round' }
cyclic.self = cyclic

describe('a payload', () => {
  it('is opened two levels deep, and further by path', async () => {
    const inspected = await new Inspected().attach()
    const { id } = await inspected.publish('a.b', { one: { two: { three: { four: 4 } } }, n: 1 })
    const tree = await inspected.ask({ what: 'payload', event: id })
    expect(tree).toMatchObject({ type: 'object', size: 2, encoding: 'json', bytes: 42 })
    expect(tree.preview).toBe('{one: {…}, n: 1}')
    expect(childOf(tree, 'one', 'two')).toEqual({
      type: 'object',
      preview: '{three: {…}}',
      size: 1,
    })
    const deeper = await inspected.ask({
      what: 'payload',
      event: id,
      path: ['one', 'two', 'three'],
    })
    expect(childOf(deeper, 'four')).toEqual({ type: 'number', preview: '4' })
    expect(await inspected.ask({ what: 'payload', event: id, path: ['one', 'no'] })).toEqual({
      type: 'missing',
      preview: '',
    })
  })

  it('shows every kind of value that data may be', async () => {
    const inspected = await new Inspected().attach()
    const { id } = await inspected.publish('a.b', {
      map: new Map<unknown, unknown>([
        ['k', 1],
        [{ deep: 1 }, 2],
      ]),
      set: new Set([1, 'two']),
      date: new Date(0),
      never: new Date(Number.NaN),
      big: 12n,
      bytes: new Uint8Array([1, 2]),
      buffer: new ArrayBuffer(3),
      regexp: /a+/g,
      url: new URL('https://example.com/x'),
      nothing: undefined,
      none: null,
      zero: -0,
      not: Number.NaN,
      cyclic,
    })
    const tree = await inspected.ask({ what: 'payload', event: id, depth: 3 })
    const shown = Object.fromEntries(
      (tree.children ?? []).map(([key, { type, preview }]) => [key, [type, preview]]),
    )
    expect(shown).toEqual({
      map: ['map', 'Map(2) {k: 1, 1: {…} => 2}'],
      set: ['set', 'Set(2) [1, "two"]'],
      date: ['date', '1970-01-01T00:00:00.000Z'],
      never: ['date', 'Invalid Date'],
      big: ['bigint', '12n'],
      bytes: ['view', 'Uint8Array(2) [1, 2]'],
      buffer: ['arraybuffer', 'ArrayBuffer(3) [0, 0, 0]'],
      regexp: ['regexp', '/a+/g'],
      url: ['url', 'https://example.com/x'],
      nothing: ['undefined', 'undefined'],
      none: ['null', 'null'],
      zero: ['number', '-0'],
      not: ['number', 'NaN'],
      cyclic: ['object', '{name: "round", self: {…}}'],
    })
    expect(tree.encoding).toBe('devalue')
    expect(childOf(tree, 'cyclic', 'self')?.type).toBe('cycle')
    expect(childOf(tree, 'map', 1, 0, 'deep')).toBeUndefined()
    const at = (...path: (string | number)[]): Promise<Tree> =>
      inspected.ask<'payload'>({ what: 'payload', event: id, path })
    expect((await at('map', 1, 0, 'deep')).preview).toBe('1')
    expect((await at('map', 1, 1)).preview).toBe('2')
    expect((await at('map', 'k')).preview).toBe('1')
    expect((await at('set', 1)).preview).toBe('"two"')
    for (const path of [['set', '-1'], ['set', 9], ['map', 'x'], ['__proto__']])
      expect((await at(...path)).type).toBe('missing')
  })

  it('shows a hundred children at a time, and previews of 120 characters', async () => {
    const inspected = await new Inspected().attach()
    const list = Array.from({ length: 250 }, (_, n) => n)
    const { id } = await inspected.publish('a.b', { list, text: 'x'.repeat(500) })
    const first = await inspected.ask({ what: 'payload', event: id, path: ['list'] })
    expect([first.size, first.children?.length]).toEqual([250, 100])
    const last = await inspected.ask({ what: 'payload', event: id, path: ['list'], from: 200 })
    expect(last.children?.map(([key]) => key)).toEqual(list.slice(200))
    const tree = await inspected.ask({ what: 'payload', event: id })
    expect(childOf(tree, 'text')?.preview).toHaveLength(120)
    expect(tree.preview.length).toBeLessThanOrEqual(120)
  })

  it('is given whole, as text', async () => {
    const inspected = await new Inspected().attach()
    const plain = await inspected.publish('a.b', { n: 1 })
    expect(await inspected.ask({ what: 'text', event: plain.id })).toEqual({ text: '{"n":1}' })
    const rich = await inspected.publish('a.b', 5n)
    expect(await inspected.ask({ what: 'text', event: rich.id })).toEqual({
      text: '[["BigInt","5"]]',
      encoding: 'devalue',
    })
    expect(await inspected.code({ what: 'text', event: 'x-1' })).toBe('not_found')
  })

  it('comes from the log where the ring never had the event', async () => {
    const inspected = new Inspected()
    const { id } = await inspected.publish('a.b', { sku: 'A1' })
    await inspected.attach()
    const tree = await inspected.ask({ what: 'payload', event: id })
    expect(childOf(tree, 'sku')?.preview).toBe('"A1"')
    const { events, missing } = await inspected.ask({ what: 'headers', ids: [id, 'x-1'] })
    expect(events).toMatchObject([{ id, type: 'a.b', offset: 4096 }])
    expect(missing).toEqual([['x', 1, 1]])
    expect(await inspected.code({ what: 'payload', event: 'x-1' })).toBe('not_found')
  })
})

describe('a search', () => {
  it('finds what is in the ring and in the log, the newest first', async () => {
    const inspected = new Inspected()
    const ids: string[] = []
    const publish = async (data: unknown): Promise<unknown> =>
      ids.push((await inspected.publish('a.b', data)).id)
    await publish({ sku: 'A1', qty: 2, items: [{ n: 5 }] })
    await publish({ sku: 'B1', qty: 7 })
    await inspected.attach()
    await publish({ sku: 'a1-x', qty: 10, at: new Date('2026-01-02') })
    const search = async (path: string, op: ':' | '=' | '>', value: string, not?: true) => {
      const term = { path: path.split('.'), op, value, ...(not && { not }) }
      const { parts } = await inspected.parts<'search'>({ what: 'search', terms: [term], limit: 9 })
      return parts.flatMap((part) => part.ids).map((id) => ids.indexOf(id))
    }
    expect(await search('sku', ':', 'A1')).toEqual([2, 0])
    expect(await search('sku', '=', 'A1')).toEqual([0])
    expect(await search('sku', ':', 'A1', true)).toEqual([1])
    expect(await search('qty', '>', '5')).toEqual([2, 1])
    expect(await search('items.n', '=', '5')).toEqual([0])
    expect(await search('at', '>', '2026-01-01')).toEqual([2])
  })

  it('that watches tells what comes from then on', async () => {
    const inspected = await new Inspected().attach()
    await inspected.ask({ what: 'watch', terms: [{ path: ['n'], op: '=', value: '2' }] })
    await inspected.publish('a.b', { n: 1 })
    const { id } = await inspected.publish('a.b', { n: 2 })
    await inspected.network.run(200)
    const [prefix, counter] = id.split('-') as [string, string]
    expect(inspected.inspector.of('found').map(({ ids }) => ids)).toEqual([
      [[prefix, Number(counter), 1]],
    ])
  })
})

describe('the store', () => {
  it('is told as it is', async () => {
    const inspected = await new Inspected().attach()
    for (let n = 0; n < 3; n++) await inspected.publish('a.b', n)
    const store = await inspected.ask({ what: 'store' })
    expect(store).toMatchObject({
      kind: 'disk',
      log: expect.any(String),
      head: 3 * 4096,
      first: 4096,
      events: 3,
      limits: { events: 1_000_000, days: 90 },
      outbox: { pending: 0, bytes: 0, refused: 0 },
      snapshots: [],
    })
    const page = await inspected.ask({ what: 'log', limit: 2 })
    expect(page.events.map(({ offset }) => offset)).toEqual([4096, 2 * 4096])
    const rest = await inspected.ask({ what: 'log', from: page.next as number, limit: 2 })
    expect(rest.events.map(({ offset }) => offset)).toEqual([3 * 4096])
    expect(rest.next).toBeUndefined()
  })
})

describe('views', () => {
  it('show the state as it was, and travel back with their subscribers', async () => {
    const inspected = await new Inspected().attach()
    const { bus, network } = inspected
    const view = bus.project('n.*', (sum: number, { data }) => sum + (data as number), 0)
    const shown: number[] = []
    view.subscribe((state) => shown.push(state))
    const first = await inspected.publish('n.add', 1)
    await inspected.publish('n.add', 10)
    await network.until(view.ready)
    const { tree } = await inspected.ask({ what: 'view', view: 1 })
    expect(tree).toEqual({ type: 'number', preview: '11' })
    const at = first.offset as number
    expect((await inspected.ask({ what: 'view', view: 1, at })).tree.preview).toBe('1')
    expect(await inspected.ask({ what: 'travel', at })).toEqual({ at, views: 1 })
    expect(view.get()).toBe(1)
    await inspected.publish('n.add', 100)
    expect([view.get(), shown.at(-1)]).toEqual([1, 1])
    expect(await inspected.ask({ what: 'travel' })).toEqual({ views: 1 })
    expect([view.get(), shown.at(-1)]).toEqual([111, 111])
    expect(await inspected.code({ what: 'view', view: 9 })).toBe('not_found')
  })

  it('come back to the present when the last inspector goes', async () => {
    const inspected = await new Inspected().attach()
    const view = inspected.bus.project('n.*', (sum: number, { data }) => sum + (data as number), 0)
    const first = await inspected.publish('n.add', 1)
    await inspected.publish('n.add', 10)
    await inspected.network.until(view.ready)
    await inspected.ask({ what: 'travel', at: first.offset as number })
    inspected.inspector.detach()
    await inspected.network.until(() => view.get() === 11)
  })
})

describe('a look at the past that is still being made', () => {
  async function underway() {
    const inspected = await new Inspected().attach()
    const view = inspected.bus.project('n.*', (sum: number, { data }) => sum + (data as number), 0)
    const first = await inspected.publish('n.add', 1)
    await inspected.publish('n.add', 10)
    await inspected.network.until(view.ready)
    const at = first.offset as number
    const answer = inspected.inspector.ask<'travel'>(inspected.peer, { what: 'travel', at })
    return { ...inspected, inspected, view, at, answer }
  }

  it('is not shown when the last inspector went meanwhile', async () => {
    const { network, inspector, view, answer } = await underway()
    inspector.detach()
    await network.until(() => answer() !== undefined)
    await network.run(1_000)
    expect(view.get()).toBe(11)
  })

  it('is not shown when its inspector went meanwhile, and another is there', async () => {
    const { network, inspector, view, answer } = await underway()
    inspector.send({ frame: 'attach', session: 'other', credit: 9 })
    inspector.detach()
    await network.until(() => answer() !== undefined)
    expect(view.get()).toBe(11)
  })

  it('is not shown after one that was asked for later', async () => {
    const { inspected, network, view, answer } = await underway()
    await inspected.ask({ what: 'travel' })
    expect((await network.until(answer))?.error?.code).toBe('superseded')
    expect(view.get()).toBe(11)
  })
})

describe('a command', () => {
  it('publishes, with a mark that an inspector did', async () => {
    const inspected = await new Inspected().attach()
    const heard: unknown[] = []
    inspected.bus.subscribe('a.*', ({ id, data, stream, metadata }) => {
      heard.push({ id, data, stream, metadata })
    })
    const { id } = await inspected.ask({
      what: 'publish',
      type: 'a.b',
      data: '{"n":1}',
      options: { stream: 's-1' },
    })
    await inspected.network.until(() => heard.length > 0)
    expect(heard).toEqual([{ id, data: { n: 1 }, stream: 's-1', metadata: { inspector: true } }])
    expect(await inspected.code({ what: 'publish', type: 'no type' })).toBe('invalid_type')
    expect(await inspected.code({ what: 'publish', type: 'a.b', data: '{' })).toBe('invalid_data')
    expect(await inspected.code({ what: 'publish', type: 'a.b', options: { scope: 'x' } })).toBe(
      'invalid_options',
    )
    expect(inspected.errors).toEqual([])
  })

  it('replays a range to the live subscriptions, marked as replayed', async () => {
    const inspected = await new Inspected().attach()
    const heard: unknown[] = []
    for (const name of ['one', 'two'])
      inspected.bus.subscribe('a.*', ({ data }, { replaying }) => {
        heard.push([name, data, replaying])
      })
    const events = []
    for (let n = 0; n < 3; n++) events.push(await inspected.publish('a.b', n))
    heard.length = 0
    const [, from, to] = events.map(({ offset }) => offset as number) as [number, number, number]
    expect(await inspected.ask({ what: 'replay', from, to, sub: 3 })).toEqual({
      events: 2,
      calls: 2,
    })
    expect(heard).toEqual([
      ['two', 1, true],
      ['two', 2, true],
    ])
    const none = await inspected.ask({ what: 'replay', from, to, patterns: ['x.*'] })
    expect(none).toEqual({ events: 0, calls: 0 })
    expect(await inspected.code({ what: 'replay', from: 'a', to })).toBe('invalid_ask')
    expect(await inspected.code({ what: 'replay', from, to, patterns: ['..'] })).toBe(
      'invalid_pattern',
    )
  })

  it('that nobody knows is told to be unknown', async () => {
    const inspected = await new Inspected().attach()
    expect(await inspected.code({ what: 'dance' })).toBe('unknown_ask')
    expect(await inspected.code({ what: 'search', terms: [{ path: 'x' }], limit: 1 })).toBe(
      'invalid_ask',
    )
  })
})

describe('redaction', () => {
  const SECRET = 'hunter2'
  const options = {
    redact: { 'user.**': ['password', 'cards.*.number', 'metadata.userId'] },
    messages: false,
  }

  it('lets no secret out of the context, whatever is asked', async () => {
    const inspected = await new Inspected(options).attach()
    const { bus, network, inspector } = inspected
    bus.subscribe('user.*', () => {
      throw new Error(`wrong password ${SECRET}`)
    })
    const view = bus.project('user.*', (_, { data }) => ({ last: data }), {})
    const data = {
      name: 'ann',
      password: SECRET,
      cards: [{ number: SECRET, kind: 'x' }],
      later: { password: 'shown' },
    }
    const options2 = { metadata: { userId: SECRET, requestId: 'r1' } }
    const { id, offset } = await network.until(bus.publish('user.signed_up', data, options2))
    await network.until(view.ready)
    for (const path of [
      [],
      ['password'],
      ['cards'],
      ['cards', 0],
      ['cards', 0, 'number'],
      ['password', 0],
    ])
      await inspected.ask({ what: 'payload', event: id, path, depth: 6 })
    await inspected.ask({ what: 'headers', ids: [id] })
    const { text, redacted } = await inspected.ask({ what: 'text', event: id })
    expect([JSON.parse(text as string), redacted]).toEqual([
      { name: 'ann', cards: [{ kind: 'x' }], later: { password: 'shown' } },
      2,
    ])
    await inspected.ask({ what: 'log', limit: 10 })
    await inspected.ask({ what: 'view', view: 1 })
    await inspected.ask({ what: 'view', view: 1, at: offset as number, path: ['last'] })
    await inspected.ask({ what: 'store' })
    for (const not of [undefined, true] as const) {
      const term = { path: ['password'], op: ':', value: 'h', ...(not && { not }) } as const
      expect((await inspected.ask({ what: 'search', terms: [term], limit: 9 })).ids).toEqual([])
    }
    await network.run(1_000)
    expect(inspector.of('failed')).toMatchObject([{ message: 'handler_failed' }])
    expect(inspector.of('published')[0]?.events[0]?.metadata).toEqual({ requestId: 'r1' })
    expect(inspector.texts.filter((text) => text.includes(SECRET))).toEqual([])
    const tree = await inspected.ask({ what: 'payload', event: id })
    expect(childOf(tree, 'password')).toEqual({ type: 'redacted', preview: 'redacted' })
    expect(childOf(tree, 'cards', 0)?.preview).toBe('{number: redacted, kind: "x"}')
    expect(childOf(tree, 'later', 'password')?.preview).toBe('"shown"')
    expect(childOf(tree, 'name')?.preview).toBe('"ann"')
  })

  it('is checked when it is given', () => {
    const { bus } = new Inspected()
    const code = (given: unknown): unknown => {
      try {
        inspection(bus, given as typeof options)
        return undefined
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(code({ redact: { 'a b': ['x'] } })).toBe('invalid_pattern')
    expect(code({ redact: { 'a.b': 'x' } })).toBe('invalid_options')
    expect(code({ ring: { events: 0 } })).toBe('invalid_options')
    expect(() => inspection({})).toThrow(/copy of the package/)
  })

  it('a bus that is not to be inspected never answers', async () => {
    const inspected = new Inspected({ enabled: false })
    inspected.bus.subscribe('a.b', () => {})
    inspected.inspector.attach()
    await inspected.publish('a.b', 1)
    await inspected.network.run(1_000)
    expect(inspected.inspector.texts).toEqual([])
  })
})

describe('what a bus consumes', () => {
  it('is its handlers with options, with the state of a breaker, also one within other policies', async () => {
    const inspected = await new Inspected().attach()
    const breaker = circuitBreaker(handleAll, {
      halfOpenAfter: 60_000,
      breaker: new ConsecutiveBreaker(1),
    })
    const policy = wrap(retry(handleAll, { maxAttempts: 0 }), breaker)
    const fail = () => {
      throw new Error('down')
    }
    inspected.bus.subscribe('a.*', fail, { policy })
    inspected.bus.subscribe('a.*', () => new Promise(() => {}), { concurrency: 1 })
    const handlers = async () => (await inspected.ask({ what: 'consumers' })).handlers
    expect(await handlers()).toMatchObject([
      { patterns: ['a.*'], policy: true, breaker: 'closed', failed: 0 },
      { patterns: ['a.*'], concurrency: 1, waiting: 0, running: 0 },
    ])
    await inspected.publish('a.b')
    await inspected.publish('a.b')
    const [guarded, slow, ...plain] = await handlers()
    expect(guarded).toMatchObject({ breaker: 'open', failed: 2, dead: 2 })
    expect(guarded).not.toHaveProperty('concurrency')
    expect(slow).toMatchObject({ running: 1, waiting: 1 })
    expect(slow).not.toHaveProperty('breaker')
    expect(plain).toEqual([])
  })

  it('is nothing more where it has neither durable consumers nor groups', async () => {
    const inspected = await new Inspected().attach()
    expect(await inspected.ask({ what: 'consumers' })).toEqual({
      consumers: [],
      groups: [],
      handlers: [],
    })
    expect(await inspected.ask({ what: 'dead', limit: 10 })).toEqual({ letters: [], total: 0 })
    expect(await inspected.ask({ what: 'redrive', letters: ['a'] })).toEqual({ letters: 0 })
    expect(await inspected.code({ what: 'discard' })).toBe('invalid_ask')
    expect(await inspected.code({ what: 'redrive', letters: [1] })).toBe('invalid_ask')
    expect(await inspected.code({ what: 'dead', limit: -1 })).toBe('invalid_ask')
  })
})

import { describe, expect, it } from 'vitest'
import type { Metadata } from '../event.ts'
import { memoryLink } from '../links/memory.ts'
import { type Platform, runtimePlatform } from '../platform.ts'
import { TestInspector } from '../testing/inspector.ts'
import type { TestContext } from '../testing/network/context.ts'
import { createTestNetwork, type TestNetwork } from '../testing/network/network.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'
import { agentOn } from './agent.ts'
import { INSPECT_CHANNEL } from './frames.ts'
import { packIds, unpackIds } from './ids.ts'
import { inspection } from './inspection.ts'

type AnyBus = Bus<Record<string, unknown>>
const onError = (): void => {}

class Page {
  readonly network: TestNetwork = createTestNetwork()
  readonly context: TestContext
  readonly bus: AnyBus
  readonly inspector: TestInspector

  constructor(options: { log?: false } = {}) {
    const device = this.network.device('phone')
    this.context = device.open('page', { disk: options.log !== false })
    this.bus = this.context.createBus({ name: 'shop', onError })
    const Channel = device.open('worker').platform.BroadcastChannel as typeof BroadcastChannel
    const channel = new Channel(INSPECT_CHANNEL)
    this.inspector = new TestInspector((text) => channel.postMessage(text))
    channel.onmessage = ({ data }) => this.inspector.hear(data as string)
  }

  async attach(): Promise<this> {
    this.bus.status.subscribe(() => {})
    await this.network.until(() => this.bus.status.get().log.state === 'open')
    this.inspector.attach()
    await this.network.run(50)
    return this
  }

  async publish(type: string, data?: unknown): Promise<string> {
    const { id } = await this.network.until(this.bus.publish(type, data))
    await this.network.run(100)
    return id
  }
}

describe('records', () => {
  it('of handlers have their durations, also of those that wait, and what failed', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    bus.subscribe('a.b', () => 'done')
    bus.subscribe('a.*', () => new Promise((resolve) => network.after(30, () => resolve(1))))
    bus.subscribe('a.**', () => {
      throw new Error('at once')
    })
    bus.subscribe('*', async () => {
      throw new TypeError('later')
    })
    const id = await page.publish('a.b')
    expect(inspector.of('matched')).toMatchObject([{ subs: [1, 2, 3, 4], ids: packIds([id]) }])
    expect(inspector.of('handled')).toMatchObject([
      { sub: 1, ms: [0] },
      { sub: 2, ms: [30] },
    ])
    expect(inspector.of('failed')).toMatchObject([
      { sub: 3, stage: 'dispatch', code: 'handler_failed', message: 'at once' },
      { sub: 4, message: 'later' },
    ])
    // What a handler throws is told once.
    expect(inspector.of('error')).toEqual([])
  })

  it('of a burst are few', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    bus.subscribe('a.*', () => {})
    const published = Array.from({ length: 1_000 }, (_, n) => bus.publish('a.b', n))
    await network.until(Promise.all(published))
    await network.run(100)
    const told = inspector.of('published').flatMap(({ events }) => events)
    expect(told.map(({ id }) => id)).toEqual((await Promise.all(published)).map(({ id }) => id))
    // What they have in common is said once a record.
    const said = inspector.texts.join().split('"type":"a.b"').length - 1
    expect(said).toBe(inspector.of('published').length)
    for (const is of ['committed', 'matched', 'handled'] as const) {
      const records = inspector.of(is)
      expect(records.flatMap(({ ids }) => unpackIds(ids))).toHaveLength(1_000)
      expect(records.length).toBeLessThan(5)
    }
    // What was told of it fits into frames that a relay would take.
    for (const text of inspector.texts) expect(text.length).toBeLessThan(256 * 1024)
  })

  it('say what was filtered, dropped by a full buffer, and matched by nobody', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    const nobody = await page.publish('b.c')
    expect(inspector.of('matched')).toMatchObject([{ subs: [], ids: packIds([nobody]) }])
    bus.subscribe('a.b', () => {}, { where: ({ data }) => data === 1 })
    const loop = bus.events('a.b', { buffer: 1, overflow: 'drop-oldest' })
    const first = await page.publish('a.b', 2)
    await page.publish('a.b', 3)
    expect(inspector.of('filtered')[0]).toMatchObject({
      sub: 1,
      why: 'where',
      ids: packIds([first]),
    })
    expect(inspector.of('dropped')).toMatchObject([
      { why: 'overflow', count: 1, ids: packIds([first]) },
    ])
    await network.until(Promise.resolve(loop.return?.()))
    await network.run(100)
    expect(inspector.of('unsubscribed')).toMatchObject([{ sub: 2 }])
  })

  it('say where a subscription that began in the log had an event already', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    const heard: unknown[] = []
    void bus.publish('a.b', 1)
    bus.subscribe('a.*', ({ id }) => heard.push(id), { from: 'start' })
    const published = [2, 3].map((n) => bus.publish('a.b', n))
    await network.until(Promise.all(published))
    await network.run(200)
    expect(heard).toHaveLength(3)
    const known = inspector.of('filtered')
    expect(known.every(({ sub, why }) => sub === 1 && why === 'known')).toBe(true)
    const ids = known.flatMap((record) => unpackIds(record.ids))
    expect(ids.length).toBeGreaterThan(0)
    for (const id of ids) expect(heard).toContain(id)
  })

  it('announce subscriptions and views, with where they were made', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    const off = bus.subscribe(['a.*', 'b.c'], () => {}, { where: () => true })
    bus.once('d.e').catch(() => {})
    bus.project('a.*', (state) => state, 0, { key: 'k', version: 2 })
    off()
    await network.run(100)
    expect(inspector.of('subscribed').map(({ subscription }) => subscription)).toEqual([
      {
        sub: 1,
        patterns: ['a.*', 'b.c'],
        kind: 'handler',
        where: true,
        at: expect.any(Number),
        site: expect.stringMatching(/records\.test\.ts:\d+:\d+$/),
        calls: 0,
        failures: 0,
      },
      expect.objectContaining({ sub: 2, kind: 'once', patterns: ['d.e'] }),
    ])
    expect(inspector.of('viewed')).toMatchObject([
      { view: { view: 1, patterns: ['a.*'], key: 'k', version: 2 } },
    ])
    expect(inspector.of('unsubscribed')).toMatchObject([{ sub: 1 }])
    inspector.attach()
    await network.run(100)
    expect(inspector.hellos.at(-1)).toMatchObject({
      subscriptions: [{ sub: 2, kind: 'once' }],
      views: [{ view: 1 }],
    })
  })

  it('tell of errors, of the life of the page, and of a log that was cleared', async () => {
    const page = await new Page().attach()
    const { bus, network, context, inspector } = page
    bus.publish('not a type').catch(() => {})
    void bus.publish('a.b', 1, { until: 'relayed' })
    context.show(false)
    context.show(true)
    await network.run(100)
    expect(inspector.of('error')).toMatchObject([{ code: 'unreachable', stage: 'batch' }])
    expect(inspector.of('life').map(({ state }) => state)).toEqual(['hidden', 'visible'])
    await network.until(bus.clear())
    await network.run(100)
    expect(inspector.of('life').at(-1)).toMatchObject({ state: 'cleared' })
    expect(inspector.hellos.at(-1)?.log).not.toBe(inspector.hellos[0]?.log)
  })

  it('tell of leadership and status, and counts not more often than twice a second', async () => {
    const page = new Page()
    const { bus, network, inspector } = page
    bus.subscribe('none', () => {})
    inspector.attach()
    await network.run(3_000)
    inspector.attach()
    await network.run(3_000)
    expect(inspector.hellos.at(-1)?.status.lead).toEqual({ self: true, present: true })
    const before = inspector.of('status').length
    for (let n = 0; n < 20; n++) await page.publish('a.b', n)
    await network.run(1_000)
    const after = inspector.of('status').slice(before)
    expect(after.length).toBeGreaterThan(1)
    expect(after.length).toBeLessThanOrEqual(5)
    expect(after.at(-1)?.status.log.bytes).toBe(bus.status.get().log.bytes)
  })

  it('tell what another context lost its turn with: what came twice', async () => {
    const page = await new Page().attach()
    const { network, inspector } = page
    const other = network.device('phone').open().createBus({ name: 'shop', onError })
    other.subscribe('a.*', () => {})
    await network.until(() => other.status.get().log.state === 'open')
    network.device('phone').channels.faults = { drop: 0, duplicate: 1, delay: 0 }
    inspector.attach()
    await network.run(100)
    const id = await page.publish('a.b', 1)
    const twice = inspector.of('dropped').filter(({ why }) => why === 'duplicate')
    expect(twice.flatMap(({ ids }) => unpackIds(ids))).toContain(id)
  })

  it('of events of scope context and of unpersisted ones say that they are', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    void bus.publish('a.b', 1, { scope: 'context' })
    void bus.publish('a.c', 1, { persist: false })
    void bus.publish('a.d', 1, { scope: 'device' })
    await network.run(200)
    expect(inspector.of('published').flatMap(({ events }) => events)).toMatchObject([
      { type: 'a.b', scope: 'context', persist: false },
      { type: 'a.c', persist: false },
      { type: 'a.d', scope: 'device' },
    ])
  })

  it('are made of a bus that encodes nothing, too', async () => {
    const platform = new VirtualPlatform()
    const bus = createBusOn({ name: 'x', log: false, tabs: false }, platform)
    const agent = agentOn(platform)
    const inspector = new TestInspector((text) => agent.receive(text))
    const end = agent.onFrame((text) => inspector.hear(text))
    bus.subscribe('a.*', () => {})
    inspector.attach()
    const published = [bus.publish('a.b', { n: 1n }), bus.publish('a.b', () => {})]
    const id = (await Promise.all(published))[0]?.id
    platform.advance(100)
    expect(inspector.of('published').flatMap(({ events }) => events)).toMatchObject([
      { id, type: 'a.b', persist: false, encoding: 'devalue' },
      { type: 'a.b' },
    ])
    expect(inspector.of('handled')).toMatchObject([{ sub: 1, ms: [0, 0] }])
    await bus.close()
    end()
    expect(inspector.frames.at(-1)).toMatchObject({ frame: 'bye', reason: 'closed' })
    expect(platform.timers).toBe(0)
  })

  it('of a handler with options say each attempt, and whose buffer was full', async () => {
    const page = await new Page().attach()
    const { bus, network, inspector } = page
    const work = (_: unknown, { attempt }: { attempt: number }): Promise<void> =>
      new Promise((resolve, reject) => {
        network.after(30, () => (attempt < 3 ? reject(new Error('again')) : resolve()))
      })
    const retry = { attempts: 3, backoff: () => 10 }
    bus.subscribe('a.b', work, { buffer: 0, overflow: 'drop-newest', retry })
    bus.subscribe('a.c', () => new Promise(() => {}), { timeout: 20 })
    const first = bus.publish('a.b')
    const second = bus.publish('a.b')
    const third = await page.publish('a.c')
    await network.run(100)
    const [one, two] = [await first, await second].map(({ id }) => packIds([id]))
    expect(inspector.of('retried')).toMatchObject([
      { sub: 1, ids: one, attempt: 2 },
      { sub: 1, ids: one, attempt: 3 },
    ])
    expect(inspector.of('handled')).toMatchObject([{ sub: 1, ids: one, ms: [30] }])
    expect(inspector.of('dropped')).toMatchObject([{ sub: 1, ids: two, why: 'overflow' }])
    expect(inspector.of('failed')).toMatchObject([
      { sub: 2, ids: packIds([third]), code: 'timeout', stage: 'dispatch', ms: 20 },
    ])
    // The timeout is told with its subscription; the loss is an error beside it.
    expect(inspector.of('error')).toMatchObject([{ code: 'buffer_overflow' }])
  })

  it('of what was begun before anybody looked say no time but what it took', async () => {
    const page = new Page()
    const { bus, network, inspector } = page
    const ends: (() => void)[] = []
    bus.subscribe('a.b', () => new Promise((resolve) => ends.push(() => resolve(1))))
    bus.subscribe('a.*', () => new Promise((_, reject) => ends.push(() => reject(new Error('x')))))
    await network.run(60_000)
    void bus.publish('a.b')
    await network.until(() => ends.length === 2)
    await page.attach()
    for (const end of ends) end()
    await network.run(100)
    expect(inspector.of('failed')).toMatchObject([{ sub: 2 }])
    const times = inspector.of('handled').flatMap(({ ms }) => ms)
    for (const ms of [...times, ...inspector.of('failed').map(({ ms }) => ms)])
      expect(ms).toBeLessThan(1_000)
  })

  it('of what is watched for come in time, though so much happens that no timer runs', async () => {
    const platform = new VirtualPlatform()
    const bus = createBusOn({ name: 'x', log: false, tabs: false }, platform)
    const agent = agentOn(platform)
    const inspector = new TestInspector((text) => agent.receive(text))
    agent.onFrame((text) => inspector.hear(text))
    bus.subscribe('a.*', () => {})
    inspector.attach()
    const peer = inspector.hellos[0]?.peer as string
    const terms = [{ path: ['n'], op: '>=' as const, value: '0' }]
    inspector.ask<'watch'>(peer, { what: 'watch', terms })
    const found = (): string[] => inspector.of('found').flatMap(({ ids }) => unpackIds(ids))
    const ids: string[] = []
    for (let n = 0; n < 1_000; n++) ids.push((await bus.publish('a.b', { n })).id)
    expect(found().length).toBeGreaterThan(500)
    platform.advance(100)
    expect(found()).toEqual(ids)
    await bus.close()
  })

  it('of what cannot be told cost the application nothing', async () => {
    const platform = new VirtualPlatform()
    const bus = createBusOn({ name: 'x', log: false, tabs: false, onError }, platform)
    const agent = agentOn(platform)
    const inspector = new TestInspector((text) => agent.receive(text))
    agent.onFrame((text) => inspector.hear(text))
    const heard: unknown[] = []
    bus.subscribe('a.*', ({ data }) => {
      heard.push(data)
    })
    inspector.attach()
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const toJSON = (): never => {
      throw new Error('no text of this')
    }
    const metadatas = [{ n: 1n }, cyclic, { toJSON }] as unknown as Metadata[]
    for (const [n, metadata] of metadatas.entries()) await bus.publish('a.b', n, { metadata })
    expect(heard).toEqual([0, 1, 2])
    platform.advance(100)
    const events = inspector.of('published').flatMap((record) => record.events)
    expect(events.map(({ type }) => type)).toEqual(['a.b', 'a.b', 'a.b'])
    for (const event of events) expect(event).not.toHaveProperty('metadata')
    inspection(bus, { messages: false })
    bus.subscribe('a.b', () => {
      throw new Proxy({}, { get: toJSON })
    })
    bus.subscribe('a.b', ({ data }) => heard.push(data))
    await bus.publish('a.b', 3)
    await bus.publish('a.b', 4)
    expect(heard).toEqual([0, 1, 2, 3, 3, 4, 4])
    await bus.close()
  })

  it('of what goes over a link of the user say so, on both sides', async () => {
    const network = createTestNetwork()
    const link = memoryLink()
    const buses = ['a', 'b'].map((name) => {
      const context = network.device(name).open()
      const bus = context.createBus({ name: 'shop', onError, links: [link] })
      const agent = agentOn(context.platform)
      const inspector = new TestInspector((text) => agent.receive(text))
      agent.onFrame((text) => inspector.hear(text))
      bus.subscribe('*', () => {})
      return { bus, inspector }
    })
    const [a, b] = buses as [(typeof buses)[0], (typeof buses)[0]]
    await network.run(1_000)
    for (const { inspector } of buses) inspector.attach()
    const event = await network.until(a.bus.publish('x.y', 1))
    await network.run(200)
    const ids = packIds([event.id])
    expect(a.inspector.of('posted')).toContainEqual(expect.objectContaining({ via: 'link', ids }))
    expect(b.inspector.of('received')).toMatchObject([
      { via: 'link', origin: 'room', ids, events: [{ id: event.id, type: 'x.y' }] },
    ])
  })
})

describe('a page', () => {
  it('says goodbye when it is put away, and hello when it comes back', async () => {
    const page = await new Page().attach()
    const { network, context, inspector } = page
    const [{ peer }] = inspector.hellos as unknown as [{ peer: string }]
    await page.publish('a.b', 1)
    const next = inspector.batches.map(({ first, records }) => first + records.length).at(-1)
    context.cache()
    await network.run(1_000)
    expect(context.alive).toBe(true)
    expect(inspector.frames.at(-1)).toMatchObject({ frame: 'bye', reason: 'pagehide', peer })
    context.thaw()
    await network.until(() => inspector.frames.at(-1)?.frame === 'hello')
    inspector.attach({ resume: { [peer]: next as number } })
    const id = await page.publish('a.b', 2)
    const after = inspector.of('published').flatMap(({ events }) => events.map((event) => event.id))
    expect(after).toContain(id)
    expect(inspector.batches.every(({ dropped }) => dropped === undefined)).toBe(true)
  })

  it('that is put away tells what it wrote in its last task, before it says goodbye', async () => {
    const page = await new Page().attach()
    const { network, context, bus, inspector } = page
    void bus.publish('a.b', 1)
    context.cache()
    await network.run(1_000)
    expect(inspector.frames.at(-1)?.frame).toBe('bye')
    expect(inspector.of('published')).toHaveLength(1)
  })

  it('that freezes tells so before it stands still', async () => {
    const page = await new Page().attach()
    page.context.freeze()
    await page.network.run(1_000)
    expect(page.inspector.of('life')).toMatchObject([{ state: 'frozen' }])
  })

  it('that closes its bus holds nothing of its inspection', async () => {
    const page = await new Page().attach()
    await page.network.until(page.bus.close())
    expect(page.context.holdings).toEqual({
      timers: 0,
      holds: 0,
      sockets: 0,
      logs: 0,
      listeners: 0,
    })
    await page.network.run(100)
    expect(page.inspector.frames.at(-1)).toMatchObject({ frame: 'bye', reason: 'closed' })
  })
})

it('a network goes the same way, inspected or not', async () => {
  const run = async (inspected: boolean): Promise<unknown> => {
    const network = createTestNetwork({ seed: 3 })
    const device = network.device('phone')
    device.channels.faults = { drop: 0.2, duplicate: 0.1, delay: 0.3 }
    const buses = [1, 2, 3].map(() => device.open().createBus({ name: 'shop', onError }))
    const heard: unknown[] = []
    buses.forEach((bus, nth) => {
      bus.subscribe('**', ({ id, offset }) => heard.push([nth, id, offset, network.now]))
    })
    const agent = agentOn((device.contexts[0] as TestContext).platform)
    if (inspected) new TestInspector((text) => agent.receive(text)).attach()
    for (let n = 0; n < 30; n++) {
      for (const bus of buses) void bus.publish('a.b', n)
      await network.run(7)
    }
    await network.settle()
    return heard
  }
  expect(await run(true)).toEqual(await run(false))
})

it('a process of Deno is not kept alive by an open channel: it is inspected through a relay only', async () => {
  const opened: string[] = []
  class Channel {
    onmessage: unknown
    constructor(name: string) {
      opened.push(name)
    }
    postMessage(): void {}
    close(): void {}
  }
  const BroadcastChannel = Channel as unknown as Platform['BroadcastChannel']
  const given: Platform = { ...runtimePlatform(), kind: 'deno', BroadcastChannel }
  const bus = createBusOn({ name: 'x', log: false, tabs: false }, given)
  const inspector = new TestInspector((text) => agentOn(given).receive(text))
  agentOn(given).onFrame((text) => inspector.hear(text))
  bus.subscribe('a.*', () => {})
  inspector.attach()
  expect([opened, inspector.hellos.length]).toEqual([[], 2])
  await bus.close()
})

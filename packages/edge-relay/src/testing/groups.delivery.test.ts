/** Groups over whole networks: real buses and a real relay on a virtual clock. */
import type { Bus, BusError, BusEvent, GroupOptions } from '@crosstown/bus'
import { createTestNetwork, type TestContext, type TestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { simulatedRelay } from './simulated-relay.ts'

const ROOM = '42'
/** Between who leaves and what others get: on the way, and written. */
const SOON_MS = 1_000

type Any = Record<string, unknown>
type Options = Partial<GroupOptions<BusEvent>>

/** A call of a member's handler. */
interface Call {
  readonly by: string
  readonly n: unknown
  readonly attempt: number
  readonly signal: AbortSignal
  end(): void
  fail(error: unknown): void
  open: boolean
}

interface Member {
  readonly context: TestContext
  readonly bus: Bus<Any>
  readonly errors: BusError[]
  off(): void
}

/** Members named `device.context`, whose calls a test ends; `auto` ones end by themselves. */
class Crew {
  readonly network: TestNetwork
  readonly calls: Call[] = []
  readonly #members = new Map<string, Member>()

  constructor(options: Parameters<typeof simulatedRelay>[0] = {}, seed = 1) {
    this.network = createTestNetwork({ seed, relay: simulatedRelay(options) })
  }

  /** A context of a device that is no member. */
  bus(name: string, kind: 'page' | 'worker' | 'service-worker' | 'node' = 'page', disk = true) {
    const [device = ''] = name.split('.')
    const context = this.network.device(device).open(kind, { disk })
    const errors: BusError[] = []
    const onError = (error: BusError): void => void errors.push(error)
    const bus = context.createBus<Any>({ name: 'shop', room: ROOM, source: name, onError })
    return { context, bus, errors }
  }

  join(
    name: string,
    options: Options = {},
    { kind = 'page', disk = true, auto = false }: Parameters<Crew['open']>[2] = {},
  ): Member {
    return this.open(name, options, { kind, disk, auto })
  }

  open(
    name: string,
    options: Options,
    {
      kind = 'page',
      disk = true,
      auto = false,
    }: {
      kind?: 'page' | 'worker' | 'service-worker' | 'node'
      disk?: boolean
      auto?: boolean
    },
  ): Member {
    const made = this.bus(name, kind, disk)
    const off = made.bus.subscribe(
      'mail.*',
      ({ data }, { attempt, signal }) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        const settled = (run: () => void) => () => {
          call.open = false
          run()
        }
        const call: Call = {
          ...{ by: name, n: data, attempt, signal, open: true },
          end: settled(resolve),
          fail: (error) => settled(() => reject(error))(),
        }
        this.calls.push(call)
        if (auto) call.end()
        return promise
      },
      { group: 'mail', ...options },
    )
    const member = { ...made, off }
    this.#members.set(name, member)
    return member
  }

  /** Waits until all that were opened are members. */
  async ready(): Promise<void> {
    await this.until(() =>
      [...this.#members.values()].every(
        ({ bus, context }) =>
          !context.alive || bus.stats().groups.every((one) => one.state === 'member'),
      ),
    )
  }

  async until(condition: () => boolean): Promise<void> {
    await this.network.until(condition, 120_000)
  }

  /** Publishes so many numbers, and waits until the room has them. */
  async publish(bus: Bus<Any>, count: number, stream?: (n: number) => string): Promise<void> {
    const events = Array.from({ length: count }, (_, n) => ({
      type: 'mail.sent',
      data: n,
      ...(stream && { stream: stream(n) }),
    }))
    await this.network.until(bus.publishBatch(events, { until: 'relayed' }))
  }

  /** Numbers that were handled, sorted. */
  get handled(): unknown[] {
    return this.calls
      .flatMap(({ n, open }) => (open ? [] : [n]))
      .toSorted((a, b) => Number(a) - Number(b))
  }

  by(name: string): Call[] {
    return this.calls.filter((call) => call.by === name)
  }

  get unfinished(): Call[] {
    return this.calls.filter(({ open }) => open)
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe('`group`', () => {
  it('an event of the room goes to one member of it, in whatever context of whatever device', async () => {
    const crew = new Crew()
    const publisher = crew.bus('office.1')
    crew.join('phone.page', {}, { auto: true })
    crew.join('phone.worker', {}, { kind: 'worker', auto: true })
    crew.join('phone.sw', {}, { kind: 'service-worker', auto: true })
    crew.join('laptop.page', {}, { auto: true })
    crew.join('server', {}, { kind: 'node', auto: true })
    await crew.ready()
    await crew.publish(publisher.bus, 100)
    await crew.until(() => crew.calls.length >= 100)
    await crew.network.run(60_000)
    expect(crew.handled).toEqual(numbers(100))
    const all = ['laptop.page', 'phone.page', 'phone.sw', 'phone.worker', 'server']
    expect([...new Set(crew.calls.map(({ by }) => by))].sort()).toEqual(all)
  })

  it('an event goes to each of several groups', async () => {
    const crew = new Crew()
    const { bus } = crew.join('server', {}, { auto: true })
    crew.join('other', { group: 'bills' }, { auto: true })
    await crew.ready()
    await crew.publish(bus, 3)
    await crew.until(() => crew.calls.length >= 6)
    expect(crew.by('server').map(({ n }) => n)).toEqual([0, 1, 2])
    expect(crew.by('other').map(({ n }) => n)).toEqual([0, 1, 2])
  })

  it('begins with the whole room by default, and where its first member says', async () => {
    const crew = new Crew()
    const publisher = crew.bus('office.1')
    await crew.publish(publisher.bus, 3)
    crew.join('server', {}, { auto: true })
    crew.join('late', { group: 'late', from: 'now' }, { auto: true })
    crew.join('last', { group: 'last', from: { last: 1 } }, { auto: true })
    await crew.ready()
    await crew.until(() => crew.by('server').length === 3)
    await crew.network.run(10_000)
    expect(crew.by('late')).toEqual([])
    expect(crew.by('last').map(({ n }) => n)).toEqual([2])
  })

  it('a context whose log does not open is a member through the one that leads', async () => {
    const crew = new Crew()
    const publisher = crew.bus('phone.1')
    await crew.publish(publisher.bus, 1)
    crew.join('phone.2', {}, { disk: false, auto: true })
    await crew.ready()
    await crew.publish(publisher.bus, 4)
    await crew.until(() => crew.calls.length === 5)
    expect(crew.handled).toEqual([0, ...numbers(4)])
  })

  it('what a member does not want by its `where` counts as handled', async () => {
    const crew = new Crew()
    const { bus } = crew.join('server', { where: ({ data }) => Number(data) > 2 }, { auto: true })
    await crew.ready()
    await crew.publish(bus, 5)
    await crew.until(() => crew.calls.length === 2)
    await crew.network.run(60_000)
    expect(crew.handled).toEqual([3, 4])
  })

  it('what a member holds when it unsubscribes, or its bus is closed, others get at once', async () => {
    const crew = new Crew()
    const leaving = crew.join('server', { concurrency: 3 })
    const closing = crew.join('phone.page', { concurrency: 3 })
    await crew.ready()
    await crew.publish(leaving.bus, 4)
    await crew.until(() => crew.calls.length === 4)
    crew.join('other', { concurrency: 10 })
    await crew.ready()
    leaving.off()
    void closing.bus.close()
    await crew.network.run(SOON_MS)
    expect(
      crew
        .by('other')
        .map(({ n }) => n)
        .toSorted(),
    ).toEqual(numbers(4))
    expect(crew.calls.slice(0, 4).every(({ signal }) => signal.aborted)).toBe(true)
  })

  it('what a page holds when it is frozen others get at once, and it is a member again when it moves', async () => {
    const crew = new Crew()
    const server = crew.join('server', {}, { kind: 'node' })
    await crew.ready()
    const page = crew.join('phone.page', { concurrency: 2 })
    await crew.ready()
    await crew.publish(server.bus, 3)
    await crew.until(() => crew.calls.length === 3)
    const held = crew.by('phone.page').map(({ n }) => n)
    expect(held.length).toBeGreaterThan(0)
    page.context.freeze()
    for (const call of crew.by('server')) call.end()
    await crew.network.run(SOON_MS)
    const again = crew.by('server').slice(1)
    expect(again.map(({ n }) => n)).toContain(held[0])
    page.context.thaw()
    await crew.ready()
    expect(page.bus.stats().groups[0]).toMatchObject({ state: 'member' })
  })

  it('what a crashed device holds others get after five seconds, not after `ackWait`', async () => {
    const crew = new Crew()
    const dying = crew.join('phone.page', { ackWait: 600_000 })
    await crew.ready()
    const other = crew.join('server', { ackWait: 600_000 })
    await crew.ready()
    await crew.publish(other.bus, 2)
    await crew.until(() => crew.calls.length === 2)
    dying.context.crash()
    crew.by('server')[0]?.end()
    await crew.network.run(4_000)
    expect(crew.by('server').length).toBe(1)
    await crew.network.run(3_000)
    expect(crew.by('server').map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('a member goes on with what it holds while its relay is restarted, or another context leads', async () => {
    const crew = new Crew()
    const first = crew.join('phone.1', { concurrency: 10 })
    await crew.ready()
    crew.join('phone.2', { concurrency: 10 })
    await crew.ready()
    await crew.publish(first.bus, 6)
    await crew.until(() => crew.calls.length === 6)
    crew.network.relay.crash()
    await crew.network.run(500)
    crew.network.relay.start()
    await crew.ready()
    for (const call of crew.by('phone.1')) call.end()
    await crew.until(() => first.bus.stats().groups[0]?.unsettled === 0)
    void first.bus.close()
    await crew.ready()
    for (const call of crew.by('phone.2')) call.end()
    await crew.network.run(60_000)
    expect(crew.handled).toEqual(numbers(6))
    expect(crew.calls.every(({ signal }) => !signal.aborted)).toBe(true)
  })

  it('what is handled offline is told when the relay is there again', async () => {
    const crew = new Crew()
    const { bus } = crew.join('server')
    await crew.ready()
    await crew.publish(bus, 1)
    await crew.until(() => crew.calls.length === 1)
    crew.join('other')
    await crew.ready()
    crew.network.partition(crew.network.device('server'))
    crew.calls[0]?.end()
    await crew.network.run(2_000)
    crew.network.heal()
    await crew.network.run(60_000)
    expect(crew.calls.length).toBe(1)
    expect(bus.stats().groups[0]).toMatchObject({ acked: 1, lapsed: 0, unsettled: 0 })
  })

  it('who hears that a lease of his ended is told: it is, or will be, handled again', async () => {
    const crew = new Crew()
    const late = crew.join('phone.page')
    await crew.ready()
    const other = crew.join('server')
    await crew.ready()
    await crew.publish(other.bus, 2)
    await crew.until(() => crew.calls.length === 2)
    crew.by('server')[0]?.end()
    crew.network.partition(crew.network.device('phone'))
    await crew.until(() => crew.by('server').length === 2)
    crew.by('phone.page')[0]?.end()
    crew.network.heal()
    await crew.until(() => late.bus.stats().groups[0]?.lapsed === 1)
    expect(late.errors).toMatchObject([{ code: 'timeout', eventType: 'mail.sent' }])
  })

  it('is refused without a relay, with `unreachable`', () => {
    const bus = createTestNetwork().device('phone').open().createBus({ name: 'shop' })
    expect(() => bus.subscribe('mail.*', () => {}, { group: 'mail' })).toThrow(
      expect.objectContaining({ code: 'unreachable' }),
    )
  })

  it('is refused with an offset, or a wrong name', () => {
    const { bus } = new Crew().bus('server')
    for (const options of [{ group: 'mail', from: 5 }, { group: '' }, { group: 'a'.repeat(257) }])
      expect(() => bus.subscribe('mail.*', () => {}, options)).toThrow(
        expect.objectContaining({ code: 'invalid_options' }),
      )
  })

  it('a member that its token does not let is told `forbidden`', async () => {
    const rights = { publish: ['**'], subscribe: ['mail.sent'] }
    const crew = new Crew({ auth: () => ({ subject: 'ann', rights }) })
    const { bus, errors } = crew.join('server')
    await crew.until(() => bus.stats().groups[0]?.state === 'refused')
    expect(errors).toMatchObject([{ code: 'forbidden' }])
  })

  it('`bus.stats().groups` has what members of this context did', async () => {
    const crew = new Crew()
    const { bus } = crew.join('server', { concurrency: 2 })
    await crew.ready()
    await crew.publish(bus, 4)
    await crew.until(() => crew.calls.length === 2)
    expect(bus.stats().groups).toMatchObject([
      { group: 'mail', state: 'member', leased: 4, running: 2, waiting: 2, unsettled: 0 },
    ])
    for (let done = 0; done < 4; done++) {
      await crew.until(() => crew.calls.length > done)
      crew.calls[done]?.end()
    }
    await crew.until(() => bus.stats().groups[0]?.acked === 4)
    expect(bus.stats().subscriptions).toMatchObject([{ calls: 4, handled: 4 }])
  })
})

describe('`group`: `ackWait`, `backoff`, `maxDeliver`', () => {
  it('what a member does not settle in time another one gets, and its `ctx.signal` is aborted', async () => {
    const crew = new Crew()
    crew.join('slow', { ackWait: 3_000 })
    await crew.ready()
    const { bus } = crew.join('server', { ackWait: 3_000 })
    await crew.ready()
    await crew.publish(bus, 2)
    await crew.until(() => crew.calls.length === 2)
    crew.by('server')[0]?.end()
    await crew.network.run(5_000)
    expect(crew.by('slow')[0]?.signal.aborted).toBe(true)
    expect(crew.by('server').map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('what a handler throws on is given to whoever is free, after the pause that `backoff` says', async () => {
    const crew = new Crew()
    const { bus, errors } = crew.join('server', { backoff: [2_000, 9_000], maxDeliver: 3 })
    await crew.ready()
    await crew.publish(bus, 1)
    const began: number[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      await crew.until(() => crew.calls.length === attempt)
      began.push(crew.network.now)
      crew.calls[attempt - 1]?.fail(new Error('no'))
    }
    await crew.network.run(60_000)
    expect(crew.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    const [first = 0, second = 0, third = 0] = began
    // The relay looks twice a second.
    expect(second - first).toBeGreaterThanOrEqual(2_000)
    expect(second - first).toBeLessThan(3_000)
    expect(third - second).toBeGreaterThanOrEqual(9_000)
    expect(third - second).toBeLessThan(10_000)
    // Only the failure that gives it up is told.
    expect(errors).toMatchObject([{ code: 'handler_failed' }])
  })

  it('what waits for its turn too long is given back, and counts as no attempt', async () => {
    const crew = new Crew()
    const { bus } = crew.join('busy', { ackWait: 4_000, maxDeliver: 1 })
    await crew.ready()
    await crew.publish(bus, 3)
    await crew.until(() => crew.calls.length === 1)
    crew.join('server', { ackWait: 4_000, maxDeliver: 1 }, { auto: true })
    await crew.until(() => crew.by('server').length === 2)
    expect(crew.by('server').map(({ attempt }) => attempt)).toEqual([1, 1])
  })
})

describe("`group`: `orderBy: 'stream'`", () => {
  it('one event of a stream at a time, in its order, whoever handles it; other streams go on', async () => {
    const crew = new Crew()
    const options = { orderBy: 'stream', concurrency: 10 } as const
    const { bus } = crew.join('one', options)
    crew.join('two', options)
    await crew.ready()
    await crew.publish(bus, 40, (n) => `stream-${n % 4}`)
    for (let done = 0; done < 40; done += 4) {
      await crew.until(() => crew.calls.length === done + 4)
      await crew.network.run(SOON_MS)
      // The next ones wait for these.
      expect(crew.calls.length).toBe(done + 4)
      expect(crew.unfinished.map(({ n }) => n).toSorted((a, b) => Number(a) - Number(b))).toEqual(
        [0, 1, 2, 3].map((stream) => done + stream),
      )
      for (const call of crew.unfinished) call.end()
    }
    expect(new Set(crew.calls.map(({ by }) => by)).size).toBe(2)
  })

  it('an event that fails holds back its stream, and nothing else', async () => {
    const crew = new Crew()
    const { bus } = crew.join('one', { orderBy: 'stream', backoff: [5_000] })
    await crew.ready()
    await crew.publish(bus, 4, (n) => `stream-${n % 2}`)
    await crew.until(() => crew.calls.length === 2)
    crew.calls[0]?.fail(new Error('no'))
    crew.calls[1]?.end()
    await crew.until(() => crew.calls.length === 3)
    crew.calls[2]?.end()
    await crew.until(() => crew.calls.length === 4)
    crew.calls[3]?.end()
    await crew.until(() => crew.calls.length === 5)
    expect(crew.calls.map(({ n, attempt }) => [n, attempt])).toEqual([
      [0, 1],
      [1, 1],
      [3, 1],
      [0, 2],
      [2, 1],
    ])
  })
})

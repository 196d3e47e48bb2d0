import { describe, expect, it } from 'vitest'
import { createBusOn } from './bus.ts'
import { BusError } from './errors.ts'
import type { Link } from './links/link.ts'
import { memoryLink } from './links/memory.ts'
import type { LogSource } from './log/log.ts'
import { MemoryLog, memoryLog } from './log/memory.ts'
import type { AnyBusOptions } from './options.ts'
import { lazyPart, type Part } from './part.ts'
import { allParts } from './parts/all.ts'
import { lazyParts, type Parts } from './parts.ts'
import { relayLink } from './relay-link.ts'
import type { RequestOptions } from './request/request.ts'
import { VirtualPlatform } from './testing/virtual-platform.ts'
import type { Bus } from './types.ts'

/** A network that a test takes away and gives back. */
class Network {
  online = true
  readonly loads: string[] = []
  #waiting: (() => void)[] = []
  #held = false

  /** The parts as they are loaded over it. */
  get parts(): Parts {
    const entries = Object.entries(allParts).map(([name, { now }]: [string, Part<unknown>]) => [
      name,
      lazyPart(name, async () => {
        this.loads.push(name)
        if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve))
        if (!this.online) throw new TypeError('Failed to fetch dynamically imported module')
        return now
      }),
    ])
    return Object.fromEntries(entries)
  }

  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    for (const go of this.#waiting.splice(0)) go()
  }
}

interface Made {
  readonly bus: Bus<Record<string, unknown>>
  readonly platform: VirtualPlatform
  readonly network: Network
  readonly reported: BusError[]
}

function make(options: Partial<AnyBusOptions> = {}): Made {
  const network = new Network()
  const platform = new VirtualPlatform({ seed: 1 })
  const reported: BusError[] = []
  const bus = createBusOn(
    {
      name: 'shop',
      log: memoryLog(),
      tabs: false,
      onError: (error) => void reported.push(error),
      ...options,
    },
    platform,
    undefined,
    network.parts,
  )
  return { bus, platform, network, reported }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Lets timers come that are due within this time. */
async function pass(platform: VirtualPlatform, ms: number): Promise<void> {
  const end = platform.monotonic() + ms
  await settle()
  while (platform.next <= end) {
    platform.advanceToNext()
    await settle()
  }
}

async function closing(bus: Made['bus'], platform: VirtualPlatform): Promise<void> {
  const closed = bus.close()
  await pass(platform, 10_000)
  await closed
}

describe('a bus that was given no work for its parts', () => {
  it('loads none of them', async () => {
    const { bus, network, platform } = make()
    const heard: unknown[] = []
    bus.subscribe('**', (event) => void heard.push(event.data))
    await bus.publish('cart.added', { sku: 1 })
    await pass(platform, 60_000)
    await bus.close()
    expect(heard).toEqual([{ sku: 1 }])
    expect(network.loads).toEqual([])
  })
})

describe('what is asked of a part before it is there', () => {
  it('a durable consumer gets every event in order, also those published meanwhile', async () => {
    const { bus, network, platform } = make()
    network.hold()
    const got: unknown[] = []
    await bus.publish('cart.added', 1)
    bus.subscribe('cart.**', (event) => void got.push(event.data), { durable: 'mail' })
    await bus.publish('cart.added', 2)
    await settle()
    expect(got).toEqual([])
    network.release()
    await pass(platform, 2_000)
    await bus.publish('cart.added', 3)
    await pass(platform, 2_000)
    expect(got).toEqual([1, 2, 3])
    await bus.close()
  })

  it('a durable consumer is refused wrong options at once', () => {
    const { bus } = make()
    const subscribe = () => bus.subscribe('**', () => {}, { durable: 'mail', maxDeliver: 0 })
    expect(subscribe).toThrow(expect.objectContaining({ code: 'invalid_options' }))
  })

  it('a subscription that begins in the log gives the past, then what came meanwhile, once', async () => {
    const { bus, network, platform } = make()
    await bus.publish('cart.added', 1)
    network.hold()
    const got: unknown[] = []
    bus.subscribe('**', (event) => void got.push(event.data), { from: 'start' })
    await bus.publish('cart.added', 2)
    await bus.publish('ping', 'not kept', { persist: false })
    network.release()
    await pass(platform, 1_000)
    await bus.publish('cart.added', 3)
    await settle()
    expect(got).toEqual([1, 2, 'not kept', 3])
    await bus.close()
  })

  it('a view has its first state, and folds the log once it can', async () => {
    const { bus, network } = make()
    await bus.publish('cart.added', 1)
    network.hold()
    const seen: unknown[] = []
    const view = bus.project('**', (sum: number, event) => sum + Number(event.data), 0)
    view.subscribe((state) => seen.push(state))
    expect(view.get()).toBe(0)
    await bus.publish('cart.added', 2)
    network.release()
    await view.ready
    expect(view.get()).toBe(3)
    await bus.publish('cart.added', 4)
    expect(view.get()).toBe(7)
    expect(seen).toEqual([0, 3, 7])
    await bus.close()
  })

  it('a view that is closed before does not come back', async () => {
    const { bus, network } = make()
    network.hold()
    const view = bus.project('**', (sum: number) => sum + 1, 0)
    view.close()
    await expect(view.ready).rejects.toMatchObject({ code: 'closed' })
    network.release()
    await bus.publish('cart.added', 2)
    await settle()
    expect(view.get()).toBe(0)
    await bus.close()
  })

  it('a request made right behind its responder is answered, with the data of that moment', async () => {
    const { bus, network } = make()
    network.hold()
    bus.respond('price.of', (event) => (event.data as { cents: number }).cents * 2)
    const data = { cents: 100 }
    const reply = bus.request('price.of', data)
    data.cents = 999
    network.release()
    expect(await reply).toBe(200)
    await bus.close()
  })

  it.each([
    ['request', (bus: Made['bus'], options: RequestOptions) => bus.request('price.of', 1, options)],
    ['ping', (bus: Made['bus'], options: RequestOptions) => bus.ping(options)],
  ] as const)('a %s ends in time, with its signal and with the bus', async (_, ask) => {
    const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'nobody' })
    const { bus, network, platform } = make({ relay })
    network.hold()
    const ends: Record<string, string> = {}
    const asked = (what: string, options: RequestOptions): void =>
      void ask(bus, options).catch(({ code }: BusError) => (ends[what] = code))
    const ending = new AbortController()
    asked('wrong', { timeout: -1 })
    asked('given up before', { signal: AbortSignal.abort() })
    asked('late', { timeout: 3_000 })
    asked('given up', { signal: ending.signal, timeout: 60_000 })
    asked('open', { timeout: 60_000 })
    await pass(platform, 2_999)
    expect(ends).toEqual({ wrong: 'invalid_options', 'given up before': 'aborted' })
    platform.advance(3_000 - platform.monotonic())
    await settle()
    expect(ends['late']).toBe('timeout')
    ending.abort()
    await settle()
    expect(ends['given up']).toBe('aborted')
    void bus.close()
    await pass(platform, 10_000)
    expect(ends['open']).toBe('closed')
    asked('after', {})
    await settle()
    expect(ends['after']).toBe('closed')
    network.release()
    await settle()
    expect(platform.timers).toBe(0)
  })

  it('the time in which it is loaded is taken from that of a request', async () => {
    const { bus, network, platform } = make()
    network.hold()
    bus.respond('price.of', () => new Promise(() => {}))
    let ended: unknown
    bus.request('price.of', 1, { timeout: 3_000 }).catch((error: BusError) => {
      ended = error
    })
    await pass(platform, 2_000)
    platform.advance(2_000 - platform.monotonic())
    network.release()
    await settle()
    platform.advance(999)
    await settle()
    expect(ended).toBeUndefined()
    platform.advance(1)
    await settle()
    expect(ended).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('within 3000 ms'),
    })
    await bus.close()
  })

  it('who responds is refused twice, and wrongly, at once', () => {
    const { bus } = make()
    bus.respond('price.of', () => 1)
    expect(() => bus.respond('price.of', () => 2)).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
    expect(() => bus.respond('price.of', undefined as never)).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
  })

  it('a replay gives the log, and ends where it is left', async () => {
    const { bus, network } = make()
    await bus.publish('cart.added', 1)
    await bus.publish('cart.added', 2)
    network.hold()
    const replay = bus.replay()
    const both = Promise.all([replay.next(), replay.next(), replay.next()])
    network.release()
    expect((await both).map(({ value }) => value?.data)).toEqual([1, 2, undefined])
    const left = bus.replay()
    await left.return?.()
    expect(await left.next()).toEqual({ done: true, value: undefined })
    await bus.close()
  })

  it('get, loadStream and dead letters wait for it', async () => {
    const { bus } = make()
    const { id } = await bus.publish('cart.added', 1, { stream: 'cart-1' })
    expect(await bus.get(id)).toMatchObject({ data: 1 })
    expect(await bus.loadStream('cart-1')).toMatchObject([{ data: 1, revision: 1 }])
    expect(await bus.deadLetters.list()).toEqual([])
    await bus.close()
  })
})

describe('a bus that is closed', () => {
  it('while loadStream, its first use, is loaded opens nothing any more', async () => {
    const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'nobody' })
    const tabs = memoryLink()
    const opened: string[] = []
    const { bus, network, platform } = make({
      relay,
      tabs: {
        open: (name, on) => {
          opened.push(name)
          return tabs.open(name, on)
        },
      },
    })
    network.hold()
    const read = bus.loadStream('cart-1').catch(({ code }: BusError) => code)
    await bus.close()
    network.release()
    expect(await read).toBe('closed')
    expect(opened).toEqual([])
    await settle()
    expect(platform.timers).toBe(0)
  })

  it('tries to load nothing any more, and says nothing of it', async () => {
    const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'nobody' })
    const { bus, network, platform, reported } = make({ relay })
    network.online = false
    bus.subscribe('**', () => {}, { from: 'start' })
    bus.subscribe('**', () => {}, { group: 'mail' })
    bus.project('**', (sum: number) => sum + 1, 0)
    bus.respond('price.of', () => 42)
    await pass(platform, 5_000)
    await closing(bus, platform)
    const [loads, reports] = [network.loads.length, reported.length]
    await pass(platform, 600_000)
    expect(network.loads).toHaveLength(loads)
    expect(reported).toHaveLength(reports)
    expect(platform.timers).toBe(0)
  })

  it('while its parts are loaded hears nothing of their failure', async () => {
    const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'nobody' })
    const { bus, network, platform, reported } = make({ relay })
    network.hold()
    bus.subscribe('**', () => {}, { from: 'start' })
    bus.subscribe('**', () => {}, { group: 'mail' })
    bus.project('**', (sum: number) => sum + 1, 0)
    bus.respond('price.of', () => 42)
    await settle()
    await closing(bus, platform)
    const before = reported.length
    network.online = false
    network.release()
    await pass(platform, 600_000)
    expect(reported.slice(before)).toEqual([])
    expect(platform.timers).toBe(0)
  })

  describe('and has no log', () => {
    const linked = (): Made & { readonly other: Link } => {
      const [name, there, ends] = ['shop', new VirtualPlatform(), memoryLink()]
      const own = ends.open(name, there) as Link
      return { ...make({ log: false, links: [own] }), other: ends.open(name, there) as Link }
    }

    it('does not load for its end what a context without a log does', async () => {
      const { bus, network, platform, reported } = linked()
      bus.subscribe('**', () => {})
      await settle()
      network.online = false
      await closing(bus, platform)
      await pass(platform, 600_000)
      expect(network.loads).toEqual([])
      expect(reported).toEqual([])
    })

    it('ends what waited for that', async () => {
      const { bus, network, platform } = linked()
      network.hold()
      const published = bus.publish('cart.added', 1).catch(({ code }: BusError) => code)
      await settle()
      expect(network.loads).toContain('guests')
      await closing(bus, platform)
      expect(await published).toBe('closed')
      network.release()
      await settle()
      expect(platform.timers).toBe(0)
    })

    it('hears nothing of what was loaded late', async () => {
      const { bus, network, platform, reported, other } = linked()
      network.hold()
      bus.subscribe('**', () => {})
      const host = createBusOn({ name: 'shop', links: [other] }, platform, undefined, allParts)
      await host.publish('cart.added', 1)
      await settle()
      expect(network.loads).toContain('guests')
      await closing(bus, platform)
      network.online = false
      network.release()
      await settle()
      expect(reported).toEqual([])
    })
  })
})

describe('without a network', () => {
  it('a promise is rejected with an error that may be tried again, and then holds', async () => {
    const { bus, network } = make()
    await bus.publish('cart.added', 1, { stream: 'cart-1' })
    network.online = false
    await expect(bus.loadStream('cart-1')).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringContaining('@crosstown/bus/all'),
    })
    await expect(bus.replay().next()).rejects.toMatchObject({ code: 'unavailable' })
    network.online = true
    expect(await bus.loadStream('cart-1')).toHaveLength(1)
    await bus.close()
  })

  it('a durable consumer loses nothing, and says once why it waits', async () => {
    const { bus, network, platform, reported } = make()
    network.online = false
    const got: unknown[] = []
    bus.subscribe('cart.**', (event) => void got.push(event.data), { durable: 'mail' })
    for (let n = 1; n <= 3; n++) await bus.publish('cart.added', n)
    await pass(platform, 10_000)
    expect(got).toEqual([])
    expect(reported.map(({ code }) => code)).toEqual(['unavailable'])
    network.online = true
    await pass(platform, 120_000)
    expect(got).toEqual([1, 2, 3])
    await bus.close()
  })

  it('views, responders and subscriptions to the past begin when it is back, told of once each', async () => {
    const { bus, network, platform, reported } = make()
    await bus.publish('cart.added', 1)
    network.online = false
    const past: unknown[] = []
    bus.subscribe('**', (event) => void past.push(event.data), { from: 'start' })
    const view = bus.project('**', (sum: number, event) => sum + Number(event.data), 0)
    bus.respond('price.of', () => 42)
    await pass(platform, 10_000)
    expect(new Set(reported.map(({ code }) => code))).toEqual(new Set(['unavailable']))
    expect(reported).toHaveLength(3)
    network.online = true
    await pass(platform, 120_000)
    expect(past).toEqual([1])
    expect(view.get()).toBe(1)
    expect(await bus.request('price.of')).toBe(42)
    await bus.close()
  })
})

describe('without a network, a bus whose log is a part', () => {
  const codes = (reported: readonly BusError[]): string[] => reported.map(({ code }) => code)

  it('publishes again with the next call after it is back', async () => {
    const { bus, network, reported } = make({ name: 'late-log', log: undefined })
    network.online = false
    await expect(bus.publish('cart.added', 1)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(bus.publish('cart.added', 2)).rejects.toMatchObject({ code: 'unavailable' })
    expect(codes(reported)).toEqual(['unavailable'])
    network.online = true
    expect(await bus.publish('cart.added', 3)).toMatchObject({ data: 3 })
    expect(bus.status.log.state).toBe('open')
    await bus.close()
  })

  it('tries until it is closed, and no longer', async () => {
    const { bus, network, platform, reported } = make({ name: 'closed-log', log: undefined })
    network.online = false
    bus.subscribe('**', () => {})
    await pass(platform, 30_000)
    expect(network.loads.length).toBeGreaterThan(2)
    await bus.close()
    const { length } = network.loads
    await pass(platform, 600_000)
    expect(network.loads).toHaveLength(length)
    expect(codes(reported)).toEqual(['unavailable'])
    expect(platform.timers).toBe(0)
  })

  it('hears the other tabs once it is back, where IndexedDB does not open and it only subscribes', async () => {
    /** A log that does not open, so that memory is to stand in for it. */
    const log: LogSource = {
      kind: 'disk',
      required: false,
      available: () => true,
      create: (_name, _room, on) =>
        new (class extends MemoryLog {
          override open = () => Promise.reject(new BusError('log_unavailable', 'private mode'))
        })(on),
    }
    const tabs = memoryLink()
    const { bus, network, platform, reported } = make({ log, tabs })
    const other = createBusOn(
      { name: 'shop', log, tabs, onError() {} },
      platform,
      undefined,
      allParts,
    )
    network.online = false
    const heard: unknown[] = []
    bus.subscribe('**', (event) => void heard.push(event.data))
    await pass(platform, 30_000)
    expect(codes(reported)).toEqual(['log_unavailable', 'unavailable'])
    expect(bus.status.lastError).toMatchObject({ code: 'unavailable' })
    network.online = true
    await pass(platform, 60_000)
    expect(bus.status.log).toMatchObject({ kind: 'memory', state: 'open' })
    void other.publish('cart.added', 1, { persist: false })
    await pass(platform, 5_000)
    expect(heard).toEqual([1])
    const closed = Promise.all([bus.close(), other.close()])
    await pass(platform, 10_000)
    await closed
  })
})

it('the parts of the product are what the door with all of them has', async () => {
  for (const [name, part] of Object.entries(lazyParts) as [keyof Parts, Part<object>][]) {
    expect(Object.keys(await part.load()), name).toEqual(
      Object.keys((allParts[name] as Part<object>).now as object),
    )
  }
})

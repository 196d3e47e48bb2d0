import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import type { LinkSource } from '../links/link.ts'
import { memoryLink } from '../links/memory.ts'
import type { Log, LogSource } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import type { ContextKind } from '../platform.ts'
import type { RelaySource, SessionStart } from '../sync/sync.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'

/** A context with the Web Locks of this process, which are the real ones. */
class LockingPlatform extends VirtualPlatform {
  override readonly locks: LockManager | undefined
  constructor(seed: number, kind: ContextKind, locks: boolean) {
    super({ seed, kind })
    this.locks = locks ? navigator.locks : undefined
  }
}

let devices = 0

/** Contexts that share a log, as those of a browser do. */
class TestDevice {
  readonly name: string = `device-${++devices}`
  readonly rows: MemoryRows = new MemoryRows(new VirtualPlatform())
  readonly tabs: LinkSource = memoryLink()
  /** Contexts that hold a session with the relay. */
  readonly sessions: Set<Context> = new Set()
  readonly contexts: Context[] = []
  readonly locks: boolean
  lease: { holder: string; until: number } | undefined

  constructor(locks = true) {
    this.locks = locks
  }

  async open(kind: ContextKind = 'page', hidden = false): Promise<Context> {
    const context = new Context(this, kind, hidden)
    this.contexts.push(context)
    context.bus.status.subscribe(() => {})
    await settled()
    return context
  }

  log(): LogSource {
    return {
      kind: 'memory',
      required: true,
      available: () => true,
      create: (_name, _room, platform) => new SharedLog(platform, this),
    }
  }

  /** Who leads, with the one session there is; -1 if nobody does. */
  get leader(): number {
    const numbers = (contexts: Iterable<Context>) => [...contexts].map(({ n }) => n)
    const leaders = numbers(this.contexts.filter(({ bus }) => bus.leader.get().self))
    expect(leaders.length).toBeLessThan(2)
    expect(numbers(this.sessions)).toEqual(leaders)
    return leaders[0] ?? -1
  }
}

class SharedLog extends MemoryLog {
  override readonly shared = true as unknown as false
  readonly #device: TestDevice

  constructor(platform: ConstructorParameters<typeof MemoryLog>[0], device: TestDevice) {
    super(platform, device.rows)
    this.#device = device
  }

  async lease(holder: string, now: number, ttlMs: number): Promise<boolean> {
    const { lease } = this.#device
    if (lease && lease.holder !== holder && lease.until > now) return false
    this.#device.lease = { holder, until: now + ttlMs }
    return true
  }

  async releaseLease(holder: string): Promise<void> {
    if (this.#device.lease?.holder === holder) this.#device.lease = undefined
  }

  dropLease(): void {
    this.#device.lease = undefined
  }
}

class Context {
  readonly platform: LockingPlatform
  readonly bus: Bus<Record<string, unknown>>
  readonly reported: BusError[] = []
  readonly n: number
  session: SessionStart | undefined
  /** Unpersisted events that it gave its session to send. */
  readonly sent: string[] = []
  /** What a session that is stopped waits for: that of a frozen page for nothing that comes. */
  #moves = Promise.withResolvers<void>()
  /** Whether the others hear it, and it them. */
  mute = false

  constructor(device: TestDevice, kind: ContextKind, hidden: boolean) {
    this.n = device.contexts.length
    this.#moves.resolve()
    this.platform = new LockingPlatform(device.contexts.length + 1, kind, device.locks)
    if (hidden) this.platform.lifecycle.change('hidden')
    const relay: RelaySource = {
      room: 'room',
      from: 'start',
      types: undefined,
      token: async () => undefined,
      connect: () => {
        throw new Error('not used')
      },
      session: (start) => ({
        start: () => {
          this.session = start
          device.sessions.add(this)
        },
        stop: () => {
          device.sessions.delete(this)
          return this.#moves.promise
        },
        outboxGrew() {},
        inspect() {},
        member() {},
        presence() {},
        ask: () => false,
        ping: () => false,
        cast: (_headers, data) => this.sent.push(...data),
      }),
    }
    const tabs: LinkSource = {
      open: (channel, platform) => {
        const link = device.tabs.open(channel, platform)
        if (!link) return undefined
        return {
          send: (text) => this.mute || link.send(text),
          receive: (taker) => link.receive((text) => this.mute || taker(text)),
          close: () => link.close(),
        }
      },
    }
    this.bus = createBusOn(
      { name: device.name, log: device.log(), tabs, relay, onError: (e) => this.reported.push(e) },
      this.platform,
    )
  }

  /** What the browser does when it takes the page off the screen for good, or for now. */
  async freeze(): Promise<void> {
    this.#moves = Promise.withResolvers()
    this.platform.lifecycle.change('freeze')
    this.mute = true
    await settled()
  }

  async resume(): Promise<void> {
    this.#moves.resolve()
    this.mute = false
    this.platform.lifecycle.change('resume')
    await settled()
  }

  async show(visibility: 'visible' | 'hidden'): Promise<void> {
    this.platform.lifecycle.change(visibility)
    await settled()
  }
}

/** Locks are granted a few turns of the event loop later. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await setImmediate()
}

let device: TestDevice

beforeEach(() => {
  device = new TestDevice()
})

afterEach(async () => {
  await Promise.all(device.contexts.map(({ bus }) => bus.close({ timeout: 1 })))
})

test('the first leads, the others know that somebody does, and the next one takes over when it closes', async () => {
  const [one, two] = [await device.open(), await device.open()]
  expect(device.leader).toBe(one.n)
  expect(two.bus.leader.get()).toEqual({ self: false, present: true })
  const seen: unknown[] = []
  two.bus.leader.subscribe((snapshot) => seen.push(snapshot))
  expect(two.bus.leader.get()).toBe(two.bus.leader.get())
  await one.bus.close()
  await settled()
  expect(device.leader).toBe(two.n)
  expect(seen[0]).toEqual({ self: false, present: true })
  expect(seen.at(-1)).toEqual({ self: true, present: true })
  expect(one.bus.leader.get()).toEqual({ self: false, present: false })
})

test('what is not persisted goes to the room once, by the leader, whoever published it', async () => {
  const [one, two] = [await device.open(), await device.open()]
  for (const context of [one, two]) {
    await context.bus.publish('moved', context.n, { persist: false })
    await context.bus.publish('moved', 'here', { persist: false, scope: 'device' })
  }
  await settled()
  expect([one.sent, two.sent]).toEqual([[String(one.n), String(two.n)], []])
  await one.bus.close()
  await settled()
  await two.bus.publish('moved', 'alone', { persist: false })
  expect(two.sent).toEqual(['"alone"'])
})

describe('a leader that is frozen', () => {
  test('hands over in the task of the event, though nothing it waits for comes any more', async () => {
    const [one, two] = [await device.open(), await device.open()]
    await one.freeze()
    expect(device.leader).toBe(two.n)
    expect(two.bus.leader.get()).toEqual({ self: true, present: true })
  })

  test('is followed by a visible page, though one that stands still is next in the queue', async () => {
    const one = await device.open()
    const { promise: never, resolve: end } = Promise.withResolvers<void>()
    const lock = navigator.locks.request(`crosstown:${device.name}:room`, () => never)
    const stolen = expect(lock).rejects.toThrow()
    const [, two] = [await device.open('page', true), await device.open()]
    await one.freeze()
    expect(device.leader).toBe(-1)
    for (const { platform } of device.contexts.slice(1)) platform.advance(300)
    await settled()
    for (const { platform } of device.contexts.slice(1)) platform.advance(1_500)
    await settled()
    expect(device.leader).toBe(two.n)
    end()
    await stolen
  })

  test('waits for its turn again when it moves', async () => {
    const [one, two] = [await device.open(), await device.open()]
    await one.freeze()
    await one.resume()
    expect(device.leader).toBe(two.n)
    expect(one.bus.leader.get()).toEqual({ self: false, present: true })
    await two.bus.close()
    await settled()
    expect(device.leader).toBe(one.n)
  })

  test('does not get the lock it waited for while it stands still', async () => {
    const [one, two, three] = [await device.open(), await device.open(), await device.open()]
    await two.freeze()
    await one.bus.close()
    await settled()
    expect(device.leader).toBe(three.n)
  })

  test('has written what it had', async () => {
    const one = await device.open()
    const published: Promise<unknown>[] = []
    for (let n = 0; n < 3; n++) {
      published.push(one.bus.publish('a', n))
      await Promise.resolve()
    }
    published.push(one.bus.publish('a', 3))
    one.platform.lifecycle.change('freeze')
    expect(device.rows.batches.reduce((sum, row) => sum + row.count, 0)).toBe(4)
    await Promise.all(published)
  })
})

describe('a leader that is hidden', () => {
  test('hands over to a visible one', async () => {
    const [one, two] = [await device.open(), await device.open()]
    await one.show('hidden')
    expect(device.leader).toBe(two.n)
  })

  test('leads on where nobody is visible, until somebody is', async () => {
    const [one, two] = [await device.open(), await device.open('page', true)]
    await one.show('hidden')
    expect(device.leader).toBe(one.n)
    await two.show('visible')
    expect(device.leader).toBe(two.n)
  })

  test('finds the visible one behind others that are hidden', async () => {
    const one = await device.open()
    for (let n = 0; n < 3; n++) await device.open('page', true)
    const last = await device.open()
    await one.show('hidden')
    expect(device.leader).toBe(last.n)
  })

  test('leads on where the visible one is gone without a word', async () => {
    const [one, two] = [await device.open(), await device.open()]
    const standsStill = two.platform.lifecycle
    // It can be seen, and does not take part: what a page that stands still looks like.
    standsStill.change('freeze')
    await settled()
    two.mute = true
    one.platform.lifecycle.change('hidden')
    await settled()
    expect(device.leader).toBe(one.n)
  })

  test('gives way to no worker, and no worker to a visible page', async () => {
    const [page, worker] = [await device.open('page', true), await device.open('worker')]
    expect(device.leader).toBe(page.n)
    await page.bus.close()
    await settled()
    await device.open('page')
    expect(device.leader).toBe(worker.n)
  })
})

describe('a service worker', () => {
  test('leads while it is alone, and lets go as soon as anybody is there', async () => {
    const worker = await device.open('service-worker')
    expect(device.leader).toBe(-1)
    worker.platform.advance(300)
    await settled()
    expect(device.leader).toBe(worker.n)
    const page = await device.open('page', true)
    expect(device.leader).toBe(page.n)
    await page.bus.close()
    await settled()
    worker.platform.advance(300)
    await settled()
    expect(device.leader).toBe(worker.n)
  })

  test('does not lead where somebody says that they are there', async () => {
    const page = await device.open('worker')
    const worker = await device.open('service-worker')
    await page.freeze()
    await page.resume()
    worker.platform.advance(300)
    await settled()
    expect(device.leader).toBe(page.n)
  })
})

describe('a leader that gives no sign of life', () => {
  test('is robbed by a visible page within two seconds, and stops', async () => {
    const [one, two] = [await device.open(), await device.open('page', true)]
    one.mute = true
    await two.show('visible')
    two.platform.advance(1_999)
    await settled()
    expect(device.leader).toBe(two.n)
    expect(one.bus.status.leader).toBe(false)
    // The robbed one waits for its turn again.
    await two.bus.close()
    await settled()
    expect(device.leader).toBe(one.n)
  })

  test('is not robbed by a hidden page, which knows of no leader', async () => {
    const [one, two] = [await device.open(), await device.open('page', true)]
    one.mute = true
    two.platform.advance(60_000)
    await settled()
    expect(device.leader).toBe(one.n)
    expect(two.bus.leader.get()).toEqual({ self: false, present: false })
  })

  test('is not robbed twice in half a minute', async () => {
    const [one, two] = [await device.open(), await device.open()]
    one.mute = true
    two.mute = true
    one.platform.advance(2_000)
    two.platform.advance(40_000)
    await settled()
    expect(device.leader).toBe(two.n)
    one.platform.advance(60_000)
    await settled()
    expect(device.leader).toBe(one.n)
    two.platform.advance(20_000)
    await settled()
    expect(device.leader).toBe(one.n)
    two.platform.advance(30_000)
    await settled()
    expect(device.leader).toBe(two.n)
  })

  test('is left alone while it answers', async () => {
    const [one, two] = [await device.open(), await device.open()]
    for (let n = 0; n < 20; n++) {
      two.platform.advance(10_000)
      await settled()
    }
    expect(device.leader).toBe(one.n)
    expect(two.bus.leader.get().present).toBe(true)
  })
})

test('a leader whose term is over waits for its turn again, and leads under a new one', async () => {
  const one = await device.open()
  const before = one.session?.term[0] as number
  one.session?.events.deposed()
  await settled()
  expect(device.leader).toBe(one.n)
  expect(one.session?.term[0]).toBeGreaterThan(before)
})

test('a log that was cleared does not take confirmations of the last one for its own', async () => {
  const [one, two] = [await device.open(), await device.open()]
  one.session?.events.confirmedThrough(6)
  await two.bus.clear()
  await settled()
  expect(device.leader).toBe(one.n)
  let relayed = false
  void two.bus.publish('a', 1, { until: 'relayed' }).then(
    () => {
      relayed = true
    },
    () => {},
  )
  await settled()
  one.platform.advance(1_000)
  two.platform.advance(1_000)
  await settled()
  expect(relayed).toBe(false)
})

describe('the back/forward cache', () => {
  test('a page on its way there lets go of log, channel and leadership, and has them again when it is back', async () => {
    const [one, two] = [await device.open(), await device.open()]
    const heard: unknown[] = []
    one.bus.subscribe('a', (event) => heard.push(event.data))
    const last = one.bus.publish('a', 1)
    one.platform.lifecycle.change('pagehide', true)
    expect(device.rows.batches).toHaveLength(1)
    await settled()
    expect(device.leader).toBe(two.n)
    expect(device.rows.users.size).toBe(1)
    expect(one.bus.status.log.state).toBe('closed')
    await last
    one.platform.lifecycle.change('resume')
    one.platform.lifecycle.change('pageshow', true)
    await settled()
    expect(one.bus.status.log.state).toBe('open')
    expect(device.rows.users.size).toBe(2)
    await two.bus.publish('a', 2)
    await one.bus.publish('a', 3)
    await settled()
    expect(heard).toEqual([1, 2, 3])
    expect(device.leader).toBe(two.n)
  })

  test('what is published while it is on its way waits until it is back', async () => {
    const one = await device.open()
    one.platform.lifecycle.change('pagehide', true)
    const late = one.bus.publish('a', 1)
    await settled()
    expect(device.rows.batches).toHaveLength(0)
    one.platform.lifecycle.change('pageshow', true)
    await expect(late).resolves.toMatchObject({ offset: 4096 })
  })

  test('a log that was cleared meanwhile is another one', async () => {
    const [one, two] = [await device.open(), await device.open()]
    await one.bus.publish('a', 1)
    const relayed = one.bus.publish('a', 2, { until: 'relayed' })
    const rejected = expect(relayed).rejects.toMatchObject({ code: 'log_cleared' })
    await settled()
    one.platform.lifecycle.change('pagehide', true)
    await two.bus.clear()
    one.platform.lifecycle.change('pageshow', true)
    await rejected
    expect(await one.bus.publish('a', 3)).toMatchObject({ offset: 4096 })
  })

  test('a page that goes for good hands over at once', async () => {
    const [one, two] = [await device.open(), await device.open()]
    one.platform.lifecycle.change('pagehide', false)
    await settled()
    expect(device.leader).toBe(two.n)
  })
})

test('a bus that is closed listens to nothing and waits for nothing', async () => {
  const one = await device.open()
  await one.bus.close()
  one.platform.advance(0)
  expect(one.platform.lifecycle.listeners).toBe(0)
  expect(one.platform.timers).toBe(0)
})

describe('where there are no locks', () => {
  beforeEach(() => {
    device = new TestDevice(false)
  })

  test('a lease of the log says who leads, and is given back', async () => {
    const [one, two] = [await device.open(), await device.open()]
    expect(device.leader).toBe(one.n)
    await one.bus.close()
    await settled()
    expect(device.leader).toBe(two.n)
  })

  test('a hidden page leaves it to a visible one, which has it as soon as it is free', async () => {
    const [one, two] = [await device.open(), await device.open()]
    await one.show('hidden')
    for (let n = 0; n < 4 && device.leader !== two.n; n++) {
      for (const { platform } of [one, two]) platform.advance(50)
      await settled()
    }
    expect(device.leader).toBe(two.n)
  })

  test('it is given back by a page that is frozen, at once', async () => {
    const [one, two] = [await device.open(), await device.open()]
    await one.freeze()
    expect(device.leader).toBe(two.n)
  })

  test('it is renewed while its leader lives, and lapses after that', async () => {
    const [one, two] = [await device.open(), await device.open()]
    const pass = async (ms: number, ...contexts: Context[]) => {
      for (let passed = 0; passed < ms; passed += 10_000) {
        for (const { platform } of contexts) platform.advance(10_000)
        await settled()
      }
    }
    await pass(600_000, one, two)
    expect(device.leader).toBe(one.n)
    one.mute = true
    device.sessions.delete(one)
    // One stands still from now on: its clock as well.
    await pass(140_000, two)
    expect(two.bus.leader.get().self).toBe(false)
    await pass(20_000, two)
    expect(two.bus.leader.get().self).toBe(true)
    await pass(40_000, one)
    expect(one.bus.leader.get().self).toBe(false)
  })
})

test('a log that fails while leadership is taken is reported, and tried again', async () => {
  const one = new Context(device, 'page', false)
  device.contexts.push(one)
  const broken = new BusError('log_failed', 'no')
  const takeTerm = MemoryLog.prototype.takeTerm
  const failing: Log['takeTerm'] = () => Promise.reject(broken)
  MemoryLog.prototype.takeTerm = failing
  try {
    one.bus.status.subscribe(() => {})
    await settled()
  } finally {
    MemoryLog.prototype.takeTerm = takeTerm
  }
  expect(device.leader).toBe(-1)
  expect(one.reported).toContain(broken)
  one.platform.advance(200)
  await settled()
  expect(device.leader).toBe(one.n)
})

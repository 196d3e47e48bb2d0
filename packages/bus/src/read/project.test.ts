import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { LogSource, StoredBatch } from '../log/log.ts'
import { MemoryLog, memoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import { relayLink } from '../relay-link.ts'
import { createTestNetwork } from '../testing/network/network.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus, Projection, ProjectOptions } from '../types.ts'

type AnyBus = Bus<Record<string, unknown>>

/** Logs over the same rows, and how often they are read. */
class Disk {
  readonly platform = new VirtualPlatform()
  readonly rows = new MemoryRows(this.platform)
  reads: number[] = []
  failing: BusError | undefined

  get source(): LogSource {
    const create = (): MemoryLog => {
      const log = new MemoryLog(this.platform, this.rows)
      const read = log.read.bind(log)
      log.read = async (from: number, limit: number): Promise<StoredBatch[]> => {
        if (this.failing) throw this.failing
        const batches = await read(from, limit)
        this.reads.push(...batches.map(({ batch }) => batch))
        return batches
      }
      return log
    }
    return { kind: 'memory', required: true, available: () => true, create }
  }
}

let disk: Disk
let errors: BusError[]
let open: AnyBus[]
beforeEach(() => {
  disk = new Disk()
  errors = []
  open = []
})
afterEach(async () => {
  await Promise.all(open.map((bus) => bus.close()))
})

function bus(log: LogSource | false = disk.source): AnyBus {
  const made = createBusOn(
    { name: 'views', log, tabs: false, onError: (error) => errors.push(error) },
    disk.platform,
  )
  open.push(made)
  return made
}

/** A device that is offline: its link opens no socket. */
function offline(): AnyBus {
  const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'r' })
  relay.pause()
  const made = createBusOn(
    { name: 'views', log: disk.source, tabs: false, relay, onError: (error) => errors.push(error) },
    disk.platform,
  )
  open.push(made)
  return made
}

/** When a bus takes the lead, views look at the log once more: all in microtasks. */
const idle = () => new Promise((resolve) => setImmediate(resolve))

const types = (state: readonly string[], { type }: { type: string }): readonly string[] => [
  ...state,
  type,
]

function list(on: AnyBus, pattern = '**', options?: ProjectOptions): Projection<readonly string[]> {
  return on.project(pattern, types, [], options)
}

describe('a view', () => {
  test('is what it begins with until the log was read, then what the log has', async () => {
    const before = bus()
    await before.publish('a', 1)
    await before.publish('b', 2)
    const view = bus().project('**', (sum: number, { data }) => sum + (data as number), 10)
    expect(view.get()).toBe(10)
    await view.ready
    expect(view.get()).toBe(13)
  })

  test('has an own event when its publish resolves', async () => {
    const on = bus()
    const view = list(on)
    await view.ready
    await on.publish('a')
    expect(view.get()).toEqual(['a'])
    await Promise.all([on.publish('b'), on.publish('c'), on.publishBatch([{ type: 'd' }])])
    expect(view.get()).toEqual(['a', 'b', 'c', 'd'])
  })

  test('has an own event when its publish resolves, also while the log is read', async () => {
    const on = bus()
    const view = list(on)
    await view.ready
    const more = list(on)
    await on.publish('a')
    expect(view.get()).toEqual(['a'])
    await more.ready
    await on.publish('b')
    expect([view.get(), more.get()]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
  })

  test('hears of what is published while the device is offline', async () => {
    const on = offline()
    const view = list(on)
    await view.ready
    await on.publish('a')
    await on.publish('mine', 1, { scope: 'device' })
    await on.publish('b')
    expect(view.get()).toEqual(['a', 'b'])
    const again = list(on)
    await again.ready
    expect(again.get()).toEqual(['a', 'b'])
  })

  test('folds what was published, whatever its publisher does with the object then', async () => {
    const on = bus()
    const view = on.project('a', (_: unknown, { data }) => data, undefined)
    await view.ready
    const data = { n: 1 }
    const published = on.publish('a', data)
    data.n = 2
    await published
    expect(view.get()).toEqual({ n: 1 })
  })

  test('has the revisions that the log gives, without reading it for each event', async () => {
    const on = bus()
    const revisions = (state: readonly unknown[], { type, revision }: BusEvent) => [
      ...state,
      `${type} ${revision}`,
    ]
    await on.publish('a', 1, { stream: 's' })
    await on.publish('other', 1, { stream: 's' })
    const view = on.project(['a', 'b'], revisions, [])
    await view.ready
    await on.publish('a', 1, { stream: 's', expectedRevision: 2 })
    disk.reads = []
    await on.publishBatch([
      { type: 'other', stream: 's' },
      { type: 'b', stream: 's' },
    ])
    expect(view.get()).toEqual(['a 1', 'a 3', 'b 5'])
    expect(disk.reads).toEqual([])
    // Of one that was not seen yet the log says it: at once where it judged.
    await on.publish('a', 1, { stream: 't', expectedRevision: 'none' })
    expect(view.get()).toEqual(['a 1', 'a 3', 'b 5', 'a 1'])
    await bus().publish('a', 1, { stream: 't' })
    await on.publish('b', 1, { stream: 's' })
    const whole = ['a 1', 'a 3', 'b 5', 'a 1', 'a 2', 'b 6']
    const again = bus().project(['a', 'b'], revisions, [])
    await again.ready
    expect(again.get()).toEqual(whole)
    await expect.poll(() => view.get()).toEqual(whole)
  })

  test('takes what matches its patterns only', async () => {
    const on = bus()
    const view = on.project(['cart.*', 'order.created'], types, [])
    const none = list(on, 'nothing')
    for (const type of ['cart.cleared', 'order.created', 'order.paid', 'cart.a.b'])
      await on.publish(type)
    await view.ready
    expect(view.get()).toEqual(['cart.cleared', 'order.created'])
    expect(none.get()).toEqual([])
  })

  test('decodes an event once for all views, and only what one of them takes', async () => {
    const before = bus()
    await before.publish('a', { n: 1 })
    const on = bus()
    const seen: unknown[] = []
    const see = (_: unknown, { data }: { data: unknown }): undefined => void seen.push(data)
    const views = [on.project('a', see, undefined), on.project('*', see, undefined)]
    await Promise.all(views.map(({ ready }) => ready))
    expect(seen).toHaveLength(2)
    expect(seen[0]).toBe(seen[1])
  })

  test('tells its subscribers at once, and then each change', async () => {
    const on = bus()
    const view = on.project('n', (max: number, { data }) => Math.max(max, data as number), 0)
    const seen: number[] = []
    const off = view.subscribe((state) => seen.push(state))
    expect(seen).toEqual([0])
    await view.ready
    for (const n of [3, 2, 5, 5]) await on.publish('n', n)
    expect(seen).toEqual([0, 3, 5])
    off()
    await on.publish('n', 9)
    expect([view.get(), seen.at(-1)]).toEqual([9, 5])
  })

  test('tells of nothing before all views have it', async () => {
    const on = bus()
    const [first, second] = [list(on), list(on)]
    await Promise.all([first.ready, second.ready])
    const seen: unknown[] = []
    first.subscribe(() => seen.push(second.get()))
    await on.publish('a')
    expect(seen).toEqual([[], ['a']])
  })

  test('keeps its state when nothing of it changes', async () => {
    const on = bus()
    const view = on.project('**', (state: object) => state, {})
    let told = 0
    view.subscribe(() => {
      told += 1
    })
    const before = view.get()
    await on.publish('a')
    await view.ready
    expect([view.get() === before, told]).toEqual([true, 1])
  })

  test('goes on without an event on which its reducer throws, which is told once', async () => {
    const on = offline()
    const view = on.project(
      '**',
      (state: readonly unknown[], event) => {
        if (event.type === 'cursed') throw new Error('no')
        return [...state, event.data]
      },
      [],
    )
    await view.ready
    const cursed = await on.publish('cursed')
    await on.publish('a', 1)
    await on.publish('a', 2)
    const again = list(on)
    await again.ready
    expect(view.get()).toEqual([1, 2])
    expect(errors.map(({ code, stage, eventId }) => [code, stage, eventId])).toEqual([
      ['handler_failed', 'read', cursed.id],
    ])
  })

  test('goes on when a subscriber throws', async () => {
    const on = bus()
    const view = list(on)
    const seen: unknown[] = []
    view.subscribe(() => {
      throw new Error('no')
    })
    view.subscribe((state) => seen.push(state.length))
    await on.publish('a')
    await view.ready
    expect(seen.at(-1)).toBe(1)
    expect(errors.every(({ code, stage }) => code === 'handler_failed' && stage === 'read')).toBe(
      true,
    )
  })

  test('stays as it is once it is closed', async () => {
    const on = bus()
    let view: Projection<readonly string[]>
    {
      using short = list(on)
      view = short
      await view.ready
      await on.publish('a')
    }
    await on.publish('b')
    expect(view.get()).toEqual(['a'])
  })

  test('ends with its bus', async () => {
    const on = bus()
    const [view, early] = [list(on), list(on)]
    await view.ready
    await on.publish('a')
    const late = list(on)
    await on.close()
    expect(view.get()).toEqual(['a'])
    await expect(late.ready).rejects.toMatchObject({ code: 'closed' })
    await expect(early.ready).resolves.toBe(undefined)
    expect(() => list(on)).toThrow(expect.objectContaining({ code: 'closed' }))
  })

  test('begins again when the log is cleared', async () => {
    const on = bus()
    const view = list(on)
    const seen: (readonly string[])[] = []
    view.subscribe((state) => seen.push(state))
    await view.ready
    await on.publish('a')
    await on.clear()
    expect(view.get()).toEqual([])
    await on.publish('b')
    await expect.poll(() => view.get()).toEqual(['b'])
    expect(seen).toEqual([[], ['a'], [], ['b']])
  })

  test('is not to be had in a context whose events another one keeps', async () => {
    const network = createTestNetwork()
    const device = network.device('phone')
    const host = device.open().createBus({ name: 'views' })
    host.subscribe('none', () => {})
    await network.until(() => host.status.leader)
    const reported: string[] = []
    const guest = device.open('page', { disk: false }).createBus({
      name: 'views',
      onError: ({ code }) => reported.push(code),
    })
    const view = list(guest)
    await expect(network.until(view.ready)).rejects.toMatchObject({ code: 'unreachable' })
    await network.until(guest.publish('a'))
    await network.run(60_000)
    expect(reported.filter((code) => code === 'unreachable')).toHaveLength(1)
    const hosted = list(host)
    await network.until(hosted.ready)
    expect([view.get(), hosted.get()]).toEqual([[], ['a']])
    await network.until(Promise.all([host.close(), guest.close()]))
  })

  test('is refused by a bus that has no log', () => {
    expect(() => list(bus(false))).toThrow(expect.objectContaining({ code: 'unreachable' }))
  })

  test.each<[string, unknown[]]>([
    ['invalid_pattern', ['a..b', types, []]],
    ['invalid_options', ['a', 'reduce', []]],
    ['invalid_options', ['a', types, [], { key: '' }]],
    ['invalid_options', ['a', types, [], { key: 'k', version: 0 }]],
  ])('is refused with %s for %j', (code, given) => {
    const project = bus().project as unknown as (...given: unknown[]) => void
    expect(() => project(...given)).toThrow(expect.objectContaining({ code }))
  })

  test('is not ready where the log cannot be read, and is when it can', async () => {
    const before = bus()
    await before.publish('a')
    const on = bus()
    const { BusError: Failure } = await import('../errors.ts')
    disk.failing = new Failure('log_failed', 'no', { stage: 'log' })
    const view = list(on)
    await expect(view.ready).rejects.toMatchObject({ code: 'log_failed' })
    expect(errors.map(({ code }) => code)).toEqual(['log_failed'])
    disk.failing = undefined
    await on.publish('b')
    await expect.poll(() => view.get()).toEqual(['a', 'b'])
  })

  test('of its own events needs not read the log, and a hundred read it once', async () => {
    const before = bus()
    for (let n = 0; n < 50; n++) await before.publish(`t.${n}`)
    const on = bus()
    const views = Array.from({ length: 100 }, (_, n) => list(on, `t.${n}`))
    await Promise.all(views.map(({ ready }) => ready))
    expect(disk.reads).toEqual(Array.from({ length: 50 }, (_, n) => n + 1))
    await idle()
    for (let n = 0; n < 100; n++) await on.publish(`t.${n}`)
    expect(views.map((view) => view.get().length)).toEqual(views.map((_, n) => (n < 50 ? 2 : 1)))
    expect(disk.reads).toHaveLength(50)
  })

  test('of a process with memory for a log is ready, too', async () => {
    const on = bus(memoryLog())
    await on.publish('a')
    const view = list(on)
    await view.ready
    expect(view.get()).toEqual(['a'])
  })
})

describe('a view with a key', () => {
  const sum = (state: number, { data }: { data: unknown }): number => state + (data as number)
  const keyed = (on: AnyBus, options: ProjectOptions = { key: 'sum' }, pattern = 'n') =>
    on.project(pattern, sum, 0, options)

  /** A bus that published so many events, folded them and was closed. */
  async function before(events: number, options?: ProjectOptions): Promise<void> {
    const on = bus()
    const view = keyed(on, options)
    await view.ready
    for (let n = 0; n < events; n++) await on.publish('n', 1)
    await idle()
    await on.close()
    disk.reads = []
  }

  test('goes on from its snapshot, without reading what is in it', async () => {
    await before(100)
    const other = bus()
    for (let n = 0; n < 3; n++) await other.publish('n', 1)
    const view = keyed(bus())
    await view.ready
    expect(view.get()).toBe(103)
    expect(disk.reads).toEqual([101, 102, 103])
  })

  test('begins anew with another version, other patterns or another key', async () => {
    await before(100)
    const on = bus()
    const views = [
      keyed(on, { key: 'sum', version: 2 }),
      keyed(on, { key: 'sum' }, '**'),
      keyed(on, { key: 'other' }),
      keyed(on, {}),
    ]
    await Promise.all(views.map(({ ready }) => ready))
    expect(views.map((view) => view.get())).toEqual([100, 100, 100, 100])
    expect(disk.reads[0]).toBe(1)
  })

  test('keeps what its snapshot has when that is removed from the log', async () => {
    await before(100)
    const log = new MemoryLog(disk.platform, disk.rows)
    const limits = { events: 10, bytes: Infinity, before: 0 }
    while ((await log.trim(limits, false)).more);
    const on = bus()
    const [view, anew] = [keyed(on), keyed(on, {})]
    await Promise.all([view.ready, anew.ready])
    expect([view.get(), anew.get()]).toEqual([100, 10])
  })

  test('keeps states that are more than JSON', async () => {
    const last = (_: unknown, { data }: { data: unknown }) => new Map([[data, new Set([1n])]])
    const first = bus()
    await first.project('n', last, new Map(), { key: 'last' }).ready
    for (let n = 0; n < 30; n++) await first.publish('n', n)
    await idle()
    await first.close()
    disk.reads = []
    const view = bus().project('n', last, new Map(), { key: 'last' })
    await view.ready
    expect(view.get()).toEqual(new Map([[29, new Set([1n])]]))
    expect(disk.reads).toEqual([])
  })

  test.each<[string, unknown]>([
    ['invalid_data', { fold: () => {} }],
    ['too_large', 'x'.repeat(2 ** 21)],
  ])(
    'goes on without a snapshot where its state is %s, which is told once',
    async (code, state) => {
      const on = bus()
      const view = on.project('n', (_: unknown, { data }) => ({ state, data }), {}, { key: 'bad' })
      for (let n = 0; n < 2_100; n++) void on.publish('n', n)
      await on.flush()
      await expect.poll(() => errors.length).toBe(1)
      for (let n = 0; n < 2_100; n++) void on.publish('n', n)
      await on.flush()
      await expect.poll(() => view.get()).toEqual({ state, data: 2_099 })
      await on.close()
      expect(errors.map((error) => [error.code, error.stage])).toEqual([[code, 'read']])
      expect(disk.rows.snapshots.size).toBe(0)
    },
  )

  test('writes one now and then, not with each event', async () => {
    const on = bus()
    let kept = 0
    const { snapshots } = disk.rows
    const set = snapshots.set.bind(snapshots)
    snapshots.set = (...row) => {
      kept += 1
      return set(...row)
    }
    const view = keyed(on)
    for (let n = 0; n < 1_000; n++) await on.publish('n', 1)
    await expect.poll(() => view.get()).toBe(1_000)
    expect(kept).toBeLessThan(10)
    await on.close()
    expect(kept).toBeGreaterThan(0)
  })

  test('of which the log keeps nothing that can be read is folded anew', async () => {
    await before(100)
    const [[name] = []] = disk.rows.snapshots
    for (const text of ['', 'null\n1', '{"version":1,"point":{}}\n1', '{"version":1']) {
      disk.rows.snapshots.set(name as string, text)
      errors.length = 0
      const view = keyed(bus())
      await view.ready
      expect(view.get()).toBe(100)
      expect(errors.map(({ code }) => code)).toEqual(['log_damaged'])
    }
  })

  test('begins again when the log is cleared', async () => {
    await before(100)
    const on = bus()
    const view = keyed(on)
    await view.ready
    await on.clear()
    await on.publish('n', 1)
    await expect.poll(() => view.get()).toBe(1)
    const again = keyed(bus())
    await again.ready
    expect(again.get()).toBe(1)
  })

  test('goes on with what waited for the room when it was kept', async () => {
    const first = offline()
    const view = keyed(first)
    await view.ready
    for (let n = 0; n < 30; n++) await first.publish('n', 1)
    await idle()
    await first.close()
    const second = offline()
    const again = keyed(second)
    await again.ready
    await second.publish('n', 1)
    expect([view.get(), again.get()]).toEqual([30, 31])
  })
})

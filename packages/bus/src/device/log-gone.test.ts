import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import type { LinkSource } from '../links/link.ts'
import { memoryLink } from '../links/memory.ts'
import type { LogSource, LogState, OwnBatch } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus, StatusSnapshot } from '../types.ts'

/** A disk whose connections break when a test says so. */
class Disk implements LogSource {
  readonly kind = 'memory'
  readonly required = true
  readonly available = () => true
  readonly platform: VirtualPlatform = new VirtualPlatform()
  rows: MemoryRows = new MemoryRows(this.platform)
  /** The connection breaks in the next so many writes: before they are committed, or after. */
  breaks: ('before' | 'after')[] = []
  /** Why it does not open. */
  broken: BusError | undefined
  opened = 0

  create(): MemoryLog {
    const disk = this
    return new (class extends MemoryLog {
      #lost: (error: BusError) => void = () => {}

      override open(): Promise<LogState> {
        disk.opened += 1
        return disk.broken ? Promise.reject(disk.broken) : super.open()
      }

      override watch(lost: (error: BusError) => void): void {
        this.#lost = lost
        super.watch(lost)
      }

      override async append(batch: OwnBatch, begun?: () => void): Promise<number> {
        const breaks = disk.breaks.shift()
        if (!breaks) return super.append(batch, begun)
        if (breaks === 'after') await super.append(batch, begun)
        else begun?.()
        const error = new BusError('log_lost', 'the connection broke')
        this.#lost(error)
        throw error
      }
    })(this.platform, this.rows)
  }
}

let disk: Disk
let bus: Bus<Record<string, unknown>>
let reported: BusError[]
let heard: unknown[]
let states: StatusSnapshot['log']['state'][]

function open(tabs: LinkSource | false = false): Bus<Record<string, unknown>> {
  return createBusOn(
    { name: 'shop', log: disk, tabs, onError: (error) => reported.push(error) },
    disk.platform,
  )
}

async function stored(from: Bus<Record<string, unknown>> = bus): Promise<unknown[]> {
  const seen: unknown[] = []
  const events = from.events('*', { from: 'start' })
  const { offset } = await from.publish('end')
  for await (const event of events) {
    if (event.type === 'end' && event.offset === offset) break
    if (event.type !== 'end') seen.push(event.data)
  }
  return seen
}

beforeEach(async () => {
  disk = new Disk()
  reported = []
  heard = []
  states = []
  bus = open()
  bus.subscribe('a', (event) => heard.push(event.data))
  await bus.publish('a', 0)
  bus.status.subscribe(({ log }) => {
    if (states.at(-1) !== log.state) states.push(log.state)
  })
})

describe.each(['before', 'after'] as const)('a connection that breaks %s the commit', (when) => {
  test('is opened anew, and the batch is in the log once', async () => {
    disk.breaks = [when]
    const [first, second] = await Promise.all([bus.publish('a', 1), bus.publish('a', 2)])
    expect([first.offset, second.offset]).toEqual([2 * 4096, 2 * 4096 + 1])
    expect(await stored()).toEqual([0, 1, 2])
    expect(heard).toEqual([0, 1, 2])
    expect(states).toEqual(['open', 'opening', 'open'])
    expect(reported).toMatchObject([{ code: 'log_lost' }])
    expect(bus.status.lastError).toMatchObject({ code: 'log_lost' })
  })

  test('changes no order', async () => {
    disk.breaks = [when]
    const published: Promise<unknown>[] = []
    for (let n = 1; n < 30; n++) {
      published.push(bus.publish('a', n))
      await Promise.resolve()
    }
    await Promise.all(published)
    expect(await stored()).toEqual(Array.from({ length: 30 }, (_, n) => n))
  })
})

test('a connection that breaks twice in the same batch rejects it', async () => {
  disk.breaks = ['before', 'before']
  await expect(bus.publish('a', 1)).rejects.toMatchObject({ code: 'log_lost' })
  await bus.publish('a', 2)
  expect(await stored()).toEqual([0, 2])
})

describe('a log that does not open again', () => {
  beforeEach(() => {
    disk.broken = new BusError('log_unavailable', 'no disk')
    disk.breaks = ['before']
  })

  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      await setImmediate()
      disk.platform.advance(100)
    }
    await setImmediate()
  }

  test('at first is tried again, and nobody but onError hears of it', async () => {
    const both = Promise.all([bus.publish('a', 1), pass(1_000).then(() => bus.publish('a', 2))])
    await pass(1_500)
    disk.broken = undefined
    await pass(2_000)
    await both
    expect(reported).toMatchObject([{ code: 'log_lost' }])
    expect(await stored()).toEqual([0, 1, 2])
  })

  test('at all rejects what waits for it, and is tried anew by the next', async () => {
    const both = Promise.allSettled([
      bus.publish('a', 1),
      pass(100).then(() => bus.publish('a', 2)),
    ])
    await pass(5_000)
    for (const one of await both) expect(one).toMatchObject({ reason: { code: 'log_unavailable' } })
    expect(bus.status.log.state).toBe('closed')
    expect(reported).toMatchObject([{ code: 'log_lost' }, { code: 'log_unavailable' }])
    disk.broken = undefined
    await bus.publish('a', 3)
    expect(bus.status.log.state).toBe('open')
    expect(await stored()).toEqual([0, 3])
  })
})

test.each(['log_lost', 'log_cleared'] as const)(
  'a log that goes (%s) while it first opens is opened again',
  async (code) => {
    disk.broken = new BusError(code, 'it went while it opened')
    disk.opened = 0
    const late = open()
    const published = late.publish('a', 1)
    published.catch(() => {})
    await setImmediate()
    expect(disk.opened).toBe(1)
    disk.broken = undefined
    disk.platform.advance(100)
    await published
    expect(reported).toEqual([])
    expect(await stored(late)).toEqual([0, 1])
  },
)

test('a bus that is closed while its log is opened anew closes, and rejects what waits', async () => {
  disk.breaks = ['before', 'before', 'before']
  const lost = bus.publish('a', 1)
  lost.catch(() => {})
  await Promise.resolve()
  const closed = bus.close({ timeout: 5 })
  disk.platform.advance(10)
  await closed
  await expect(lost).rejects.toBeInstanceOf(BusError)
  // Those of 0 ms see whether a rejected promise was awaited.
  disk.platform.advance(0)
  expect(disk.platform.timers).toBe(0)
})

describe('a log that is cleared', () => {
  let other: Bus<Record<string, unknown>>
  const codes = (results: PromiseSettledResult<unknown>[]) =>
    results.map((one) => (one.status === 'rejected' ? one.reason.code : 'logged'))

  beforeEach(async () => {
    await bus.close()
    const tabs = memoryLink()
    bus = createBusOn({ name: 'cleared', tabs, onError: (e) => reported.push(e) }, disk.platform)
    other = createBusOn({ name: 'cleared', tabs, onError: (e) => reported.push(e) }, disk.platform)
    await bus.publish('a', 1)
    await other.publish('a', 2)
    await setImmediate()
    reported.length = 0
    return async () => {
      await bus.close()
      await other.close()
    }
  })

  test('is empty for all, and everybody goes on with the next', async () => {
    const seen: unknown[] = []
    other.subscribe('a', (event) => seen.push([event.data, event.offset]))
    bus.subscribe('a', (event) => seen.push([event.data, event.offset]))
    await bus.clear()
    expect(await stored(bus)).toEqual([])
    await other.publish('a', 3)
    await bus.publish('a', 4)
    await setImmediate()
    expect(seen.map((pair) => (pair as unknown[])[0])).toEqual([3, 3, 4, 4])
    expect(await stored(other)).toEqual([3, 4])
    expect(bus.status.log.state).toBe('open')
  })

  test('is gone for subscriptions from the start, too, which hear what the next one gets', async () => {
    for (let n = 10; n < 50; n++) await bus.publish('a', n)
    const early: unknown[] = []
    bus.subscribe('a', (event) => early.push(event.data), { from: 'start' })
    await setImmediate()
    const during: unknown[] = []
    bus.subscribe('a', (event) => during.push(event.data), { from: 'start' })
    await bus.clear()
    await bus.publish('a', 'next')
    await other.publish('a', 'of another')
    await setImmediate()
    expect(early.slice(-2)).toEqual(['next', 'of another'])
    expect(during.slice(-2)).toEqual(['next', 'of another'])
    for (const heard of [early, during]) expect(new Set(heard).size).toBe(heard.length)
    expect(reported).toMatchObject([{ code: 'log_cleared' }])
  })

  test('takes with it what is not committed, in every context, and is told once to each other', async () => {
    const waiting = [bus.publish('a', 3), other.publish('a', 4)]
    const cleared = bus.clear()
    const later = [bus.publish('a', 5), other.publish('a', 6)]
    await cleared
    const results = codes(await Promise.allSettled([...waiting, ...later]))
    const data = await stored(bus)
    // Whatever rejected is nowhere; whatever resolved is there, or went with the log.
    results.forEach((code, i) => {
      if (code !== 'logged') expect(data).not.toContain(i + 3)
      // What is published behind `clear` is for the next log.
      else if (i === 2) expect(data).toContain(i + 3)
    })
    expect(results[0]).toBe('log_cleared')
    expect(results[2]).toBe('logged')
    for (const code of results) expect(['logged', 'log_cleared']).toContain(code)
    expect(reported).toMatchObject([{ code: 'log_cleared' }])
    expect(other.status.lastError).toMatchObject({ code: 'log_cleared' })
  })

  test('twice at once is empty, and usable', async () => {
    await Promise.all([bus.clear(), other.clear()])
    await bus.publish('a', 3)
    await other.publish('a', 4)
    expect(await stored(bus)).toEqual([3, 4])
  })

  test('is led again by one of them', async () => {
    const leads = () => [bus.leader.get().self, other.leader.get().self].filter(Boolean).length
    expect(leads()).toBe(1)
    await bus.clear()
    await setImmediate()
    expect(leads()).toBe(1)
    expect(bus.leader.get().present && other.leader.get().present).toBe(true)
  })

  test('of a bus that is closed cannot be', async () => {
    await bus.close()
    await expect(bus.clear()).rejects.toMatchObject({ code: 'closed' })
  })
})

test('a bus without a log has nothing to clear', async () => {
  const without = createBusOn({ name: 'none', log: false, tabs: memoryLink() }, disk.platform)
  await without.clear()
  await without.close()
})

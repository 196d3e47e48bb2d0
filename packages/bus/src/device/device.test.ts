import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import type { LogSource, LogState, OwnBatch } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'

/** A log that opens when the test says so, and refuses to write while it is told to. */
class TroubledLog extends MemoryLog {
  readonly opened: PromiseWithResolvers<void> = Promise.withResolvers()
  full = false

  override async open(): Promise<LogState> {
    await this.opened.promise
    return super.open()
  }

  override append(batch: OwnBatch): Promise<number> {
    if (this.full) return Promise.reject(new BusError('quota_exceeded', 'full'))
    return super.append(batch)
  }
}

let platform: VirtualPlatform
let log: TroubledLog
let bus: Bus<Record<string, unknown>>
let reported: BusError[]

beforeEach(() => {
  platform = new VirtualPlatform()
  log = new TroubledLog(platform)
  reported = []
  const source: LogSource = {
    kind: 'memory',
    required: true,
    available: () => true,
    create: () => log,
  }
  bus = createBusOn(
    { name: 'shop', log: source, tabs: false, onError: (error) => reported.push(error) },
    platform,
  )
})

describe('a batch the log does not take', () => {
  beforeEach(() => {
    log.full = true
    log.opened.resolve()
  })

  test('rejects who waits for the log or for the handlers', async () => {
    for (const until of ['logged', 'handled'] as const) {
      await expect(bus.publish('a', 1, { until })).rejects.toMatchObject({ code: 'quota_exceeded' })
    }
    expect(bus.status.lastError).toMatchObject({ code: 'quota_exceeded' })
  })

  test('rejects all of a publishBatch, also where a part of it was not for the log', async () => {
    const batch = [{ type: 'a', persist: false }, { type: 'b' }]
    await expect(bus.publishBatch(batch, { until: 'handled' })).rejects.toMatchObject({
      code: 'quota_exceeded',
    })
  })

  test('is reported once where nobody waits for the log any more', async () => {
    const batch = [{ type: 'a' }, { type: 'b' }]
    await bus.publishBatch(batch, { until: 'accepted' })
    await setImmediate()
    expect(reported).toMatchObject([{ code: 'quota_exceeded' }])
  })

  test('keeps nothing from those that were not for the log', async () => {
    const failure = new Error('broken')
    bus.subscribe('cast', () => Promise.reject(failure))
    const logged = bus.publish('a')
    const cast = bus.publish('cast', 1, { persist: false, until: 'handled' })
    await expect(logged).rejects.toMatchObject({ code: 'quota_exceeded' })
    await expect(cast).rejects.toMatchObject({
      code: 'handler_failed',
      cause: { errors: [failure] },
    })
  })

  test('does not stop the next one', async () => {
    await expect(bus.publish('a', 1)).rejects.toThrow()
    log.full = false
    await expect(bus.publish('a', 2)).resolves.toMatchObject({ data: 2 })
  })
})

describe('a log that is late opening', () => {
  test('holds live delivery back for a second at most', async () => {
    const seen: unknown[] = []
    bus.subscribe('*', (event) => seen.push(event.data))
    void bus.publish('a', 1)
    await setImmediate()
    platform.advance(999)
    expect(seen).toEqual([])
    platform.advance(1)
    expect(seen).toEqual([1])
    void bus.publish('a', 2)
    await setImmediate()
    expect(seen).toEqual([1, 2])
    log.opened.resolve()
    await bus.flush()
  })

  test('holds every promise of the log until it is open', async () => {
    let logged = false
    const promise = bus.publish('a', 1).then(() => {
      logged = true
    })
    let flushed = false
    await setImmediate()
    platform.advance(1_000)
    void bus.flush().then(() => {
      flushed = true
    })
    await setImmediate()
    expect([logged, flushed]).toEqual([false, false])
    log.opened.resolve()
    await promise
    await bus.flush()
    expect(flushed).toBe(true)
  })

  test('gets everything in the order in which it was published', async () => {
    for (let n = 1; n <= 3; n++) {
      void bus.publish('a', n)
      await setImmediate()
      if (n === 1) platform.advance(1_000)
    }
    log.opened.resolve()
    // In every microtask on the way to the open gate, one more.
    for (let n = 4; n < 40; n++) {
      void bus.publish('a', n)
      await Promise.resolve()
    }
    await bus.flush()
    const stored = await log.read(1, 100)
    const ids = stored.flatMap(({ headers }) => headers.map(({ id }) => Number(id.split('-')[1])))
    expect(ids).toEqual(Array.from({ length: 39 }, (_, i) => i + 1))
  })
})

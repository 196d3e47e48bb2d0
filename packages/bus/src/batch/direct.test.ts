import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BusError } from '../errors.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'

let platform: VirtualPlatform
let bus: Bus<Record<string, unknown>>
let reported: BusError[]
let unhandled: unknown[]
const note = (reason: unknown) => unhandled.push(reason)

beforeEach(() => {
  platform = new VirtualPlatform()
  reported = []
  unhandled = []
  process.on('unhandledRejection', note)
  bus = createBusOn(
    { name: 'shop', log: false, tabs: false, onError: (error) => reported.push(error) },
    platform,
  )
})

afterEach(() => process.off('unhandledRejection', note))

/** Ends the task, as the runtime does before it tells of unhandled rejections. */
async function nextTask(): Promise<void> {
  platform.advance(0)
  await setImmediate()
}

describe('a bus with log, tabs and relay all off', () => {
  test('hands events on by reference, in the next microtask, in order', async () => {
    const seen: unknown[] = []
    bus.subscribe('*', (event) => seen.push(event.data))
    const data = { anything: () => {} }
    void bus.publish('a', data)
    void bus.publish('b', 2)
    expect(seen).toEqual([])
    await Promise.resolve()
    expect(seen).toEqual([data, 2])
    expect(seen[0]).toBe(data)
  })

  test('lets what a handler publishes wait for its turn', async () => {
    const seen: unknown[] = []
    bus.subscribe('a', () => void bus.publish('b'))
    bus.subscribe('*', (event) => seen.push(event.type))
    void bus.publish('a')
    void bus.publish('c')
    await setImmediate()
    expect(seen).toEqual(['a', 'c', 'b'])
  })

  test('waits for handlers where that is asked for', async () => {
    const slow = Promise.withResolvers<void>()
    bus.subscribe('a', () => slow.promise)
    let settled = false
    const promise = bus.publish('a', 1, { until: 'handled' }).then(() => {
      settled = true
    })
    await setImmediate()
    expect(settled).toBe(false)
    slow.resolve()
    await promise
  })

  test('cannot log or relay, and says so', async () => {
    for (const until of ['logged', 'relayed'] as const) {
      await expect(bus.publish('a', 1, { until })).rejects.toMatchObject({ code: 'unreachable' })
      await expect(bus.publishBatch([{ type: 'a' }], { until })).rejects.toMatchObject({
        code: 'unreachable',
      })
    }
  })
})

describe('a batch', () => {
  test('comes in order, and all its handlers are waited for', async () => {
    const failure = new Error('broken')
    bus.subscribe('b', () => Promise.reject(failure))
    const seen: unknown[] = []
    bus.subscribe('*', (event) => seen.push(event.data))
    const batch = [
      { type: 'a', data: 1 },
      { type: 'b', data: 2 },
    ]
    await expect(bus.publishBatch(batch)).resolves.toMatchObject(batch)
    expect(seen).toEqual([1, 2])
    await expect(bus.publishBatch(batch, { until: 'handled' })).rejects.toMatchObject({
      code: 'handler_failed',
      cause: { errors: [failure] },
    })
  })

  test('with a wrong type is refused as a whole', async () => {
    const seen: unknown[] = []
    bus.subscribe('*', (event) => seen.push(event.data))
    const batch = [{ type: 'a' }, { type: 'a..b' }]
    await expect(bus.publishBatch(batch)).rejects.toMatchObject({ code: 'invalid_type' })
    await nextTask()
    expect(seen).toEqual([])
  })

  test('refused while nobody awaits it is reported once, and is no unhandled rejection', async () => {
    void bus.publishBatch([{ type: 'a..b' }, { type: 'c..d' }])
    await nextTask()
    expect(reported).toMatchObject([{ code: 'invalid_type' }])
    expect(unhandled).toEqual([])
  })
})

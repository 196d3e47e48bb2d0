import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Merged, Trimmed } from '../log/log.ts'
import { MemoryLog, memoryLog } from '../log/memory.ts'
import type { BusOptions } from '../options.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'

const DAY_MS = 24 * 60 * 60 * 1_000

let platform: VirtualPlatform

beforeEach(() => {
  platform = new VirtualPlatform()
})

function open(limits: BusOptions['limits']): Bus<Record<string, unknown>> {
  return createBusOn({ name: 'kept', log: memoryLog(), tabs: false, limits }, platform)
}

async function publish(bus: Bus<Record<string, unknown>>, first: number, end: number) {
  for (let n = first; n < end; n++) await bus.publish('a', n)
}

async function stored(bus: Bus<Record<string, unknown>>): Promise<unknown[]> {
  const data: unknown[] = []
  const last = await bus.publish('last')
  for await (const event of bus.events('*', { from: 'start' })) {
    if (event.id === last.id) return data
    if (event.type === 'a') data.push(event.data)
  }
  return data
}

/** Lets so much time pass, in steps in which what it sets off can go on. */
async function pass(ms: number): Promise<void> {
  for (let step = 0; step < 40; step++) {
    platform.advance(ms / 40)
    await setImmediate()
  }
}

describe('the log of a bus', () => {
  test('keeps the newest events, up to its limit', async () => {
    const bus = open({ logEvents: 5 })
    await publish(bus, 0, 20)
    await pass(120_000)
    expect(await stored(bus)).toEqual([15, 16, 17, 18, 19])
    await publish(bus, 20, 30)
    await pass(120_000)
    expect(await stored(bus)).toEqual([25, 26, 27, 28, 29])
    await bus.close()
  })

  test('keeps events for so many days', async () => {
    const bus = open({ logDays: 2 })
    await publish(bus, 0, 3)
    await pass(DAY_MS)
    await publish(bus, 3, 5)
    await pass(1.5 * DAY_MS)
    expect(await stored(bus)).toEqual([3, 4])
    await bus.close()
  })

  test('keeps so many bytes', async () => {
    const bus = open({ logBytes: 10_000 })
    for (let n = 0; n < 10; n++) await bus.publish('a', `${n}${'x'.repeat(3_000)}`)
    await pass(120_000)
    expect((await stored(bus)).map((text) => String(text)[0])).toEqual(['7', '8', '9'])
    await bus.close()
  })

  test('has its small records merged, step by step, once it is within its limits', async () => {
    const steps: string[] = []
    class Merging extends MemoryLog {
      override async trim(...args: Parameters<MemoryLog['trim']>): Promise<Trimmed> {
        const step = await super.trim(...args)
        steps.push(`trim ${step.removed}`)
        return step
      }
      async merge(outbox?: boolean): Promise<Merged> {
        steps.push(`merge ${outbox}`)
        return { merged: 2, more: steps.length < 4 }
      }
    }
    const log = { ...memoryLog(), create: () => new Merging(platform) }
    const bus = createBusOn({ name: 'kept', log, tabs: false, limits: { logEvents: 5 } }, platform)
    await publish(bus, 0, 8)
    await pass(59_000)
    expect(steps).toEqual(['trim 3', 'merge false', 'trim 0', 'merge false'])
    await bus.close()
  })

  test('leaves no timer behind when the bus closes', async () => {
    const bus = open({})
    await publish(bus, 0, 1)
    await bus.close()
    expect(platform.timers).toBe(0)
  })
})

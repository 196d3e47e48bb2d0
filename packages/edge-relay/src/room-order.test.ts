import type { Bus } from '@crosstown/bus'
import { createTestNetwork, Random, type TestDevice } from '@crosstown/bus/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { simulatedRelay } from './testing/simulated-relay.ts'

const ROOM = '42'
const onError = (): void => {}

function busOn(device: TestDevice): Bus<Record<string, unknown>> {
  const bus = device.open().createBus({ name: 'shop', room: ROOM, onError })
  // It joins its room from now on, and not at its first event.
  bus.status.subscribe(() => {})
  return bus
}

async function idsOf(bus: Bus<Record<string, unknown>>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of bus.replay({ order: 'room' })) ids.push(id)
  return ids
}

type Revised = readonly [id: string, revision: number | undefined]

async function streamOf(bus: Bus<Record<string, unknown>>): Promise<Revised[]> {
  return (await bus.loadStream('s')).map(({ id, revision }) => [id, revision])
}

/** Two devices and a copy of one, offline by turns, with a relay that is put back once. */
async function run(seed: number) {
  const network = createTestNetwork({ seed, relay: simulatedRelay() })
  const random = new Random(seed)
  const devices = ['phone', 'laptop'].map((name) => network.device(name))
  const buses = devices.map(busOn)
  const work = async (): Promise<void> => {
    for (let i = 0; i < 12; i++) {
      const at = random.below(buses.length)
      const events = Array.from({ length: 1 + random.below(4) }, (_, n) => ({
        type: 'fact.stated',
        data: n,
        stream: 's',
      }))
      await network.until((buses[at] as Bus<Record<string, unknown>>).publishBatch(events))
      if (random.chance(0.3)) network.partition(devices[at] as TestDevice)
      if (random.chance(0.3)) network.heal()
      await network.run(random.below(300))
    }
  }
  await work()
  const backup = network.relay.writes
  await work()
  if (random.chance(0.5)) {
    const copy = network.device('copy')
    await copy.copyFrom(devices[0] as TestDevice)
    devices.push(copy)
    buses.push(busOn(copy))
    await network.until((buses.at(-1) as Bus<Record<string, unknown>>).publish('fact.copied'))
  }
  if (random.chance(0.5)) await network.relay.restore(backup)
  await work()
  expect(await network.settle()).toBe(true)
  buses.push(busOn(network.device('new')))
  expect(await network.settle()).toBe(true)
  return { network, buses }
}

describe('the order of a room', () => {
  it('is the same on every device, a new one included, and at the relay', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
        const { network, buses } = await run(seed)
        const { events } = await network.relay.room(ROOM)
        const ids = events.map(({ id }) => id)
        const stated = events
          .filter(({ type }) => type === 'fact.stated')
          .map(({ id }, i): Revised => [id, i + 1])
        expect(stated.length).toBeGreaterThan(36)
        for (const bus of buses) {
          expect(await network.until(idsOf(bus))).toEqual(ids)
          expect(await network.until(streamOf(bus))).toEqual(stated)
        }
      }),
      { numRuns: 20 },
    )
  })
})

/** What devices hear and may do after the relay went back, or took what nobody heard of. */
import type { Bus } from '@crosstown/bus'
import { createTestNetwork, type TestBusOptions, type TestNetwork } from '@crosstown/bus/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { simulatedRelay } from './simulated-relay.ts'

type Any = Bus<Record<string, unknown>>

let network: TestNetwork
afterEach(async () => {
  const open = network.devices.flatMap(({ contexts }) => contexts.flatMap(({ buses }) => buses))
  network.heal()
  await network.until(Promise.all(open.map((bus) => bus.close())))
})

async function open(name: string, limits?: TestBusOptions['limits']) {
  const device = network.device(name)
  const context = device.open()
  const bus = context.createBus({ name: 'shop', room: '42', ...(limits && { limits }) }) as Any
  const heard: unknown[] = []
  bus.subscribe('said', ({ data }) => void heard.push(data))
  await network.until(() => bus.status.relay === 'online')
  return { device, context, bus, heard }
}

/** By HTTP, so that no device has them as its own. */
async function post(count: number): Promise<void> {
  for (let i = 1; i <= count; i++)
    await network.until(network.relay.post('42', { type: 'said', data: `posted ${i}` }))
}

describe('a room that lost what it had before a device joined it', () => {
  it('brings that device what is new, though it stands where the lost stood', async () => {
    network = createTestNetwork({ relay: simulatedRelay() })
    const one = await open('laptop')
    await post(8)
    const two = await open('phone')
    const other = await open('phone')
    await network.relay.restore(network.relay.writes - 5)
    network.relay.start()
    await network.until(() => one.bus.status.relay === 'online')
    await network.until(() => two.bus.status.relay === 'online')
    // What the leader posts is lost, and found in the log.
    two.device.channels.faults = { drop: 1, duplicate: 0, delay: 0 }
    await network.until(one.bus.publish('said', 'new', { until: 'relayed' }))
    await network.run(1_000)
    two.device.channels.calm()
    await network.run(40_000)
    expect([two.heard, other.heard]).toEqual([['new'], ['new']])
  })
})

describe('a device whose batches were taken, though it heard nothing of it', () => {
  it('publishes on, when the room trimmed them before it came back', async () => {
    network = createTestNetwork({ relay: simulatedRelay({ limits: { roomEvents: 2 } }) })
    const one = await open('laptop')
    const two = await open('phone', { logEvents: 6 })
    const before = network.relay.writes
    const published = Array.from({ length: 6 }, (_, i) => two.bus.publish('said', i))
    await network.until(() => network.relay.writes > before)
    network.partition(two.device)
    await network.until(Promise.all(published))
    for (let i = 0; i < 10; i++)
      await network.until(one.bus.publish('said', i, { until: 'relayed' }))
    await network.run(5_000)
    network.heal()
    await network.until(() => two.bus.status.relay === 'online')
    await network.run(5_000)
    expect((await network.relay.room('42')).trimmed).toBeGreaterThan(6)
    expect(two.bus.status.outbox.pending).toBe(0)
    await network.until(two.bus.publish('said', 'more', { until: 'relayed' }))
  })
})

/** What a context whose events another one keeps knows of the relay: what that one tells it. */
import type { Bus } from '@crosstown/bus'
import { createTestNetwork, type TestDevice, type TestNetwork } from '@crosstown/bus/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { simulatedRelay } from './simulated-relay.ts'

type Any = Bus<Record<string, unknown>>

/** Beats of a leader that missed, and the time it has to answer. */
const FIND_OUT_MS = 65_000

let network: TestNetwork
let device: TestDevice
let user: string
beforeEach(() => {
  const auth = (subject = 'nobody') => ({
    subject,
    rights: { publish: ['**'], subscribe: ['**'] },
  })
  network = createTestNetwork({ relay: simulatedRelay({ auth }) })
  device = network.device('phone')
  user = 'ann'
})
afterEach(async () => {
  const open = network.devices.flatMap(({ contexts }) => contexts.flatMap(({ buses }) => buses))
  await network.until(Promise.all(open.map((bus) => bus.close())))
})

function open(disk = true) {
  const context = device.open('page', { disk })
  const onError = (): void => {}
  const bus = context.createBus({ name: 'shop', room: '42', token: () => user, onError }) as Any
  bus.subscribe('said', () => {})
  return { context, bus }
}

async function openHost() {
  const host = open()
  await network.until(() => host.bus.status.relay === 'online')
  return host
}

async function openGuest() {
  const guest = open(false).bus
  await network.run(500)
  return guest
}

describe('the status of a context whose events another one keeps', () => {
  it('is that of the device as soon as it comes, however idle the others are', async () => {
    await openHost()
    await network.run(40_000)
    expect((await openGuest()).status.relay).toBe('online')
  })

  it.each(['crash', 'close'] as const)(
    'is offline after a %s of the last that has a log',
    async (end) => {
      const { context } = await openHost()
      const guest = await openGuest()
      await context[end]()
      await network.run(FIND_OUT_MS)
      expect(guest.status.get()).toMatchObject({ relay: 'offline', rtt: undefined })
    },
  )

  it('is not refused for ever, when the one that was refused is gone', async () => {
    const { context } = await openHost()
    const guest = await openGuest()
    user = 'bob'
    network.relay.drop(device)
    await network.until(() => guest.status.relay === 'refused')
    await context.close()
    await network.run(FIND_OUT_MS)
    expect(guest.status.relay).toBe('offline')
  })

  it('is online through a change of leaders', async () => {
    const { context } = await openHost()
    const guest = await openGuest()
    await openHost()
    const said: string[] = []
    guest.status.subscribe(({ relay }) => void said.push(relay))
    await context.close()
    await network.run(FIND_OUT_MS)
    expect(said).not.toContain('offline')
    expect(said.at(-1)).toBe('online')
  })

  it('is online again once somebody opens the log again, or has another one', async () => {
    const { context } = await openHost()
    const guest = await openGuest()
    await context.close()
    await network.run(FIND_OUT_MS)
    const { bus } = await openHost()
    await network.run(500)
    expect(guest.status.relay).toBe('online')
    await network.until(bus.clear())
    await network.until(() => bus.status.relay === 'online')
    await network.run(2_000)
    expect(guest.status.relay).toBe('online')
    await network.until(guest.publish('said', 1, { until: 'relayed' }))
  })
})

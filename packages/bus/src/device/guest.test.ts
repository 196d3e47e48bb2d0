import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTestNetwork, type TestNetwork } from '../testing/network/network.ts'
import type { Bus } from '../types.ts'

type Any = Bus<Record<string, unknown>>

/** Beats of a leader that missed, and the time it has to answer. */
const FIND_OUT_MS = 65_000

let network: TestNetwork
beforeEach(() => {
  network = createTestNetwork()
})
afterEach(async () => {
  const open = network.devices.flatMap(({ contexts }) => contexts.flatMap(({ buses }) => buses))
  network.heal()
  await network.until(Promise.all(open.map((bus) => bus.close())))
})

/** A context with a log, and one whose log does not open; `open` says when it is there. */
async function hostAndGuest() {
  const device = network.device('phone')
  const hosting = device.open()
  const host = hosting.createBus({ name: 'shop' }) as Any
  await network.until(host.publish('opened', 0))
  await network.until(() => host.status.leader)
  const page = device.open('page', { disk: false })
  const guest = page.createBus({ name: 'shop' }) as Any
  await network.until(guest.publish('opened', 0))
  return { device, hosting, host, page, guest }
}

function datasOf(bus: Any): unknown[] {
  const heard: unknown[] = []
  bus.subscribe('said', ({ data }) => void heard.push(data))
  return heard
}

describe('a page without a log that comes back from the back/forward cache', () => {
  test('hears the others, and its events are kept again', async () => {
    const { host, page, guest } = await hostAndGuest()
    const [there, here] = [datasOf(host), datasOf(guest)]
    page.cache()
    await network.run(5_000)
    expect(page.frozen).toBe(true)
    page.thaw()
    await network.until(guest.publish('said', 1))
    await network.until(host.publish('said', 2))
    await network.run(100)
    expect(there).toEqual([1, 2])
    expect(here).toEqual([1, 2])
  })

  test('is seen by the others', async () => {
    const { host, page, guest } = await hostAndGuest()
    page.cache()
    await network.run(5_000)
    page.thaw()
    await network.run(5_000)
    const ids = (bus: Any) =>
      bus.presence
        .get()
        .map(({ id }) => id)
        .sort()
    expect(ids(guest)).toHaveLength(2)
    expect(ids(host)).toEqual(ids(guest))
  })
})

describe('a context without a log', () => {
  test('knows as soon as it has a host that somebody leads', async () => {
    const device = network.device('phone')
    const host = device.open().createBus({ name: 'shop' }) as Any
    await network.until(host.publish('opened', 0))
    await network.run(40_000)
    const guest = device.open('page', { disk: false }).createBus({ name: 'shop' }) as Any
    guest.subscribe('said', () => {})
    await network.run(500)
    expect(guest.leader.get()).toEqual({ self: false, present: true })
  })

  test('is not taken for one that could lead: a hidden leader leads on', async () => {
    const { host, hosting, guest } = await hostAndGuest()
    await network.run(100)
    const led: boolean[] = []
    host.leader.subscribe(({ self }) => void led.push(self))
    hosting.show(false)
    await network.run(FIND_OUT_MS)
    expect(led).toEqual([true])
    expect(guest.leader.get().present).toBe(true)
  })

  test.each(['crash', 'close'] as const)(
    'finds out that nobody leads any more after a %s of the one that did',
    async (end) => {
      const { hosting, guest } = await hostAndGuest()
      await network.run(100)
      await hosting[end]()
      await network.run(FIND_OUT_MS)
      expect(guest.leader.get().present).toBe(false)
    },
  )
})

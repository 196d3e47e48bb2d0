import { describe, expect, it } from 'vitest'
import { TestInspector } from '../testing/inspector.ts'
import type { TestContext } from '../testing/network/context.ts'
import { createTestNetwork, type TestNetwork } from '../testing/network/network.ts'
import type { Bus } from '../types.ts'
import { INSPECT_CHANNEL, INSPECT_VERSION } from './frames.ts'
import { unpackIds } from './ids.ts'

type AnyBus = Bus<Record<string, unknown>>
const onError = (): void => {}

/** An inspector on the inspect channel of a device, as a content script is. */
function inspectorIn(context: TestContext, session?: string): TestInspector {
  const Channel = context.platform.BroadcastChannel as typeof BroadcastChannel
  const channel = new Channel(INSPECT_CHANNEL)
  const inspector = new TestInspector((text) => channel.postMessage(text), session)
  channel.onmessage = ({ data }) => inspector.hear(data as string)
  return inspector
}

function idsOf(records: readonly { ids: Parameters<typeof unpackIds>[0] }[]): string[] {
  return records.flatMap(({ ids }) => unpackIds(ids))
}

function open(network: TestNetwork): { page: TestContext; bus: AnyBus; inspector: TestInspector } {
  const device = network.device('phone')
  const page = device.open()
  const bus = page.createBus({ name: 'shop', onError })
  return { page, bus, inspector: inspectorIn(device.open('worker')) }
}

describe('a tap', () => {
  it('says hello when its bus is first used, and not when it is made', async () => {
    const network = createTestNetwork()
    const { bus, inspector } = open(network)
    await network.run(100)
    expect(inspector.frames).toEqual([])
    bus.subscribe('a.*', () => {})
    await network.until(() => inspector.hellos.length > 0)
    expect(inspector.hellos[0]).toMatchObject({
      inspect: INSPECT_VERSION,
      bus: 'shop',
      source: 'page',
      kind: 'page',
      next: 1,
      oldest: 1,
    })
  })

  it('tells the way of an event from publish to the handlers of another context', async () => {
    const network = createTestNetwork()
    const { page, bus, inspector } = open(network)
    const other = network.device('phone').open().createBus({ name: 'shop', onError })
    const heard: unknown[] = []
    other.subscribe('cart.*', (event) => heard.push(event.data))
    bus.subscribe('x.y', () => {})
    await network.until(() => inspector.hellos.length > 1)
    inspector.attach()
    await network.run(100)
    const event = await network.until(bus.publish('cart.item_added', { sku: 'A1' }))
    await network.until(() => heard.length === 1)
    await network.run(200)
    const [publisher] = event.id.split('-') as [string]
    const receiver = inspector.hellos.find(({ peer }) => peer !== publisher)?.peer as string
    const [published] = inspector.of('published', publisher)
    expect(published?.events).toEqual([
      {
        id: event.id,
        type: 'cart.item_added',
        source: 'page',
        time: event.time,
        bytes: expect.any(Number),
      },
    ])
    const committed = inspector.of('committed', publisher)
    expect(committed.map(({ batch }) => batch * 4096)).toEqual([event.offset])
    expect(inspector.of('posted', publisher)[0]).toMatchObject({ via: 'tabs' })
    expect(inspector.of('matched', publisher)).toMatchObject([{ subs: [] }])
    expect(inspector.of('received', receiver)).toMatchObject([
      { via: 'tabs', origin: 'device', from: publisher },
    ])
    expect(inspector.of('matched', receiver)).toMatchObject([{ subs: [1] }])
    expect(inspector.of('handled', receiver)).toMatchObject([{ sub: 1, ms: [0] }])
    for (const is of ['committed', 'posted', 'received', 'matched', 'handled'] as const)
      expect(new Set(idsOf(inspector.of(is)))).toEqual(new Set([event.id]))
    expect(page.holdings.timers).toBeGreaterThan(0)
  })

  it('is idle again when its last inspector goes', async () => {
    const network = createTestNetwork()
    const { bus, inspector } = open(network)
    bus.subscribe('a.*', () => {})
    inspector.attach()
    await network.until(bus.publish('a.b', 1))
    await network.run(200)
    expect(inspector.of('published')).toHaveLength(1)
    inspector.detach()
    await network.until(bus.publish('a.b', 2))
    await network.run(200)
    expect(inspector.of('published')).toHaveLength(1)
  })

  it('that was attached to before its log was open says which log it has, once it knows', async () => {
    const network = createTestNetwork()
    const { bus, inspector } = open(network)
    bus.subscribe('a.*', () => {})
    inspector.attach()
    await network.until(() => inspector.hellos.length > 0)
    expect(inspector.hellos[0]).not.toHaveProperty('log')
    await network.until(() => bus.status.get().log.state === 'open')
    await network.run(200)
    expect(inspector.hellos.at(-1)).toMatchObject({
      log: expect.any(String),
      device: expect.any(String),
    })
  })
})

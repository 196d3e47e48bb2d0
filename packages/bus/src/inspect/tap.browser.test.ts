import { afterEach, expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import { type Platform, runtimePlatform } from '../platform.ts'
import { TestInspector } from '../testing/inspector.ts'
import { VirtualLifecycle } from '../testing/virtual-lifecycle.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'
import { INSPECT_CHANNEL, INSPECTED_KEY } from './frames.ts'
import { inspection } from './inspection.ts'

const open: { close(): unknown }[] = []

afterEach(async () => {
  sessionStorage.removeItem(INSPECTED_KEY)
  for (const one of open.splice(0)) await one.close()
})

/** An inspector on the origin's channel, and what resolves when something holds of what it heard. */
function inspectorHere(): TestInspector & {
  until(holds: () => boolean): Promise<void>
  attached(to?: string): Promise<void>
} {
  const channel = new BroadcastChannel(INSPECT_CHANNEL)
  const inspector = new TestInspector((text) => channel.postMessage(text))
  const waiting = new Set<() => void>()
  channel.onmessage = ({ data }) => {
    inspector.hear(data as string)
    for (const look of waiting) look()
  }
  open.push(channel)
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  const attached = async (to?: string): Promise<void> => {
    const { length } = inspector.hellos
    inspector.attach(to === undefined ? {} : { to })
    await until(() => inspector.hellos.length > length)
  }
  return Object.assign(inspector, { until, attached })
}

let names = 0
function busHere(platform?: Platform): Bus<Record<string, unknown>> {
  const name = `inspected-${++names}`
  const bus = platform ? createBusOn({ name }, platform) : createBus({ name })
  open.push(bus)
  return bus
}

it('a bus is inspected over the channel of its origin', async () => {
  const inspector = inspectorHere()
  const bus = busHere()
  bus.subscribe('a.*', () => {})
  await inspector.until(() => inspector.hellos.length > 0)
  await inspector.attached()
  const { id } = await bus.publish('a.b', { at: new Date(0) })
  await inspector.until(() => inspector.of('committed').length > 0)
  expect(inspector.hellos[0]).toMatchObject({ url: location.origin + location.pathname })
  expect(inspector.of('published')[0]?.events[0]).toMatchObject({ id, encoding: 'devalue' })
  const peer = inspector.hellos[0]?.peer as string
  const payload = inspector.ask<'payload'>(peer, { what: 'payload', event: id })
  await inspector.until(() => payload() !== undefined)
  expect(payload()?.parts[0]?.preview).toBe('{at: 1970-01-01T00:00:00.000Z}')
  const store = inspector.ask<'store'>(peer, { what: 'store' })
  await inspector.until(() => store() !== undefined)
  expect(store()?.parts[0]).toMatchObject({
    kind: 'disk',
    events: 1,
    quota: { quota: expect.any(Number), persisted: expect.any(Boolean) },
  })
})

it('a page that was inspected before it was loaded anew is captured from its first event on', async () => {
  sessionStorage.setItem(INSPECTED_KEY, '1')
  const inspector = inspectorHere()
  const bus = busHere()
  bus.subscribe('a.*', () => {})
  const { id } = await bus.publish('a.b', 1)
  await inspector.until(() => inspector.hellos.length > 0)
  await inspector.attached()
  await inspector.until(() => inspector.of('handled').length > 0)
  expect(inspector.of('subscribed')).toMatchObject([
    { subscription: { sub: 1, patterns: ['a.*'], site: expect.stringContaining('tap.browser') } },
  ])
  expect(inspector.of('published').map(({ events }) => events[0]?.id)).toEqual([id])
})

it('a page in the back/forward cache has no channel open, and is heard again after it', async () => {
  const lifecycle = new VirtualLifecycle('visible')
  const channels = new Set<BroadcastChannel>()
  class Counted extends BroadcastChannel {
    constructor(name: string) {
      super(name)
      if (name === INSPECT_CHANNEL) channels.add(this)
    }

    override close(): void {
      channels.delete(this)
      super.close()
    }
  }
  const inspector = inspectorHere()
  const bus = busHere({ ...runtimePlatform(), lifecycle, BroadcastChannel: Counted })
  bus.subscribe('a.*', () => {})
  await inspector.until(() => inspector.hellos.length > 0)
  expect(channels.size).toBe(1)
  lifecycle.change('pagehide', true)
  expect(channels.size).toBe(0)
  await inspector.until(() => inspector.frames.at(-1)?.frame === 'bye')
  const { length } = inspector.hellos
  lifecycle.change('pageshow', true)
  await inspector.until(() => inspector.hellos.length > length)
  expect(channels.size).toBe(1)
  await inspector.attached()
  const { id } = await bus.publish('a.b', 2)
  await inspector.until(() => inspector.of('published').some(({ events }) => events[0]?.id === id))
  await bus.close()
  expect(channels.size).toBe(0)
})

it('two buses of a page share one channel, and are two peers', async () => {
  const inspector = inspectorHere()
  const buses = [busHere(), busHere()] as const
  for (const bus of buses) bus.subscribe('a.*', () => {})
  await inspector.until(() => new Set(inspector.hellos.map(({ peer }) => peer)).size === 2)
  await inspector.attached(inspector.hellos[0]?.peer)
  for (const bus of buses) await bus.publish('a.b', 1)
  await inspector.until(() => inspector.of('committed').length > 0)
  expect(new Set(inspector.batches.map(({ peer }) => peer))).toEqual(
    new Set([inspector.hellos[0]?.peer]),
  )
})

it('what is redacted leaves no page', async () => {
  const inspector = inspectorHere()
  const bus = busHere()
  inspection(bus, { redact: { 'user.*': ['password'] } })
  bus.subscribe('user.*', () => {})
  await inspector.until(() => inspector.hellos.length > 0)
  await inspector.attached()
  const { id } = await bus.publish('user.in', { password: 'hunter2', name: 'ann' })
  const peer = inspector.hellos[0]?.peer as string
  const payload = inspector.ask<'payload'>(peer, { what: 'payload', event: id })
  await inspector.until(() => payload() !== undefined)
  await inspector.until(() => inspector.of('handled').length > 0)
  expect(payload()?.parts[0]?.preview).toBe('{password: redacted, name: "ann"}')
  expect(inspector.texts.some((text) => text.includes('hunter2'))).toBe(false)
})

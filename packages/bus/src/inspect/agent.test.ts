import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { type Platform, runtimePlatform } from '../platform.ts'
import { TestInspector } from '../testing/inspector.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import { agentOn } from './agent.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A reference that was looked at lasts until the turn ends; what is told of it takes another. */
async function turns(count: number, done: () => boolean): Promise<void> {
  for (let turn = 0; turn < count && !done(); turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
}

function context() {
  const channels = { open: 0 }
  class Counted extends BroadcastChannel {
    constructor(name: string) {
      super(name)
      channels.open += 1
    }
    override close(): void {
      channels.open -= 1
      super.close()
    }
  }
  const platform: Platform = { ...runtimePlatform(), BroadcastChannel: Counted }
  return { platform, channels }
}

/** Uses a bus, and forgets it. */
async function bygone(platform: Platform): Promise<WeakRef<object>> {
  const bus = createBusOn({ name: 'x', log: false, tabs: false }, platform)
  bus.subscribe('a.*', () => {})
  await bus.publish('a.b', 1)
  return new WeakRef(bus)
}

it('buses that were dropped without being closed are collected, and the channel with the last', async () => {
  const { platform, channels } = context()
  const buses = [await bygone(platform), await bygone(platform)]
  const left = (): number => buses.filter((bus) => bus.deref() !== undefined).length
  expect(channels.open).toBe(1)
  await turns(50, () => left() + channels.open === 0)
  expect([left(), channels.open]).toEqual([0, 0])
  const bus = createBusOn({ name: 'x', log: false, tabs: false }, platform)
  bus.subscribe('a.*', () => {})
  expect(channels.open).toBe(1)
  await bus.close()
  expect(channels.open).toBe(0)
})

it('a bus that was dropped while somebody inspects it stays until nobody does', async () => {
  const { platform, channels } = context()
  const agent = agentOn(platform)
  const inspector = new TestInspector((text) => agent.receive(text))
  const end = agent.onFrame((text) => inspector.hear(text))
  await bygone(platform)
  inspector.attach()
  await turns(10, () => channels.open === 0)
  expect(channels.open).toBe(1)
  const own = inspector.hellos[0]?.peer
  const hellos = (): number => inspector.hellos.filter(({ peer }) => peer === own).length
  const before = hellos()
  inspector.attach({ session: 'other' })
  expect(hellos()).toBe(before + 1)
  inspector.detach()
  inspector.send({ frame: 'detach', session: 'other' })
  await turns(50, () => channels.open === 0)
  expect(channels.open).toBe(0)
  end()
})

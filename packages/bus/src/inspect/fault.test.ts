import { expect, it } from 'vitest'
import { TestInspector } from '../testing/inspector.ts'
import type { TestContext } from '../testing/network/context.ts'
import { createTestNetwork } from '../testing/network/network.ts'
import { agentOn } from './agent.ts'
import type { Fault } from './frames.ts'
import { packIds } from './ids.ts'

const onError = (): void => {}

/** Two pages of a device: the first is inspected, the second says what it hears, and when. */
async function pages() {
  const network = createTestNetwork()
  const device = network.device('phone')
  const buses = [1, 2].map(() => device.open().createBus({ name: 'shop', onError }))
  const [a, b] = buses as [(typeof buses)[0], (typeof buses)[0]]
  const heard: unknown[] = []
  a.subscribe('none', () => {})
  b.subscribe('*', () => {})
  b.subscribe('**', ({ data }) => heard.push(data))
  await network.run(2_000)
  const agent = agentOn((device.contexts[0] as TestContext).platform)
  const inspector = new TestInspector((text) => agent.receive(text))
  agent.onFrame((text) => inspector.hear(text))
  inspector.attach()
  const peer = inspector.hellos[0]?.peer as string
  const ask = async (set?: Fault | null) => {
    const answer = inspector.ask<'fault'>(peer, {
      what: 'fault',
      ...(set !== undefined && { set }),
    })
    return (await network.until(answer))?.parts[0]?.fault
  }
  return { network, a, heard, inspector, ask }
}

it('a fault drops what goes over a link, says so, and ends by itself', async () => {
  const { network, a, heard, inspector, ask } = await pages()
  const fault: Fault = { link: 'tabs', do: 'drop', patterns: ['a.*'], forMs: 1_000 }
  expect(await ask(fault)).toEqual(fault)
  const lost = await network.until(a.publish('a.b', 1, { persist: false }))
  await network.until(a.publish('c.d', 2, { persist: false }))
  await network.run(100)
  expect(heard).toEqual([2])
  expect(inspector.of('dropped')).toMatchObject([{ why: 'fault', ids: packIds([lost.id]) }])
  await network.run(1_000)
  expect(await ask()).toBeNull()
  await network.until(a.publish('a.b', 3, { persist: false }))
  await network.run(100)
  expect(heard).toEqual([2, 3])
})

it('what a fault drops of persisted events is found in the log', async () => {
  const { network, a, heard, ask } = await pages()
  await ask({ link: 'tabs', do: 'drop', forMs: 100 })
  await network.until(a.publish('a.b', 1))
  await network.until(() => heard.length > 0)
  expect(heard).toEqual([1])
})

it('a fault delays and doubles, and goes with the last inspector', async () => {
  const { network, a, heard, inspector, ask } = await pages()
  await ask({ link: 'tabs', do: 'delay', delayMs: 500, forMs: 60_000 })
  await network.until(a.publish('a.b', 1, { persist: false }))
  await network.run(400)
  expect(heard).toEqual([])
  await network.run(200)
  expect(heard).toEqual([1])
  await ask({ link: 'tabs', do: 'duplicate', forMs: 60_000 })
  await network.until(a.publish('a.b', 2, { persist: false }))
  await network.run(100)
  expect(heard).toEqual([1, 2, 2])
  inspector.detach()
  await network.until(a.publish('a.b', 3, { persist: false }))
  await network.run(100)
  expect(heard).toEqual([1, 2, 2, 3])
})

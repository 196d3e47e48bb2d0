import { deviceName } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { turns } from '../testing/group-relay.ts'
import { type ClusterNode, closeClusters, cluster } from '../testing/relay-cluster.ts'

afterEach(closeClusters)

const GRACE_MS = 5_000
const SILENT_MS = 6_000
const [ONE, TWO] = [deviceName('one'), deviceName('two')]

/** Two relays with a device at each. */
async function pair(options: Parameters<typeof cluster>[0] = {}) {
  const { nodes, pass, platform } = await cluster(options)
  const [a, b] = nodes as [(typeof nodes)[number], (typeof nodes)[number]]
  const one = await a.device('one')
  const two = await b.device('two')
  one.say(['p1'])
  two.say(['p2'])
  await pass(1_500)
  return { nodes, a, b, one, two, pass, platform }
}

describe('devices at two relays', () => {
  it('see each other, and what changes', async () => {
    const { one, two, pass } = await pair()
    expect(one.look()).toEqual({ [TWO]: ['p2'] })
    expect(two.look()).toEqual({ [ONE]: ['p1'] })
    two.say(['p2', 'p3'])
    await pass(1_000)
    expect(one.look()).toEqual({ [TWO]: ['p2', 'p3'] })
    two.say([])
    await pass(1_000)
    expect(one.look()).toEqual({})
  })

  it('are told whose the token is, and nothing where they may see nobody', async () => {
    const auth: Auth = (token) => ({
      subject: token ?? '',
      rights: { publish: ['**'], subscribe: ['**'], ...(token === 'blind' && { presence: false }) },
    })
    const { nodes, pass } = await cluster({ auth })
    const one = await nodes[0]?.device('one', { token: 'ada' })
    const two = await nodes[1]?.device('two', { token: 'ben' })
    const blind = await nodes[1]?.device('three', { token: 'blind' })
    one?.say(['p1'])
    blind?.say(['p3'])
    two?.say(['p2'])
    await pass(1_500)
    const heard = two?.probe.unread.flatMap(({ frame }) =>
      frame.frame === 'presence' ? frame.devices : [],
    )
    expect(heard?.find(({ device }) => device === ONE)?.subject).toBe('ada')
    expect(blind?.look()).toEqual({})
  })

  it('are not asked or told of before somebody there wants to know', async () => {
    const said: string[] = []
    const { nodes, pass } = await cluster({
      fate: (room, text) => {
        if (room !== '*' && text !== '') said.push(text)
        return 1
      },
    })
    await nodes[0]?.device('one')
    await nodes[1]?.device('two')
    await pass(5_000)
    expect(said).toEqual([])
  })
})

describe('a device that goes from one relay to another', () => {
  it('was never gone to anybody', async () => {
    const { a, b, one, two, pass } = await pair()
    const three = await a.device('three')
    three.say(['p3'])
    await pass(1_000)
    for (const device of [one, three]) device.look()
    two.socket.drop()
    await pass(GRACE_MS - 1_000)
    const moved = await a.device('two')
    moved.say(['p2'])
    await pass(3 * GRACE_MS)
    expect(one.probe.unread.flatMap(({ frame }) => (frame.frame === 'presence' ? [frame] : [])))
      // Nothing at all was told of it.
      .toEqual([])
    expect(one.look()).toMatchObject({ [TWO]: ['p2'] })
    const back = await b.device('two')
    back.say(['p2'])
    moved.socket.drop()
    await pass(3 * GRACE_MS)
    expect(three.look()).toMatchObject({ [TWO]: ['p2'] })
  })

  it('is gone once it has been nowhere for a while', async () => {
    const { one, two, pass } = await pair()
    two.socket.drop()
    await pass(GRACE_MS - 1_000)
    expect(one.look()).toEqual({ [TWO]: ['p2'] })
    await pass(2_500)
    expect(one.look()).toEqual({})
  })

  it('is still there where the relay it left finds out late that it did', async () => {
    const { a, two, one, pass } = await pair()
    const moved = await a.device('two')
    moved.say(['p2', 'p4'])
    await pass(1_000)
    two.socket.drop()
    await pass(3 * GRACE_MS)
    expect(one.look()).toEqual({ [TWO]: ['p2', 'p4'] })
  })
})

describe('a relay', () => {
  it('that is heard no more takes its devices with it', async () => {
    const { b, one, pass, a } = await pair()
    b.way.cut()
    await pass(SILENT_MS)
    expect(one.look()).toEqual({ [TWO]: ['p2'] })
    await pass(GRACE_MS + 1_000)
    expect(one.look()).toEqual({})
    expect(a.log.filter(({ event }) => event === 'node').map(({ state }) => state)).toEqual([
      'came',
      'gone',
    ])
  })

  it('that was cut off sees who is there, and is seen, as soon as it is back', async () => {
    const { b, one, two, pass } = await pair()
    b.way.cut()
    await pass(2 * SILENT_MS + GRACE_MS)
    expect(two.look()).toEqual({})
    one.say(['p5'])
    await pass(1_000)
    b.way.heal()
    await pass(2_500)
    expect(one.look()).toEqual({ [TWO]: ['p2'] })
    expect(two.look()).toEqual({ [ONE]: ['p5'] })
  })

  it('that ends leaves its devices the time to come back', async () => {
    const { a, b, one, pass } = await pair()
    await b.relay.close()
    await pass(1_000)
    const moved = await a.device('two')
    moved.say(['p2'])
    await pass(3 * GRACE_MS)
    expect(one.look()).toEqual({ [TWO]: ['p2'] })
  })

  it('that comes later hears of all who are there', async () => {
    const { a, b, one, pass } = await pair()
    expect(one.look()).toEqual({ [TWO]: ['p2'] })
    a.way.cut()
    b.way.cut()
    await pass(2 * SILENT_MS + GRACE_MS)
    a.way.heal()
    b.way.heal()
    const late = await b.device('three')
    late.say(['p3'])
    await pass(2_500)
    expect(late.look()).toEqual({ [ONE]: ['p1'], [TWO]: ['p2'] })
  })
})

describe('who comes where nobody has been for a while', () => {
  it('is not shown who was there when the last one left', async () => {
    const { a, one, two, pass } = await pair()
    one.socket.drop()
    two.say(['p7'])
    await turns()
    await pass(1_000)
    two.say([])
    await pass(1_000)
    const three = await a.device('three')
    three.say(['p3'])
    await pass(3_000)
    expect(three.look()).toEqual({})
  })

  it('is shown at once who is known to be there, where somebody else asked', async () => {
    const { nodes, pass } = await cluster()
    const [a, b] = nodes as [ClusterNode, ClusterNode]
    const [one, two] = [await a.device('one'), await b.device('two')]
    two.say(['p2'], ['price.of'])
    await pass(1_500)
    one.ask('q-1', 'price.of')
    await pass(1_000)
    const three = await a.device('three')
    three.say(['p3'])
    await turns()
    expect(three.look()).toEqual({ [TWO]: ['p2'] })
  })
})

describe('a relay that had the room out of memory', () => {
  /** Other rooms come, for which those go out of memory where nobody is. */
  async function crowd({ relay }: ClusterNode): Promise<void> {
    const headers = { host: 'localhost', 'content-type': 'application/json' }
    const body = JSON.stringify({ type: 'a', data: 1 })
    for (let i = 0; i < 10; i++)
      await relay.request(`/rooms/other-${i}/events`, { method: 'POST', headers, body })
  }

  it('takes with it who left before, although its word of that was lost', async () => {
    const lost = { now: false }
    const { b, one, two, pass } = await pair({
      limits: { idleRooms: 1 },
      fate: (room, text) => (lost.now && (room === 'r' || text.includes('["r",')) ? 0 : 1),
    })
    two.say(['p2', 'p3'])
    await pass(1_000)
    expect(one.look()).toEqual({ [TWO]: ['p2', 'p3'] })
    lost.now = true
    two.say([])
    await pass(1_000)
    two.socket.drop()
    await crowd(b)
    lost.now = false
    // It is asked when it has not said for a while where it stands.
    await pass(30_000 + 2 * GRACE_MS)
    expect(one.look()).toEqual({})
  })

  it('is heard as before, and not asked again and again', async () => {
    const { a, b, one, two, pass } = await pair({ limits: { idleRooms: 1 } })
    for (const more of ['p3', 'p4', 'p5']) {
      two.say(['p2', more])
      await pass(1_000)
    }
    two.say([])
    await pass(1_000)
    two.socket.drop()
    await crowd(b)
    const three = await b.device('three')
    three.say(['p6'])
    await pass(2_000)
    expect(one.look()).toEqual({ [deviceName('three')]: ['p6'] })
    const before = a.way.signals.length
    await pass(10_000)
    const said = a.way.signals.slice(before).filter(([room]) => room === 'r')
    expect(said).toEqual([])
    three.say([])
    await pass(1_000)
    expect(one.look()).toEqual({})
  })
})

it.each([
  ['lost', 0],
  ['heard twice', 2],
] as const)('what is %s is mended: all see the same in the end', async (_, times) => {
  let seed = 7
  const { nodes, pass } = await cluster({
    count: 3,
    fate: (room) => {
      seed = (seed * 48_271) % 2_147_483_647
      return room !== '*' && (seed >> 8) % 3 === 0 ? times : 1
    },
  })
  const devices = await Promise.all(
    Array.from({ length: 9 }, async (_, i) => {
      const device = await nodes[i % 3]?.device(`d${i}`)
      device?.say([`m${i}`])
      return device
    }),
  )
  for (let round = 0; round < 5; round++) {
    for (const [i, device] of devices.entries()) device?.say([`m${i}-${round}`])
    await pass(700)
  }
  await pass(15_000)
  for (const [i, device] of devices.entries()) {
    const all = devices.flatMap((_, k) => (k === i ? [] : [[deviceName(`d${k}`), [`m${k}-4`]]]))
    expect(device?.look()).toEqual(Object.fromEntries(all))
  }
})

import { BusError, encodeFrame } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { createRelay } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import { turns } from '../testing/group-relay.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { headerOf, publishOf } from '../testing/probe.ts'
import {
  type ClusterDevice,
  type ClusterNode,
  closeClusters,
  cluster,
} from '../testing/relay-cluster.ts'

afterEach(closeClusters)

async function pair(options: Parameters<typeof cluster>[0] = {}) {
  const made = await cluster(options)
  const [a, b] = made.nodes as [ClusterNode, ClusterNode]
  return { ...made, a, b }
}

const heard = ({ probe }: ClusterDevice): string[] =>
  probe.unread.flatMap(({ frame }) =>
    frame.frame === 'stream'
      ? frame.runs.flatMap((run) => ('events' in run ? run.events.map(({ id }) => id) : []))
      : [],
  )

describe('what a relay wrote is heard at the others', () => {
  it('also where the word that it did was lost', async () => {
    const { a, b, pass } = await pair({ fate: (_, text) => (text === '' ? 0 : 1) })
    const [one, two] = [await a.device('one'), await b.device('two')]
    one.probe.send(publishOf(1, undefined, ['x-1']), ['1'])
    await pass(2_000)
    expect(heard(two)).toEqual(['x-1'])
  })

  it('also where it was gone before it could say so', async () => {
    const isLast = { now: false }
    const { a, b, pass } = await pair({ fate: () => (isLast.now ? 0 : 1) })
    const [one, two] = [await a.device('one'), await b.device('two')]
    isLast.now = true
    one.probe.send(publishOf(1, undefined, ['x-1']), ['1'])
    await turns()
    a.way.cut()
    await pass(7_000)
    expect(heard(two)).toEqual(['x-1'])
  })

  it('is read by those only who do not have it: relays that stand alike do not read', async () => {
    const { a, b, pass } = await pair()
    const [one] = [await a.device('one'), await b.device('two')]
    one.probe.send(publishOf(1, undefined, ['x-1']), ['1'])
    await pass(2_000)
    const before = b.way.calls()
    await pass(20_000)
    expect(b.way.calls()).toBe(before)
  })
})

describe('a room', () => {
  it('that is deleted at one relay sends the devices of all away', async () => {
    const { a, b, pass } = await pair()
    const [one, two] = [await a.device('one'), await b.device('two')]
    one.probe.send(publishOf(1, undefined, ['x-1']), ['1'])
    await pass(500)
    await a.relay.deleteRoom('r')
    await pass(250)
    for (const { probe } of [one, two]) expect(probe.closed?.reason).toBe('going_away')
  })

  it('that has no log does not make relays read it again and again', async () => {
    const { a, b, pass } = await pair()
    for (const { relay } of [a, b])
      await relay.request('/rooms/nothing/groups', { headers: { host: 'localhost' } })
    const before = a.way.calls('load') + b.way.calls('load')
    await pass(10_000)
    expect(a.way.calls('load') + b.way.calls('load')).toBe(before)
  })

  it('is looked at, and not read, where a relay went that wrote nothing', async () => {
    const { a, b, pass } = await pair()
    await a.device('one')
    await b.device('two')
    await pass(1_000)
    const before = b.way.calls('load')
    a.way.cut()
    await pass(7_000)
    expect(b.way.calls('load')).toBe(before)
    b.way.heal()
    await pass(1_000)
    expect(b.way.calls('load')).toBe(before)
  })

  it('in which a moment ago somebody was does not go out of memory before that was told', async () => {
    const { a, b, pass } = await pair({ limits: { idleRooms: 1 } })
    const [one, two] = [await a.device('one'), await b.device('two')]
    one.say(['p1'])
    two.say(['p2'])
    await pass(1_000)
    expect(Object.keys(one.look())).toHaveLength(1)
    two.say(['p2', 'p3'])
    await turns()
    two.socket.drop()
    for (let i = 0; i < 10; i++) {
      const headers = { host: 'localhost', 'content-type': 'application/json' }
      const body = JSON.stringify({ type: 'a', data: 1 })
      await b.relay.request(`/rooms/other-${i}/events`, { method: 'POST', headers, body })
    }
    await pass(7_000)
    expect(one.look()).toEqual({})
  })
})

describe('relays that know of each other', () => {
  it('are counted while they are heard', async () => {
    const { a, b, pass } = await pair()
    const count = async (): Promise<string | undefined> => {
      const answer = await a.relay.request('/metrics', { headers: { host: 'localhost' } })
      return /^crosstown_relays_inflight (\d+)$/m.exec(await answer.text())?.[1]
    }
    expect(await count()).toBe('1')
    b.way.cut()
    await pass(7_000)
    expect(await count()).toBe('0')
    b.way.heal()
    await pass(2_000)
    expect(await count()).toBe('1')
    await b.relay.close()
    await pass(500)
    expect(await count()).toBe('0')
  })

  it('tell all of many rooms in a few signals that are not long', async () => {
    const texts: string[] = []
    const { nodes, pass } = await cluster({
      fate: (room, text) => {
        if (room === '*') texts.push(text)
        return 1
      },
    })
    const names = Array.from({ length: 400 }, (_, i) => `room-${i}-${'x'.repeat(40)}`)
    for (const room of names) {
      const body = JSON.stringify({ type: 'a', data: 1 })
      const headers = { host: 'localhost', 'content-type': 'application/json' }
      await nodes[0]?.relay.request(`/rooms/${room}/events`, { method: 'POST', body, headers })
    }
    texts.length = 0
    await pass(11_000)
    const told = new Set(texts.flatMap((text) => text.match(/room-\d+/g) ?? []))
    expect(told.size).toBe(400)
    for (const text of texts) expect(Buffer.byteLength(text)).toBeLessThan(7_500)
  })

  it('say that they are there and no more where nobody else is; and nothing on a store of one relay', async () => {
    const { nodes, pass } = await cluster({ count: 1 })
    const [{ device, way }] = nodes as [ClusterNode]
    const one = await device('one')
    one.say(['p1'], ['price.of'])
    await pass(5_000)
    expect(way.signals.length).toBeGreaterThan(5)
    for (const [room, text] of way.signals)
      expect([room, JSON.parse(text)]).toMatchObject(['*', { rows: [] }])
    const platform = new ManualPlatform()
    const alone = createRelay({ platform, store: memoryStore() })
    expect(platform.timers).toBe(0)
    await alone.close()
  })
})

const node = 'n-foreign'
const claims = { rev: 1, mark: 1 }
const presence = (members: unknown): string =>
  JSON.stringify({ frame: 'presence', devices: [{ device: 'd', members }] })

describe('what is no signal of a relay', () => {
  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['nobody’s', '{}'],
    ['of a node that is a number', '{"node":1}'],
    ['of a name that has no end', JSON.stringify({ node: 'x'.repeat(10_000) })],
    ['of claims that are none', JSON.stringify({ node, claims: { rev: -1, mark: 'x' } })],
    ['of names that are none', JSON.stringify({ node, claims: { ...claims, names: [{}] } })],
    ['of rows that are none', JSON.stringify({ node, rows: [['r', 0]] })],
    ['to nobody', JSON.stringify({ node, to: {} })],
    ['a frame that is none', `{"node":"${node}"}\nnothing`],
    ['a cast of no header', `{"node":"${node}"}\n{"frame":"cast","events":[null]}\n1`],
    ['a cast that has less than it says', `{"node":"${node}"}\n{"frame":"cast","events":[]}\n1`],
    [
      'presence of a ghost',
      `${JSON.stringify({ node, claims })}\n${presence([{ kind: 'ghost' }])}`,
    ],
    ['presence of no list', `${JSON.stringify({ node, claims })}\n${presence('all')}`],
    ['a request of nothing', `{"node":"${node}"}\n{"frame":"request","events":[],"timeoutMs":1}`],
  ])('%s: is reported, and nothing else', async (_, text) => {
    const { b, pass } = await pair()
    const two = await b.device('two')
    two.say(['p2'], ['price.of'])
    await pass(1_000)
    b.way.hear('r', text)
    b.way.hear('*', text)
    await pass(1_000)
    const faults = b.errors.filter((error) => error instanceof BusError)
    expect(faults).not.toEqual([])
    expect(faults.map(({ code }) => code).filter((code) => code !== 'bad_frame')).toEqual([])
    expect(faults).toHaveLength(b.errors.length)
    expect(two.probe.closed).toBe(undefined)
    expect(heard(two)).toEqual([])
  })

  it('a reply, a cancel, a frame that no relay sends: it is passed over where nobody waits for it', async () => {
    const { b, pass } = await pair()
    const two = await b.device('two')
    two.say(['p2'], ['price.of'])
    await pass(1_000)
    for (const frame of [
      encodeFrame({ frame: 'reply', id: 'r-1', device: 'd' }, ['1']),
      encodeFrame({ frame: 'cancel', id: 'r-1', device: 'd' }),
      encodeFrame({ frame: 'ping' }),
      encodeFrame(publishOf(1, undefined, ['x-1']), ['1']),
      encodeFrame({ frame: 'lease', group: 'g', member: 'm', leases: [], events: [] } as never),
    ])
      b.way.hear('r', `{"node":"${node}"}\n${frame}`)
    await pass(1_000)
    expect(heard(two)).toEqual([])
    expect(two.probe.closed).toBe(undefined)
  })

  it('of devices without end: a room keeps as many of a relay as it shows', async () => {
    const { b, pass } = await pair({ limits: { presenceDevices: 10 } })
    const two = await b.device('two')
    two.say(['p2'])
    await pass(1_000)
    for (let i = 0; i < 100; i++) {
      const members = [{ id: 'm', kind: 'page', source: 's' }]
      const devices = Array.from({ length: 50 }, (_, k) => ({ device: `d${i}-${k}`, members }))
      const frame = JSON.stringify({ frame: 'presence', devices })
      const said = JSON.stringify({ node, claims: { rev: i + 1, mark: 0 } })
      b.way.hear('r', `${said}\n${frame}`)
    }
    await pass(3_000)
    expect(Object.keys(two.look()).length).toBeLessThanOrEqual(10)
  })

  it('casts of types that a device may not read do not reach it', async () => {
    const auth = (token = '') => ({
      subject: token,
      rights: { publish: ['**'], subscribe: [token === 'a' ? 'a.*' : 'b.*'] },
    })
    const { a, b, pass } = await pair({ auth })
    const one = await a.device('one', { token: 'a' })
    const two = await b.device('two', { token: 'b' })
    one.probe.send({ frame: 'cast', events: [headerOf('c-1', 'a.x'), headerOf('c-2', 'b.x')] }, [
      '1',
      '2',
    ])
    await pass(500)
    const cast = await two.probe.next('cast')
    expect(cast.frame.events.map(({ id }) => id)).toEqual(['c-2'])
    expect(cast.data).toEqual(['2'])
  })
})

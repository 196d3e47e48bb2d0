import { afterEach, describe, expect, it } from 'vitest'
import { type GroupDevice, type Leased, settled } from '../testing/group-device.ts'
import { turns } from '../testing/group-relay.ts'
import { type ClusterNode, closeClusters, cluster } from '../testing/relay-cluster.ts'

afterEach(closeClusters)

/** From the last word of a relay until what its members held is given to others. */
const LOST_MS = 16_000
/** Longer than any of these tests. */
const ackWait = 600_000

async function pair() {
  const { nodes, pass } = await cluster()
  const [a, b] = nodes as [ClusterNode, ClusterNode]
  return { a, b, pass }
}

const idsOf = (leased: readonly Leased[]): string[] => leased.map(({ id }) => id)
const held = ({ generation, place }: Leased): readonly [number, number] => [place, generation]

async function groupsAt({ relay }: ClusterNode): Promise<unknown> {
  const answer = await relay.request('/rooms/r/groups', { headers: { host: 'localhost' } })
  return ((await answer.json()) as { groups: unknown[] }).groups[0]
}

describe('a group with members at two relays', () => {
  it('leases to the other what a member held whose relay is gone, long before its time is over', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    await one.join('m', { ackWait, credit: 1 })
    await one.publish(['x-1'])
    await one.leases()
    await two.join('m', { ackWait, credit: 1 })
    a.way.cut()
    await pass(LOST_MS - 3_000)
    expect(two.unread()).toEqual([])
    await pass(3_000)
    expect(two.unread()).toMatchObject([{ id: 'x-1', attempt: 2 }])
  })

  it('takes nothing from a member whose relay was silent for a moment only', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    await one.join('m', { ackWait, credit: 1 })
    await one.publish(['x-1'])
    const [lease] = await one.leases()
    await two.join('m', { ackWait, credit: 1 })
    a.way.cut()
    await pass(8_000)
    a.way.heal()
    await pass(60_000)
    expect(two.unread()).toEqual([])
    const done = await one.settle('m', [settled('ack')(lease as Leased)])
    expect(done).not.toHaveProperty('lapsed')
  })

  it('leaves a lease with the member that comes back over the other relay with it', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    await one.join('m', { ackWait, credit: 1 })
    await one.publish(['x-1'])
    const [lease] = (await one.leases()) as [Leased]
    await two.join('m', { ackWait, credit: 1 })
    a.way.cut()
    await pass(7_000)
    const moved = await b.member('one')
    expect(await moved.join('m', { ackWait, credit: 1, holds: [held(lease)] })).not.toHaveProperty(
      'lapsed',
    )
    await pass(2 * LOST_MS)
    a.way.heal()
    await pass(2 * LOST_MS)
    expect(two.unread()).toEqual([])
    expect(await moved.settle('m', [settled('ack')(lease)])).not.toHaveProperty('lapsed')
  })

  it('is leased nothing by a relay that is cut off, and goes on there once it is back', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    await one.join('m', { ackWait, credit: 1 })
    await two.join('m', { ackWait, credit: 1 })
    await two.publish(['x-1', 'x-2', 'x-3'])
    const [mine] = (await one.leases()) as [Leased]
    const [yours] = (await two.leases()) as [Leased]
    a.way.cut()
    const refused = await one.settle('m', [settled('ack')(mine)])
    expect(refused).toMatchObject({ code: 'unavailable' })
    await pass(LOST_MS)
    expect(one.unread()).toEqual([])
    await two.settle('m', [settled('ack')(yours)])
    const next = await two.leases()
    a.way.heal()
    await pass(2_000)
    // Its lease was given to another, or will be: it is told so.
    const late = await one.settle('m', [settled('ack')(mine)])
    expect(late.lapsed).toEqual([held(mine)])
    const more = [...one.unread(), ...next].filter(({ id }) => id !== mine.id)
    expect(idsOf(more)).toEqual(['x-3'])
  })

  it('wakes a member elsewhere when one here gives back what it could not do', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    await one.join('m', { ackWait, credit: 1 })
    await one.publish(['x-1'])
    const [lease] = (await one.leases()) as [Leased]
    await two.join('m', { ackWait, credit: 5 })
    await one.settle('m', [settled('nak')(lease)])
    await pass(1_000)
    const again = [...one.unread(), ...two.unread()]
    expect(again).toMatchObject([{ id: 'x-1', attempt: 2 }])
  })

  it('goes on with what waits for a delay whose relay is gone', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    await one.join('m', { ackWait, credit: 1 })
    await one.publish(['x-1'])
    const [{ generation, place }] = (await one.leases()) as [Leased]
    await two.join('m', { ackWait, credit: 1 })
    await one.settle('m', [[place, generation, 'nak', 4_000]])
    one.probe.send({ frame: 'group', group: 'mail', member: 'm' })
    await turns()
    a.way.cut()
    await pass(5_000)
    expect(two.unread()).toMatchObject([{ id: 'x-1', attempt: 2 }])
  })

  it('holds as many as it may in all, and goes on wherever there is room', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    const two = await b.member('two')
    const options = { ackWait, maxAckPending: 2 }
    await one.join('m', { ...options, credit: 2 })
    await two.join('m', { ...options, credit: 2 })
    await two.publish(['x-1', 'x-2', 'x-3', 'x-4'])
    await pass(1_000)
    const taken: Leased[] = []
    for (let round = 0; round < 4; round++) {
      const [mine, yours] = [one.unread(), two.unread()]
      for (const device of [one, two]) device.probe.unread.length = 0
      expect(mine.length + yours.length).toBeLessThanOrEqual(2)
      taken.push(...mine, ...yours)
      if (mine.length > 0) await one.settle('m', mine.map(settled('ack')))
      if (yours.length > 0) await two.settle('m', yours.map(settled('ack')))
      await pass(1_000)
    }
    expect(idsOf(taken).sort()).toEqual(['x-1', 'x-2', 'x-3', 'x-4'])
  })
})

describe('over HTTP', () => {
  it('a group is the same at every relay, also where it has no member', async () => {
    const { a, b } = await pair()
    const one = await a.member('one')
    await groupsAt(b)
    await one.join('m', { ackWait, credit: 2, maxDeliver: 1 })
    await one.publish(['x-1', 'x-2'])
    const [first] = (await one.leases(2)) as [Leased]
    const here = (await groupsAt(a)) as { members: object[] }
    expect(await groupsAt(b)).toEqual({
      ...here,
      members: here.members.map(({ credit: _, ...member }: { credit?: number }) => member),
    })
    await one.settle('m', [[first.place, first.generation, 'term', 0, 'no']])
    for (const node of [a, b]) expect(await groupsAt(node)).toMatchObject({ dead: 1, leased: 1 })
  })

  it('a dead letter is leased once more by whichever relay is asked', async () => {
    const { a, b, pass } = await pair()
    const one = await a.member('one')
    await one.join('m', { ackWait, credit: 2 })
    await one.publish(['x-1'])
    const [lease] = (await one.leases()) as [Leased]
    await one.settle('m', [[lease.place, lease.generation, 'term', 0, 'no']])
    const path = '/rooms/r/groups/mail/redrive'
    const headers = { host: 'localhost' }
    const done = await b.relay.request(path, { method: 'POST', headers })
    expect(await done.json()).toEqual({ count: 1 })
    await pass(1_000)
    expect((one as GroupDevice).unread()).toMatchObject([{ id: 'x-1', attempt: 1 }])
  })
})

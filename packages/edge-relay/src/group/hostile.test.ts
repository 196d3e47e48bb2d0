import type { GroupFrame, SettleOutcome } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { memoryStore } from '../stores/memory.ts'
import { type GroupDevice, type Leased, settled } from '../testing/group-device.ts'
import { closeGroupRelays, groupRelay, turns } from '../testing/group-relay.ts'
import { helloOf, ProbeSocket } from '../testing/probe.ts'

afterEach(closeGroupRelays)

const OUTCOMES: readonly SettleOutcome[] = ['ack', 'nak', 'term', 'progress', 'release']

/** Two members, the first of which holds an event. */
async function withLease() {
  const given = groupRelay()
  const victim = await given.device('victim')
  const other = await given.device('other')
  await victim.join('a')
  await victim.publish(['x-1'])
  const [lease] = await victim.leases()
  await other.join('b')
  return { ...given, victim, other, lease: lease as Leased }
}

describe('a member of a group that means ill', () => {
  it.each(OUTCOMES)('settles nothing that another one holds: %s', async (outcome) => {
    const { lease, other, victim } = await withLease()
    for (const member of ['a', 'b', 'victim']) {
      const { lapsed } = await other.settle(member, [settled(outcome)(lease)])
      expect(lapsed).toEqual([[lease.place, lease.generation]])
    }
    expect(other.unread()).toEqual([])
    expect(await victim.settle('a', [settled('ack')(lease)])).not.toHaveProperty('lapsed')
  })

  it.each(OUTCOMES)('settles nothing by a generation that is none: %s', async (outcome) => {
    const { lease, platform, victim } = await withLease()
    const { generation, place } = lease
    for (const forged of [generation + 1, generation + 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      const { lapsed } = await victim.settle('a', [[place, forged, outcome]])
      expect(lapsed).toEqual([[place, forged]])
    }
    for (const forged of [place + 1, Number.MAX_SAFE_INTEGER]) {
      const { lapsed } = await victim.settle('a', [[forged, generation, outcome]])
      expect(lapsed).toEqual([[forged, generation]])
    }
    platform.advance(1_000)
    await turns()
    expect(victim.unread()).toEqual([])
  })

  it('is given nothing of a member of the same name on another device', async () => {
    const { lease, other, platform, victim } = await withLease()
    const { lapsed } = await other.join('a', { holds: [[lease.place, lease.generation]] })
    expect(lapsed).toEqual([[lease.place, lease.generation]])
    other.probe.send({ frame: 'group', group: 'mail', member: 'a' })
    platform.advance(20_000)
    await turns()
    expect(other.unread()).toEqual([])
    expect(await victim.settle('a', [settled('ack')(lease)])).not.toHaveProperty('lapsed')
  })

  it('cannot hold on to a lease that is not its own any more by saying that it holds it', async () => {
    const { lease, platform, victim } = await withLease()
    platform.advance(31_000)
    await turns()
    const holds = [[lease.place, lease.generation] as const]
    // Nor on to the one that it was leased since, and does not name.
    const anew = [lease.place, lease.generation + 1]
    expect((await victim.join('a', { holds })).lapsed).toEqual([...holds, anew])
  })

  it('does not get past the limits of groups and members', async () => {
    const { device } = groupRelay({ limits: { groups: 2, groupMembers: 2 } })
    const one = await device('one')
    const join = async (group: string, member: string) => {
      one.probe.send({ frame: 'group', group, member, join: { types: ['**'], credit: 1 } })
      return (await one.probe.next('grouped')).frame
    }
    expect(await join('g1', 'a')).not.toHaveProperty('code')
    expect(await join('g1', 'b')).not.toHaveProperty('code')
    expect(await join('g1', 'c')).toMatchObject({ code: 'rate_limited', retryAfterMs: 30_000 })
    expect(await join('g1', 'b')).not.toHaveProperty('code')
    expect(await join('g2', 'a')).not.toHaveProperty('code')
    expect(await join('g3', 'a')).toMatchObject({ code: 'rate_limited' })
  })

  it('does not get past the limits by asking for much at once', async () => {
    const { device, relay } = groupRelay({ limits: { groups: 3, groupMembers: 4 } })
    const one = await device('one')
    const join: GroupFrame['join'] = { types: ['**'], credit: 1 }
    for (let i = 0; i < 20; i++)
      one.probe.send({ frame: 'group', group: `g${i}`, member: 'a', join })
    for (let i = 0; i < 20; i++)
      one.probe.send({ frame: 'group', group: 'g0', member: `m${i}`, join })
    const answers = []
    while (answers.length < 40) answers.push((await one.probe.next('grouped')).frame)
    expect(answers.filter(({ code }) => code === undefined).length).toBeLessThanOrEqual(3 + 4)
    const { groups } = (await (await relay.request('/rooms/r/groups')).json()) as {
      groups: { name: string; members: unknown[] }[]
    }
    expect(groups.length).toBeLessThanOrEqual(3)
    for (const { members } of groups) expect(members.length).toBeLessThanOrEqual(4)
  })

  it('has no more members over one connection than so many', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    const join: GroupFrame['join'] = { types: ['**'], credit: 1 }
    for (let i = 0; i < 257; i++)
      one.probe.send({ frame: 'group', group: 'g', member: `m${i}`, join })
    let refused = 0
    for (let i = 0; i < 257; i++)
      if ((await one.probe.next('grouped')).frame.code === 'rate_limited') refused += 1
    expect(refused).toBe(1)
  })

  it('is not let in by a token that may not read what the group is for, or nothing of the past', async () => {
    const rights = { publish: ['**'], subscribe: ['**'] }
    const auth: Auth = (token) => ({
      subject: 'u',
      rights:
        token === 'some' ? { ...rights, subscribe: ['cart.*'] } : { ...rights, history: false },
    })
    const { device } = groupRelay({ auth })
    const some = await device('some', 'some')
    for (const types of [['**'], ['*'], ['cart.**'], ['cart.*', 'order.paid'], ['$consumer.x']])
      expect(await some.join('a', { types })).toMatchObject({ code: 'forbidden' })
    expect(await some.join('a', { types: ['cart.*', 'cart.opened'] })).not.toHaveProperty('code')
    const blind = await device('blind', 'blind')
    expect(await blind.join('a')).toMatchObject({ code: 'forbidden' })
  })

  it('cannot be one before it was welcomed, nor as a copy of a device', async () => {
    const { device, relay } = groupRelay()
    const one = await device('one')
    await one.join('a')
    const early = new ProbeSocket()
    const { probe } = early.open(relay.accept(early, { room: 'r' }))
    probe.send({ frame: 'group', group: 'mail', member: 'a' })
    expect(await probe.end()).toMatchObject({ reason: 'bad_frame' })
    const socket = new ProbeSocket()
    const copy = socket.open(relay.accept(socket, { room: 'r' })).probe
    copy.send(helloOf('one', { terms: [[1, 'other']] }))
    await copy.next('welcome')
    copy.send({ frame: 'group', group: 'mail', member: 'b', join: { types: ['**'], credit: 10 } })
    await one.publish(['x-1'])
    expect((await one.leases())[0]?.member).toBe('a')
    await turns()
    expect(copy.unread.map(({ frame }) => frame.frame)).not.toContain('grouped')
  })

  it.each([
    '{"frame":"grouped","group":"mail","member":"a"}',
    '{"frame":"settled","group":"mail","member":"a","number":1}',
    '{"frame":"lease","group":"mail","member":"a","leases":[[1,1,1,1,1]],"events":[{"id":"a-1","type":"t","source":"s","time":1}]}\n1',
    '{"frame":"settle","group":"mail","member":"a","number":1,"settlements":[[1.5,1,"ack"]]}',
    '{"frame":"settle","group":"mail","member":"a","number":1,"settlements":[[1,1,"ack"]]}\n1',
    '{"frame":"group","group":"mail","member":"../a"}',
  ])('loses its connection, and nobody else theirs, by %s', async (text) => {
    const { other, victim, lease } = await withLease()
    other.probe.sendRaw(text)
    expect(await other.probe.end()).toMatchObject({ reason: 'bad_frame' })
    expect(await victim.settle('a', [settled('ack')(lease)])).not.toHaveProperty('lapsed')
  })

  it('is told at once of a group that is none, and makes none by settling', async () => {
    const { device, relay } = groupRelay()
    const one = await device('one')
    expect((await one.settle('a', [[1, 1, 'ack']])).lapsed).toEqual([[1, 1]])
    one.probe.send({ frame: 'group', group: 'mail', member: 'a' })
    await turns()
    expect(await (await relay.request('/rooms/r/groups')).json()).toEqual({ groups: [] })
  })

  it('keeps what it says as a reason to itself: no line of it breaks what others read', async () => {
    const { lease, relay, victim } = await withLease()
    const reason = '"}\n]\u0000\u2028<script>\ud800'
    await victim.settle('a', [[lease.place, lease.generation, 'term', 0, reason]])
    const { letters } = (await (await relay.request('/rooms/r/groups/mail/dead')).json()) as {
      letters: { reason: string }[]
    }
    expect(letters[0]?.reason).toContain('<script>')
  })

  it('fills no state beyond its bounds, whatever streams and reasons it uses', async () => {
    const store = memoryStore()
    const { device } = groupRelay({ store, limits: { groupPending: 50 } })
    const one = await device('one')
    await one.join('a', { credit: 1_000, maxAckPending: 10 ** 9, orderBy: 'stream' })
    const long = 'ü'.repeat(250)
    for (let i = 0; i < 10; i++) {
      const ids = Array.from({ length: 20 }, (_, k) => `x${i}-${k + 1}`)
      await one.publish(ids, `${long}${i}`)
    }
    const leased: Leased[] = one.unread()
    await refuseAll(one, leased)
    const [, state = ''] =
      (await store.load('r'))?.state.find(([key]) => key.startsWith('group/')) ?? []
    expect(state.length).toBeLessThan(50 * (250 + 200))
  })
})

async function refuseAll(device: GroupDevice, leased: readonly Leased[]): Promise<void> {
  const settlements = leased.map(({ generation, place }) => {
    const reason = `${place} ${'x'.repeat(900)}`
    return [place, generation, 'nak', 1_000, reason] as const
  })
  await device.settle('a', settlements)
}

import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { type Leased, settled } from '../testing/group-device.ts'
import { closeGroupRelays, groupRelay, turns } from '../testing/group-relay.ts'

afterEach(closeGroupRelays)

describe('a group', () => {
  it('leases each event to one member, whole, its own device included', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    const two = await device('two')
    expect(await one.join('a')).toEqual({
      frame: 'grouped',
      group: 'mail',
      member: 'a',
      options: { types: ['**'], ackWait: 30_000, maxDeliver: 10, maxAckPending: 1_000 },
    })
    await two.join('b')
    await one.publish(['x-1', 'x-2', 'x-3', 'x-4'])
    const [mine, yours] = [await one.leases(2), await two.leases(2)]
    expect([...mine, ...yours].map(({ id }) => id).sort()).toEqual(['x-1', 'x-2', 'x-3', 'x-4'])
    expect(mine[0]).toMatchObject({ member: 'a', attempt: 1, waitMs: 30_000 })
    expect(mine.every(({ id, data }) => data === JSON.stringify(id))).toBe(true)
    expect(await one.settle('a', mine.map(settled('ack')))).toMatchObject({ number: 1 })
  })

  it('leases no more to a member than its credit, and goes on when it settled', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    await one.join('a', { credit: 2 })
    await one.publish(['x-1', 'x-2', 'x-3', 'x-4', 'x-5'])
    const first = await one.leases(2)
    expect(one.unread()).toEqual([])
    await one.settle('a', first.map(settled('ack')))
    expect((await one.leases(2)).map(({ id }) => id)).toEqual(['x-3', 'x-4'])
  })

  it('leases again what lapsed, and tells whoever is late', async () => {
    const { platform, device } = groupRelay()
    const one = await device('one')
    await one.join('a', { ackWait: 2_000 })
    await one.publish(['x-1'])
    const [lease] = await one.leases()
    platform.advance(2_500)
    const [again] = await one.leases()
    expect(again).toMatchObject({ id: 'x-1', attempt: 2 })
    expect(again?.generation).toBeGreaterThan(lease?.generation as number)
    const late = await one.settle('a', [settled('ack')(lease as Leased)])
    expect(late).toMatchObject({ lapsed: [[1, lease?.generation]] })
    expect(await one.settle('a', [settled('ack')(again as Leased)])).not.toHaveProperty('lapsed')
    platform.advance(10_000)
    await turns()
    expect(one.unread()).toEqual([])
  })

  it('leases again at once what was refused without a delay, and later with one', async () => {
    const { platform, device } = groupRelay()
    const one = await device('one')
    await one.join('a')
    await one.publish(['x-1'])
    const [first] = await one.leases()
    await one.settle('a', [settled('nak')(first as Leased)])
    const [second] = await one.leases()
    expect(second?.attempt).toBe(2)
    await one.settle('a', [[1, second?.generation ?? 0, 'nak', 3_000]])
    platform.advance(2_500)
    await turns()
    expect(one.unread()).toEqual([])
    platform.advance(1_000)
    expect((await one.leases())[0]?.attempt).toBe(3)
  })

  it('leases again what became due while that it is due was being written', async () => {
    const store = memoryStore()
    let gate: Promise<void> | undefined
    const slow: Store = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (key !== 'append') return typeof value === 'function' ? value.bind(target) : value
        return async (...given: Parameters<Store['append']>) => {
          await gate
          return target.append(...given)
        }
      },
    })
    const { platform, device } = groupRelay({ store: slow })
    const one = await device('one')
    await one.join('a')
    await one.publish(['x-1'])
    const [first] = await one.leases()
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const answered = one.settle('a', [[1, first?.generation ?? 0, 'nak', 100]])
    await turns()
    platform.advance(1_000)
    resolve()
    await answered
    platform.advance(500)
    expect((await one.leases())[0]?.attempt).toBe(2)
  })

  it('leases again when a short delay is over, and not at the next tick', async () => {
    const { platform, device } = groupRelay()
    const one = await device('one')
    await one.join('a', { ackWait: 200 })
    await one.publish(['x-1'])
    const [first] = await one.leases()
    await one.settle('a', [[1, first?.generation ?? 0, 'nak', 50]])
    platform.advance(49)
    await turns()
    expect(one.unread()).toEqual([])
    platform.advance(1)
    expect((await one.leases())[0]?.attempt).toBe(2)
    platform.advance(200)
    expect((await one.leases())[0]?.attempt).toBe(3)
  })

  it.each([
    ['its first join is written', 'append', {}],
    ['it is known where the group is to begin', 'first', { from: 'start' }],
  ] as const)('leases nothing to a member that left before %s', async (_, method, options) => {
    const store = memoryStore()
    let gate: Promise<void> | undefined
    const slow: Store = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        if (key !== method) return value.bind(target)
        return async (...given: unknown[]) => {
          await gate
          return value.apply(target, given)
        }
      },
    })
    const { device } = groupRelay({ store: slow })
    const one = await device('one')
    await one.publish(['x-1'])
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const join = { types: ['**'], credit: 10, ...options }
    one.probe.send({ frame: 'group', group: 'mail', member: 'a', join })
    await turns()
    one.probe.send({ frame: 'group', group: 'mail', member: 'a' })
    resolve()
    gate = undefined
    await turns()
    const two = await device('two')
    await two.join('b', options)
    await two.publish(['x-2', 'x-3', 'x-4'])
    await turns()
    const ids = two.unread().map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(['x-2', 'x-3', 'x-4']))
  })

  it('gives what a member holds to others when it leaves, and when it does not come back', async () => {
    const { platform, device } = groupRelay()
    const one = await device('one')
    await one.join('a')
    await one.publish(['x-1', 'x-2'])
    await one.leases(2)
    const two = await device('two')
    await two.join('b')
    one.probe.send({ frame: 'group', group: 'mail', member: 'a' })
    expect((await two.leases(2)).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['x-1', 2],
      ['x-2', 2],
    ])
    await one.join('a')
    two.socket.drop()
    platform.advance(4_000)
    await turns()
    expect(one.unread()).toEqual([])
    platform.advance(2_000)
    expect((await one.leases(2)).map(({ attempt }) => attempt)).toEqual([3, 3])
  })

  it('leaves a member its leases that joins anew in time, and gives on what it never got', async () => {
    const { platform, device } = groupRelay()
    const one = await device('one')
    await one.join('a')
    await one.publish(['x-1', 'x-2', 'x-3'])
    const [first, , third] = await one.leases(3)
    await one.settle('a', [settled('ack')(third as Leased)])
    one.socket.drop()
    platform.advance(2_000)
    const anew = await device('one')
    const holds = [first, third].map((lease) => [lease?.place, lease?.generation] as never)
    expect(await anew.join('a', { holds })).toMatchObject({
      lapsed: [[3, third?.generation]],
    })
    expect((await anew.leases()).map(({ id, attempt }) => [id, attempt])).toEqual([['x-2', 1]])
    platform.advance(20_000)
    await turns()
    expect(await anew.settle('a', [settled('ack')(first as Leased)])).not.toHaveProperty('lapsed')
  })

  it('leases one event of a stream at a time with orderBy, and others meanwhile', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    await one.join('a', { orderBy: 'stream' })
    await one.publish(['x-1', 'x-2'], 's')
    await one.publish(['y-1'], 't')
    await one.publish(['z-1', 'z-2'])
    const leased = await one.leases(4)
    expect(leased.map(({ id }) => id).sort()).toEqual(['x-1', 'y-1', 'z-1', 'z-2'])
    await one.settle('a', [settled('nak')(leased[0] as Leased)])
    const [again] = await one.leases()
    expect(again?.id).toBe('x-1')
    expect(one.unread()).toEqual([])
    await one.settle('a', [settled('ack')(again as Leased)])
    expect((await one.leases())[0]?.id).toBe('x-2')
  })

  it('begins where its first member says', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    await one.publish(['x-1', 'x-2', 'x-3'])
    await one.join('a', { from: { last: 2 } })
    expect((await one.leases(2)).map(({ id }) => id)).toEqual(['x-2', 'x-3'])
  })

  it('is for the types it was joined for, and for who may read them', async () => {
    const auth: Auth = (token) => ({
      subject: token ?? '',
      rights: { publish: ['**'], subscribe: token === 'all' ? ['**'] : ['cart.*'] },
    })
    const { device } = groupRelay({ auth })
    const one = await device('one', 'all')
    const two = await device('two', 'some')
    expect(await two.join('b')).toMatchObject({ code: 'forbidden' })
    await two.join('b', { types: ['cart.*'] })
    await one.join('a', { types: ['cart.*', 'order.*'], credit: 1 })
    await one.publish(['x-1'], undefined, 'order.paid')
    await one.publish(['x-2'], undefined, 'other')
    await one.publish(['x-3'], undefined, 'order.paid')
    await one.publish(['x-4'], undefined, 'cart.opened')
    expect((await one.leases())[0]?.id).toBe('x-1')
    expect((await two.leases())[0]?.id).toBe('x-4')
    await turns()
    expect([...one.unread(), ...two.unread()]).toEqual([])
  })

  it('goes on in another relay on the same store', async () => {
    const store = memoryStore()
    const before = groupRelay({ store })
    const one = await before.device('one')
    await one.join('a', { credit: 2 })
    await one.publish(['x-1', 'x-2', 'x-3'])
    const [first, second] = await one.leases(2)
    const after = groupRelay({ store, platform: before.platform })
    const anew = await after.device('one')
    const holds = [[first?.place, first?.generation] as never]
    expect(await anew.join('a', { credit: 2, holds })).not.toHaveProperty('lapsed')
    expect((await anew.leases())[0]).toMatchObject({ id: second?.id, attempt: 1 })
    await anew.settle('a', [settled('ack')(first as Leased)])
    expect((await anew.leases())[0]?.id).toBe('x-3')
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BusError } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../stores/memory.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { GroupDevice, type Leased, settled } from '../testing/group-device.ts'
import { closeGroupRelays, groupRelay, turns } from '../testing/group-relay.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import { Probe, publishOf } from '../testing/probe.ts'
import { sharedStores } from '../testing/shared-store.ts'
import { SleepingRelay } from '../testing/sleeping-relay.ts'

const folders: string[] = []
afterEach(async () => {
  await closeGroupRelays()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

const shared = (count: number): Store[] => sharedStores(count).map(({ store }) => store)

const idsOf = (leased: readonly Leased[]): string[] => leased.map(({ id }) => id)
const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`)

describe('a group that is behind its room', () => {
  it('is leased all of it, once, as fast as its members settle', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    const ids: string[] = []
    for (let i = 0; i < 6; i++) {
      const some = numbered(`x${i}`, 500)
      await one.publish(some)
      ids.push(...some)
    }
    const two = await device('two')
    await one.join('a', { credit: 200, from: 'start' })
    await two.join('b', { credit: 200 })
    const taken: string[] = []
    const work = async (who: GroupDevice, member: string): Promise<void> => {
      while (taken.length < ids.length) {
        const leased = who.unread()
        who.probe.unread.length = 0
        if (leased.length === 0) {
          await turns(1)
          continue
        }
        taken.push(...idsOf(leased))
        await who.settle(member, leased.map(settled('ack')))
      }
    }
    await Promise.all([work(one, 'a'), work(two, 'b')])
    expect(taken.sort()).toEqual(ids.sort())
  })

  it('goes on behind what was trimmed away, and does not wait for what is gone', async () => {
    const store = memoryStore()
    const before = groupRelay({ store })
    const one = await before.device('one')
    await one.join('a', { credit: 2 })
    await one.publish(['x-1', 'x-2'])
    await one.publish(['x-3', 'x-4'])
    await one.publish(['x-5'])
    const [first, second] = await one.leases(2)
    await one.settle('a', [
      [first?.place ?? 0, first?.generation ?? 0, 'nak', 1_000],
      [second?.place ?? 0, second?.generation ?? 0, 'nak', 1_000],
    ])
    // What this relay has in memory it would lease all the same.
    one.socket.drop()
    await store.trim('r', { events: 1, bytes: 1e9, since: 0 }, { events: 100, bytes: 1e9 })
    const { device, platform, relay } = groupRelay({ store, platform: before.platform })
    const anew = await device('one')
    await anew.join('a', { credit: 2 })
    platform.advance(2_000)
    await turns(20)
    const rest = anew.unread()
    expect(idsOf(rest)).toEqual(['x-5'])
    await anew.settle('a', rest.map(settled('ack')))
    const { groups } = (await (await relay.request('/rooms/r/groups')).json()) as {
      groups: object[]
    }
    expect(groups).toMatchObject([{ leased: 0, waiting: 0, behind: 0 }])
    const metrics = await (await relay.request('/metrics')).text()
    expect(metrics).toMatch(/crosstown_group_trimmed_total [1-9]/)
  })

  it('begins at what is kept where the start was trimmed away', async () => {
    const store = memoryStore()
    const { device } = groupRelay({ store })
    const one = await device('one')
    for (let i = 1; i <= 3; i++) await one.publish([`x-${i}`])
    await store.trim('r', { events: 1, bytes: 1e9, since: 0 }, { events: 100, bytes: 1e9 })
    await one.join('a', { from: 'start' })
    expect(idsOf(await one.leases())).toEqual(['x-3'])
  })
})

describe('a group whose members are connected to two relays on one store', () => {
  it('leases each event to one of them, and goes on where one relay has no credit left', async () => {
    const platform = new ManualPlatform()
    const [here, there] = shared(2).map((store) => groupRelay({ store, platform }))
    const one = (await here?.device('one')) as GroupDevice
    const two = (await there?.device('two')) as GroupDevice
    await one.join('a', { credit: 3 })
    await two.join('b', { credit: 3 })
    const three = (await here?.device('three')) as GroupDevice
    const ids = numbered('x', 60)
    const taken: Leased[] = []
    for (let i = 0; i < ids.length; i += 6) {
      await three.publish(ids.slice(i, i + 6))
      const [mine, yours] = [await one.leases(3), await two.leases(3)]
      taken.push(...mine, ...yours)
      await one.settle('a', mine.map(settled('ack')))
      await two.settle('b', yours.map(settled('ack')))
    }
    expect(idsOf(taken).sort()).toEqual(ids.sort())
    expect(taken.every(({ attempt }) => attempt === 1)).toBe(true)
    expect([...(here?.errors ?? []), ...(there?.errors ?? [])]).toEqual([])
  })

  it('keeps the leases of a member that comes back over the other one', async () => {
    const platform = new ManualPlatform()
    const [here, there] = shared(2).map((store) => groupRelay({ store, platform }))
    const one = (await here?.device('one')) as GroupDevice
    await one.join('a')
    await one.publish(['x-1'])
    const [lease] = await one.leases()
    one.socket.drop()
    const anew = (await there?.device('one')) as GroupDevice
    const holds = [[lease?.place ?? 0, lease?.generation ?? 0] as const]
    expect(await anew.join('a', { holds })).not.toHaveProperty('lapsed')
    platform.advance(10_000)
    await turns(20)
    expect(await anew.settle('a', [settled('ack')(lease as Leased)])).not.toHaveProperty('lapsed')
  })

  it('leases again what a member held whose relay is gone, when its time is over', async () => {
    const platform = new ManualPlatform()
    const [here, there] = shared(2).map((store) => groupRelay({ store, platform }))
    const one = (await here?.device('one')) as GroupDevice
    const two = (await there?.device('two')) as GroupDevice
    await one.join('a', { ackWait: 10_000, credit: 1 })
    await one.publish(['x-1'])
    await one.leases()
    await two.join('b', { ackWait: 10_000, credit: 1 })
    await here?.relay.close()
    platform.advance(5_000)
    await turns(20)
    expect(two.unread()).toEqual([])
    platform.advance(6_000)
    expect((await two.leases())[0]).toMatchObject({ id: 'x-1', attempt: 2 })
  })
})

describe('a group on a store that is its own', () => {
  it('goes on after a restart: who comes back keeps its leases, the others lose them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'groups-'))
    folders.push(folder)
    const platform = new ManualPlatform()
    const before = groupRelay({ store: sqliteStore(join(folder, 'events.db')), platform })
    const one = await before.device('one')
    const two = await before.device('two')
    await one.join('a', { credit: 1 })
    await two.join('b', { credit: 1 })
    await one.publish(['x-1', 'x-2', 'x-3'])
    const [mine] = await one.leases()
    const [yours] = await two.leases()
    await before.relay.close()
    const after = groupRelay({ store: sqliteStore(join(folder, 'events.db')), platform })
    const anew = await after.device('one')
    const holds = [[mine?.place ?? 0, mine?.generation ?? 0] as const]
    expect(await anew.join('a', { credit: 2, holds })).not.toHaveProperty('lapsed')
    expect(idsOf(await anew.leases())).toEqual(['x-3'])
    await anew.settle('a', [settled('ack')(mine as Leased)])
    platform.advance(16_000)
    expect((await anew.leases())[0]).toMatchObject({ id: yours?.id, attempt: 2 })
  })

  it('tells a member that asked twice to join which leases of the first answer the second one ended', async () => {
    const { device } = groupRelay()
    const one = await device('one')
    await one.join('a', { credit: 1, from: 'start' })
    await one.publish(['x-1'])
    const [lease] = (await one.leases()) as [Leased]
    // It was asked before the first answer came, and so before the lease.
    const second = await one.join('a', { credit: 1, holds: [] })
    expect(second.lapsed).toEqual([[lease.place, lease.generation]])
  })

  it('does not send what a member gave back by joining anew while it was read', async () => {
    const store = memoryStore()
    let fails = 0
    let isHeld = false
    const held: (() => void)[] = []
    const slow = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (key === 'append')
          return async (...args: Parameters<Store['append']>) => {
            const done = await target.append(...args)
            if (fails-- > 0) throw new BusError('unavailable', 'lost', { stage: 'log' })
            return done
          }
        if (key === 'read')
          return async (...args: Parameters<Store['read']>) => {
            if (isHeld) await new Promise<void>((resolve) => held.push(resolve))
            return target.read(...args)
          }
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { device, platform } = groupRelay({ store: slow })
    const [one, two, writer] = [await device('one'), await device('two'), await device('writer')]
    await one.join('a', { credit: 1 })
    fails = 1
    isHeld = true
    writer.probe.send(publishOf(1, undefined, ['x-1']), ['1'])
    await turns(20)
    platform.advance(1_500)
    await turns(20)
    // It does not know of the lease that is being read for it.
    await two.join('b', { credit: 1 })
    await one.join('a', { credit: 1, holds: [] })
    isHeld = false
    for (const read of held) read()
    await turns(20)
    expect([...one.unread(), ...two.unread()]).toMatchObject([{ id: 'x-1', attempt: 1 }])
  })

  it('sends what it leased in an append whose answer was lost', async () => {
    const store = memoryStore()
    let fails = 0
    const failing = new Proxy(store, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (key !== 'append') return typeof value === 'function' ? value.bind(target) : value
        return async (...args: Parameters<Store['append']>) => {
          const done = await target.append(...args)
          if (fails-- > 0) throw new BusError('unavailable', 'lost', { stage: 'log' })
          return done
        }
      },
    })
    const { device, platform } = groupRelay({ store: failing })
    const one = await device('one')
    const two = await device('two')
    await one.join('a', { credit: 1 })
    fails = 1
    two.probe.send({ frame: 'ping' })
    const publishing = two.publish(['x-1'])
    await turns(20)
    platform.advance(1_500)
    expect((await one.leases())[0]).toMatchObject({ id: 'x-1', attempt: 1 })
    void publishing
  })
})

describe('a group whose room goes out of memory', () => {
  it('goes on as if nothing had been', async () => {
    const relay = new SleepingRelay()
    const connect = async (id: string): Promise<GroupDevice> => {
      const wire = relay.open({
        receive: (text) => probe.receive(text),
        ended: (code, reason) => probe.ended(code, reason),
      })
      const probe: Probe = new Probe((message) => wire.onMessage(message))
      await probe.join(id)
      await turns(10)
      return new GroupDevice(probe, { drop: () => {} }, undefined)
    }
    const one = await connect('one')
    const two = await connect('two')
    await one.join('a', { credit: 1 })
    await two.join('b', { credit: 1, ackWait: 60_000 })
    await turns(10)
    relay.sleep()
    await one.publish(['x-1', 'x-2', 'x-3'])
    const [mine] = await one.leases()
    await two.leases()
    await turns(10)
    relay.sleep()
    await turns(10)
    expect(relay.relay.driver.dueMs).toBe(60_000)
    await one.settle('a', [settled('ack')(mine as Leased)])
    expect(idsOf(await one.leases())).toEqual(['x-3'])
    await turns(10)
    relay.platform.advance(60_000)
    relay.sleep()
    await turns(10)
    relay.relay.driver.tick()
    await turns(10)
    expect(idsOf([...one.unread(), ...two.unread()]).sort()).toEqual(['x-2', 'x-3'])
    expect([one.probe.closed, two.probe.closed]).toEqual([undefined, undefined])
  })
})

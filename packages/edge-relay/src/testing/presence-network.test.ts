/** Who is here, over whole networks: real buses and a real relay on a virtual clock. */
import type { Bus } from '@crosstown/bus'
import { createTestNetwork, type TestContext, type TestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { simulatedRelay } from './simulated-relay.ts'

const ROOM = '42'
/** Those who come back are not missed for so long; the relay and each context have their grace. */
const GRACE_MS = 11_000

interface Here {
  readonly context: TestContext
  readonly bus: Bus<Record<string, unknown>>
  readonly errors: unknown[]
  /** What it saw, by names. */
  readonly seen: string[]
}

class Town {
  readonly network: TestNetwork
  readonly all = new Map<string, Here>()

  constructor(options: Parameters<typeof simulatedRelay>[0] = {}, seed = 1) {
    this.network = createTestNetwork({ seed, relay: simulatedRelay(options) })
  }

  /** A context named `device.name`; its source is its name. */
  open(
    name: string,
    kind: 'page' | 'worker' | 'service-worker' | 'node' = 'page',
    { room = ROOM, disk = true }: { room?: string | undefined; disk?: boolean } = {},
  ): Here {
    const [device = ''] = name.split('.')
    const context = this.network.device(device).open(kind, { disk })
    const errors: unknown[] = []
    const bus = context.createBus({
      name: 'shop',
      ...(room === '' ? undefined : { room }),
      source: name,
      onError: (error) => errors.push(error),
    })
    const seen: string[] = []
    bus.presence.subscribe((members) => {
      const names = members.map(({ source }) => source).join(' ')
      if (seen.at(-1) !== names) seen.push(names)
    })
    const here = { context, bus, errors, seen }
    this.all.set(name, here)
    return here
  }

  /** What a context sees, by names. */
  seenBy(name: string): string[] {
    return (this.all.get(name) as Here).bus.presence.get().map(({ source }) => source)
  }

  /** Waits until each of them sees itself first, and all of them. */
  async allSee(...names: string[]): Promise<void> {
    const sorted = [...names].sort().join()
    const done = () =>
      names.every((name) => {
        const seen = this.seenBy(name)
        return seen[0] === name && [...seen].sort().join() === sorted
      })
    await this.network.until(done, 60_000).catch(() => {})
    for (const name of names)
      expect([name, this.seenBy(name).sort()]).toEqual([name, [...names].sort()])
  }

  here(name: string): Here {
    return this.all.get(name) as Here
  }
}

describe('who is here', () => {
  it('is every context of every device, with what it is and where it is seen from', async () => {
    const town = new Town({
      auth: (token) => ({
        subject: token ?? 'nobody',
        rights: { publish: ['**'], subscribe: ['**'] },
      }),
    })
    town.open('phone.page')
    town.open('phone.worker', 'worker')
    town.open('phone.sw', 'service-worker')
    town.open('server.node', 'node')
    await town.allSee('phone.page', 'phone.worker', 'phone.sw', 'server.node')
    const members = town.here('phone.worker').bus.presence.get()
    const by = new Map(members.map((member) => [member.source, member]))
    expect(members.map(({ origin }) => origin)).toEqual(['self', 'device', 'device', 'room'])
    expect(by.get('phone.worker')).toMatchObject({ kind: 'worker', origin: 'self' })
    expect(by.get('phone.page')).toMatchObject({ kind: 'page', origin: 'device' })
    expect(by.get('phone.sw')).toMatchObject({ kind: 'service-worker', origin: 'device' })
    expect(by.get('server.node')).toMatchObject({
      kind: 'process',
      origin: 'room',
      leader: true,
      subject: 'nobody',
    })
    expect(
      new Set(['phone.page', 'phone.worker', 'phone.sw'].map((name) => by.get(name)?.device)).size,
    ).toBe(1)
    expect(members.filter(({ leader, origin }) => leader && origin !== 'room')).toHaveLength(1)
    expect(town.here('phone.page').bus.leader.get().self).toBe(by.get('phone.page')?.leader)
    const { id } = await town.network.until(town.here('phone.page').bus.publish('a', 1))
    expect(id).toBe(`${by.get('phone.page')?.id}-1`)
    // The same names everywhere, and none that a device says hello with.
    const seen = town.here('server.node').bus.presence.get()
    expect(new Set(seen.map(({ device }) => device))).toEqual(
      new Set(members.map(({ device }) => device)),
    )
    const { device, logId } = await town.network.device('phone').disk('shop', ROOM).log.state()
    for (const secret of [device.id, device.secret, logId])
      expect(JSON.stringify(seen)).not.toContain(secret)
  })

  it('is also those of a device without a relay, and those without a log', async () => {
    const town = new Town()
    town.open('phone.a', 'page', { room: '' })
    town.open('phone.b', 'page', { room: '' })
    town.open('phone.guest', 'page', { room: '', disk: false })
    await town.allSee('phone.a', 'phone.b', 'phone.guest')
    const members = town.here('phone.guest').bus.presence.get()
    expect(members.map(({ origin }) => origin)).toEqual(['self', 'device', 'device'])
    expect(new Set(members.map(({ device }) => device)).size).toBe(1)
    expect(members[0]?.device).toBe(town.here('phone.a').bus.presence.get()[0]?.device)
  })

  it('is only those of the room', async () => {
    const town = new Town()
    town.open('phone.a')
    town.open('laptop.b', 'page', { room: 'other' })
    await town.network.settle()
    await town.network.run(1_000)
    expect(town.seenBy('phone.a')).toEqual(['phone.a'])
    expect(town.seenBy('laptop.b')).toEqual(['laptop.b'])
  })
})

describe('a context that goes', () => {
  it('is gone at once where it is closed, and sees nobody any more', async () => {
    const town = new Town()
    for (const name of ['phone.a', 'phone.b', 'laptop.c']) town.open(name)
    await town.allSee('phone.a', 'phone.b', 'laptop.c')
    for (const name of ['phone.a', 'phone.b']) {
      const { bus, context } = town.here(name)
      const before = town.network.now
      await town.network.until(context.close())
      await town.network.until(() => !town.seenBy('laptop.c').includes(name), 2_000)
      expect(town.network.now - before).toBeLessThan(2_000)
      expect(bus.presence.get()).toEqual([])
    }
    await town.allSee('laptop.c')
  })

  it('is gone at once where it crashed, leading or not, and its device after its socket broke', async () => {
    const town = new Town()
    const names = ['phone.a', 'phone.b', 'phone.c', 'laptop.d']
    for (const name of names) town.open(name)
    await town.allSee(...names)
    const leads = (name: string): boolean => town.here(name).bus.leader.get().self
    const gone = async (name: string): Promise<void> => {
      names.splice(names.indexOf(name), 1)
      town.here(name).context.crash()
      await town.network.run(2_000)
      await town.allSee(...names)
    }
    await gone(names.find((name) => name !== 'laptop.d' && !leads(name)) as string)
    await gone(names.find((name) => name !== 'laptop.d' && leads(name)) as string)
    town.here(names[0] as string).context.crash()
    await town.network.run(GRACE_MS)
    await town.allSee('laptop.d')
  })

  it('is gone while it stands still, and there again when it moves', async () => {
    const town = new Town()
    for (const name of ['phone.a', 'phone.b', 'laptop.c']) town.open(name)
    await town.allSee('phone.a', 'phone.b', 'laptop.c')
    const { context, seen } = town.here('phone.a')
    seen.length = 0
    context.freeze()
    await town.network.until(() => !town.seenBy('laptop.c').includes('phone.a'), 2_000)
    expect(town.seenBy('phone.b')).not.toContain('phone.a')
    await town.network.run(400_000)
    context.thaw()
    await town.allSee('phone.a', 'phone.b', 'laptop.c')
    // Who heard nothing for long, because it stood still, does not take the others for gone.
    expect(seen).not.toContain('phone.a')
    context.cache()
    await town.network.run(400_000)
    expect(town.seenBy('phone.b')).not.toContain('phone.a')
    context.thaw()
    await town.allSee('phone.a', 'phone.b', 'laptop.c')
  })
})

describe('what nobody notices', () => {
  const three = async (): Promise<Town> => {
    const town = new Town()
    for (const name of ['phone.a', 'phone.b', 'laptop.c']) town.open(name)
    await town.allSee('phone.a', 'phone.b', 'laptop.c')
    await town.network.run(5_000)
    for (const { seen } of town.all.values()) seen.length = 0
    return town
  }

  it('is that a connection was lost for a moment', async () => {
    const town = await three()
    town.network.relay.drop(town.network.device('phone'))
    await town.network.run(60_000)
    for (const { seen } of town.all.values()) expect(seen).toEqual([])
  })

  it('is that the relay was started anew', async () => {
    const town = await three()
    town.network.relay.crash()
    town.network.relay.start()
    await town.network.run(60_000)
    await town.allSee('phone.a', 'phone.b', 'laptop.c')
    for (const { seen } of town.all.values()) expect(seen).toEqual([])
  })

  it('is that another context of the device leads', async () => {
    const town = await three()
    const { context } = town.here('phone.a')
    context.show(false)
    await town.network.until(() => town.here('phone.b').bus.leader.get().self)
    await town.network.run(60_000)
    // The same members, only the leader is another one.
    const names = [...town.all].map(([name]) => town.seenBy(name).join(' '))
    expect([...town.all.values()].map(({ seen }) => seen)).toEqual(names.map((name) => [name]))
    const leaders = town
      .here('laptop.c')
      .bus.presence.get()
      .filter(({ leader }) => leader)
    expect(leaders.map(({ source }) => source).sort()).toEqual(['laptop.c', 'phone.b'])
  })
})

it('the room is not seen while the relay is away, and again when it is back', async () => {
  const town = new Town()
  for (const name of ['phone.a', 'phone.b', 'laptop.c']) town.open(name)
  await town.allSee('phone.a', 'phone.b', 'laptop.c')
  town.network.partition(town.network.device('phone'))
  await town.network.run(GRACE_MS)
  expect(town.seenBy('phone.a')).toEqual(['phone.a', 'phone.b'])
  expect(town.seenBy('phone.b')).toEqual(['phone.b', 'phone.a'])
  expect(town.seenBy('laptop.c')).toEqual(['laptop.c'])
  town.network.heal()
  await town.allSee('phone.a', 'phone.b', 'laptop.c')
})

it('a token that may read nothing is seen, and sees nobody', async () => {
  const auth = (token: string | undefined) => ({
    subject: 'someone',
    rights: { publish: ['**'], subscribe: token === 'blind' ? [] : ['**'] },
  })
  const network = createTestNetwork({ relay: simulatedRelay({ auth }) })
  const blind = network
    .device('a')
    .open()
    .createBus({ name: 'shop', room: ROOM, token: 'blind', source: 'blind' })
  const other = network.device('b').open().createBus({ name: 'shop', room: ROOM, source: 'other' })
  for (const bus of [blind, other]) bus.presence.subscribe(() => {})
  await network.until(() => other.presence.get().length === 2)
  await network.run(10_000)
  expect(blind.presence.get().map(({ source }) => source)).toEqual(['blind'])
})

it('a room shows so many devices: later ones see, and are seen when there is space', async () => {
  const town = new Town({ limits: { presenceDevices: 2 } })
  for (const name of ['one.x', 'two.x']) town.open(name)
  await town.allSee('one.x', 'two.x')
  town.open('three.x')
  await town.network.until(() => town.seenBy('three.x').length === 3)
  expect(town.seenBy('one.x')).toEqual(['one.x', 'two.x'])
  await town.network.until(town.here('two.x').context.close())
  await town.allSee('one.x', 'three.x')
})

it('leaves no timer and no listener behind', async () => {
  const town = new Town()
  for (const name of ['phone.a', 'phone.b', 'laptop.c']) town.open(name)
  await town.allSee('phone.a', 'phone.b', 'laptop.c')
  town.network.relay.crash()
  await town.network.run(1_000)
  for (const { bus } of town.all.values()) await town.network.until(bus.close())
  for (const { context, errors } of town.all.values()) {
    expect(context.holdings).toEqual({ timers: 0, holds: 0, sockets: 0, logs: 0, listeners: 0 })
    expect(errors).toEqual([])
  }
})

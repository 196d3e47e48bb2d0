/** What taps tell of a room, over whole networks: real buses and a real relay on a virtual clock. */
import type { Bus } from '@crosstown/bus'
import {
  type Ask,
  INSPECT_CHANNEL,
  INSPECT_VERSION,
  type InspectRecord,
  packIds,
  type TapFrame,
  unpackIds,
} from '@crosstown/bus/inspect'
import { createTestNetwork, type TestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { simulatedRelay } from './simulated-relay.ts'

type Of<Is extends InspectRecord['is']> = Extract<InspectRecord, { is: Is }>

/** A device with one page in the room, and an inspector of it. */
class Inspected {
  readonly bus: Bus<Record<string, unknown>>
  readonly frames: TapFrame[] = []
  readonly #send: (text: string) => void

  constructor(network: TestNetwork, name: string, token?: string) {
    const device = network.device(name)
    this.bus = device.open().createBus({
      name: 'shop',
      room: '42',
      onError: () => {},
      ...(token !== undefined && { token }),
    })
    const Channel = device.open('worker').platform.BroadcastChannel as typeof BroadcastChannel
    const channel = new Channel(INSPECT_CHANNEL)
    channel.onmessage = ({ data }) => this.frames.push(JSON.parse(data as string) as TapFrame)
    this.#send = (text) => channel.postMessage(text)
    this.bus.subscribe('none', () => {})
  }

  attach(): void {
    const frame = { frame: 'attach', session: 's', credit: 1_000 }
    this.#send(JSON.stringify({ inspect: INSPECT_VERSION, ...frame }))
  }

  ask(ask: Ask): void {
    const frame = { frame: 'ask', session: 's', to: this.hello?.peer, id: 1, ask }
    this.#send(JSON.stringify({ inspect: INSPECT_VERSION, ...frame }))
  }

  get hello(): Extract<TapFrame, { frame: 'hello' }> | undefined {
    return this.frames.findLast((frame) => frame.frame === 'hello')
  }

  of<Is extends InspectRecord['is']>(is: Is): Of<Is>[] {
    const batches = this.frames.filter((frame) => frame.frame === 'batch')
    const records = batches.flatMap((batch) => batch.records)
    return records.filter((record): record is Of<Is> & InspectRecord => record.is === is)
  }
}

async function two(): Promise<{ network: TestNetwork; phone: Inspected; laptop: Inspected }> {
  const network = createTestNetwork({ relay: simulatedRelay() })
  const phone = new Inspected(network, 'phone')
  const laptop = new Inspected(network, 'laptop')
  await network.settle()
  phone.attach()
  laptop.attach()
  await network.run(100)
  return { network, phone, laptop }
}

describe('a tap in a room', () => {
  it('tells the way of an event to another device', async () => {
    const { network, phone, laptop } = await two()
    laptop.bus.subscribe('a.*', () => {})
    const event = await network.until(phone.bus.publish('a.b', 1, { until: 'relayed' }))
    await network.run(500)
    const ids = packIds([event.id])
    expect(phone.of('posted')).toContainEqual(expect.objectContaining({ via: 'relay', ids }))
    const [epoch, place] = (event.position as string).split('.')
    expect(phone.of('confirmed')).toMatchObject([{ ids, epoch, place: Number(place) }])
    expect(laptop.of('received')).toMatchObject([
      {
        via: 'relay',
        origin: 'room',
        ids,
        events: [{ id: event.id, type: 'a.b', position: event.position }],
      },
    ])
    expect(laptop.of('handled')).toMatchObject([{ ids }])
  })

  it('says what it may do, whenever it is asked', async () => {
    const { phone } = await two()
    expect(phone.hello).toMatchObject({
      relay: { room: '42' },
      log: expect.any(String),
      device: expect.any(String),
      status: { relay: 'online', leader: true, rights: { publish: ['**'], subscribe: ['**'] } },
    })
  })

  it('tells what was refused for good, and why', async () => {
    const { network, phone } = await two()
    const publish = (): Promise<{ id: string }> =>
      network.until(phone.bus.publish('a.b', 1, { stream: 's', expectedRevision: 'none' }))
    await publish()
    await expect(publish()).rejects.toMatchObject({ code: 'conflict' })
    await network.run(500)
    expect(phone.of('refused')).toMatchObject([{ code: 'conflict', final: true }])
  })

  it('tells what was dropped because the relay was away, and what was sent again', async () => {
    const { network, phone } = await two()
    network.partition(network.device('phone'))
    await network.until(() => phone.bus.status.get().relay === 'offline')
    const cast = await network.until(phone.bus.publish('a.b', 1, { persist: false }))
    await network.run(100)
    expect(phone.of('dropped')).toMatchObject([{ why: 'offline', ids: packIds([cast.id]) }])
    expect(phone.of('status').map(({ status }) => status.relay)).toContain('offline')
    await network.settle()
    await network.run(1_000)
    expect(phone.of('status').at(-1)?.status.relay).toBe('online')
  })

  it('tells of a gap', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phone = new Inspected(network, 'phone')
    await network.until(phone.bus.publish('a.b', 1, { until: 'relayed' }))
    phone.attach()
    network.relay.wipe()
    await network.settle()
    await network.run(500)
    expect(phone.of('gap')).toMatchObject([{ gap: { reason: 'new_epoch' } }])
  })
})

it('an inspector cuts a device off the relay, and lets it come back', async () => {
  const { network, phone, laptop } = await two()
  const heard: unknown[] = []
  laptop.bus.subscribe('a.*', ({ data }) => heard.push(data))
  phone.ask({ what: 'fault', set: { link: 'relay', do: 'cut', forMs: 600_000 } })
  await network.until(() => phone.bus.status.get().relay !== 'online')
  await network.until(phone.bus.publish('a.b', 1))
  await network.run(60_000)
  expect([heard, phone.bus.outbox.get().pending]).toEqual([[], 1])
  phone.attach()
  phone.ask({ what: 'fault', set: null })
  await network.until(() => heard.length === 1)
  await network.until(() => phone.bus.outbox.get().pending === 0)
})

it('what a fault loses between a device and its relay is sent again when it ends', async () => {
  const { network, phone, laptop } = await two()
  const heard: unknown[] = []
  laptop.bus.subscribe('a.*', ({ data }) => heard.push(data))
  phone.ask({ what: 'fault', set: { link: 'relay', do: 'drop', share: 0.5, forMs: 20_000 } })
  await network.run(100)
  for (let n = 0; n < 20; n++) {
    await network.until(phone.bus.publish('a.b', n))
    await network.run(500)
  }
  await network.run(20_000)
  await network.settle()
  expect(heard).toEqual(Array.from({ length: 20 }, (_, n) => n))
})

it.each([
  ['delay', 1],
  ['delay', 0.5],
  ['duplicate', 1],
] as const)(
  'a fault that does %s to the share %d of what goes to the relay never ends the connection for good',
  async (what, share) => {
    const { network, phone, laptop } = await two()
    const heard = new Set<unknown>()
    const states = new Set<unknown>()
    laptop.bus.subscribe('a.*', ({ data }) => heard.add(data))
    phone.bus.status.subscribe(({ relay }) => states.add(relay))
    phone.ask({
      what: 'fault',
      set: { link: 'relay', do: what, share, delayMs: 500, forMs: 60_000 },
    })
    await network.run(100)
    for (let n = 0; n < 200; n++) {
      await network.until(phone.bus.publish('a.b', n))
      await network.run(5)
      if (n % 40 === 20) network.relay.drop(network.device('phone'))
    }
    await network.settle()
    await network.run(60_000)
    await network.settle()
    expect(states).toContain('offline')
    expect(states).not.toContain('refused')
    expect([...heard]).toEqual(Array.from({ length: 200 }, (_, n) => n))
  },
)

it('says what of a batch is confirmed that was published before anybody looked', async () => {
  const network = createTestNetwork({ relay: simulatedRelay() })
  const phone = new Inspected(network, 'phone')
  network.partition(network.device('phone'))
  const ids = (scope: 'device' | 'room'): Promise<{ id: string }> =>
    phone.bus.publish('a.b', 1, { scope })
  // One batch, of which not all is for the room.
  const [, second, , fourth] = await network.until(
    Promise.all([ids('device'), ids('room'), ids('device'), ids('room')]),
  )
  phone.attach()
  await network.run(100)
  await network.settle()
  await network.run(500)
  const confirmed = phone.of('confirmed').flatMap((record) => unpackIds(record.ids))
  expect(confirmed).toEqual([second?.id, fourth?.id])
})

it.each([1, 2, 3])('a room goes the same way, inspected or not: seed %i', async (seed) => {
  const run = async (inspected: boolean): Promise<[heard: unknown[], records: number]> => {
    const network = createTestNetwork({ seed, relay: simulatedRelay() })
    const heard: unknown[] = []
    let records = 0
    const names = ['phone', 'laptop']
    const buses = names.flatMap((name) => {
      const device = network.device(name)
      device.channels.faults = { drop: 0.1, duplicate: 0.1, delay: 0.2 }
      return [1, 2].map((nth) => {
        const bus = device.open().createBus({ name: 'shop', room: '42', onError: () => {} })
        bus.subscribe('**', ({ id, position }) => {
          heard.push([name, nth, id, position, network.now])
          if (id.endsWith('7')) throw new Error('of a handler')
        })
        bus.project('a.*', (count: number) => count + 1, 0)
        return bus
      })
    })
    for (const name of names) {
      const { platform } = network.device(name).open('worker')
      const channel = new (platform.BroadcastChannel as typeof BroadcastChannel)(INSPECT_CHANNEL)
      channel.onmessage = ({ data }) => {
        const frame = JSON.parse(data as string) as TapFrame
        if (frame.frame === 'batch') records += frame.records.length
      }
      const frame = { frame: 'attach', session: 's', credit: 10_000 }
      if (inspected) channel.postMessage(JSON.stringify({ inspect: INSPECT_VERSION, ...frame }))
    }
    const [phone, laptop] = names.map((name) => network.device(name))
    for (let n = 0; n < 40; n++) {
      for (const bus of buses) bus.publish('a.b', n, { persist: n % 5 > 0 }).catch(() => {})
      if (n === 10 && phone) network.partition(phone)
      if (n === 15) laptop?.contexts[0]?.freeze()
      if (n === 20) laptop?.contexts[1]?.cache()
      if (n === 25) network.heal()
      if (n === 30) phone?.contexts[0]?.crash()
      if (n === 35) network.relay.crash()
      await network.run(50)
    }
    await network.settle()
    return [heard, records]
  }
  const [quiet, none] = await run(false)
  const [watched, records] = await run(true)
  expect(watched).toEqual(quiet)
  expect(quiet.length).toBeGreaterThan(300)
  expect([none, records > 500]).toEqual([0, true])
})

/** What `expectedRevision` means between devices: real buses and a real relay, over simulated sockets. */
import type { Bus, BusError, BusEvent } from '@crosstown/bus'
import { createTestNetwork, type TestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { simulatedRelay } from './testing/simulated-relay.ts'

const ROOM = '42'
const onError = (): void => {}
type AnyBus = Bus<Record<string, unknown>>

function networkOf(): TestNetwork {
  return createTestNetwork({ seed: 1, relay: simulatedRelay() })
}

async function online(network: TestNetwork, name: string, options = {}): Promise<AnyBus> {
  const bus = network
    .device(name)
    .open()
    .createBus({ name: 'shop', room: ROOM, onError, ...options })
  await network.until(() => bus.status.relay === 'online')
  return bus
}

const at = (expectedRevision: 'any' | 'none' | 'exists' | number) => ({
  stream: 'order-7',
  expectedRevision,
})

/** What became of promises: the revision of an event, or the code and current revision. */
async function outcomes(
  network: TestNetwork,
  promises: readonly Promise<BusEvent>[],
): Promise<unknown[]> {
  const all = await network.until(Promise.allSettled(promises))
  return all.map((result) => {
    if (result.status === 'fulfilled') return result.value.revision
    const { code, currentRevision } = result.reason as BusError
    return [code, currentRevision]
  })
}

async function streamOf(network: TestNetwork, bus: AnyBus): Promise<unknown[]> {
  const events = await network.until(bus.loadStream('order-7'))
  return events.map(({ type, revision }) => [type, revision])
}

describe('an event that expects a revision', () => {
  it('waits for the room, and has its revision on every way it is heard or read', async () => {
    const network = networkOf()
    const [phone, laptop] = [await online(network, 'phone'), await online(network, 'laptop')]
    const heard: unknown[] = []
    laptop.subscribe('order.*', ({ type, revision }) => heard.push([type, revision]))
    const created = await network.until(phone.publish('order.created', 1, at('none')))
    expect(created).toMatchObject({ revision: 1, position: expect.any(String) })
    await network.until(phone.publish('order.noted', 2, { stream: 'order-7', until: 'relayed' }))
    // The other device hears it when it comes, which need not be by now.
    expect(await network.settle()).toBe(true)
    const paid = await network.until(laptop.publish('order.paid', 3, at(2)))
    expect(paid.revision).toBe(3)
    expect(await network.settle()).toBe(true)
    const whole = [
      ['order.created', 1],
      ['order.noted', 2],
      ['order.paid', 3],
    ]
    // Its own event it heard before the room had it.
    expect(heard).toEqual([whole[0], whole[1], ['order.paid', undefined]])
    for (const bus of [phone, laptop, await online(network, 'new')]) {
      await network.settle()
      expect(await streamOf(network, bus)).toEqual(whole)
      const replayed: unknown[] = []
      const read = async (order: 'room' | 'device'): Promise<void> => {
        for await (const event of bus.replay({ order })) {
          replayed.push([event.type, event.revision])
        }
      }
      await network.until(read('room'))
      await network.until(read('device'))
      expect(replayed.slice(0, 3)).toEqual(whole)
      expect(new Map(replayed.slice(3) as [string, number][])).toEqual(
        new Map(whole as [string, number][]),
      )
      expect(await network.until(bus.get(paid.id))).toMatchObject({ revision: 3 })
      const later = await network.until(bus.loadStream('order-7', { fromRevision: 2 }))
      expect(later.map(({ revision }) => revision)).toEqual([2, 3])
    }
  })

  it('is taken of one device where two expect the same, and the other hears at what the stream is', async () => {
    const network = networkOf()
    const buses = [await online(network, 'phone'), await online(network, 'laptop')]
    const refused: unknown[] = []
    for (const bus of buses) {
      bus.subscribe('$event.refused', ({ data }) => refused.push([data.code, data.currentRevision]))
    }
    const all = await outcomes(
      network,
      buses.map((bus) => bus.publish('order.created', 1, at('none'))),
    )
    expect(new Set(all)).toEqual(new Set([1, ['conflict', 1]]))
    await network.settle()
    expect(refused).toEqual([['conflict', 1]])
    for (const bus of buses) expect(await streamOf(network, bus)).toEqual([['order.created', 1]])
  })

  it('offline builds on own events that wait, and is refused with the first of them', async () => {
    const network = networkOf()
    const [phone, laptop] = [await online(network, 'phone'), await online(network, 'laptop')]
    await network.until(phone.publish('order.created', 1, at('none')))
    await network.settle()
    network.partition(network.device('phone'))
    const chain = [
      phone.publish('order.paid', 2, at(1)),
      phone.publish('order.packed', 3, at(2)),
      phone.publishBatch([
        { type: 'order.sent', data: 4, ...at(3) },
        { type: 'order.billed', data: 5, ...at(4) },
      ]),
      phone.publish('order.closed', 6, at(5)),
    ]
    await network.until(() => phone.status.outbox.pending === 5)
    expect(await network.until(laptop.publish('order.cancelled', 7, at(1)))).toMatchObject({
      revision: 2,
    })
    network.heal()
    const flat = chain.map(async (one) => [await one].flat()[0] as BusEvent)
    expect(await outcomes(network, flat)).toEqual(chain.map(() => ['conflict', 2]))
    expect(await network.settle()).toBe(true)
    const { events } = await network.relay.room(ROOM)
    expect(events.map(({ type }) => type)).toEqual(['order.created', 'order.cancelled'])
    const whole = [
      ['order.created', 1],
      ['order.cancelled', 2],
    ]
    expect(await streamOf(network, phone)).toEqual(whole)
    expect(phone.outbox.get()).toEqual({ pending: 0, refused: 5 })
    const told: unknown[] = []
    const list = async (): Promise<void> => {
      for await (const { code, currentRevision } of phone.outbox.refused())
        told.push([code, currentRevision])
    }
    await network.until(list())
    expect(told).toEqual(Array.from({ length: 5 }, () => ['conflict', 2]))
  })

  it('offline is taken with all that builds on it where nobody came before', async () => {
    const network = networkOf()
    const phone = await online(network, 'phone')
    network.partition(network.device('phone'))
    const chain = [
      phone.publish('order.created', 1, at('none')),
      phone.publish('order.paid', 2, at(1)),
      phone.publish('order.noted', 3, { stream: 'order-7', until: 'relayed' }),
      phone.publish('order.packed', 4, at(3)),
      phone.publish('order.sent', 5, at('exists')),
    ]
    await network.until(() => phone.status.outbox.pending === 5)
    // What is not confirmed has no revision, and comes after all that has one.
    const waiting = await network.until(phone.loadStream('order-7', { fromRevision: 9 }))
    expect(waiting.map(({ revision }) => revision)).toEqual(chain.map(() => undefined))
    network.heal()
    expect(await outcomes(network, chain)).toEqual([1, 2, 3, 4, 5])
  })

  it('in one of several contexts of a device builds on what another one published', async () => {
    const network = networkOf()
    const phone = network.device('phone')
    const buses = [phone.open(), phone.open()].map((context) =>
      context.createBus({ name: 'shop', room: ROOM, onError }),
    )
    const [one, other] = buses as [AnyBus, AnyBus]
    network.partition(phone)
    const created = one.publish('order.created', 1, at('none'))
    await network.until(() => one.status.outbox.pending === 1)
    const both = [one, other].map((bus) => bus.publish('order.paid', 2, at(1)))
    await network.until(() => one.status.outbox.pending === 3)
    network.heal()
    const [first, ...rest] = await outcomes(network, [created, ...both])
    expect(first).toBe(1)
    expect(new Set(rest)).toEqual(new Set([2, ['conflict', 2]]))
  })

  it('names a revision that this device may not read, and is judged all the same', async () => {
    const network = networkOf()
    const phone = await online(network, 'phone')
    const laptop = await online(network, 'laptop', { types: ['order.paid'] })
    await network.until(phone.publish('order.created', 1, at('none')))
    await network.until(phone.publish('order.noted', 2, at(1)))
    expect(await outcomes(network, [laptop.publish('order.paid', 3, at(1))])).toEqual([
      ['conflict', 2],
    ])
    expect(await outcomes(network, [laptop.publish('order.paid', 4, at(2))])).toEqual([3])
    expect(await streamOf(network, laptop)).toEqual([['order.paid', 3]])
  })

  it('is not judged again when the room lost what it had taken', async () => {
    const network = networkOf()
    const [phone, laptop] = [await online(network, 'phone'), await online(network, 'laptop')]
    await network.until(phone.publish('order.created', 1, at('none')))
    const backup = network.relay.writes
    await network.until(laptop.publish('order.paid', 2, at(1)))
    await network.until(phone.publish('order.packed', 3, at(2)))
    expect(await network.settle()).toBe(true)
    network.partition(network.device('laptop'))
    await network.relay.restore(backup)
    network.relay.start()
    // Of what it was judged by the room has nothing any more; the laptop has it, and is away.
    while ((await network.relay.room(ROOM)).events.length < 2) await network.run(100)
    expect(await network.settle()).toBe(true)
    const whole = [
      ['order.created', 1],
      ['order.packed', 2],
      ['order.paid', 3],
    ]
    for (const bus of [phone, laptop]) expect(await streamOf(network, bus)).toEqual(whole)
  })

  it('is refused again when the room lost that it had refused it', async () => {
    const network = networkOf()
    const [phone, laptop] = [await online(network, 'phone'), await online(network, 'laptop')]
    await network.until(laptop.publish('order.created', 1, at('none')))
    const backup = network.relay.writes
    expect(await outcomes(network, [phone.publish('order.created', 2, at('none'))])).toEqual([
      ['conflict', 1],
    ])
    await network.relay.restore(backup)
    expect(await network.settle()).toBe(true)
    expect(await streamOf(network, phone)).toEqual([['order.created', 1]])
    expect((await network.relay.room(ROOM)).events).toHaveLength(1)
  })

  it('that is too large for the room with what it expects is so at publish', async () => {
    const network = networkOf()
    const phone = await online(network, 'phone')
    await network.until(phone.publish('order.created', 1, at('none')))
    const refused: unknown[] = []
    phone.subscribe('$event.refused', ({ data }) => refused.push(data))
    const taken: boolean[] = []
    for (let length = 7_600; length < 8_200; length += 20) {
      const metadata = { note: 'x'.repeat(length) }
      const current = (await network.until(phone.loadStream('order-7'))).length
      const [result] = await network.until(
        Promise.allSettled([phone.publish('order.paid', 2, { ...at(current), metadata })]),
      )
      taken.push(result.status === 'fulfilled')
    }
    expect(new Set(taken)).toEqual(new Set([true, false]))
    expect(refused).toEqual([])
  })

  it('must be for the room', async () => {
    const network = networkOf()
    const phone = await online(network, 'phone')
    const codes: unknown[] = []
    for (const options of [
      { ...at(1), scope: 'device' },
      { ...at(1), persist: false },
      { ...at(1), until: 'relayed', scope: 'context' },
    ] as const) {
      await phone
        .publish('order.paid', 1, options)
        .catch((error: BusError) => codes.push(error.code))
    }
    expect(codes).toEqual(['invalid_options', 'unreachable', 'unreachable'])
  })
})

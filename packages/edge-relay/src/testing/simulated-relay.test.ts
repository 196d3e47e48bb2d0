import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createTestNetwork, type RelayEnd, type TestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { Committed } from './committed.ts'
import { simulatedRelay } from './simulated-relay.ts'

const ROOM = '42'
const onError = (): void => {}

function networkOf(seed = 1): TestNetwork {
  return createTestNetwork({ seed, relay: simulatedRelay() })
}

function busOn(network: TestNetwork, device: string) {
  return network.device(device).open().createBus({ name: 'shop', room: ROOM, onError })
}

async function idsIn(network: TestNetwork): Promise<string[]> {
  return (await network.relay.room(ROOM)).events.map(({ id }) => id)
}

describe('the simulated relay', () => {
  it('has what was relayed, at the position that was told', async () => {
    const network = networkOf()
    const { id, position } = await network.until(
      busOn(network, 'phone').publish('a', 1, { until: 'relayed' }),
    )
    const room = await network.relay.room(ROOM)
    expect(room.events).toMatchObject([{ id, position, type: 'a', data: '1' }])
    expect(await network.relay.head(ROOM)).toBe(room.head)
  })

  it('keeps what it committed when it crashes before it answers, and takes it once', async () => {
    const network = networkOf()
    const bus = busOn(network, 'phone')
    await network.until(() => bus.status.relay === 'online')
    const before = network.relay.writes
    const relayed = bus.publish('a', 1, { until: 'relayed' })
    await network.until(() => network.relay.writes > before)
    network.relay.crash()
    expect(await idsIn(network)).toHaveLength(1)
    expect(bus.status.outbox.pending).toBe(1)
    network.relay.start()
    const { id } = await network.until(relayed)
    expect(await idsIn(network)).toEqual([id])
  })

  it('takes posts, the same one once, and tells nobody what it took when it crashed', async () => {
    const network = networkOf()
    const post = { type: 'a', data: 1, id: 'order 7' }
    const before = network.relay.writes
    const posted = network.relay.post(ROOM, post)
    posted.catch(() => {})
    await network.until(() => network.relay.writes > before)
    network.relay.crash()
    await expect(network.until(posted)).rejects.toThrow('the relay did not answer')
    await expect(network.until(network.relay.post(ROOM, post))).rejects.toThrow('did not answer')
    network.relay.start()
    const [first] = await network.until(network.relay.post(ROOM, [post]))
    expect((await network.relay.room(ROOM)).events).toEqual([{ ...first, type: 'a', data: '1' }])
    await expect(network.until(network.relay.post(ROOM, { type: '' }))).rejects.toThrow('type')
  })

  it('comes back from a backup without what was written since, and is fed again', async () => {
    const network = networkOf()
    const bus = busOn(network, 'phone')
    const first = await network.until(bus.publish('a', 1, { until: 'relayed' }))
    const backup = network.relay.writes
    const second = await network.until(bus.publish('a', 2, { until: 'relayed' }))
    await network.relay.restore(backup)
    expect(await idsIn(network)).toEqual([first.id])
    expect(await network.settle()).toBe(true)
    expect(await idsIn(network)).toEqual([first.id, second.id])
  })

  it('tells a fork that may not read what it publishes where its events of before stand in a restored room', async () => {
    const network = networkOf()
    const phone = network.device('phone')
    const open = () =>
      phone.open().createBus({ name: 'shop', room: ROOM, onError, types: ['other'] })
    const relayed = (bus: ReturnType<typeof open>, count: number) => {
      const events = Array.from({ length: count }, (_, n) => ({ type: 'a', data: n }))
      return network.until(bus.publishBatch(events, { until: 'relayed' }))
    }
    const one = open()
    await relayed(one, 1)
    await network.until(one.close())
    // The relay takes this one's term, and the log loses it.
    const two = open()
    await network.until(() => two.status.relay === 'online')
    const state = () => phone.disk('shop', ROOM).log.state()
    const before = (await state()).device.id
    await phone.cutPower(2)
    const three = open()
    await relayed(three, 1)
    const forked = (await state()).device.id
    expect(forked).not.toBe(before)
    const backup = network.relay.writes
    // So many that no position between the first one and these is remembered.
    for (const count of [1, 40, 1]) await relayed(three, count)

    await network.relay.restore(backup)
    expect(await network.settle()).toBe(true)
    const { events } = await network.relay.room(ROOM)
    expect(new Set(events.map(({ id }) => id)).size).toBe(44)
    expect(events).toHaveLength(44)
    const { log } = phone.disk('shop', ROOM)
    const placed = async () => {
      const parts = (await log.placements(1, 100)).flatMap((placement) => placement.parts)
      return parts.flatMap(({ place, indexes }) => indexes.map((_, k) => place + k))
    }
    const places = events.map(({ position }) => Number(position.split('.')[1]))
    expect((await placed()).sort((a, b) => a - b)).toEqual(places)
    expect((await state()).room.pending).toBe(0)

    // Once is enough: it is the same device when it comes again.
    const again = (await state()).device.id
    expect(again).not.toBe(forked)
    network.relay.crash()
    expect(await network.settle()).toBe(true)
    await relayed(three, 1)
    expect((await state()).device.id).toBe(again)
  })

  it('lets a user go on after another one signed in while the room was lost', async () => {
    const auth = (token = '') => ({
      subject: token,
      rights: { publish: ['**'], subscribe: ['**'] },
    })
    const network = createTestNetwork({ seed: 1, relay: simulatedRelay({ auth }) })
    const phone = network.device('phone')
    const signIn = (token: string) => {
      for (const context of phone.contexts) context.crash()
      return phone.open().createBus({ name: 'shop', room: ROOM, onError, token })
    }
    const { id } = await network.until(signIn('ann').publish('a', 1, { until: 'relayed' }))
    network.relay.wipe()
    network.relay.start()
    const bob = signIn('bob')
    await network.until(() => bob.status.relay === 'refused')
    expect(bob.status.lastError?.code).toBe('subject_changed')
    const ann = signIn('ann')
    await network.until(() => ann.status.relay === 'online')
    expect(await network.settle()).toBe(true)
    expect(await idsIn(network)).toEqual([id])
    expect(network.relay.joined.map(({ subject }) => subject)).toEqual(['ann'])
  })

  it('begins anew under another epoch when its store is lost', async () => {
    const network = networkOf()
    const bus = busOn(network, 'phone')
    const { position } = await network.until(bus.publish('a', 1, { until: 'relayed' }))
    network.relay.wipe()
    expect(await idsIn(network)).toEqual([])
    expect(await network.settle()).toBe(true)
    const [event] = (await network.relay.room(ROOM)).events
    expect(event?.position.split('.')[0]).not.toBe(position?.split('.')[0])
  })

  it('leaves nothing behind when it drains, and is reached again when it starts', async () => {
    const network = networkOf()
    const bus = busOn(network, 'phone')
    await network.until(() => bus.status.relay === 'online')
    await network.until(network.relay.drain())
    await network.until(() => bus.status.relay === 'offline')
    expect([network.relay.running, network.relay.sockets, network.relay.timers]).toEqual([
      false,
      0,
      0,
    ])
    network.relay.start()
    await network.until(() => bus.status.relay === 'online')
  })

  it('takes everything in the end also while its store fails half of the time', async () => {
    const network = networkOf()
    const bus = busOn(network, 'phone')
    network.relay.fail(0.5)
    const events = Array.from({ length: 5 }, (_, n) => bus.publish('a', n, { until: 'relayed' }))
    const relayed = await network.until(Promise.all(events))
    expect(await idsIn(network)).toEqual(relayed.map(({ id }) => id))
  })

  it('is told from one that sends ahead of its commit', () => {
    const committed = new Committed()
    const sent: string[] = []
    let end: RelayEnd | undefined
    const events = committed.watch(
      ROOM,
      { send: (text) => sent.push(text), bufferedAmount: 0, close: () => {} },
      (watched) => {
        end = watched
        return { onMessage: () => {}, onClose: () => {}, onDrain: () => {} }
      },
    )
    events.onMessage('{"frame":"hello","device":{"id":"d"}}')
    end?.send('{"frame":"ack","batch":1}')
    expect(committed.violations).toEqual(['42 d 1 was acknowledged before it was committed'])
    expect(sent).toHaveLength(1)
  })
})

describe('memory', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void

  /** A bus that led, and then was closed, or whose context died. */
  async function bygone(how: 'closed' | 'crashed', seed: number): Promise<WeakRef<object>> {
    const network = networkOf(seed)
    const bus = busOn(network, 'phone')
    await network.until(bus.publish('a', 1, { until: 'relayed' }))
    if (how === 'closed') await network.until(bus.close())
    else network.device('phone').contexts[0]?.crash()
    await network.run(1_000)
    return new WeakRef(bus)
  }

  it.each(['closed', 'crashed'] as const)('keeps no bus that was %s', async (how) => {
    const buses: WeakRef<object>[] = []
    for (let seed = 0; seed < 5; seed++) buses.push(await bygone(how, seed))
    const left = (): number => buses.filter((bus) => bus.deref() !== undefined).length
    // A reference that was looked at lasts until the turn ends.
    for (let turn = 0; turn < 20 && left() > 0; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      collect()
    }
    expect(left()).toBe(0)
  })
})

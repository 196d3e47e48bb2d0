/**
 * A device that may read little of a busy room, over whole networks: it hears all of that and nothing
 * else, and is told of a hole only where there is one.
 */
import type { Gap } from '@crosstown/bus'
import { createTestNetwork, Random } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { simulatedRelay } from './simulated-relay.ts'

const SECOND = 1_000
/** A token is the name of a subject and the patterns it may read. */
const auth: Auth = (token) => {
  const [subject = '', ...subscribe] = (token ?? 'nobody').split(' ')
  return { subject, rights: { publish: ['**'], subscribe } }
}

/** Two who write all kinds of events all the time, and one who may read some of them. */
function town(seed: number, token: () => string) {
  const network = createTestNetwork({ seed, relay: simulatedRelay({ auth }) })
  const random = new Random(seed)
  const join = (name: string, tokenOf: () => string, gaps: Gap[] = []) =>
    network
      .device(name)
      .open()
      .createBus({
        name: 'shop',
        room: '42',
        token: tokenOf,
        onError: () => {},
        onGap: (gap) => gaps.push(gap),
      })
  const writers = ['ann', 'bob'].map((name) => join(name, () => `${name} **`))
  const gaps: Gap[] = []
  const narrow = join('clerk', token, gaps)
  const heard: unknown[] = []
  narrow.subscribe('**', (event) => heard.push([event.type, event.data]))
  const types = ['order.created', 'order.item.added', 'cart.added', 'chat.said', 'orders.listed']
  const published: (readonly [string, number])[] = []
  /** Some events of each writer, of whatever type. */
  const busy = (rounds: number) => {
    for (let n = 0; n < rounds; n++) {
      for (const writer of writers) {
        const event = [types[random.below(types.length)] as string, published.length] as const
        published.push(event)
        void writer.publish(event[0], event[1]).catch(() => {})
      }
    }
  }
  const device = network.device('clerk')
  return { network, random, device, narrow, gaps, heard, published, busy }
}

const isOrder = ([type]: readonly [string, number]) => type.startsWith('order.')
const sorted = (events: readonly unknown[]) => [...events].map((one) => JSON.stringify(one)).sort()

describe('a device with rights to order.** alone in a busy mixed room', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'sees no false gap, through reconnects of every kind (seed %i)',
    async (seed) => {
      const { network, random, device, narrow, gaps, heard, published, busy } = town(
        seed,
        () => 'clerk order.**',
      )
      await network.until(() => narrow.status.relay === 'online')
      for (let round = 0; round < 12; round++) {
        busy(1 + random.below(30))
        await network.run(random.below(3 * SECOND))
        const what = random.below(5)
        if (what === 0) network.relay.drop(device)
        else if (what === 1) network.partition(device, { silently: random.below(2) === 0 })
        else if (what === 2) network.relay.crash()
        else if (what === 3) network.relay.drain()
        busy(1 + random.below(30))
        await network.run(random.below(20 * SECOND))
        network.heal()
      }
      expect(await network.settle()).toBe(true)
      expect(sorted(heard)).toEqual(sorted(published.filter(isOrder)))
      expect(gaps).toEqual([])
    },
  )

  it('sees none where its rights are taken away, and one where they are given', async () => {
    let token = 'clerk **'
    const { network, device, narrow, gaps, heard, published, busy } = town(9, () => token)
    await network.until(() => narrow.status.relay === 'online')
    const change = async (to: string) => {
      await network.settle()
      token = to
      network.relay.drop(device)
      await network.until(() => narrow.status.relay !== 'online')
      busy(10)
      expect(await network.settle()).toBe(true)
    }
    busy(10)
    await network.settle()
    expect(sorted(heard)).toEqual(sorted(published))
    const all = published.length
    await change('clerk order.**')
    await change('clerk order.created order.item.*')
    await change('clerk order.item.* order.created')
    expect(gaps).toEqual([])
    expect(sorted(heard)).toEqual(
      sorted([...published.slice(0, all), ...published.slice(all).filter(isOrder)]),
    )
    // What it could not read meanwhile is not brought back, and it is told so, once.
    await change('clerk order.** cart.**')
    expect(gaps).toMatchObject([{ reason: 'rights_changed' }])
    network.relay.drop(device)
    busy(10)
    expect(await network.settle()).toBe(true)
    expect(gaps).toHaveLength(1)
  })
})

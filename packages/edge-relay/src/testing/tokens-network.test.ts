/** Devices whose tokens end, over whole networks: real buses and a real relay on a virtual clock. */
import type { Gap } from '@crosstown/bus'
import { createTestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { simulatedRelay } from './simulated-relay.ts'

const MINUTE = 60_000
/** When a network's clocks begin. */
const EPOCH_MS = 1_700_000_000_000

/** A relay whose tokens are `number subscribe`, and end ten minutes after that minute. */
function town(tokenOf: (minute: number) => string) {
  const network = createTestNetwork({
    seed: 1,
    relay: simulatedRelay({ auth: (...asked) => auth(...asked) }),
  })
  // The relay's clock is the network's, from some day on.
  const minutes = () => Math.floor(network.now / MINUTE)
  const seen: (string | undefined)[] = []
  const auth: Auth = (token) => {
    seen.push(token)
    const [minute, subscribe = ''] = (token ?? '').split(' ')
    const expiresAt = EPOCH_MS + (Number(minute) + 10) * MINUTE
    if (expiresAt <= EPOCH_MS + network.now) return undefined
    return { subject: 'ann', rights: { publish: ['**'], subscribe: [subscribe] }, expiresAt }
  }
  const errors: unknown[] = []
  const gaps: Gap[] = []
  const states: string[] = []
  const bus = network
    .device('phone')
    .open('page')
    .createBus({
      name: 'shop',
      room: '42',
      token: () => tokenOf(minutes()),
      onError: (error) => errors.push(error),
      onGap: (gap) => gaps.push(gap),
    })
  bus.status.subscribe(({ relay }) => {
    if (states.at(-1) !== relay) states.push(relay)
  })
  return { network, bus, seen, errors, gaps, states }
}

describe('a device whose token ends', () => {
  it('stays connected: it asks for a fresh one in time, again and again', async () => {
    const { network, bus, seen, errors, states } = town((minute) => `${minute} **`)
    await network.until(bus.publish('a.b', 1, { until: 'relayed' }))
    await network.run(60 * MINUTE)
    await network.until(bus.publish('a.b', 2, { until: 'relayed' }))
    expect(states).toEqual(['connecting', 'online'])
    expect(seen).toEqual(['0 **', '9 **', '18 **', '27 **', '36 **', '45 **', '54 **'])
    expect(errors).toEqual([])
  })

  it('joins anew where a fresh one allows other things, and is told what it did not see', async () => {
    const { network, bus, errors, gaps, states } = town((minute) =>
      minute < 5 ? '0 a.**' : `${minute} **`,
    )
    await network.until(bus.publish('a.b', 1, { until: 'relayed' }))
    await network.run(12 * MINUTE)
    await network.until(bus.publish('a.b', 2, { until: 'relayed' }))
    expect(states).toEqual(['connecting', 'online', 'offline', 'online'])
    expect(gaps).toMatchObject([{ reason: 'rights_changed' }])
    expect(errors).toEqual([])
  })

  it('is refused where no fresh one is to be had, and loses nothing', async () => {
    const { network, bus, states } = town((minute) => (minute < 30 ? '0 **' : `${minute} **`))
    await network.until(bus.publish('a.b', 1, { until: 'relayed' }))
    await network.run(20 * MINUTE)
    expect(states).toEqual(['connecting', 'online', 'offline', 'refused'])
    await network.until(bus.publish('a.b', 2))
    expect(bus.status.outbox.pending).toBe(1)
  })
})

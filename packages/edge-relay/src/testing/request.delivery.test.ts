import type { Ask, Bus, BusError } from '@crosstown/bus'
import { createTestNetwork, type TestNetwork } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { simulatedRelay } from './simulated-relay.ts'

type Shop = { 'price.of': Ask<string, number>; 'time.now': Ask<void, string> }

function open(network: TestNetwork, device: string): Bus<Shop> {
  const bus = network
    .device(device)
    .open()
    .createBus<Shop>({ name: 'shop', room: '42', onError: () => {} })
  bus.presence.subscribe(() => {})
  return bus
}

const online = (network: TestNetwork, ...buses: Bus<Shop>[]): Promise<boolean> =>
  network.until(() => buses.every(({ status }) => status.relay === 'online'))

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: BusError) => error.code,
  )

describe('`bus.request` in a room', () => {
  it('is replied to by another device', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const [phone, server] = [open(network, 'phone'), open(network, 'server')]
    server.respond('price.of', ({ data }, { origin }) => (origin === 'room' ? data.length : 0))
    await online(network, phone, server)
    await network.run(100)
    expect(await network.until(phone.request('price.of', 'A1'))).toBe(2)
  })

  it('goes through who leads, and is answered by a context that does not', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phones = [open(network, 'phone'), open(network, 'phone')]
    const servers = [open(network, 'server'), open(network, 'server')]
    await online(network, ...phones, ...servers)
    for (const bus of servers) if (!bus.leader.get().self) bus.respond('time.now', () => 'here')
    await network.run(100)
    for (const bus of phones) expect(await network.until(bus.request('time.now'))).toBe('here')
  })

  it('rejects with `no_responder` where nobody in the room responds, without waiting', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const [phone, server] = [open(network, 'phone'), open(network, 'server')]
    await online(network, phone, server)
    await network.run(1_000)
    const began = network.now
    expect(await network.until(codeOf(phone.request('time.now')))).toBe('no_responder')
    expect(network.now - began).toBeLessThan(1_000)
  })

  it('is replied to after the relay was started anew in the middle', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const [phone, server] = [open(network, 'phone'), open(network, 'server')]
    let reply = (_: string): void => {}
    let asked = 0
    server.respond('time.now', () => {
      asked += 1
      return new Promise<string>((resolve) => (reply = resolve))
    })
    await online(network, phone, server)
    await network.run(100)
    const asking = phone.request('time.now', undefined, { timeout: 60_000 })
    await network.until(() => asked === 1)
    network.relay.crash()
    await network.run(500)
    network.relay.start()
    await network.run(100)
    reply('after all')
    expect(await network.until(asking)).toBe('after all')
    expect(asked).toBe(1)
  })

  it('is replied to after who leads the device of the responder is gone', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phone = open(network, 'phone')
    const servers = [open(network, 'server'), open(network, 'server')]
    await online(network, phone, ...servers)
    let asked = 0
    for (const bus of servers) {
      bus.respond('time.now', () => {
        asked += 1
        return asked === 1 ? new Promise<string>(() => {}) : 'second'
      })
    }
    await network.run(100)
    const asking = phone.request('time.now', undefined, { timeout: 60_000 })
    await network.until(() => asked === 1)
    void servers.find((bus) => bus.leader.get().self)?.close()
    expect(await network.until(asking)).toBe('second')
  })

  it('is replied to after who leads the device that asks is gone', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const server = open(network, 'server')
    const phones = [open(network, 'phone'), open(network, 'phone')]
    await online(network, server, ...phones)
    let reply = (_: string): void => {}
    let asked = 0
    server.respond('time.now', () => {
      asked += 1
      return new Promise<string>((resolve) => (reply = resolve))
    })
    await network.run(100)
    const leads = phones.findIndex((bus) => bus.leader.get().self)
    const asking = (phones[1 - leads] as Bus<Shop>).request('time.now', undefined, {
      timeout: 60_000,
    })
    await network.until(() => asked === 1)
    network.device('phone').contexts[leads]?.crash()
    await network.run(3_000)
    reply('still')
    expect(await network.until(asking)).toBe('still')
    expect(asked).toBe(1)
  })

  it('offline waits for the relay until its time is over, and says so', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phone = open(network, 'phone')
    await online(network, phone)
    network.partition(network.device('phone'))
    await network.until(() => phone.status.relay === 'offline')
    expect(await network.until(codeOf(phone.request('time.now')))).toBe('timeout')
  })

  it('given up, it aborts the signal at the other device', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const [phone, server] = [open(network, 'phone'), open(network, 'server')]
    let signal: AbortSignal | undefined
    server.respond('time.now', (_, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    await online(network, phone, server)
    await network.run(100)
    const giving = new AbortController()
    const asked = codeOf(phone.request('time.now', undefined, { signal: giving.signal }))
    await network.until(() => signal !== undefined)
    giving.abort()
    expect(await network.until(asked)).toBe('aborted')
    await network.until(() => signal?.aborted === true, 1_000)
  })

  it('takes the first reply of several devices, and tells the others', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phone = open(network, 'phone')
    const servers = [open(network, 'a'), open(network, 'b')]
    const signals: AbortSignal[] = []
    servers.forEach((bus, i) => {
      bus.respond('time.now', (_, { signal }) => {
        signals.push(signal)
        return i === 0 ? new Promise<string>(() => {}) : 'b'
      })
    })
    await online(network, phone, ...servers)
    await network.run(100)
    expect(await network.until(phone.request('time.now'))).toBe('b')
    expect(signals).toHaveLength(2)
    await network.until(() => signals.some(({ aborted }) => aborted), 1_000)
  })

  it('a token may ask what it may publish, and respond to what it may read', async () => {
    const rights = {
      asker: { publish: ['time.*'], subscribe: ['time.*'] },
      deaf: { publish: ['**'], subscribe: ['price.*'] },
      server: { publish: ['**'], subscribe: ['**'] },
    } as const
    const auth = (token = '') => ({ subject: token, rights: rights[token as keyof typeof rights] })
    const network = createTestNetwork({ relay: simulatedRelay({ auth }) })
    const [asker, deaf, server] = (['asker', 'deaf', 'server'] as const).map((token) => {
      const context = network.device(token).open()
      return context.createBus<Shop>({ name: 'shop', room: '42', token, onError: () => {} })
    }) as [Bus<Shop>, Bus<Shop>, Bus<Shop>]
    deaf.respond('time.now', () => 'deaf')
    server.respond('price.of', () => 1)
    asker.presence.subscribe(() => {})
    await online(network, asker, deaf, server)
    await network.run(2_000)
    expect(await network.until(codeOf(asker.request('price.of', 'A1')))).toBe('forbidden')
    expect(await network.until(codeOf(asker.request('time.now')))).toBe('no_responder')
    server.respond('time.now', () => 'server')
    await network.run(1_000)
    expect(await network.until(codeOf(asker.request('time.now')))).toBe('server')
  })
})

describe('`bus.ping`', () => {
  it('tells the milliseconds of a round trip, from whichever context', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phones = [open(network, 'phone'), open(network, 'phone')]
    await online(network, ...phones)
    for (const bus of phones) expect(await network.until(bus.ping())).toBeGreaterThan(0)
  })

  it('rejects with unavailable while the relay is away', async () => {
    const network = createTestNetwork({ relay: simulatedRelay() })
    const phone = open(network, 'phone')
    await online(network, phone)
    network.partition(network.device('phone'))
    await network.until(() => phone.status.relay === 'offline')
    expect(await network.until(codeOf(phone.ping()))).toBe('unavailable')
  })
})

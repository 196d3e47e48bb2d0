import { BUS_ERROR_CODES } from '@crosstown/bus/protocol'
import { Random } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import type { Auth } from './auth.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { Probe, publishOf } from './testing/probe.ts'
import { RawDevice } from './testing/raw-device.ts'
import { SleepingRelay } from './testing/sleeping-relay.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Everything that was begun is done. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
}

function connect(relay: SleepingRelay): Probe & { pinged(): void } {
  const wire = relay.open({
    receive: (text) => probe.receive(text),
    ended: (code, reason) => probe.ended(code, reason),
  })
  const probe: Probe = new Probe((message) => wire.onMessage(message))
  return Object.assign(probe, { pinged: wire.pinged })
}

async function joined(relay: SleepingRelay, device: string, extra = {}) {
  const probe = connect(relay)
  const welcome = await probe.join(device, extra)
  await settled()
  return Object.assign(probe, { welcome })
}

describe('a relay that slept', () => {
  it.each(Array.from({ length: 40 }, (_, i) => i + 1))(
    'at moments of seed %i, in the middle of anything: has every event once, on every device in one order',
    async (seed) => {
      const random = new Random(seed)
      const limits = { pauseBytes: 2_000, bufferBytes: 20_000 }
      const relay = new SleepingRelay({ limits })
      const devices = [...'abc'].map((id) => new RawDevice(id, () => {}))
      const isWhole = (): boolean => {
        const total = devices.reduce((sum, { published }) => sum + published.length, 0)
        return devices.every(({ done, room }) => done && room.length === total)
      }
      let over = false
      const running = devices.map(async (device) => {
        while (!over) await device.connect(relay.socket())
      })
      for (let step = 0; step < 60; step++) {
        const device = devices[random.below(3)] as RawDevice
        const what = random.below(10)
        if (what < 5) {
          device.add(1 + random.below(4))
          device.go()
        } else if (what < 8) relay.sleep()
        else if (what === 8) device.close()
        for (let turns = random.below(6); turns > 0; turns--) await turn()
      }
      for (let turns = 0; !isWhole(); turns++) {
        if (turns > 20_000) throw new Error('somebody waits for what nobody will send')
        await turn()
      }
      over = true
      for (const device of devices) device.close()
      await Promise.all(running)
      for (const { id, published, room } of devices) {
        expect(room).toEqual(devices[0]?.room)
        expect(room.filter((event) => event.startsWith(id))).toEqual(published)
      }
    },
  )

  it('is not noticed by devices that nothing was done for', async () => {
    const relay = new SleepingRelay()
    const [one, two] = [await joined(relay, 'one'), await joined(relay, 'two')]
    for (let n = 1; n <= 3; n++) {
      one.send(publishOf(n, n === 1 ? undefined : n - 1, [`a-${n}`]), [String(n)])
      await one.next('ack')
      await settled()
      relay.sleep()
    }
    const { ids } = await two.stream(two.welcome.from, (all) => all.includes('a-3'))
    expect(ids).toEqual(['a-1', 'a-2', 'a-3'])
    expect([one.closed, two.closed]).toEqual([undefined, undefined])
  })

  it('sends back whoever waits for an answer that it has forgotten', async () => {
    const relay = new SleepingRelay()
    const [one, two] = [await joined(relay, 'one'), await joined(relay, 'two')]
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    // The batch has been taken in, and not been committed.
    for (let i = 0; i < 4; i++) await Promise.resolve()
    relay.sleep()
    expect((await one.next('goaway')).frame).toMatchObject({ afterMs: 0 })
    expect(await one.end()).toMatchObject({ code: BUS_ERROR_CODES.going_away })
    const again = await joined(relay, 'one', { cursor: one.welcome.from })
    again.send(publishOf(1, undefined, ['a-1']), ['1'])
    await again.next('ack')
    expect((await two.next('stream')).data).toEqual(['1'])
  })

  it('sends back who was being welcomed', async () => {
    const relay = new SleepingRelay()
    const one = await joined(relay, 'one')
    const greeted = connect(relay)
    greeted.send({
      frame: 'hello',
      version: 1,
      log: 'log',
      device: { id: 'two', secret: 'secret' },
      terms: [[1, 'n']],
    })
    for (let i = 0; i < 4; i++) await Promise.resolve()
    relay.sleep()
    expect(await greeted.end()).toMatchObject({ reason: 'going_away' })
    expect(one.closed).toBeUndefined()
  })

  it('knows what was heard from a device, also where the runtime heard it alone', async () => {
    const relay = new SleepingRelay()
    const [pings, silent] = [await joined(relay, 'pings'), await joined(relay, 'silent')]
    const { silenceMs } = DEFAULT_LIMITS
    relay.platform.advance(silenceMs / 2)
    relay.sleep()
    pings.pinged()
    await settled()
    const due = relay.relay.driver.dueMs
    expect(due).toBe(silenceMs)
    relay.platform.advance(due - relay.platform.monotonic())
    relay.relay.driver.tick()
    expect(await silent.end()).toMatchObject({ reason: 'silent' })
    expect(pings.closed).toBeUndefined()
    expect(relay.relay.driver.dueMs).toBe(silenceMs * 1.5)
  })

  it('ends whoever came without a word when its time is over, as before', async () => {
    const relay = new SleepingRelay()
    const silent = connect(relay)
    await settled()
    relay.platform.advance(DEFAULT_LIMITS.helloMs - 1)
    relay.sleep()
    await settled()
    relay.relay.driver.tick()
    expect(silent.closed).toBeUndefined()
    expect(relay.relay.driver.waiting).toBe(true)
    relay.platform.advance(1)
    relay.relay.driver.tick()
    expect(await silent.end()).toMatchObject({ reason: 'timeout' })
  })

  it('ends a connection with its token, which may have been renewed meanwhile', async () => {
    const auth: Auth = (token) => ({
      subject: 'u',
      rights: { publish: ['**'], subscribe: ['**'] },
      expiresAt: relay.platform.now() + (token === 'long' ? 60_000 : 1_000),
    })
    const relay = new SleepingRelay({ auth })
    const [short, renewed] = [
      await joined(relay, 'short', { token: 'short' }),
      await joined(relay, 'renewed', { token: 'short' }),
    ]
    renewed.send({ frame: 'token', token: 'long' })
    await renewed.next('renewed')
    await settled()
    relay.sleep()
    await settled()
    expect(relay.relay.driver.dueMs).toBe(1_000)
    relay.platform.advance(1_000)
    relay.relay.driver.tick()
    expect(await short.end()).toMatchObject({ reason: 'token_expired' })
    expect(renewed.closed).toBeUndefined()
    expect(relay.relay.driver.dueMs).toBe(60_000)
  })

  it('has nothing to do while devices are connected and silent, and much while something is', async () => {
    const relay = new SleepingRelay()
    const one = await joined(relay, 'one')
    const { driver } = relay.relay
    expect(driver.dueMs).toBe(DEFAULT_LIMITS.silenceMs)
    one.send(publishOf(1, undefined, ['a-1']), ['1'])
    for (let i = 0; i < 4; i++) await Promise.resolve()
    expect(driver.dueMs).toBe(Number.NEGATIVE_INFINITY)
    await one.next('ack')
    await settled()
    expect(driver.dueMs).toBe(DEFAULT_LIMITS.silenceMs)
  })
})

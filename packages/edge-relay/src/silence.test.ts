import { BUS_ERROR_CODES, BusError } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from './limits.ts'
import { createRelay, type Relay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { type Probe, ProbeSocket, publishOf, TERM } from './testing/probe.ts'

const { silenceMs } = DEFAULT_LIMITS
const SILENT = { code: BUS_ERROR_CODES.silent, reason: 'silent' }
const MINUTE = 60_000

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

function setup() {
  const platform = new ManualPlatform()
  const relay = createRelay({ platform, store: memoryStore() })
  relays.push(relay)
  const connect = (): ProbeSocket => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' }))
  }
  const join = async (device: string, extra = {}): Promise<Probe> => {
    const { probe } = connect()
    await probe.join(device, extra)
    return probe
  }
  return { platform, connect, join }
}

describe('a connection on which nothing comes', () => {
  it('is closed to come again, and only that one', async () => {
    const { platform, join } = setup()
    const [gone, page] = [await join('gone'), await join('page')]
    for (let passed = 0; passed < silenceMs; passed += MINUTE) {
      expect(gone.closed).toBe(undefined)
      platform.advance(MINUTE)
      // A hidden page: its timers run once a minute.
      page.send({ frame: 'ping' })
    }
    expect((await gone.next('error')).frame.code).toBe('silent')
    expect(await gone.end()).toEqual(SILENT)
    await page.next('heartbeat')
    expect(page.closed).toBe(undefined)
  })

  it('is closed also where much is sent to it', async () => {
    const { platform, join } = setup()
    const [gone, writer] = [await join('gone'), await join('writer')]
    for (let n = 1; n <= 4; n++) {
      writer.send(publishOf(n, n === 1 ? undefined : n - 1, [`a-${n}`]), ['1'])
      await writer.next('ack')
      platform.advance(MINUTE)
    }
    expect(await gone.end()).toEqual(SILENT)
    expect(writer.closed).toBe(undefined)
  })

  it('is closed also where it is a copy that was told so', async () => {
    const { platform, join } = setup()
    await join('d')
    const copy = await join('d', { terms: [[TERM[0], 'copy']] })
    platform.advance(silenceMs)
    expect(await copy.end()).toEqual(SILENT)
  })

  it('has to say hello in time, however often it pings', async () => {
    const { platform, connect } = setup()
    const { probe } = connect()
    for (let passed = 0; passed < DEFAULT_LIMITS.helloMs; passed += 1_000) {
      probe.send({ frame: 'ping' })
      platform.advance(1_000)
    }
    expect(await probe.end()).toMatchObject({ reason: 'timeout' })
  })

  it.each([
    ['ahead', 30 * 86_400_000],
    ['back', -30 * 86_400_000],
  ])('is none because somebody set the wall clock %s', async (_, ms) => {
    const { platform, join } = setup()
    const page = await join('page')
    platform.set(platform.now() + ms)
    platform.advance(1_000)
    expect(page.closed).toBe(undefined)
    platform.advance(silenceMs)
    expect(await page.end()).toEqual(SILENT)
  })

  it('may be silent for as long as a hidden page is, whatever the limits say', () => {
    expect(() => createRelay({ limits: { silenceMs: 149_999 } })).toThrow(BusError)
  })
})

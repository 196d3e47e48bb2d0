import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BusError, isBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { RelayEvents } from '../links/link.ts'
import { memoryLink } from '../links/memory.ts'
import type { LogSource } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { type Frame, MAX_FRAME_BYTES, type PublishFrame } from '../protocol/frames.ts'
import { decodeFrame, encodeFrame } from '../protocol/text.ts'
import { hostileTexts, type KnownFrame } from '../testing/hostile.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'
import { Session } from './session.ts'
import type { RelaySource } from './sync.ts'

const welcome: Frame = {
  frame: 'welcome',
  version: 1,
  subject: 'u',
  rights: { publish: ['*'], subscribe: ['*'] },
  epoch: 'e',
  head: 'e.0.0',
  first: 'e.0.0',
  from: 'e.0.0',
  recovered: true,
  limits: { frameBytes: MAX_FRAME_BYTES, batchEvents: 1_000, heartbeatMs: 25_000 },
  durability: 'disk',
}

/** The device's end of a socket whose other end is the test. */
class Relay {
  /** Frames of this connection. */
  sent: Frame[] = []
  connected = false
  #events: RelayEvents | undefined

  readonly source: RelaySource = {
    room: '42',
    from: 'start',
    types: undefined,
    token: async () => undefined,
    session: (start) => new Session({ ...start, source: this.source }),
    connect: (events) => {
      this.#events = events
      void this.open()
      return {
        send: (text) => {
          const decoded = this.connected ? decodeFrame(text) : undefined
          if (decoded) this.sent.push(decoded.frame)
          return this.connected
        },
        buffered: 0,
        reconnect: () => this.#drop(),
        holdOff: () => {},
        suspend: () => this.#drop(),
        close: () => this.#drop(),
      }
    },
  }

  #drop(): void {
    if (!this.connected) return
    this.connected = false
    this.#events?.closed(1006, false)
  }

  /** A fresh connection; resolves when the device has said hello on it. */
  async open(): Promise<void> {
    this.#drop()
    this.sent = []
    this.connected = true
    this.#events?.opened()
    await setImmediate()
  }

  say(text: string): void {
    this.#events?.received(text)
  }

  get published(): PublishFrame[] {
    return this.sent.filter((frame) => frame.frame === 'publish')
  }
}

let devices = 0

/** A device with a tab that leads and one that listens, and its relay. */
class Device {
  readonly platform = new VirtualPlatform()
  // Logs of one id would wait for each other's leaders.
  readonly log: MemoryLog = new MemoryLog(new VirtualPlatform({ seed: ++devices }))
  readonly #tabs = memoryLink()
  readonly relay = new Relay()
  readonly reported: BusError[] = []
  readonly tab: Bus<Record<string, unknown>> = this.#bus(1)
  readonly other: Bus<Record<string, unknown>> = this.#bus(2)
  readonly heard: unknown[] = []
  readonly ids: string[] = []
  #published = 0

  static async online(): Promise<Device> {
    const device = new Device()
    device.other.subscribe('ours', (event) => device.heard.push(event.data))
    await device.talk()
    await device.relay.open()
    device.relay.say(encodeFrame(welcome))
    await setImmediate()
    return device
  }

  #bus(seed: number): Bus<Record<string, unknown>> {
    const platform = Object.assign(new VirtualPlatform({ seed }), {
      timer: (ms: number, run: () => void) => this.platform.timer(ms, run),
    })
    const log: LogSource = {
      kind: 'memory',
      required: true,
      available: () => true,
      create: () => this.log,
    }
    const onError = (error: BusError): void => void this.reported.push(error)
    const { source: relay } = this.relay
    return createBusOn({ name: 'shop', log, relay, tabs: this.#tabs, onError }, platform)
  }

  /** Publishes in one tab; the other must hear it whatever the relay does. */
  async talk(): Promise<void> {
    const number = ++this.#published
    this.ids.push((await this.tab.publish('ours', number)).id)
    await setImmediate()
    expect(this.heard.at(-1)).toBe(number)
    expect(this.heard).toHaveLength(number)
  }

  async close(): Promise<void> {
    await Promise.all([this.tab.close({ timeout: 0 }), this.other.close({ timeout: 0 })])
  }
}

const header: EventHeader = { id: 'far-1', type: 'theirs', source: 'page', time: 1 }

const inspector = { inspect: 2, session: '1.s' }
const INSPECTING: readonly (object | string)[] = [
  { ...inspector, frame: 'attach', credit: 5, resume: { far: 1e15, __proto__: 7 } },
  { ...inspector, frame: 'attach', credit: -1, to: '__proto__' },
  { ...inspector, inspect: 9, frame: 'attach', credit: 5 },
  { ...inspector, frame: 'grant', credit: 5 },
  { ...inspector, frame: 'ask', to: 'far', id: 1, ask: { what: 'publish', type: 'a..b' } },
  { ...inspector, frame: 'batch', peer: 'far', first: 1, records: [{}] },
  { ...inspector, frame: 'detach' },
  'null',
  '{',
]

const FRAMES: readonly KnownFrame[] = (
  [
    [welcome, []],
    [{ ...welcome, recovered: false, reason: 'trimmed', taken: { batch: 1, id: 'p-1' } }, []],
    [{ frame: 'ack', batch: 1, refused: [[0, 'forbidden']] }, []],
    [{ frame: 'reject', batch: 1, code: 'out_of_order', taken: 1, retryAfterMs: 5 }, []],
    [
      {
        frame: 'stream',
        prev: 'e.0.0',
        position: 'e.3.b',
        runs: [
          { place: 1, time: 1, events: [header, { ...header, id: 'far-2', encoding: 'devalue' }] },
          { place: 3, time: 1, own: { batch: 9, indexes: [0], refused: [[1, 'conflict']] } },
        ],
      },
      ['1', '[2]'],
    ],
    [{ frame: 'stream', prev: 'e.0.0', position: 'e.1.b', runs: [] }, []],
    [{ frame: 'cast', events: [header] }, ['null']],
    [
      {
        frame: 'presence',
        whole: true,
        devices: [
          {
            device: 'd',
            subject: 'u',
            members: [{ id: 'far', kind: 'page', source: 'x', leader: true }],
          },
          { device: 'e', members: [] },
        ],
      },
      [],
    ],
    ...INSPECTING.map((frame): [Frame, string[]] => [
      { frame: 'inspect', text: typeof frame === 'string' ? frame : JSON.stringify(frame) },
      [],
    ]),
    [{ frame: 'heartbeat', head: 'e.1.a' }, []],
    [{ frame: 'goaway', afterMs: 1, jitterMs: 0 }, []],
    [{ frame: 'error', code: 'rate_limited', message: 'no' }, []],
    [{ frame: 'hello', version: 1 } as Frame, []],
  ] satisfies [Frame, string[]][]
).map(([frame, data]) => ({ frame, data }))

test('whatever a relay sends, the device reports it by name and works on', {
  timeout: 60_000,
}, async () => {
  const texts = fc.array(hostileTexts(FRAMES), { minLength: 100, maxLength: 100 })
  await fc.assert(
    fc.asyncProperty(texts, async (texts) => {
      const device = await Device.online()
      for (const text of texts) {
        device.relay.say(text)
        await Promise.resolve()
        if (device.relay.connected) continue
        await device.relay.open()
        device.relay.say(encodeFrame(welcome))
      }
      await setImmediate()
      expect(device.reported.filter((error) => !isBusError(error))).toEqual([])
      expect(device.other.presence.get().map(({ origin }) => origin)).toContain('device')
      await device.talk()
      const own = (await device.log.read(1, 1_000)).filter(({ kind }) => kind === 'own')
      expect(own.map(({ data }) => data)).toEqual([['1'], ['2']])
      const { room } = await device.log.state()
      expect(room.cursor).toMatch(/^[\w-]+\.\d+\.\w+(\.\w+)?$/)
      await device.close()
    }),
    // A hundred times a hundred texts.
    { numRuns: 100 },
  )
})

test.each([
  ['text that is no frame', 'hello?', 'bad_frame'],
  ['a frame of another version', JSON.stringify({ ...welcome, version: 2 }), 'unsupported_version'],
  ['a position that is none', '{"frame":"heartbeat","head":"here"}', 'bad_frame'],
  [
    'rights that are no patterns',
    JSON.stringify({ ...welcome, rights: { publish: ['a..b'], subscribe: ['**.x'] } }),
    'bad_frame',
  ],
  [
    'a time that no date has',
    '{"frame":"stream","prev":"e.0.0","position":"e.1.a","runs":[{"place":1,"time":1e300,"events":[{"id":"q-1","type":"a","source":"x","time":1}]}]}\n1',
    'bad_frame',
  ],
  ['a frame over the limit', `{"frame":"ping"}${' '.repeat(MAX_FRAME_BYTES)}`, 'too_large'],
])(
  '%s: the connection is dropped, and the next one goes on where this one was',
  async (_, text, code) => {
    const device = await Device.online()
    device.relay.say(text)
    expect(device.reported.map((error) => error.code)).toEqual([code])
    expect(device.relay.connected).toBe(false)
    await device.talk()
    await device.relay.open()
    expect(device.relay.sent.map(({ frame }) => frame)).toEqual(['hello'])
    const taken = { batch: 1, id: device.ids[0] }
    device.relay.say(encodeFrame({ ...welcome, taken } as Frame))
    await setImmediate()
    expect(device.relay.published.map(({ batch }) => batch)).toContain(2)
    device.platform.advance(100)
    await setImmediate()
    expect(device.tab.status.relay).toBe('online')
    await device.close()
  },
)

import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { type BusError, isBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { Link } from '../links/link.ts'
import { memoryLink } from '../links/memory.ts'
import type { LogSource } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { MAX_PEER_FRAME_LENGTH, type PeerFrame } from '../protocol/peer-frames.ts'
import { hostileTexts, type KnownFrame } from '../testing/hostile.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'

type Any = Bus<Record<string, unknown>>

/** Two contexts that share a log and a channel, and a stranger on that channel. */
class Origin {
  readonly platform = new VirtualPlatform()
  readonly log: MemoryLog = new MemoryLog(this.platform)
  readonly #tabs = memoryLink()
  readonly stranger: Link = this.#tabs.open('crosstown:shop:', this.platform) as Link
  readonly reported: BusError[] = []
  readonly a: Any = this.#bus(1)
  readonly b: Any = this.#bus(2)
  #published = 0
  readonly heard: { readonly a: unknown[]; readonly b: unknown[] } = { a: [], b: [] }

  constructor() {
    for (const name of ['a', 'b'] as const) {
      this[name].subscribe('ours', (event) => this.heard[name].push(event.data))
    }
  }

  #bus(seed: number): Any {
    const platform = Object.assign(new VirtualPlatform({ seed }), {
      timer: (ms: number, run: () => void) => this.platform.timer(ms, run),
    })
    const source: LogSource = {
      kind: 'memory',
      required: true,
      available: () => true,
      create: () => this.log,
    }
    const onError = (error: BusError): void => void this.reported.push(error)
    return createBusOn({ name: 'shop', log: source, tabs: this.#tabs, onError }, platform)
  }

  /** Both publish; each must hear both, once, in order. */
  async talk(): Promise<void> {
    const [first, second] = [++this.#published, ++this.#published]
    await this.a.publish('ours', first)
    await this.b.publish('ours', second)
    this.platform.advance(100)
    await setImmediate()
  }

  get everything(): number[] {
    return Array.from({ length: this.#published }, (_, n) => n + 1)
  }
}

let origin: Origin
afterEach(() => Promise.all([origin.a.close(), origin.b.close()]))

const header: EventHeader = { id: 'foreign-1', type: 'ours.not', source: 'page', time: 1 }

/** One of each frame, as a stranger would write them who has looked up the id of the log. */
function frames(log: string): KnownFrame[] {
  const known: [PeerFrame, string[]][] = [
    [{ frame: 'batch', log, prefix: 'foreign', prev: 0, events: [header, header] }, ['1', '2']],
    [{ frame: 'batch', log: 'another', prefix: 'foreign', prev: 7, events: [header] }, ['{"a":1}']],
    [
      {
        frame: 'committed',
        log,
        prefix: 'foreign',
        first: 1,
        last: 2,
        batch: 3,
        time: 5,
        roomEvents: 0,
        bytes: 20,
      },
      [],
    ],
    [{ frame: 'withdrawn', log, ids: ['foreign-1'], code: 'quota_exceeded' }, []],
    [
      {
        frame: 'room',
        log,
        batch: 4,
        time: 1,
        epoch: 'e',
        liveAfter: 0,
        runs: [
          { place: 1, time: 1, events: [{ ...header, encoding: 'devalue' }] },
          { place: 2, time: 1, own: { batch: 1, indexes: [0], refused: [[1, 'conflict']] } },
        ],
      },
      ['[1]'],
    ],
    [{ frame: 'cast', log, room: true, events: [header] }, ['2']],
    [
      { frame: 'beat', log, term: 1, head: 2, relay: 'offline', pending: 0, bytes: 20, refused: 0 },
      [],
    ],
    [{ frame: 'join', log }, []],
    [{ frame: 'here', log, prefix: 'foreign', seen: 'worker', leads: false }, []],
    [
      {
        frame: 'present',
        log,
        device: 'd',
        ask: true,
        here: [{ id: 'foreign', kind: 'page', source: 'x', leader: true, device: 'e', age: 1 }],
        gone: [{ id: 'foreign', device: 'e' }],
      },
      [],
    ],
    [{ frame: 'seek', log }, []],
    [{ frame: 'host', log, prefix: 'foreign' }, []],
    [{ frame: 'heard', log, room: true, events: [header] }, ['1']],
    [
      { frame: 'submit', log: 'none', to: 'nobody', of: log, prefix: 'foreign', events: [header] },
      ['1'],
    ],
    [{ frame: 'taken', log, prefix: 'foreign', last: 1, batch: 1 }, []],
    [{ frame: 'declined', log, by: 'b', prefix: 'foreign', last: 1, code: 'log_failed' }, []],
    [{ frame: 'where', log: 'none', of: log, batches: [1] }, []],
    [
      {
        frame: 'placed',
        log,
        batch: 1,
        parts: [{ record: 2, epoch: 'e', place: 3, indexes: [0], refused: [[1, 'conflict']] }],
      },
      [],
    ],
  ]
  return known.map(([frame, data]) => ({ frame, data }))
}

test('whatever a stranger posts on the channel is refused by name, and the others go on', {
  timeout: 60_000,
}, async () => {
  origin = new Origin()
  await origin.talk()
  const { logId } = await origin.log.state()
  await fc.assert(
    fc.asyncProperty(hostileTexts(frames(logId)), async (text) => {
      origin.stranger.send(text)
      await Promise.resolve()
      const strange = origin.reported.splice(0).filter((error) => !isBusError(error))
      expect(strange).toEqual([])
    }),
    { numRuns: 10_000, examples: [[`{"frame":"batch","log":"${logId}"}`]] },
  )
  await origin.talk()
  expect(origin.heard).toEqual({ a: origin.everything, b: origin.everything })
  const records = await origin.log.read(1, 1_000)
  expect(records.map(({ headers }) => headers.length)).toEqual([1, 1, 1, 1])
  for (const { time } of records) expect(new Date(time).getTime()).toBe(time)
})

test('what is no text, or far too long a text, is refused before it is looked into', async () => {
  origin = new Origin()
  await origin.talk()
  for (const message of [undefined, null, 7, 1n, {}, [], () => {}, Symbol('x')]) {
    origin.stranger.send(message as unknown as string)
  }
  await setImmediate()
  expect(new Set(origin.reported.splice(0).map(({ code }) => code))).toEqual(new Set(['bad_frame']))
  origin.stranger.send(`{"frame":"join","log":"x","more":"${'x'.repeat(MAX_PEER_FRAME_LENGTH)}"}`)
  await setImmediate()
  expect(new Set(origin.reported.splice(0).map(({ code }) => code))).toEqual(new Set(['too_large']))
  await origin.talk()
  expect(origin.heard).toEqual({ a: origin.everything, b: origin.everything })
})

test('a time beyond all dates is refused: no record is ever written behind it', async () => {
  origin = new Origin()
  await origin.talk()
  const { logId } = await origin.log.state()
  const times = {
    prefix: 'foreign',
    first: 1,
    last: 1,
    batch: 9,
    roomEvents: 0,
    bytes: 0,
    time: 1e300,
  }
  origin.stranger.send(JSON.stringify({ frame: 'committed', log: logId, ...times }))
  const late = { ...header, time: 1e300 }
  origin.stranger.send(`${JSON.stringify({ frame: 'cast', log: logId, events: [late] })}\n1`)
  await setImmediate()
  expect(origin.reported.map(({ code }) => code)).toEqual(Array(4).fill('bad_frame'))
  await origin.talk()
  const newest = (await origin.log.readBack(Number.MAX_SAFE_INTEGER, 1))[0]
  expect(newest?.time).toBeLessThan(2e12)
})

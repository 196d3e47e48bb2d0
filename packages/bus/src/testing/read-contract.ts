/** What reads of a log give, whatever it is kept in. */
import { decodeValue } from '../codec/codec.ts'
import type { BusError } from '../errors.ts'
import { type BusEvent, offsetOf } from '../event.ts'
import type { Log } from '../log/log.ts'
import { type ReplaySource, replay } from '../read/replay.ts'
import type { ReplayOptions } from '../types.ts'
import { header, joined, own, room } from './log-records.ts'
import { codeOf, must, mustEqual, type Runner } from './suite.ts'
import { VirtualPlatform } from './virtual-platform.ts'

/** A source of replays, and what is known of those who use it. */
export interface WatchedSource {
  readonly source: ReplaySource
  readonly platform: VirtualPlatform
  /** Ids of the events that were decoded. */
  readonly decoded: readonly string[]
  readonly reported: readonly BusError[]
  /** How often the log was asked for. */
  readonly opened: number
  /** Listeners and timers of replays that run. */
  readonly holds: number
  /** Closes the bus. */
  close(): void
}

/** A source of replays over a log, on a virtual clock. */
export function sourceOf(log: Log, hasRelay = false): WatchedSource {
  const platform = new VirtualPlatform()
  const closing = new Set<() => void>()
  const decoded: string[] = []
  const reported: BusError[] = []
  let opened = 0
  const source: ReplaySource = {
    platform,
    open: async () => {
      opened += 1
      return log
    },
    hasLog: true,
    hasRelay,
    decode: ({ header, dataText, offset, position }) => {
      decoded.push(header.id)
      return {
        ...header,
        scope: header.scope ?? 'room',
        version: 1,
        correlationId: header.correlationId ?? header.id,
        data: decodeValue(dataText, header.encoding, header),
        ...(offset === undefined ? undefined : { offset }),
        ...(position === undefined ? undefined : { position }),
      }
    },
    onClose: (run) => {
      closing.add(run)
      return () => closing.delete(run)
    },
    report: (error) => reported.push(error),
  }
  return {
    source,
    platform,
    decoded,
    reported,
    get opened() {
      return opened
    },
    get holds() {
      return closing.size + platform.timers
    },
    close() {
      for (const run of [...closing]) run()
    },
  }
}

export async function all(events: AsyncIterable<BusEvent>): Promise<BusEvent[]> {
  const list: BusEvent[] = []
  for await (const event of events) list.push(event)
  return list
}

/** The ids a replay gives, in order. */
export async function idsOf(
  log: Log,
  options: ReplayOptions<string>,
  hasRelay = false,
): Promise<string[]> {
  const { source } = sourceOf(log, hasRelay)
  return (await all(replay(options, source))).map(({ id }) => id)
}

/** Registers the suite for an empty log that is not open yet. */
export function readContract(name: string, { describe, it }: Runner, create: () => Log): void {
  const test = (title: string, body: (log: Log) => Promise<void>): void => {
    it(title, async () => {
      const log = create()
      await log.open()
      try {
        await body(log)
      } finally {
        await log.close()
      }
    })
  }

  describe(`replay over ${name}`, () => {
    test('gives all events in the order of the log, with data and offset', async (log) => {
      for (let n = 0; n < 70; n++) await log.append(own([[`a-${2 * n}`], [`a-${2 * n + 1}`]]))
      const events = await all(replay({}, sourceOf(log).source))
      mustEqual(
        events.map(({ id }) => id),
        Array.from({ length: 140 }, (_, n) => `a-${n}`),
        'each once',
      )
      mustEqual(events.at(-1)?.data, { n: 1 }, 'with its data')
      mustEqual(events.at(-1)?.offset, offsetOf(70, 1), 'and its place')
    })

    test('gives what was asked for by type, stream and conversation', async (log) => {
      await log.append(
        own([
          ['a-1', { type: 'cart.opened', stream: 's-1' }],
          ['a-2', { type: 'cart.line.added', stream: 's-1', correlationId: 'a-1' }],
          ['a-3', { type: 'order.created', stream: 's-2', correlationId: 'a-1' }],
        ]),
      )
      await log.append(own([['a-4', { type: 'cart.opened', stream: 's-2' }]]))
      const ids = (options: ReplayOptions<string>) => idsOf(log, options)
      mustEqual(await ids({ pattern: 'cart.*' }), ['a-1', 'a-4'], 'a pattern')
      mustEqual(
        await ids({ pattern: ['cart.**', 'order.created'], limit: 3 }),
        ['a-1', 'a-2', 'a-3'],
        'a list',
      )
      mustEqual(await ids({ stream: 's-2' }), ['a-3', 'a-4'], 'a stream')
      mustEqual(await ids({ correlationId: 'a-1' }), ['a-1', 'a-2', 'a-3'], 'its first included')
      mustEqual(await ids({ stream: 's-1', pattern: '*', correlationId: 'a-4' }), [], 'all of them')
    })

    test('begins and ends where it is told to, both included', async (log) => {
      for (const [n, time] of [
        [1, 100],
        [3, 200],
        [5, 200],
        [7, 300],
      ] as const) {
        await log.append(own([[`a-${n}`], [`a-${n + 1}`]], undefined, time))
      }
      const ids = async (options: ReplayOptions<string>) =>
        (await idsOf(log, options)).map((id) => id.slice(2)).join('')
      mustEqual(await ids({ from: offsetOf(2, 1), to: offsetOf(3, 0) }), '45', 'offsets')
      mustEqual(await ids({ from: offsetOf(2, 2) }), '5678', 'offsets of no event')
      mustEqual(await ids({ from: new Date(101), to: new Date(200) }), '3456', 'times')
      mustEqual(await ids({ to: new Date(99) }), '', 'a time before all')
      mustEqual(await ids({ from: new Date(301) }), '', 'a time after all')
      mustEqual(await ids({ from: { last: 3 } }), '678', 'the last')
      mustEqual(await ids({ from: { last: 5 }, to: { last: 4 } }), '45', 'both from the end')
      mustEqual(await ids({ to: { last: 9 } }), '', 'up to before the first')
      mustEqual(await ids({ from: 'now' }), '', 'after the head')
      mustEqual(await ids({ to: 'start' }), '', 'before the start')
      mustEqual(await ids({ from: offsetOf(3, 0), to: offsetOf(2, 0) }), '', 'the other way round')
    })

    test('in the order of the room, with pending events last', async (log) => {
      const term = await joined(log)
      const first = await log.append(own([['a-1'], ['a-2', { scope: 'device' }], ['a-3'], ['a-4']]))
      const second = await log.append(own([['a-5'], ['a-6']]))
      await log.appendRoom(
        room('E.0.0', 'E.3.x', [
          { place: 1, time: 5, events: [header('z-1')] },
          {
            place: 2,
            time: 6,
            own: { batch: first, indexes: [2, 0], refused: [[3, 'forbidden']] },
          },
        ]),
        term,
      )
      await log.append(own([['a-7']]))
      await log.appendRoom(
        room('E.3.x', 'E.6.x', [
          { place: 4, time: 7, own: { batch: second, indexes: [0, 1] } },
          { place: 6, time: 8, events: [header('z-2')] },
        ]),
        term,
      )
      const ids = (options: ReplayOptions<string>) =>
        idsOf(log, { order: 'room', ...options }, true)
      const order = ['z-1', 'a-3', 'a-1', 'a-5', 'a-6', 'z-2', 'a-7']
      mustEqual(await ids({}), order, 'without what was refused or stays on the device')
      mustEqual(
        await ids({ from: new Date(6), to: new Date(7) }),
        ['a-3', 'a-1', 'a-5', 'a-6'],
        'by the time of the room',
      )
      mustEqual(await ids({ from: offsetOf(first, 2), limit: 2 }), ['a-3', 'a-1'], 'from an event')
      mustEqual(await ids({ from: { last: 2 }, to: { last: 1 } }), ['z-2', 'a-7'], 'from the end')
      mustEqual(await codeOf(ids({ from: offsetOf(first, 1) })), 'not_found', 'of the room only')
    })

    test('leaves nothing open when it is aborted half way', async (log) => {
      for (let n = 1; n <= 100; n++) await log.append(own([[`a-${n}`]]))
      const watched = sourceOf(log)
      const ending = new AbortController()
      let seen = 0
      for await (const _ of replay({ signal: ending.signal }, watched.source)) {
        must(watched.holds === 1, 'while it runs it wants to hear of the end')
        if (++seen === 50) ending.abort()
      }
      mustEqual([seen, watched.holds], [50, 0], 'it ends at once')
      must(watched.decoded.length === 50, 'and decodes nothing it does not give')
    })
  })
}

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import { type Frame, RESERVED_FRAMES } from './frames.ts'
import { decodeFrame, encodeFrame, encodePublish, eventCount } from './text.ts'

const header: EventHeader = { id: 'p-1', type: 'cart.added', source: 'page', time: 1 }
const second: EventHeader = { ...header, id: 'p-2', scope: 'device', metadata: { n: 1 } }

const MEMBER = { id: 'p', kind: 'page', source: 'page', leader: true } as const

/** One of each frame, with its data. */
const FRAMES: readonly (readonly [Frame, readonly string[]])[] = [
  [
    {
      frame: 'hello',
      version: 1,
      token: 't',
      log: 'log',
      device: { id: 'd', secret: 's' },
      terms: [[1, 'n']],
      confirmed: { batch: 3, id: 'p-9' },
      outbox: { first: 4, last: 5 },
      cursor: 'e.1.a',
      older: ['e.0.0'],
      types: ['cart.*'],
    },
    [],
  ],
  [
    {
      frame: 'hello',
      version: 1,
      log: 'log',
      device: { id: 'd', secret: 's' },
      terms: [[1, 'n']],
      from: { last: 10 },
    },
    [],
  ],
  [
    {
      frame: 'welcome',
      version: 1,
      subject: 'u',
      rights: { publish: ['*'], subscribe: ['cart.*'] },
      taken: { batch: 3, id: 'p-9' },
      term: [1, 'n'],
      epoch: 'e',
      head: 'e.7.a',
      first: 'e.1.a',
      from: 'e.1.a',
      recovered: false,
      reason: 'trimmed',
      limits: { frameBytes: 1, batchEvents: 1, heartbeatMs: 1 },
      durability: 'disk',
    },
    [],
  ],
  [
    {
      frame: 'publish',
      batch: 2,
      prev: 1,
      term: [1, 'n'],
      indexes: [0, 4],
      events: [header, second],
    },
    ['{"a":1}', ''],
  ],
  [{ frame: 'ack', batch: 2, refused: [[0, 'forbidden']] }, []],
  [{ frame: 'reject', batch: 2, code: 'out_of_order', taken: 1, retryAfterMs: 0 }, []],
  [
    {
      frame: 'stream',
      prev: 'e.1.a',
      position: 'e.9.b',
      runs: [
        { place: 2, time: 1, events: [header, second] },
        { place: 4, time: 1, own: { batch: 1, indexes: [0, 1], refused: [[2, 'conflict']] } },
        { place: 9, time: 2, events: [header] },
      ],
    },
    ['1', '[2]', '"drei"'],
  ],
  [{ frame: 'stream', prev: 'e.1.a', position: 'e.2.b', runs: [] }, []],
  [{ frame: 'cast', events: [header] }, ['null']],
  [{ frame: 'presence', devices: [{ members: [MEMBER] }] }, []],
  [
    { frame: 'presence', whole: true, devices: [{ device: 'd', subject: 'u', members: [MEMBER] }] },
    [],
  ],
  [
    {
      frame: 'group',
      group: 'mail',
      member: 'p-1',
      join: {
        types: ['cart.*'],
        credit: 10,
        from: { last: 3 },
        holds: [[1, 2]],
        ackWait: 1_000,
        backoff: [1, 2],
        maxDeliver: 3,
        maxAckPending: 100,
        orderBy: 'stream',
      },
    },
    [],
  ],
  [{ frame: 'group', group: 'mail', member: 'p-1' }, []],
  [
    {
      frame: 'grouped',
      group: 'mail',
      member: 'p-1',
      options: { types: ['*'], ackWait: 1, maxDeliver: 1, maxAckPending: 1 },
      lapsed: [[1, 2]],
    },
    [],
  ],
  [{ frame: 'grouped', group: 'mail', member: 'p-1', code: 'forbidden', message: 'no' }, []],
  [
    {
      frame: 'lease',
      group: 'mail',
      member: 'p-1',
      leases: [
        [1, 2, 1, 1_790_000_000_000, 30_000],
        [5, 2, 3, 1_790_000_000_001, 0],
      ],
      events: [header, second],
    },
    ['1', '2'],
  ],
  [
    {
      frame: 'settle',
      group: 'mail',
      member: 'p-1',
      number: 1,
      settlements: [
        [1, 2, 'ack'],
        [2, 2, 'nak', 50],
        [3, 2, 'term', 0, 'why'],
      ],
    },
    [],
  ],
  [
    {
      frame: 'settled',
      group: 'mail',
      member: 'p-1',
      number: 1,
      lapsed: [[3, 2]],
      code: 'unavailable',
      retryAfterMs: 5,
    },
    [],
  ],
  [{ frame: 'credit', bytes: 70_000 }, []],
  [{ frame: 'ping' }, []],
  [{ frame: 'heartbeat', head: 'e.1.a' }, []],
  [{ frame: 'goaway', afterMs: 1, jitterMs: 0 }, []],
  [{ frame: 'error', code: 'unauthorized', message: 'no' }, []],
]

/** Whether decoding answers or refuses in the way that is documented. */
function answersOrRefuses(text: string): boolean {
  try {
    decodeFrame(text)
    return true
  } catch (error) {
    return isBusError(error, 'bad_frame') || isBusError(error, 'unsupported_version')
  }
}

test.each(FRAMES)('$frame is read as it was written', (frame, data) => {
  expect(decodeFrame(encodeFrame(frame, data))).toEqual({ frame, data })
})

test.each(FRAMES)('a $frame with a data line too many or too few is refused', (frame, data) => {
  const text = encodeFrame(frame, data)
  expect(eventCount(frame)).toBe(data.length)
  const short = text.slice(0, text.lastIndexOf('\n'))
  for (const damaged of data.length > 0 ? [`${text}\n1`, short] : [`${text}\n1`]) {
    expect(() => decodeFrame(damaged)).toThrow(/data lines expected/)
  }
})

test('a publish made of texts is the same as one made of objects', () => {
  const [frame, data] = FRAMES[3] as (typeof FRAMES)[number]
  if (frame.frame !== 'publish') throw new Error('not a publish')
  const { events, ...rest } = frame
  const text = encodePublish(rest, JSON.stringify(events), data.join('\n'))
  expect(decodeFrame(text)).toEqual({ frame, data })
})

test.each([...RESERVED_FRAMES])('%s is kept for later and ignored', (name) => {
  expect(decodeFrame(JSON.stringify({ frame: name, anything: [] }))).toBeUndefined()
})

describe('refused', () => {
  test.each([
    '',
    '\n',
    'null',
    '[]',
    '1',
    '{}',
    '{"frame":1}',
    '{"frame":"toString"}',
    '{"frame":',
  ])('text %j', (text) => {
    expect(() => decodeFrame(text)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
  })

  test.each([undefined, null, 1, new ArrayBuffer(1), { frame: 'ping' }])(
    '%o, not text',
    (value) => {
      expect(() => decodeFrame(value)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
    },
  )

  test.each(['hello', 'welcome'])('a %s of another version, whatever else it has', (frame) => {
    expect(() => decodeFrame(JSON.stringify({ frame, version: 2 }))).toThrow(
      expect.objectContaining({ code: 'unsupported_version' }),
    )
  })

  test.each([
    ['publish', { term: [0, 'n'] }],
    ['publish', { batch: 1.5 }],
    ['publish', { prev: 0 }],
    ['publish', { indexes: [0] }],
    ['publish', { indexes: [0, -1] }],
    ['publish', { indexes: [0, 1], events: undefined }],
    ['publish', { events: [] }],
    ['publish', { events: [header, { ...second, id: 'a\nb' }] }],
    ['publish', { events: Array.from({ length: 1_001 }, () => header) }],
    ['presence', { whole: false }],
    ['presence', { devices: undefined }],
    ['presence', { devices: [{ device: 'a b', members: [] }] }],
    ['presence', { devices: [{ subject: 'a\nb', members: [] }] }],
    ['presence', { devices: [{ members: [{ ...MEMBER, id: '' }] }] }],
    ['presence', { devices: [{ members: [{ ...MEMBER, kind: 'ghost' }] }] }],
    ['presence', { devices: [{ members: [{ ...MEMBER, leader: false }] }] }],
    ['presence', { devices: [{ members: Array.from({ length: 65 }, () => MEMBER) }] }],
    ['group', { group: 'a\nb' }],
    ['group', { member: 'a b' }],
    ['group', { join: {} }],
    ['group', { join: { types: [], credit: 1 } }],
    ['group', { join: { types: ['*'], credit: 1_001 } }],
    ['group', { join: { types: ['*'], credit: 1, holds: [[1, 0]] } }],
    ['group', { join: { types: ['*'], credit: 1, backoff: [] } }],
    ['group', { join: { types: ['*'], credit: 1, orderBy: 'time' } }],
    ['group', { join: { types: ['*'], credit: 1, ackWait: 0 } }],
    ['group', { join: { types: ['*'], credit: 1, from: 'then' } }],
    ['grouped', { options: { types: ['*'] } }],
    ['lease', { leases: [[1, 2, 1, 1, 1]] }],
    ['lease', { leases: undefined }],
    ['lease', { leases: [[1, 2, 0, 1, 1]] }],
    ['settle', { settlements: [] }],
    ['settle', { settlements: [[1, 2]] }],
    ['settle', { settlements: [[1, 2, 'done']] }],
    ['settle', { settlements: [[1, 2, 'nak', -1]] }],
    ['settle', { settlements: [[1, 2, 'term', 0, 'x'.repeat(1_001)]] }],
    ['settle', { settlements: Array.from({ length: 1_001 }, () => [1, 2, 'ack']) }],
    ['settled', { number: 0 }],
    ['ack', { refused: [[0, 'nonsense']] }],
    ['ack', { refused: [[1.5, 'forbidden']] }],
    ['reject', { retryAfterMs: -1 }],
    ['stream', { prev: 'x'.repeat(129) }],
    ['stream', { runs: [{ place: 0, time: 1, events: [header] }] }],
    ['stream', { runs: [{ place: 1, events: [header] }] }],
    ['stream', { runs: [{ place: 1, time: 1 }] }],
    ['stream', { runs: [{ place: 1, time: 1, own: null }] }],
    ['stream', { runs: [{ place: 1, time: 1, own: { batch: 1 } }] }],
    ['stream', { runs: [{ place: 1, time: 1, own: { batch: 1, indexes: [] }, events: null }] }],
    ['stream', { runs: [{ place: 1, time: 1, own: { batch: 1, indexes: [] }, events: [header] }] }],
    ['welcome', { limits: { frameBytes: 1, batchEvents: 1, heartbeatMs: 0 } }],
    ['welcome', { rights: { publish: [1], subscribe: [] } }],
    ['welcome', { reason: 'because' }],
    ['error', { code: 'nonsense' }],
  ] as const)('a %s with %o', (name, change) => {
    const [frame, data] = FRAMES.find(([one]) => one.frame === name) as (typeof FRAMES)[number]
    const text = [JSON.stringify({ ...frame, ...change }), ...data].join('\n')
    expect(() => decodeFrame(text)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
  })

  test('a stream with more events than one record has offsets for', () => {
    const indexes = Array.from({ length: 1_000 }, (_, i) => i)
    const runs = Array.from({ length: 5 }, (_, i) => ({
      place: 1 + i * 1_000,
      time: 1,
      own: { batch: i + 1, indexes },
    }))
    const text = encodeFrame({ frame: 'stream', prev: 'e.0.0', position: 'e.5000.a', runs })
    expect(() => decodeFrame(text)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
  })
})

test('whatever comes, it is read or refused as a bad frame', () => {
  const names = fc.constantFrom(...FRAMES.map(([frame]) => frame.frame))
  const shaped = fc
    .tuple(names, fc.dictionary(fc.string(), fc.jsonValue()))
    .map(([frame, fields]) => JSON.stringify({ ...fields, frame, version: 1 }))
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), shaped), answersOrRefuses))
})

test('frames with one value replaced are read or refused as bad frames', () => {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom(undefined, -1, 0, '', [null], {}),
  )
  fc.assert(
    fc.property(fc.constantFrom(...FRAMES), fc.nat(), odd, ([frame, data], at, value) => {
      const paths = pathsOf(frame)
      const changed = replaced(frame, paths[at % paths.length] ?? [], value)
      return answersOrRefuses([JSON.stringify(changed), ...data].join('\n'))
    }),
    { numRuns: 2_000 },
  )
})

test('frames with a character replaced are read or refused as bad frames', () => {
  fc.assert(
    fc.property(fc.constantFrom(...FRAMES), fc.nat(), fc.string(), ([frame, data], at, piece) => {
      const text = encodeFrame(frame, data)
      const index = at % text.length
      return answersOrRefuses(text.slice(0, index) + piece + text.slice(index + 1))
    }),
    { numRuns: 1_000 },
  )
})

type Path = readonly (string | number)[]

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const below = Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))
  return path.length === 0 ? below : [path, ...below]
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value)
    ? [...value]
    : { ...(value as object) }
  const fields = copy as Record<string, unknown>
  fields[key] = replaced(fields[key], rest, by)
  return copy
}

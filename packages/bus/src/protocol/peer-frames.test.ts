import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import { decodePeerFrame, encodeEvents, encodePeerFrame, type PeerFrame } from './peer-frames.ts'

const header: EventHeader = { id: 'p-1', type: 'cart.added', source: 'page', time: 1 }
const log = 'log'

const MEMBER = { id: 'p', kind: 'page', source: 'page' } as const

/** One of each frame, with its data. */
const FRAMES: readonly (readonly [PeerFrame, readonly string[]])[] = [
  [{ frame: 'batch', log, prefix: 'p', prev: 0, events: [header, header] }, ['1', '']],
  [
    {
      frame: 'committed',
      log,
      prefix: 'p',
      first: 1,
      last: 2,
      batch: 3,
      time: 5,
      roomEvents: 0,
      bytes: 20,
    },
    [],
  ],
  [{ frame: 'withdrawn', log, ids: ['p-1'], code: 'quota_exceeded' }, []],
  [
    {
      frame: 'room',
      log,
      batch: 4,
      time: 1,
      epoch: 'e',
      liveAfter: 0,
      runs: [
        { place: 1, time: 1, events: [header] },
        { place: 2, time: 1, own: { batch: 1, indexes: [0] } },
      ],
    },
    ['{"a":1}'],
  ],
  [{ frame: 'cast', log, room: true, events: [header] }, ['2']],
  [
    {
      frame: 'beat',
      log,
      term: 1,
      head: 2,
      relay: 'online',
      rtt: 3,
      pending: 0,
      bytes: 20,
      refused: 0,
    },
    [],
  ],
  [{ frame: 'join', log }, []],
  [{ frame: 'seek', log }, []],
  [{ frame: 'host', log, prefix: 'p' }, []],
  [{ frame: 'heard', log, room: true, cast: true, events: [header] }, ['2']],
  [{ frame: 'submit', log, to: 'q', prefix: 'p', events: [header] }, ['2']],
  [{ frame: 'taken', log, prefix: 'p', last: 1, batch: 2 }, []],
  [{ frame: 'declined', log, by: 'q', prefix: 'p', last: 1, code: 'log_failed' }, []],
  [{ frame: 'where', log: 'none', of: log, batches: [1, 2] }, []],
  [
    {
      frame: 'placed',
      log,
      batch: 1,
      parts: [{ record: 2, epoch: 'e', place: 3, indexes: [0, 2], refused: [[1, 'conflict']] }],
      whole: true,
    },
    [],
  ],
  [{ frame: 'join', log, prefix: 'p', seen: 'service-worker' }, []],
  [{ frame: 'here', log, prefix: 'p', seen: 'gone', leads: false }, []],
  [{ frame: 'present', log, ask: true, here: [MEMBER] }, []],
  [
    {
      frame: 'present',
      log,
      device: 'd',
      here: [{ ...MEMBER, leader: true, device: 'e', subject: 'u', age: 1.5 }],
      gone: [{ id: 'q' }, { id: 'r', device: 'e' }],
    },
    [],
  ],
]

function answersOrRefuses(text: string): boolean {
  try {
    decodePeerFrame(text)
    return true
  } catch (error) {
    return isBusError(error, 'bad_frame')
  }
}

test.each(FRAMES)('$frame is read as it was written', (frame, data) => {
  expect(decodePeerFrame(encodePeerFrame(frame, data))).toEqual({ frame, data })
})

test.each(FRAMES)('a $frame with a data line too many or too few is refused', (frame, data) => {
  const text = encodePeerFrame(frame, data)
  const short = text.slice(0, text.lastIndexOf('\n'))
  for (const damaged of data.length > 0 ? [`${text}\n1`, short] : [`${text}\n1`]) {
    expect(() => decodePeerFrame(damaged)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
  }
})

test('a batch made of texts is the same as one made of objects', () => {
  const [frame, data] = FRAMES[0] as (typeof FRAMES)[number]
  if (frame.frame !== 'batch') throw new Error('not a batch')
  const { events, ...rest } = frame
  const text = encodeEvents(rest, JSON.stringify(events), data.join('\n'))
  expect(decodePeerFrame(text)).toEqual({ frame, data })
})

test.each([
  ['batch', { log: '' }],
  ['batch', { prefix: 'a b' }],
  ['batch', { prev: -1 }],
  ['batch', { events: [] }],
  ['batch', { events: [header, { ...header, type: 'a..b' }] }],
  ['committed', { first: 0 }],
  ['committed', { roomEvents: Number.NaN }],
  ['withdrawn', { ids: [1] }],
  ['withdrawn', { code: 'nonsense' }],
  ['room', { epoch: 'a.b' }],
  ['room', { runs: [{ place: 1, time: 1, own: { batch: 1, indexes: [0] }, events: null }] }],
  ['beat', { relay: 'perhaps' }],
  ['beat', { rtt: 'slow' }],
  ['join', { log: 7 }],
  ['present', { device: 'a b' }],
  ['present', { ask: false }],
  ['present', { here: undefined }],
  ['present', { here: [{ ...MEMBER, id: 'a b' }] }],
  ['present', { here: [{ ...MEMBER, kind: 'ghost' }] }],
  ['present', { here: [{ ...MEMBER, source: '' }] }],
  ['present', { here: [{ ...MEMBER, age: -1 }] }],
  ['present', { here: [{ ...MEMBER, subject: 7 }] }],
  ['present', { here: Array.from({ length: 1_001 }, () => MEMBER) }],
  ['present', { gone: [{ device: 'd' }] }],
  ['where', { of: '' }],
  ['where', { batches: [0] }],
  ['where', { batches: Array(101).fill(1) }],
  ['placed', { parts: [{ record: 2, epoch: 'e', place: 3 }] }],
  ['placed', { whole: false }],
] as const)('a %s with %o is refused', (name, change) => {
  const [frame, data] = FRAMES.find(([one]) => one.frame === name) as (typeof FRAMES)[number]
  const text = [JSON.stringify({ ...frame, ...change }), ...data].join('\n')
  expect(() => decodePeerFrame(text)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
})

test.each([undefined, null, 1, {}, '', '{}', '[]', '{"frame":"hasOwnProperty","log":"log"}'])(
  '%o is no frame',
  (text) => {
    expect(() => decodePeerFrame(text)).toThrow(expect.objectContaining({ code: 'bad_frame' }))
  },
)

test('whatever is posted, it is read or refused as a bad frame', () => {
  const names = fc.constantFrom(...FRAMES.map(([frame]) => frame.frame))
  const shaped = fc
    .tuple(names, fc.dictionary(fc.string(), fc.jsonValue()))
    .map(([frame, fields]) => JSON.stringify({ ...fields, frame, log }))
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), shaped), answersOrRefuses))
})

test('frames with a field replaced are read or refused as bad frames', () => {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(undefined, -1, 0, [null], [[]]),
  )
  fc.assert(
    fc.property(fc.constantFrom(...FRAMES), fc.nat(), odd, ([frame, data], at, value) => {
      const keys = Object.keys(frame)
      const changed = { ...frame, [keys[at % keys.length] as string]: value }
      return answersOrRefuses([JSON.stringify(changed), ...data].join('\n'))
    }),
    { numRuns: 1_000 },
  )
})

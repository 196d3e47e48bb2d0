import {
  checkOf,
  decodeFrame,
  type EventHeader,
  positionOf,
  type StreamFrame,
  utf8Length,
} from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import { chainOver } from './chain.ts'
import { lastPlace, type RoomRecord } from './record.ts'
import { chunksOf, prepare, type Reader, streamText } from './stream.ts'
import { headerOf } from './testing/probe.ts'

const NO_LIMIT = { events: 1_000, bytes: 512 * 1024 }

function record(
  place: number,
  headers: readonly EventHeader[],
  extra: Partial<RoomRecord> = {},
): RoomRecord {
  const headerLines = headers.map((header) => JSON.stringify(header))
  const data = headers.map(({ id }) => JSON.stringify(id))
  return {
    place,
    count: Math.max(1, headers.length),
    time: place * 10,
    device: 'other',
    batch: place,
    lastId: headers.at(-1)?.id ?? 'last-0',
    indexes: headers.map((_, i) => i),
    headers,
    headerLines,
    data,
    bytes: utf8Length([...headerLines, ...data].join('')),
    before: '',
    chain: '',
    ...extra,
  }
}

/** The frames as a device decodes them. */
function framesOf(
  records: readonly RoomRecord[],
  reader: Partial<Reader> = {},
  after = 0,
  limit = NO_LIMIT,
): StreamFrame[] {
  const chunks = chunksOf(
    'e',
    records.map(prepare),
    after,
    { mayRead: () => true, ...reader },
    limit,
  )
  let prev = 'e.0.0'
  return chunks.map((chunk) => {
    const decoded = decodeFrame(streamText(prev, chunk))
    const { frame, data } = decoded as { frame: StreamFrame; data: string[] }
    expect(frame.prev).toBe(prev)
    prev = frame.position
    const ids = frame.runs.flatMap((run) =>
      'events' in run ? run.events.map(({ id }) => JSON.stringify(id)) : [],
    )
    expect(data).toEqual(ids)
    return frame
  })
}

const placesOf = (frames: readonly StreamFrame[]): number[] =>
  frames.flatMap(({ runs }) =>
    runs.flatMap((run) => ('events' in run ? run.events.map((_, i) => run.place + i) : [])),
  )

const three = [headerOf('a-1', 'a.x'), headerOf('a-2', 'a.y'), headerOf('a-3', 'a.x')]

describe('the position of a frame', () => {
  it('proves all that stands up to there, also where the frame ends inside a record', () => {
    const ids = three.map(({ id }) => id)
    const before = chainOver('', { headers: [], lastId: 'x' }, 1)
    const chains = [1, 2, 3].map((count) =>
      chainOver(before, { headers: three, lastId: '' }, count),
    )
    const chained = record(2, three, { before, chain: chains[2] as string })
    const frames = framesOf([chained], {}, 1, { events: 1, bytes: 1_000 })
    expect(frames.map(({ position }) => position)).toEqual(
      ids.map((id, i) => positionOf('e', 2 + i, checkOf(id), chains[i])),
    )
  })
})

describe('chunksOf', () => {
  it('puts neighbouring records into one frame, a run each', () => {
    expect(framesOf([record(1, three), record(4, [headerOf('b-1')])])).toEqual([
      {
        frame: 'stream',
        prev: 'e.0.0',
        position: positionOf('e', 4, checkOf('b-1')),
        runs: [
          { place: 1, events: three, time: 10 },
          { place: 4, events: [headerOf('b-1')], time: 40 },
        ],
      },
    ])
  })

  it('begins a new run behind a hole that rights leave', () => {
    const [frame] = framesOf([record(1, three)], { mayRead: (type) => type === 'a.x' })
    expect(frame?.runs).toEqual([
      { place: 1, events: [three[0]], time: 10 },
      { place: 3, events: [three[2]], time: 10 },
    ])
    const [other] = framesOf([record(1, three)], { mayRead: (type) => type === 'a.y' })
    expect(other?.runs).toEqual([{ place: 2, events: [three[1]], time: 10 }])
    expect(other?.position).toBe(positionOf('e', 3, checkOf('a-3')))
  })

  it('is empty but moves on where nothing is readable', () => {
    const [frame, ...more] = framesOf([record(1, three)], { mayRead: () => false })
    expect(frame).toEqual({
      frame: 'stream',
      prev: 'e.0.0',
      position: positionOf('e', 3, checkOf('a-3')),
      runs: [],
    })
    expect(more).toEqual([])
  })

  it('gives a device its own batches as positions, refusals included, and them to nobody else', () => {
    const mine = record(1, three, {
      device: 'me',
      batch: 7,
      indexes: [0, 2, 3],
      refused: [[1, 'forbidden']],
    })
    const refused = record(4, [], {
      device: 'me',
      batch: 8,
      refused: [[0, 'too_large']],
      lastId: 'z-1',
    })
    const [frame] = framesOf([mine, refused], { device: 'me', mayRead: () => false })
    expect(frame?.runs).toEqual([
      { place: 1, own: { batch: 7, indexes: [0, 2, 3], refused: [[1, 'forbidden']] }, time: 10 },
      { place: 4, own: { batch: 8, indexes: [], refused: [[0, 'too_large']] }, time: 40 },
    ])
    expect(frame?.position).toBe(positionOf('e', 4, checkOf('z-1')))
    const text = JSON.stringify(framesOf([mine, refused], { device: 'you' }))
    expect(text).not.toContain('forbidden')
    expect(text).not.toContain('own')
  })

  it('begins in the middle of a record', () => {
    expect(placesOf(framesOf([record(1, three)], {}, 2))).toEqual([3])
    const mine = record(1, three, { device: 'me', batch: 7, indexes: [0, 2, 3] })
    expect(framesOf([mine], { device: 'me' }, 1)[0]?.runs).toEqual([
      { place: 2, own: { batch: 7, indexes: [2, 3] }, time: 10 },
    ])
  })

  it('cuts between records at the limits, and within one that is over them alone', () => {
    const records = Array.from({ length: 9 }, (_, i) =>
      record(
        1 + i * 3,
        three.map((header, k) => ({ ...header, id: `r-${i * 3 + k}` })),
      ),
    )
    const byCount = framesOf(records, {}, 0, { events: 7, bytes: 1e9 })
    expect(byCount.map(({ runs }) => runs.length)).toEqual([2, 2, 2, 2, 1])
    const within = framesOf(records, {}, 0, { events: 2, bytes: 1e9 })
    expect(placesOf(within)).toEqual(Array.from({ length: 27 }, (_, i) => i + 1))
    expect(within.every((frame) => placesOf([frame]).length <= 2)).toBe(true)
    const byBytes = framesOf(records, {}, 0, {
      events: 1_000,
      bytes: (records.at(-1) as RoomRecord).bytes * 2 + 1,
    })
    expect(byBytes.map(({ runs }) => runs.length)).toEqual([2, 2, 2, 2, 1])
    expect(byBytes.at(-1)?.position).toBe(positionOf('e', 27, checkOf('r-26')))
  })

  it('gives every reader the same events at the same places, however it is cut', () => {
    const types = ['a', 'b', 'c']
    const records: RoomRecord[] = []
    for (let i = 0, place = 1; i < 40; i++) {
      const count = (i * 7) % 5
      const headers = Array.from({ length: count }, (_, k) =>
        headerOf(`q-${place + k}`, types[(i + k) % 3]),
      )
      const next = record(
        place,
        headers,
        count === 0 ? { refused: [[0, 'forbidden']], lastId: `q-${place}` } : {},
      )
      records.push(next)
      place = lastPlace(next) + 1
    }
    const mayRead = (type: string): boolean => type !== 'b'
    const expected = placesOf(framesOf(records, { mayRead }))
    for (const events of [1, 2, 3, 10]) {
      for (const bytes of [1, 200, 1_000]) {
        const frames = framesOf(records, { mayRead }, 0, { events, bytes })
        expect(placesOf(frames)).toEqual(expected)
        expect(frames.slice(0, -1).every(({ runs }) => runs.length > 0)).toBe(true)
      }
    }
  })
})

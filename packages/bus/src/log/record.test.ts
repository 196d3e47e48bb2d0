import { describe, expect, test } from 'vitest'
import type { EventHeader } from '../event.ts'
import type { Run, StreamFrame } from '../protocol/frames.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { StoredBatch } from './log.ts'
import { indexOfId, ownBatch, readTexts, roomBatch, runsOf, slotOfHeader } from './record.ts'

const header = (n: number, more: Partial<EventHeader> = {}): EventHeader => ({
  id: `r-${n}`,
  type: 'a',
  source: 'x',
  time: 1,
  ...more,
})

const runs: Run[] = [
  { place: 1, time: 1, events: [header(1, { stream: 's' })] },
  { place: 2, time: 1, own: { batch: 7, indexes: [0, 1, 4] } },
  { place: 5, time: 2, events: [header(2, { type: 'b' }), header(3, { stream: 's' })] },
  { place: 7, time: 2, own: { batch: 8, indexes: [], refused: [[0, 'forbidden']] } },
  { place: 8, time: 3, events: [header(4)] },
]
const frame: StreamFrame = { frame: 'stream', prev: 'e.0.0', position: 'e.8.x', runs }

/** The streams of a batch with the indexes of their events. */
const indexesOf = (streams: ReadonlyMap<string, { readonly indexes: readonly number[] }>) =>
  [...streams].map(([stream, { indexes }]) => [stream, indexes])

describe('an own batch', () => {
  test('is described without being opened', () => {
    const maker = new EntryMaker()
    const entries = [
      maker.entry('a', { n: 1 }, { stream: 's' }),
      maker.entry('b', undefined, { scope: 'device' }),
      maker.entry('a', 'x\ny', { stream: 't' }),
      maker.entry('c', 2, { stream: 's' }),
    ]
    const { prefix } = maker.composer
    const batch = ownBatch(entries, 9)
    expect(batch).toMatchObject({
      time: 9,
      count: 4,
      types: ['a', 'b', 'c'],
      ids: [[prefix, 4]],
      roomEvents: 3,
      lastId: `${prefix}-4`,
    })
    expect(indexesOf(batch.streams)).toEqual([
      ['s', [0, 3]],
      ['t', [2]],
    ])
    expect(readTexts(batch.headers, batch.data, 1)).toEqual({
      headers: entries.map((entry) => JSON.parse(entry.headerText)),
      data: entries.map((entry) => entry.dataText),
    })
  })
})

describe('a batch of the room', () => {
  const batch = roomBatch(frame, ['1', '2', '3', '4'], 'e', 9)

  test('counts slots, placeholders included, and lists streams by slot', () => {
    expect(batch).toMatchObject({ time: 9, epoch: 'e', prev: 'e.0.0', position: 'e.8.x', count: 7 })
    expect(indexesOf(batch.streams)).toEqual([['s', [0, 5]]])
    expect(batch.types).toEqual(['a', 'b'])
    expect(batch.ids).toEqual([['r', 4]])
  })

  test('gives its runs back', () => {
    const { headers, data } = readTexts(batch.headers, batch.data, 1)
    expect(runsOf(batch.runs, headers)).toEqual(runs)
    expect(data).toEqual(['1', '2', '3', '4'])
  })

  test('knows the slot of each event of others', () => {
    expect([0, 1, 2, 3].map((nth) => slotOfHeader(batch.runs, nth))).toEqual([0, 4, 5, 6])
    expect(slotOfHeader(batch.runs, 4)).toBe(-1)
  })

  test('finds an id at its slot', () => {
    const { headers, data } = readTexts(batch.headers, batch.data, 1)
    const stored: StoredBatch = { ...batch, kind: 'room', batch: 1, headers, data }
    expect(['r-1', 'r-3', 'r-9'].map((id) => indexOfId(stored, id))).toEqual([0, 5, -1])
  })

  test('that holds own events only has empty texts, and can be read', () => {
    const { headers, data } = roomBatch({ ...frame, runs: runs.slice(1, 2) }, [], 'e', 9)
    expect(readTexts(headers, data, 1)).toEqual({ headers: [], data: [] })
  })
})

describe('damaged texts', () => {
  const good = JSON.stringify([header(1), header(2)])

  test.each<[string, unknown, unknown]>([
    ['headers are missing', undefined, '1\n2'],
    ['data is missing', good, undefined],
    ['headers are cut off', good.slice(0, -2), '1\n2'],
    ['headers are no list', '{}', '1\n2'],
    ['a header is none', JSON.stringify([header(1), { id: 'r-2' }]), '1\n2'],
    [
      'a header holds a control character',
      JSON.stringify([header(1), header(2, { stream: '\n' })]),
      '1\n2',
    ],
    ['a value text is missing', good, '1'],
    ['there is a value text too many', good, '1\n2\n3'],
  ])('%s: the record is named', (_, headers, data) => {
    expect(() => readTexts(headers, data, 17)).toThrow(
      expect.objectContaining({ code: 'log_damaged', stage: 'log' }),
    )
    expect(() => readTexts(headers, data, 17)).toThrow(/record 17 /)
  })
})

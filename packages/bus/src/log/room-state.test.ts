import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RoomBatch } from './log.ts'
import {
  afterRoomBatch,
  afterTerm,
  afterWelcome,
  assertFollows,
  assertTerm,
  emptyRoomState,
  readRoomState,
} from './room-state.ts'

const position = (place: number) => `e.${place}.x`

function batch(prev: string, place: number): RoomBatch {
  return {
    time: 1,
    epoch: 'e',
    prev,
    position: position(place),
    runs: [],
    headers: '[]',
    data: '',
    count: 0,
    types: [],
    ids: [],
    streams: new Map(),
  }
}

const welcomed = afterWelcome(
  afterTerm(emptyRoomState(), 'n').state,
  {
    term: [1, 'n'],
    cursor: position(0),
    liveAfter: 3,
    subject: 'u',
    reads: '[]',
  },
  0,
)

describe('terms', () => {
  test('each is one above the highest ever seen, and all since the last welcome are kept', () => {
    const first = afterTerm(emptyRoomState(), 'a')
    const second = afterTerm(first.state, 'b')
    expect([first.term, second.term]).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
    expect(second.state).toMatchObject({ term: 2, terms: [first.term, second.term] })
  })

  test('a welcome forgets those before the one it welcomes', () => {
    const { state } = afterTerm(afterTerm(welcomed, 'b').state, 'c')
    const later = afterWelcome(
      state,
      { term: [3, 'c'], cursor: 'x', liveAfter: 0, subject: 'u', reads: '[]' },
      0,
    )
    expect(later).toMatchObject({
      term: 3,
      terms: [[3, 'c']],
      cursor: 'x',
      subject: 'u',
      reads: '[]',
    })
  })

  test('only the newest may write', () => {
    const { state, term } = afterTerm(welcomed, 'b')
    expect(() => assertTerm(state, term)).not.toThrow()
    for (const stale of [1, 3]) {
      expect(() => assertTerm(state, [stale, 'n'])).toThrow(
        expect.objectContaining({ code: 'stale_term' }),
      )
    }
  })
})

describe('a batch of the room', () => {
  test('must start where the cursor stands', () => {
    expect(() => assertFollows(welcomed, batch(position(0), 1), [1, 'n'])).not.toThrow()
    for (const prev of [position(1), '']) {
      expect(() => assertFollows(welcomed, batch(prev, 2), [1, 'n'])).toThrow(
        expect.objectContaining({ code: 'stale_cursor' }),
      )
    }
    expect(() => assertFollows(emptyRoomState(), batch(position(0), 1), [0, 'n'])).toThrow(
      expect.objectContaining({ code: 'stale_cursor' }),
    )
  })

  test('moves the cursor and remembers where it was', () => {
    const state = afterRoomBatch(welcomed, batch(position(0), 4), undefined)
    expect(state).toMatchObject({ cursor: position(4), older: [position(0)], liveAfter: 3 })
    expect(state.confirmed).toBeUndefined()
  })

  test('keeps the pair of the last confirmed batch until there is another', () => {
    const one = afterRoomBatch(welcomed, batch(position(0), 4), { batch: 2, id: 'p-3' })
    const two = afterRoomBatch(one, batch(position(4), 5), undefined)
    expect([one.confirmed, two.confirmed]).toEqual([
      { batch: 2, id: 'p-3' },
      { batch: 2, id: 'p-3' },
    ])
  })
})

describe('a cut', () => {
  const whole = [1, 2, 3, 6].reduce(
    (state, place, i, places) =>
      afterRoomBatch(state, batch(position(places[i - 1] ?? 0), place), undefined),
    welcomed,
  )
  const after = (cursor: string, cut: { epoch: string; place: number }) =>
    afterWelcome(whole, { term: [1, 'n'], cursor, liveAfter: 3, subject: 'u', reads: '[]', cut }, 4)
      .older

  test('takes the positions above it: a room that is fed again with the same must not go on from one', () => {
    expect(whole.older).toEqual([position(3), position(2), position(0)])
    expect(after(position(2), { epoch: 'e', place: 2 })).toEqual([position(2), position(0)])
    expect(after('f.0.0', { epoch: 'e', place: 0 })).toEqual([position(0)])
  })
})

test('a state that an earlier version wrote is read with what it lacks', () => {
  const written = { older: ['e.1.x'], liveAfter: 2, terms: [[1, 'n']], term: 1, cursor: 'e.2.x' }
  expect(readRoomState(written)).toEqual({ ...written, cuts: [], gaps: [] })
})

test('of any history, few positions are kept, newest first, and never far from any distance', () => {
  const steps = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1_000 })), {
    minLength: 1,
    maxLength: 400,
  })
  fc.assert(
    fc.property(steps, (sizes) => {
      let state = welcomed
      let place = 0
      const cursors: number[] = []
      for (const size of sizes) {
        cursors.unshift(place)
        const prev = position(place)
        place += size
        state = afterRoomBatch(state, batch(prev, place), undefined)
      }
      const kept = state.older.map((older) => Number(older.split('.')[1]))
      expect(kept.length).toBeLessThanOrEqual(32)
      expect(kept).toEqual([...kept].sort((a, b) => b - a))
      expect(kept[0]).toBe(cursors[0])
      expect(kept.at(-1)).toBe(0)
      // Who lost the places after a cursor finds a position at most three times as much further back.
      for (const cursor of cursors) {
        const lost = (cursors[0] as number) - cursor
        const found = kept.find((older) => older <= cursor) as number
        expect(cursor - found).toBeLessThanOrEqual(3 * lost)
      }
    }),
    // The history that showed that one position for each doubling promises no bound at all.
    { examples: [[[181, 1, 991, 1, 388, 742, 74, 996, 1, 235, 1]]] },
  )
})

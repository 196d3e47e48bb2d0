import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cut, isCut } from '../protocol/position.ts'
import type { Placement } from './log.ts'
import {
  confirmedAfter,
  lastDecided,
  type PlacingRun,
  pendingOf,
  placed,
  validPlacement,
} from './placement.ts'
import { addCut } from './room-state.ts'

const own = (place: number, indexes: number[], refused: number[] = []): PlacingRun => ({
  place,
  time: 1,
  own: {
    batch: 7,
    indexes,
    ...(refused.length === 0
      ? undefined
      : { refused: refused.map((index) => [index, 'forbidden'] as const) }),
  },
})
const held = (place: number, indexes: number[]): PlacingRun => ({
  place,
  time: 1,
  held: { batch: 7, indexes },
})
const by = (record: number, epoch = 'e') => ({ record, epoch })

describe('a placement', () => {
  test('leaves out what is said already, and has no part with a hole in its places', () => {
    const first = placed(7, undefined, [own(10, [2])], by(1), [])
    const second = placed(7, first, [held(20, [0, 1, 2, 3])], by(2), [])
    expect(second.parts).toEqual([
      { record: 1, epoch: 'e', place: 10, indexes: [2] },
      { record: 2, epoch: 'e', place: 20, indexes: [0, 1] },
      { record: 2, epoch: 'e', place: 23, indexes: [3] },
    ])
  })

  test('keeps a refusal at the place where its run begins, whatever else the run says', () => {
    const first = placed(7, undefined, [held(10, [0])], by(1), [])
    const second = placed(7, first, [own(20, [0, 1], [2])], by(2), [])
    expect(second.parts.slice(1)).toEqual([
      { record: 2, epoch: 'e', place: 20, indexes: [], refused: [[2, 'forbidden']] },
      { record: 2, epoch: 'e', place: 21, indexes: [1] },
    ])
    expect(pendingOf(4, second)).toBe(1)
  })

  test('has the places of what a copy of the device brought before', () => {
    const run: PlacingRun = {
      place: 20,
      time: 1,
      own: {
        batch: 7,
        indexes: [3],
        earlier: [
          [0, 4],
          [1, 5],
          [2, 9],
        ],
      },
    }
    const placement = placed(7, undefined, [run], by(2), [])
    expect(placement.parts).toEqual([
      { record: 2, epoch: 'e', place: 20, indexes: [3] },
      { record: 2, epoch: 'e', place: 4, indexes: [0, 1] },
      { record: 2, epoch: 'e', place: 9, indexes: [2] },
    ])
    expect(pendingOf(4, placement)).toBe(0)
    expect(lastDecided({ runs: [run] })).toEqual({ batch: 7, index: 3 })
  })

  test('says of each event the first place that holds, through any runs and cuts', () => {
    const index = fc.integer({ min: 0, max: 5 })
    const epoch = fc.constantFrom('e', 'f')
    const place = fc.integer({ min: 1, max: 12 })
    const step = fc.oneof(
      fc.record({ place, epoch, indexes: fc.uniqueArray(index), refused: fc.uniqueArray(index) }),
      fc.record({ cut: fc.record({ epoch, place: fc.integer({ min: 0, max: 12 }) }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let placement: Placement | undefined
        let cuts: readonly Cut[] = []
        /** What is said of each index: a place, or the place a refusal stands at. */
        const model = new Map<
          number,
          { record: number; epoch: string; place: number; at: string }
        >()
        const holds = (key: number) => {
          const said = model.get(key)
          return said !== undefined && !isCut(cuts, said.record, said.epoch, said.place)
        }
        steps.forEach((one, record) => {
          if ('cut' in one) {
            cuts = addCut(cuts, { record, ...one.cut })
            return
          }
          const refused = one.refused.filter((key) => !one.indexes.includes(key))
          placement = placed(
            7,
            placement,
            [own(one.place, one.indexes, refused)],
            by(record, one.epoch),
            cuts,
          )
          one.indexes.forEach((key, k) => {
            const at = `${one.epoch}.${one.place + k}`
            if (!holds(key)) model.set(key, { record, epoch: one.epoch, place: one.place + k, at })
          })
          for (const key of refused) {
            if (!holds(key))
              model.set(key, { record, epoch: one.epoch, place: one.place, at: 'no' })
          }
        })
        const parts = validPlacement(placement, cuts)?.parts ?? []
        const said = parts.flatMap((part) => [
          ...part.indexes.map((key, k) => [key, `${part.epoch}.${part.place + k}`] as const),
          ...(part.refused ?? []).map(([key]) => [key, 'no'] as const),
        ])
        const expected = [...model].filter(([key]) => holds(key)).map(([key, { at }]) => [key, at])
        const order = (a: readonly unknown[], b: readonly unknown[]) => Number(a[0]) - Number(b[0])
        expect(said.toSorted(order)).toEqual(expected.toSorted(order))
      }),
    )
  })
})

describe('cuts', () => {
  test('one that says less than another is left out', () => {
    const one = addCut([], { record: 5, epoch: 'e', place: 10 })
    expect(addCut(one, { record: 4, epoch: 'e', place: 11 })).toBe(one)
    expect(addCut(one, { record: 6, epoch: 'e', place: 9 })).toEqual([
      { record: 6, epoch: 'e', place: 9 },
    ])
    expect(addCut(one, { record: 6, epoch: 'e', place: 11 })).toHaveLength(2)
    expect(addCut(one, { record: 6, epoch: 'f', place: 0 })).toHaveLength(2)
  })

  test('only the newest hundred are kept', () => {
    let cuts: readonly Cut[] = []
    for (let n = 1; n <= 150; n++) cuts = addCut(cuts, { record: n, epoch: `e${n}`, place: 0 })
    expect(cuts).toHaveLength(100)
    expect(cuts[0]?.record).toBe(51)
  })
})

describe('the last confirmed batch', () => {
  const ids = ['a-1', 'a-2', 'a-3']

  test('is the newest of own runs, at the last event that was decided on', () => {
    const runs = [own(1, [0, 1]), held(3, [2]), own(4, [], [2])]
    expect(lastDecided({ runs })).toEqual({ batch: 7, index: 2 })
    expect(lastDecided({ runs: [held(3, [2])] })).toBeUndefined()
  })

  test('does not go back, and stays where its record cannot be read', () => {
    const last = { batch: 7, index: 1 }
    expect(confirmedAfter(undefined, last, ids)).toEqual({ batch: 7, id: 'a-2' })
    expect(confirmedAfter({ batch: 7, id: 'a-3' }, last, ids)).toEqual({ batch: 7, id: 'a-3' })
    expect(confirmedAfter({ batch: 7, id: 'a-1' }, last, ids)).toEqual({ batch: 7, id: 'a-2' })
    expect(confirmedAfter({ batch: 8, id: 'x' }, last, ids)).toEqual({ batch: 8, id: 'x' })
    expect(confirmedAfter({ batch: 6, id: 'x' }, last, [])).toEqual({ batch: 6, id: 'x' })
  })
})

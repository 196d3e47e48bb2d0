import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Entries } from './entries.ts'
import { eachRun, IdIndex, idOf } from './ids.ts'
import { RowRing } from './rows.ts'
import { Spans } from './spans.ts'

test('spans are found by each id they name, and given back with the last of them', () => {
  const range = fc.record({
    prefix: fc.constantFrom('a', 'b'),
    first: fc.integer({ min: 1, max: 200 }),
    count: fc.integer({ min: 1, max: 90 }),
  })
  const drop = fc.record({
    drop: fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 300 })),
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(range, drop), { maxLength: 40 }), (steps) => {
      const spans = new Spans()
      const ids = new IdIndex(spans)
      const facet = spans.facetOf({ peer: 1, is: 'committed' })
      let entries = 0
      const into = new Int32Array(100)
      /** What must be found: of ids that are there. */
      const there = new Map<string, Set<number>>()
      const gone = new Set<string>()
      const make = () => entries++
      for (const [number, step] of steps.entries()) {
        if ('drop' in step) {
          const id = idOf(...step.drop)
          if (!there.has(id)) continue
          ids.delete(id)
          there.delete(id)
          for (let k = 1; k <= step.drop[1]; k++) gone.add(idOf(step.drop[0], k))
          continue
        }
        const { prefix, first, count } = step
        const span = spans.add(number, facet, first, count, 0, undefined, undefined)
        ids.name(span, prefix, first, count, into, make)
        for (let k = 0; k < count; k++) {
          const id = idOf(prefix, first + k)
          if (into[k]! >= 0) there.set(id, (there.get(id) ?? new Set()).add(number))
          else expect(gone.has(id)).toBe(true)
        }
        spans.drop(span)
      }
      for (const [id, numbers] of there) {
        expect(ids.find(id)).toBeGreaterThanOrEqual(0)
        const named = ids.spansOf(id)
        const found = new Set(named.filter((_, i) => i % 2 === 0).map((span) => spans.at(span)))
        for (const number of numbers) expect(found).toContain(number)
      }
      for (const id of [...there.keys()]) ids.delete(id)
      expect(spans.used).toBe(0)
    }),
    { numRuns: 300 },
  )
})

test('ids with a counter and ids without are told apart', () => {
  const runs: unknown[] = []
  eachRun(['a-7', 'h-4f', ['b', 3, 2], ['c', 0, 2], ['h-4f', 8, 1]], (...run) => runs.push(run))
  expect(runs).toEqual([
    ['a', 7, 1, 0],
    ['h-4f', 0, 1, 1],
    ['b', 3, 2, 2],
    ['c-0', 0, 1, 4],
    ['c-1', 0, 1, 5],
    ['h-4f-8', 0, 1, 6],
  ])
})

test('effects stay under their cause, whether it is known before, after, or no more', () => {
  const entries = new Entries()
  const effect = entries.add('e-1')
  entries.effects.add(-1, 'c-1', effect)
  expect([...entries.effects.under(-1, 'c-1')]).toEqual([effect])
  const cause = entries.add('c-1')
  const other = entries.add('e-2')
  entries.effects.add(cause, 'c-1', other)
  expect([...entries.effects.under(cause, 'c-1')]).toEqual([effect, other])
  entries.free(cause)
  expect([...entries.effects.under(-1, 'c-1')]).toEqual([effect, other])
  entries.effects.remove(-1, 'c-1', effect)
  expect([...entries.effects.under(-1, 'c-1')]).toEqual([other])
  entries.effects.remove(-1, 'c-1', other)
  expect([...entries.effects.under(-1, 'c-1')]).toEqual([])
})

test('rows keep their numbers as the ring grows and forgets', () => {
  const ring = new RowRing()
  for (let row = 0; row < 5_000; row++) {
    expect(ring.push(row * 2)).toBe(row)
    if (row % 3 === 0) ring.shift()
  }
  for (let row = ring.first; row < ring.next; row++) expect(ring.at(row)).toBe(row * 2)
  expect(ring.at(ring.first - 1)).toBe(-1)
  expect(ring.at(ring.next)).toBe(-1)
})

test('facets that no span has any more make room', () => {
  const spans = new Spans()
  const ids = new IdIndex(spans)
  const into = new Int32Array(1)
  for (let n = 1; n <= 60_000; n++) {
    const facet = spans.facetOf({ peer: 1, is: 'failed', detail: `failure ${n}`, code: 'x' })
    const span = spans.add(n, facet, n, 1, 0, undefined, undefined)
    ids.name(span, 'a', n, 1, into, () => n)
    expect(spans.facet(span).detail).toBe(`failure ${n}`)
    if (n > 100) ids.delete(`a-${n - 100}`)
  }
  const kept = ids.spansOf('a-59950')
  expect(spans.facet(kept[0]!).detail).toBe('failure 59950')
  expect(spans.used).toBeLessThan(200)
})

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { rangeAt, rangeAtEnd, stepOf } from './range.ts'

const lists = fc.record({
  length: fc.nat(200_000),
  /** Rows in sight, with fractions; a list without a size shows none. */
  sight: fc.double({ min: 0, max: 70, noNaN: true }),
})

it('every row in sight is in the page, and with the headings never more than 80', () => {
  fc.assert(
    fc.property(lists, fc.double({ min: 0, max: 1, noNaN: true }), ({ length, sight }, share) => {
      const top = share * Math.max(0, length - sight)
      const { first, end } = rangeAt(stepOf(top), length, sight)
      expect(first).toBeLessThanOrEqual(Math.floor(top))
      expect(end).toBeGreaterThanOrEqual(Math.min(length, Math.ceil(top + sight)))
      expect(first).toBeGreaterThanOrEqual(0)
      expect(end).toBeLessThanOrEqual(length)
      expect(end - first).toBeLessThanOrEqual(79)
    }),
  )
})

it('a list that stands at its end shows its last rows', () => {
  fc.assert(
    fc.property(lists, ({ length, sight }) => {
      const { first, end } = rangeAtEnd(length, sight)
      expect(end).toBe(length)
      expect(first).toBeLessThanOrEqual(Math.max(0, Math.floor(length - sight)))
      expect(end - first).toBeLessThanOrEqual(79)
    }),
  )
})

it('a list that became shorter than it was scrolled shows its end', () => {
  expect(rangeAt(stepOf(900), 30, 20)).toEqual({ first: 2, end: 30 })
})

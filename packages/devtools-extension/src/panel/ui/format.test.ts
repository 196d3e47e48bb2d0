import { expect, test } from 'vitest'
import { bytes, clockTime, count, delta, duration, plural, rate, signedDuration } from './format.ts'

test.each([
  [0.0823, '0.08 ms'],
  [9.994, '9.99 ms'],
  [9.996, '10.0 ms'],
  [99.96, '100 ms'],
  [999.4, '999 ms'],
  [999.6, '1.00 s'],
  [59_990, '59.99 s'],
  [200_000, '3 min 20 s'],
  [7_199_000, '119 min 59 s'],
  [7_500_000, '2 h 5 min'],
  [-7_500_000, '-2 h 5 min'],
  [273_600_000, '3 d 4 h'],
])('a duration of %d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test('what lies before has a minus, and within a second no unit', () => {
  expect(signedDuration(-3)).toBe('−3.00 ms')
  expect(delta(12.13)).toBe('+12.1')
  expect(delta(1500)).toBe('+1.50 s')
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1200, '1.2 kB'],
  [99_949, '99.9 kB'],
  [99_951, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
])('%d bytes are %s', (size, text) => {
  expect(bytes(size)).toBe(text)
})

test('counts, rates and clocks', () => {
  expect(count(98_330)).toBe('98,330')
  expect(plural(1, 'event')).toBe('1 event')
  expect(plural(0, 'reply', 'replies')).toBe('0 replies')
  expect([0, 0.42, 9.96, 5214.4].map(rate)).toEqual(['0', '0.4', '10', '5,214'])
  expect(clockTime(new Date(2026, 0, 2, 3, 4, 5, 6).getTime())).toBe('03:04:05.006')
  expect(clockTime(Number.NaN)).toBe('?')
})

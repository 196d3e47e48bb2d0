import { expect, test } from 'vitest'
import { termsOf, timeOf, timeTerm, toggleTerm, withRange } from './terms.ts'

test('terms end at spaces that are not in quotes or regular expressions', () => {
  expect(termsOf('type:a.* from:"tab 1 · \\"x\\"" -/a b/ data.id:42  error:')).toEqual([
    'type:a.*',
    'from:"tab 1 · \\"x\\""',
    '-/a',
    'b/',
    'data.id:42',
    'error:',
  ])
  expect(termsOf('type:/^a\\/b/i x')).toEqual(['type:/^a\\/b/i', 'x'])
  expect(termsOf('from:"never closed')).toEqual(['from:"never closed'])
  expect(termsOf('  ')).toEqual([])
})

test('a term comes, and goes when it is asked for again', () => {
  const once = toggleTerm('error:', 'type:"a b"')
  expect(once).toBe('error: type:"a b"')
  expect(toggleTerm(once, 'type:"a b"')).toBe('error:')
})

test('what is let through is not left out at the same time', () => {
  expect(toggleTerm('-type:a.b x', 'type:a.b')).toBe('x type:a.b')
  expect(toggleTerm('type:a.b', '-type:a.b')).toBe('-type:a.b')
})

test('a range takes the place of the one before', () => {
  const once = withRange('x', { after: '1', before: '2' })
  expect(once).toBe('x after:1 before:2')
  expect(withRange(once, { after: '3', before: '4' })).toBe('x after:3 before:4')
  expect(withRange(once, undefined)).toBe('x')
})

test('a time is written short where it is of today, and read back', () => {
  const now = new Date(2026, 4, 3, 12, 0, 0).getTime()
  const before = now - 3_600_000 + 7
  expect(timeTerm(before, now)).toBe('11:00:00.007')
  expect(timeOf('11:00:00.007', now)).toBe(before)
  expect(timeOf(timeTerm(before - 86_400_000, now), now)).toBe(before - 86_400_000)
  expect([timeOf('soon'), timeOf(undefined)]).toEqual([undefined, undefined])
})

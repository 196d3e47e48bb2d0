import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPattern, isWithin, parsePatterns, typeMatcher } from './pattern.ts'

const fifteen = Array.from({ length: 15 }, () => 'a').join('.')

describe('what is a pattern', () => {
  test.each([
    '*',
    '**',
    'cart',
    'cart.item_added',
    'cart.*',
    'cart.**',
    '*.added',
    '*.*',
    '*.**',
    'a.*.c.**',
    '$event.refused',
    '$event.*',
    '$event.**',
    `${fifteen}.**`,
    `${fifteen}.a`,
  ])('%s is one', (pattern) => {
    expect(isPattern(pattern)).toBe(true)
    expect(parsePatterns(pattern)).toEqual([pattern])
  })

  test.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '**.x',
    'a.**.b',
    '**.**',
    'a.b*',
    'a*',
    '***',
    'a b',
    'a\n',
    '$',
    '$*',
    '$*.x',
    '$**',
    '$.a',
    'a.$b',
    `${fifteen}.a.**`,
    `${fifteen}.a.b`,
    'x'.repeat(257),
    undefined,
    null,
    1,
    {},
  ])('%j is none', (pattern) => {
    expect(isPattern(pattern)).toBe(false)
    expect(() => parsePatterns(pattern)).toThrow(
      expect.objectContaining({ code: 'invalid_pattern' }),
    )
  })

  test('a list is as good as one, but not an empty one', () => {
    expect(parsePatterns(['a', 'b.*'])).toEqual(['a', 'b.*'])
    expect(() => parsePatterns([])).toThrow(/at least one/)
    expect(() => parsePatterns(['a', 'a..b'])).toThrow(/"a\.\.b"/)
  })
})

describe('what a pattern stands for', () => {
  test.each([
    ['cart', 'cart', true],
    ['cart', 'cart.added', false],
    ['cart', 'carts', false],
    ['*', 'cart', true],
    ['*', 'cart.added', true],
    ['**', 'cart.added', true],
    ['cart.*', 'cart.added', true],
    ['cart.*', 'cart', false],
    ['cart.*', 'cart.item.added', false],
    ['cart.**', 'cart.added', true],
    ['cart.**', 'cart.item.added', true],
    ['cart.**', 'cart', false],
    ['*.added', 'cart.added', true],
    ['*.added', 'added', false],
    ['*.*', 'a.b', true],
    ['*.*', 'a', false],
    ['*.**', 'a', false],
    ['a.*.c', 'a.b.c', true],
    ['a.*.c', 'a.b.d', false],
    ['a.*.**', 'a.b', false],
    ['a.*.**', 'a.b.c.d', true],
  ])('%s for %s: %s', (pattern, type, expected) => {
    expect(typeMatcher([pattern])(type)).toBe(expected)
  })

  test.each([
    ['*', false],
    ['**', false],
    ['*.refused', false],
    ['*.*', false],
    ['*.**', false],
    ['$event.refused', true],
    ['$event.*', true],
    ['$event.**', true],
  ])('types that begin with $ are heard by %s: %s', (pattern, expected) => {
    expect(typeMatcher([pattern])('$event.refused')).toBe(expected)
  })

  test('a pattern of ours beside a wildcard still stands for ours', () => {
    const matches = typeMatcher(['*', '$event.*'])
    expect(matches('$event.refused')).toBe(true)
    expect(matches('$other.refused')).toBe(false)
    expect(matches('cart')).toBe(true)
  })
})

describe('patterns within patterns', () => {
  test.each([
    ['a.b', 'a.*', true],
    ['a.b', 'a.**', true],
    ['a.b.c', 'a.*', false],
    ['a', 'a.**', false],
    ['a.*', 'a.**', true],
    ['a.**', 'a.*', false],
    ['a.b.**', 'a.**', true],
    ['a.**', 'a.b.**', false],
    ['*.b', '*.*', true],
    ['*.*', '*.b', false],
    ['*', '**', true],
    ['**', '*', true],
    ['a.**', '*', true],
    ['*', 'a.**', false],
    ['*.**', '**', true],
    ['$event.refused', '**', false],
    ['$event.refused', '$event.*', true],
    ['$event.*', '*.*', false],
    ['**', '$event.**', false],
  ])('%s within %s: %s', (inner, outer, expected) => {
    expect(isWithin([inner], [outer])).toBe(expected)
  })

  test('what matches one matches the other', () => {
    const segment = fc.constantFrom('a', 'b', '*', '$a')
    const pattern = fc
      .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([segments, open]) => segments.join('.') + (open ? '.**' : ''))
      .filter(isPattern)
    const type = fc
      .array(fc.constantFrom('a', 'b', '$a'), { minLength: 1, maxLength: 4 })
      .map((segments) => segments.join('.'))
      .filter((type) => !type.slice(1).includes('$'))
    const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(patterns, patterns, fc.array(type, { maxLength: 20 }), (inner, outer, types) => {
        fc.pre(isWithin(inner, outer))
        const [isInner, isOuter] = [typeMatcher(inner), typeMatcher(outer)]
        for (const one of types) if (isInner(one)) expect(isOuter(one)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })
})

import { expect, test } from 'vitest'
import { dataText } from './data-text.ts'

test.each([
  [undefined, ''],
  [null, 'null'],
  ['a "b"', '"a \\"b\\""'],
  [-0, '-0'],
  [NaN, 'NaN'],
  [12n, '12n'],
  [new Date(0), '1970-01-01T00:00:00.000Z'],
  [new Date(NaN), 'Invalid Date'],
  [/a+/g, '/a+/g'],
  [new URL('https://shop.example/a'), 'https://shop.example/a'],
  [new Uint8Array(3), 'Uint8Array(3)'],
  [new ArrayBuffer(2), 'ArrayBuffer(2)'],
  [[1, 'a', undefined], '[1, "a", undefined]'],
  [{}, '{}'],
  [{ sku: 'tea', 'two words': 1 }, '{ sku: "tea", "two words": 1 }'],
  [new Map<unknown, unknown>([['a', 1n]]), 'Map(1) {"a" → 1n}'],
  [new Set([1, 2]), 'Set(2) {1, 2}'],
])('%o', (data, text) => {
  expect(dataText(data)).toBe(text)
})

test('a cycle ends', () => {
  const data: { self?: unknown } = {}
  data.self = data
  expect(dataText(data)).toBe('{ self: [circular] }')
})

test('much data gives a short text, soon', () => {
  const huge = Array.from({ length: 100_000 }, (_, i) => ({ i, text: 'x'.repeat(100) }))
  expect(dataText(huge, 50)).toHaveLength(51)
  expect(dataText('x'.repeat(1_000_000), 50)).toHaveLength(51)
})

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { termFor } from './complete.ts'
import { dataTerms, parseQuery } from './parse.ts'

function shape(text: string): unknown[] {
  const { terms } = parseQuery(text)
  return terms.map(({ key, op, not, values }) => [
    `${not ? '-' : ''}${key}${op}`,
    ...values.map(({ text, regex }) => (regex ? String(regex) : text)),
  ])
}

test.each([
  ['', []],
  ['cart', [['text:', 'cart']]],
  [
    'type:order.* -from:sw',
    [
      ['type:', 'order.*'],
      ['-from:', 'sw'],
    ],
  ],
  [
    'dur:>50ms size>=10kB',
    [
      ['dur>', '50ms'],
      ['size>=', '10kB'],
    ],
  ],
  ['error: gap:', [['error:'], ['gap:']]],
  ['error:', [['error:']]],
  ['from:"tab 1 · Cart",worker', [['from:', 'tab 1 · Cart', 'worker']]],
  ['from:="a \\"b\\""', [['from=', 'a "b"']]],
  [
    '/cart\\.(a|b)/i !type:/^\\$/',
    [
      ['text:', '/cart\\.(a|b)/iu'],
      ['-type:', '/^\\$/u'],
    ],
  ],
  [
    'Topic:a TYPE:b',
    [
      ['type:', 'a'],
      ['type:', 'b'],
    ],
  ],
  [
    'data.user.id:42 -data.total>=9',
    [
      ['data.user.id:', '42'],
      ['-data.total>=', '9'],
    ],
  ],
  ['"type:order"', [['text:', 'type:order']]],
  ['/orders/42', [['text:', '/orders/42']]],
  ['causedby:@a-1', [['causedby:', '@a-1']]],
])('%j is read as it is meant', (text, terms) => {
  expect(shape(text)).toEqual(terms)
  expect(parseQuery(text).faults).toEqual([])
})

test.each([
  [
    'typ:order',
    'There is no “typ:” to ask for. Did you mean “type:”? Put quotes around it to look for the words.',
  ],
  ['zzzzzzz:1', 'There is no “zzzzzzz:” to ask for. Put quotes around it to look for the words.'],
  ['"open', 'The quotes are not closed.'],
  ['type:/(/', 'This is no regular expression: Unterminated group.'],
  ['a - b', 'Put what to leave out right behind “-”.'],
  [
    'data:1',
    'There is no “data:” to ask for. Did you mean “data.path:”? Put quotes around it to look for the words.',
  ],
])('what is not understood in %j is said, and where', (text, message) => {
  const [fault] = parseQuery(`cart ${text} order`).faults
  expect(fault).toMatchObject({ message })
  expect(fault!.from).toBeGreaterThanOrEqual(5)
})

test('the rest of a query stays in force', () => {
  expect(shape('cart nonsense:1 type:order')).toEqual([
    ['text:', 'cart'],
    ['type:', 'order'],
  ])
})

const piece = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom(
    'type:',
    'dur:>',
    '-',
    '!',
    '"',
    "'",
    '/',
    '\\',
    ',',
    ' ',
    ':',
    '=',
    '@',
    'data.',
    '(',
    '[',
    'from:',
    '50ms',
  ),
)

test('no text makes it throw, and terms and faults are where they are said to be', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const text = pieces.join('')
      const { terms, faults } = parseQuery(text)
      let end = 0
      for (const { from, to, values } of terms) {
        expect(from).toBeGreaterThanOrEqual(end)
        expect(to).toBeGreaterThan(from)
        expect(to).toBeLessThanOrEqual(text.length)
        for (const value of values) {
          expect(value.from).toBeGreaterThanOrEqual(from)
          expect(value.to).toBeLessThanOrEqual(to)
        }
        end = to
      }
      for (const { from, to } of faults) {
        expect(from).toBeGreaterThanOrEqual(0)
        expect(to).toBeGreaterThan(from)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a term made of a value stands for exactly this value', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.boolean(), (value, not) => {
      const { terms, faults } = parseQuery(termFor('from', value, not))
      expect(faults).toEqual([])
      expect(terms).toMatchObject([{ key: 'from', op: '=', not, values: [{ text: value }] }])
    }),
    { numRuns: 500 },
  )
})

test('terms over data are those that pages are asked', () => {
  expect(dataTerms(parseQuery('type:a data.user.id:42 -data.total:>=9'))).toEqual([
    { path: ['user', 'id'], op: ':', value: '42' },
    { path: ['total'], op: '>=', value: '9', not: true },
  ])
})

test('a query without end is cut off, and that is said', () => {
  expect(parseQuery('a '.repeat(200)).faults).toHaveLength(1)
  expect(parseQuery('x'.repeat(30_000)).faults).toHaveLength(1)
  expect(parseQuery(`type:${'a,'.repeat(2_000)}`).faults).toHaveLength(1)
})

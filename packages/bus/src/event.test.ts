import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assertEventType,
  BATCH_SLOTS,
  headerFault,
  idPairs,
  isAnyEventType,
  isEventType,
  isHeaderText,
  offsetOf,
  parseId,
  slotOf,
  utf8Length,
} from './event.ts'

const header = { id: 'p-1', type: 'cart.added', source: 'page', time: 1 }

describe('types', () => {
  const sixteen = Array.from({ length: 16 }, () => 'a').join('.')

  test.each(['a', 'cart.item_added', 'A-1._', sixteen, 'x'.repeat(256)])('%s is one', (type) => {
    expect(isEventType(type)).toBe(true)
    expect(() => assertEventType(type)).not.toThrow()
  })

  test.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a b',
    'a.*',
    '**',
    'ä',
    'a\n',
    'a\u0000',
    '$event.refused',
    `${sixteen}.a`,
    'x'.repeat(257),
    undefined,
    null,
    7,
    ['a'],
  ])('%j is none', (type) => {
    expect(isEventType(type)).toBe(false)
    expect(() => assertEventType(type)).toThrow(expect.objectContaining({ code: 'invalid_type' }))
  })

  test('a type of ours starts with one $, which nobody else may publish', () => {
    expect(isAnyEventType('$event.refused')).toBe(true)
    expect(isAnyEventType('cart.added')).toBe(true)
    expect(isAnyEventType('$')).toBe(false)
    expect(isAnyEventType('$$a')).toBe(false)
    expect(isAnyEventType('a.$b')).toBe(false)
    expect(isAnyEventType(`$${'x'.repeat(256)}`)).toBe(false)
    expect(() => assertEventType('$mine')).toThrow(/start with \$ are ours/)
  })
})

describe('header texts', () => {
  test.each(['a', 'ä', '😀', 'with space', 'x'.repeat(256)])('%s is one', (text) => {
    expect(isHeaderText(text)).toBe(true)
  })

  test.each([
    '',
    'x'.repeat(257),
    'a\nb',
    'a\u0000',
    '\u007f',
    '\u0085',
    '\u009f',
    'a\ud800',
    '\udc00b',
    '\udc00\ud800',
    undefined,
    null,
    1,
    {},
  ])('%j is none', (text) => {
    expect(isHeaderText(text)).toBe(false)
  })
})

describe('headers', () => {
  test('the shortest and the fullest have no fault', () => {
    expect(headerFault(header)).toBeUndefined()
    expect(
      headerFault({
        ...header,
        type: '$event.refused',
        scope: 'device',
        stream: 'order-1',
        version: 2,
        correlationId: 'p-1',
        causationId: 'p-1',
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
        metadata: { userId: 'u', n: -1.5, ok: false, absent: undefined },
        encoding: 'devalue',
        group: 1,
      }),
    ).toBeUndefined()
  })

  test.each([undefined, null, 'text', 1, [], {}])('%j is none', (value) => {
    expect(headerFault(value)).toBeTypeOf('string')
  })

  test.each([
    ['id', ''],
    ['id', 'a\n-1'],
    ['id', 7],
    ['type', 'a..b'],
    ['source', undefined],
    ['source', '\ud800'],
    ['time', '1'],
    ['time', Number.NaN],
    ['time', Number.POSITIVE_INFINITY],
    ['stream', ''],
    ['stream', 'a\rb'],
    ['stream', null],
    ['correlationId', 'x'.repeat(257)],
    ['causationId', '\u009b'],
    ['scope', 'room'],
    ['version', 0],
    ['version', 1.5],
    ['version', '1'],
    ['group', 0],
    ['encoding', 'json'],
    ['traceparent', '00-xyz'],
    ['traceparent', `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['metadata', null],
    ['metadata', ['a']],
    ['metadata', 'text'],
    ['metadata', { deep: {} }],
    ['metadata', { n: Number.NaN }],
    ['metadata', { none: null }],
    ['metadata', { big: 1n }],
  ])('%s: %o is named as the fault', (key, value) => {
    expect(headerFault({ ...header, [key]: value })).toMatch(new RegExp(`^${key}`))
  })

  test('metadata that would be written as something else is a fault', () => {
    expect(headerFault({ ...header, metadata: new Date(0) })).toMatch(/^metadata/)
    const inherited = Object.create({ toJSON: () => 'text' })
    expect(headerFault({ ...header, metadata: inherited })).toMatch(/^metadata/)
  })
})

describe('ids', () => {
  test.each([
    ['abc-17', 'abc', 17],
    ['a-b-3', 'a-b', 3],
    ['abc-0', 'abc', 0],
    [`p-${Number.MAX_SAFE_INTEGER}`, 'p', Number.MAX_SAFE_INTEGER],
    ['h-42', 'h-42', 0],
    ['h-a-7', 'h-a-7', 0],
    ['plain', 'plain', 0],
    ['abc-x', 'abc-x', 0],
  ])('%s is %s and %d', (id, prefix, counter) => {
    expect(parseId(id)).toEqual([prefix, counter])
  })

  test.each([
    'abc-',
    'abc-1e3',
    'abc-0x10',
    'abc-1.0',
    'abc- 5',
    'abc-+5',
    'abc-007',
    'p-9007199254740993',
  ])('%s has no counter: two ids must not be taken for one', (id) => {
    expect(parseId(id)).toEqual([id, 0])
  })

  test('a batch is indexed by the highest counter of each prefix', () => {
    const ids = ['a-1', 'b-9', 'a-3', 'a-2', 'h-x-5', 'b-10']
    expect(idPairs(ids.map((id) => ({ ...header, id })))).toEqual([
      ['a', 3],
      ['b', 10],
      ['h-x-5', 0],
    ])
  })

  test('a foreign id without a counter is indexed too', () => {
    expect(idPairs([{ ...header, id: 'x-0' }])).toEqual([['x', 0]])
  })
})

test('an offset tells its batch and index again', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.nat(BATCH_SLOTS - 1), (batch, index) => {
      expect(slotOf(offsetOf(batch, index))).toEqual({ batch, index })
    }),
  )
  expect(offsetOf(2, 0)).toBeGreaterThan(offsetOf(1, BATCH_SLOTS - 1))
})

test('UTF-8 length is what an encoder makes, for lone surrogates as well', () => {
  const anyUnits = fc
    .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7ff, max: 0xe000 })))
    .map((units) => String.fromCharCode(...units))
  fc.assert(
    fc.property(fc.oneof(anyUnits, fc.string({ unit: 'binary' })), (text) => {
      expect(utf8Length(text)).toBe(Buffer.byteLength(text))
    }),
    { examples: [['\ud800'], ['\ud800\ud800\udc00'], ['\udc00\ud800'], ['aß€😀']] },
  )
})

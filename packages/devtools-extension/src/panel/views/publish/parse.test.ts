import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { literal } from '../../copy/literal.ts'
import { parseLiteral, placeIn } from './parse.ts'

const readAs = (text: string): unknown => {
  const parsed = parseLiteral(text)
  if (parsed.fault)
    throw new Error(`${parsed.fault.line}:${parsed.fault.column} ${parsed.fault.message}`)
  return parsed.value
}
const faultOf = (text: string) => parseLiteral(text).fault

describe('a value as JavaScript writes it', () => {
  it.each([
    ['', undefined],
    ['  // nothing\n', undefined],
    ['{"a":[1,-2.5e3,true,null]}', { a: [1, -2500, true, null] }],
    ["{ sku: 'A1', 'x-y': `two\nlines`, 7: .5, }", { sku: 'A1', 'x-y': 'two\nlines', 7: 0.5 }],
    ['[1, /* two */ 2, // three\n 3,]', [1, 2, 3]],
    ['-0', -0],
    [
      '[NaN, Number.NaN, -Infinity, +Infinity, undefined]',
      [NaN, NaN, -Infinity, Infinity, undefined],
    ],
    ['[0xff, 0b11, 0o17, 1_000]', [255, 3, 15, 1000]],
    ['[42n, -42n, 0xffn]', [42n, -42n, 255n]],
    ["new Date('2026-01-31T12:00:00Z')", new Date('2026-01-31T12:00:00Z')],
    ['new Date(0)', new Date(0)],
    ["new Map([['a', new Set([1, 1])]])", new Map([['a', new Set([1])]])],
    ['new Map()', new Map()],
    ["new URL('https://example.org/a')", new URL('https://example.org/a')],
    ['/a[/]b\\/c/gi', /a[/]b\/c/gi],
    ['new Uint8Array([1, 2])', new Uint8Array([1, 2])],
    ['new BigInt64Array([1n])', new BigInt64Array([1n])],
    ['new Uint8Array([1, 2]).buffer', new Uint8Array([1, 2]).buffer],
    ["'it\\'s \\u00e9 \\x41 \\u{1F600}'", "it's é A 😀"],
  ])('%s', (text, value) => {
    expect(readAs(text)).toStrictEqual(value)
  })

  it('is what the panel wrote of it, whatever it was', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.bigInt(),
      fc.boolean(),
      fc.constantFrom(null, undefined, -0, NaN, Infinity),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
      fc.constantFrom(/a\/b/gi, new URL('https://example.org/?q=1')),
    )
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
        fc.array(fc.tuple(leaf, tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
        fc.array(leaf, { maxLength: 3 }).map((values) => new Set(values)),
      ),
    }))
    fc.assert(
      fc.property(value, (one) => {
        expect(readAs(literal(one))).toStrictEqual(one)
      }),
    )
  })

  it('never throws, whatever is typed', () => {
    const scrap = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      'new ',
      'Map',
      '(',
      ')',
      "'",
      '`',
      ',',
      ':',
      '-',
      '1',
      'n',
      '/',
      '\\',
      'u',
      '__proto__',
      '\n',
      '*',
      'Date',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(scrap).map((parts) => parts.join('')),
        ),
        (text) => {
          const { fault } = parseLiteral(text)
          if (fault) {
            expect(fault.at).toBeGreaterThanOrEqual(0)
            expect(fault.at).toBeLessThanOrEqual(text.length)
            expect(fault.message).not.toBe('')
          }
        },
      ),
    )
  })

  it('has no way to run anything', () => {
    for (const text of [
      'alert(1)',
      '(() => 1)()',
      'globalThis',
      ['`$', '{1}`'].join(''),
      'new Function("1")',
      '[].constructor',
      'a = 1',
    ])
      expect(faultOf(text)?.message, text).toBeTypeOf('string')
  })

  it('cannot set a prototype', () => {
    expect(faultOf('{ __proto__: { admin: true } }')?.message).toContain("['__proto__']")
    const value = readAs("{ ['__proto__']: 1 }") as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__'])
  })

  it.each([
    ['{\n  sku: A1\n}', 2, 8, 'A1 means nothing here'],
    ["{ sku: 'A1' qty: 2 }", 1, 13, 'Expected , or } here, but found "q"'],
    ['[1, 2', 1, 6, 'but the text ends here'],
    ["'open", 1, 1, "' is missing"],
    ['new Date("nope")', 1, 1, '"nope" is no date'],
    ['new Map([1])', 1, 1, 'list of pairs'],
    ['1 2', 1, 3, 'The value ends before this'],
    ['1.5n', 1, 1, 'whole number'],
    ['/* open', 1, 1, 'comment is not closed'],
    ['[,]', 1, 2, 'for a hole write undefined'],
    ['new Thing(1)', 1, 1, 'new Thing is not known here'],
  ])('says where %j goes wrong, and how', (text, line, column, message) => {
    const fault = faultOf(text)
    expect(fault).toMatchObject({ line, column })
    expect(fault?.message).toContain(message)
  })

  it('counts lines and columns from 1', () => {
    expect(placeIn('ab\ncd', 4)).toEqual({ line: 2, column: 2 })
  })
})

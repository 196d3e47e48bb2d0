import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkOf, parsePosition, positionOf, startOf } from './position.ts'

// Vectors published with the hash, http://www.isthe.com/chongo/tech/comp/fnv/
test.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['b', 0xe70c2de5],
  ['foobar', 0xbf9cf968],
])('the check of %j is FNV-1a 32', (text, hash) => {
  expect(checkOf(text)).toBe(hash.toString(36))
})

test('the check is made of UTF-8 bytes', () => {
  const byBytes = [...Buffer.from('ü😀')].reduce(
    (hash, byte) => Number((BigInt(hash ^ byte) * 0x01000193n) & 0xffffffffn) | 0,
    0x811c9dc5 | 0,
  )
  expect(checkOf('ü😀')).toBe((byBytes >>> 0).toString(36))
})

test('a position is read back as it was made', () => {
  const epoch = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)
  fc.assert(
    fc.property(epoch, fc.nat(), fc.string(), (name, place, id) => {
      const check = checkOf(id)
      expect(parsePosition(positionOf(name, place, check))).toEqual({ epoch: name, place, check })
      expect(parsePosition(positionOf(name, place, check, `${check}0`))).toEqual({
        epoch: name,
        place,
        check,
        chain: `${check}0`,
      })
    }),
  )
})

test('a room starts before its first place', () => {
  expect(parsePosition(startOf('e1'))).toEqual({ epoch: 'e1', place: 0, check: '0' })
})

test.each([
  '',
  'e',
  'e.1',
  'e.1.',
  '.1.a',
  'e.-1.a',
  'e.1.5.',
  'e.1.5.A',
  'e.1.5.a.b',
  `e.1.5.${'a'.repeat(33)}`,
  'e.1.A',
  'e.1e3.a',
  ' e.1.a',
  'e.1.a\n',
])('%j is no position', (text) => {
  expect(parsePosition(text)).toBeUndefined()
})

import { execFileSync } from 'node:child_process'
import type { InspectedEvent } from '@crosstown/bus/inspect'
import { decodeValue, encodeValue } from '@crosstown/bus/inspect'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asCode, asCurl, asJson, shellQuoted } from './copy-as.ts'
import { literal } from './literal.ts'

const event: InspectedEvent = {
  id: 'aB3-1',
  type: 'order.placed',
  source: 'shop',
  time: 0,
  stream: 'order-7',
  bytes: 80,
}

/** What a source text is, run. */
function run(source: string): unknown {
  return new Function(`return (${source})`)()
}

describe('a literal', () => {
  test('has every type an event can carry', () => {
    const value = {
      text: `it's "so" \\ 	and\n more \u2028`,
      numbers: [1, -0, Number.NaN, Number.POSITIVE_INFINITY, 12345678901234567890n],
      at: new Date('2026-01-02T03:04:05.006Z'),
      never: new Date(Number.NaN),
      map: new Map<unknown, unknown>([
        ['a', new Set([1, 2])],
        [new Date(0), undefined],
      ]),
      none: [new Map(), new Set(), null, undefined, {}, []],
      pattern: /a\/b"/giu,
      url: new URL('https://shop.example/a?b=c'),
      bytes: new Uint8Array([1, 2, 255]),
      floats: new Float64Array([0.5, -0]),
      big: new BigInt64Array([1n, -2n]),
      buffer: new Uint8Array([7, 8]).buffer,
      view: new DataView(new Uint8Array([9]).buffer),
      'not an identifier': 1,
      ['__proto__']: 'own',
    }
    const again = run(literal(value)) as typeof value
    expect(again).toEqual(value)
    expect(Object.hasOwn(again, '__proto__')).toBe(true)
    expect(again.numbers[1]).toBe(-0)
  })

  test('of any plain value is that value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { text } = encodeValue(value, 'a.b')
        const carried = decodeValue(text, undefined, { type: 'a.b', id: 'x-1' })
        expect(run(literal(carried))).toEqual(carried)
      }),
    )
  })

  test('of what contains itself ends', () => {
    const round: { self?: unknown; twice: unknown[] } = { twice: [] }
    round.self = round
    const shared = { a: 1 }
    round.twice = [shared, shared]
    expect(literal(round)).toBe(
      '{\n  twice: [{ a: 1 }, { a: 1 }],\n  self: undefined /* a cycle */,\n}',
    )
  })
})

describe('as code', () => {
  test('it publishes the same', () => {
    expect(asCode(event, { id: 7n })).toBe(
      "await bus.publish('order.placed', { id: 7n }, { stream: 'order-7' })\n",
    )
    expect(asCode({ ...event, type: "it's" }, undefined)).toContain("'it\\'s', undefined, {")
  })

  test('without data and options it is only the type', () => {
    const { stream: _, ...bare } = event
    expect(asCode(bare, undefined)).toBe("await bus.publish('order.placed')\n")
    expect(asCode({ ...bare, scope: 'device', persist: false }, undefined)).toBe(
      "await bus.publish('order.placed', undefined, { scope: 'device', persist: false })\n",
    )
  })
})

describe('as JSON', () => {
  test('it has the envelope and what JSON can carry of the data', () => {
    const data = { at: new Date(0), n: 1n, map: new Map([['a', new Set([Number.NaN])]]) }
    expect(JSON.parse(asJson({ ...event, encoding: 'devalue' }, data))).toEqual({
      id: 'aB3-1',
      type: 'order.placed',
      source: 'shop',
      time: 0,
      stream: 'order-7',
      data: { at: '1970-01-01T00:00:00.000Z', n: '1n', map: { a: ['NaN'] } },
    })
  })

  test('of what contains itself it ends', () => {
    const round: { self?: unknown } = {}
    round.self = round
    expect(JSON.parse(asJson(event, round)).data).toEqual({ self: '[cycle]' })
  })
})

describe('as curl', () => {
  const relay = { url: 'ws://127.0.0.1:8787', room: 'a b/c' }

  test('it posts to the room of the relay', () => {
    const { stream: _, ...bare } = event
    expect(asCurl(bare, { id: 7 }, relay)).toBe(
      [
        "curl 'http://127.0.0.1:8787/rooms/a%20b%2Fc/events'",
        "-H 'Content-Type: application/json'",
        `--data-raw '{"type":"order.placed","data":{"id":7}}'`,
      ].join(' \\\n  '),
    )
  })

  test('a relay that is not on this machine is shown a token', () => {
    const curl = asCurl(event, 1, { url: 'wss://relay.example/base/', room: 'r' })
    expect(curl).toContain("curl 'https://relay.example/base/rooms/r/events'")
    expect(curl).toContain('"Authorization: Bearer $CROSSTOWN_TOKEN"')
  })

  test('a shell reads back exactly what was quoted', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (word) => {
        // No argument of a process can have these.
        const given = word.replaceAll('\0', '')
        fc.pre(given.isWellFormed())
        const out = execFileSync('sh', ['-c', `printf %s ${shellQuoted(given)}`])
        expect(out.toString()).toBe(given)
      }),
      { numRuns: 25 },
    )
  })
})

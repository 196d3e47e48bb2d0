import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { type BusError, isBusError } from './errors.ts'
import { isEventType } from './event.ts'
import { isPattern } from './protocol/pattern.ts'
import { relayLink } from './relay-link.ts'
import { VirtualPlatform } from './testing/virtual-platform.ts'
import { createBusOn } from './testing/whole-bus.ts'
import type { Bus } from './types.ts'

const WRONG: readonly unknown[] = [
  '',
  'a..b',
  '.a',
  'a.',
  '**.x',
  'a.**.b',
  'a.***',
  'a*',
  'a b',
  'a.ü',
  'a\n',
  '$',
  `${'a.'.repeat(16)}a`,
  'a'.repeat(257),
  undefined,
  null,
  7,
  {},
  [],
  ['a', 'a..b'],
  [['a']],
]

/** Every place of the public face that takes patterns. */
const PLACES: Record<string, (bus: Any, pattern: string) => unknown> = {
  subscribe: (bus, pattern) => bus.subscribe(pattern, () => {}),
  'subscribe from the log': (bus, pattern) => bus.subscribe(pattern, () => {}, { from: 'start' }),
  once: (bus, pattern) => bus.once(pattern),
  events: (bus, pattern) => bus.events(pattern)[Symbol.asyncIterator]().next(),
  'types of a relay link': (_, pattern) =>
    relayLink({ url: 'ws://127.0.0.1', room: '42', types: pattern }),
}

type Any = Bus<Record<string, unknown>>
const reported: BusError[] = []
const bus: Any = createBusOn(
  { name: 'shop', tabs: false, onError: (error) => reported.push(error) },
  new VirtualPlatform(),
)
afterEach(() => expect(reported).toEqual([]))

/** The code with which a call is refused, thrown or as a rejection; `undefined` where it is not. */
async function refusal(
  place: (bus: Any, pattern: string) => unknown,
  pattern: unknown,
): Promise<unknown> {
  try {
    await place(bus, pattern as string)
    return undefined
  } catch (error) {
    return isBusError(error) ? error.code : error
  }
}

describe.each(Object.entries(PLACES))('%s', (name, place) => {
  test.each(WRONG.map((pattern) => [pattern]))('refuses %j by name', async (pattern) => {
    // A relay link without types reads everything.
    if (pattern === undefined && name.startsWith('types')) return
    expect(await refusal(place, pattern)).toBe('invalid_pattern')
  })

  test('refuses whatever is no pattern', { timeout: 60_000 }, async () => {
    const values = fc.oneof(fc.string({ unit: 'binary' }), fc.anything())
    const property = fc.asyncProperty(values, async (value) => {
      fc.pre(value !== undefined && !(Array.isArray(value) ? value : [value]).every(isPattern))
      expect(await refusal(place, value)).toBe('invalid_pattern')
    })
    await fc.assert(property, { numRuns: 10_000 })
  })
})

test('a refused pattern leaves nothing behind: the others hear what they heard', async () => {
  const heard: unknown[] = []
  bus.subscribe('cart.*', (event) => heard.push(event.data))
  for (const place of Object.values(PLACES)) await refusal(place, ['cart.*', 'a..b'])
  await bus.publish('cart.added', 1)
  expect(heard).toEqual([1])
})

test('whatever is published that is no type is refused by name', { timeout: 60_000 }, async () => {
  const values = fc.oneof(fc.string({ unit: 'binary' }), fc.anything())
  const property = fc.asyncProperty(values, async (value) => {
    fc.pre(!isEventType(value))
    expect(await refusal((bus, type) => bus.publish(type), value)).toBe('invalid_type')
  })
  await fc.assert(property, { numRuns: 10_000 })
})

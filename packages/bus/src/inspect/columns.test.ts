import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { columnsOf, eventsOf } from './columns.ts'
import type { InspectedEvent } from './frames.ts'

const event = { id: 'a-1', type: 'cart.cleared', source: 'tab', time: 1, bytes: 20 }

it('envelopes by column say once what all have, and read back are what they were', () => {
  const metadata = { userId: 'u', ok: true }
  const events: InspectedEvent[] = [
    { ...event, metadata },
    { ...event, id: 'a-2', bytes: 30, stream: 'cart-1', metadata: { ...metadata } },
    { ...event, id: 'h-x', metadata },
  ]
  const columns = columnsOf(events)
  expect(columns).toEqual({
    ids: [['a', 1, 2], 'h-x'],
    type: 'cart.cleared',
    source: 'tab',
    time: 1,
    bytes: [20, 30, 20],
    stream: [null, 'cart-1', null],
    metadata,
  })
  expect(eventsOf(JSON.parse(JSON.stringify(columns)))).toEqual(events)
  expect(eventsOf(events)).toBe(events)
})

it('whatever envelopes have, none gets or loses a field by it', () => {
  const one = fc.record(
    {
      id: fc.string({ minLength: 1 }),
      type: fc.constantFrom('a', 'b'),
      source: fc.constantFrom('tab', 'sw'),
      time: fc.integer(),
      bytes: fc.nat(),
      scope: fc.constantFrom('device', 'context'),
      persist: fc.constant(false),
      revision: fc.nat(2),
      metadata: fc.dictionary(fc.constantFrom('k', 'l', '__proto__'), fc.constantFrom('v', 1)),
    },
    { requiredKeys: ['id', 'type', 'source', 'time', 'bytes'] },
  )
  fc.assert(
    fc.property(fc.array(one), (events) => {
      const text = JSON.stringify(events)
      const columns = columnsOf(JSON.parse(text))
      expect(eventsOf(JSON.parse(JSON.stringify(columns)))).toEqual(JSON.parse(text))
    }),
  )
})

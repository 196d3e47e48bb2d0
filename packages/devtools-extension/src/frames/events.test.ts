import { expect, test } from 'vitest'
import { readColumns, readEvent, readEvents } from './events.ts'
import { Fault } from './reader.ts'
import { readRecord } from './records.ts'

const event = { id: 'a-1', type: 'cart.cleared', source: 'tab', time: 1, bytes: 2 }

test('an envelope is kept as it came, one with more in it without that', () => {
  const whole = { ...event, stream: 'cart-1', metadata: { userId: 'u' }, encoding: 'devalue' }
  expect(readEvent(whole)).toBe(whole)
  const more = JSON.parse(
    `{ ${JSON.stringify(whole).slice(1, -1)}, "secret": "x", "__proto__": 1 }`,
  )
  const read = readEvent(more)
  expect(Object.keys(read).sort()).toEqual(Object.keys(whole).sort())
  expect(read).toEqual(whole)
  expect(readEvent({ ...event, encoding: 'other' })).toEqual(event)
})

test('what is wrong with an envelope is said with where it is', () => {
  expect(() => readEvents([event, { ...event, time: 'now' }])).toThrow('must be a number')
  const record = { is: 'received', at: 1, via: 'tabs', origin: 'room', ids: ['a-1'] }
  const wrong = (changed: object) => {
    try {
      readRecord({ ...record, ...changed })
    } catch (error) {
      return (error as { text: string }).text
    }
    return 'nothing'
  }
  expect(wrong({ events: [event, { ...event, id: '' }] })).toContain('events[1].id must be')
  expect(wrong({ ids: [['a', -1, 2]] })).toContain('ids [0] must have a first counter')
  expect(wrong({ via: 'air' })).toContain('via must be one of')
  expect(wrong({ from: 7 })).toContain('from must be')
  expect(wrong({})).toBe('nothing')
})

test('columns of envelopes are as long as there are ids, and have no other fields', () => {
  const columns = { ids: [['a', 1, 2], 'h-x'], type: 'a.b', source: 'tab', time: 1 }
  const whole = { ...columns, bytes: [1, 2, 3], stream: ['s', null, null] }
  expect(readColumns({ ...whole, secret: 'x', expected: 'y' })).toEqual(whole)
  expect(() => readColumns(columns)).toThrow('bytes must be there')
  const wrong = [
    { bytes: [1, 2] },
    { bytes: [1, 2, null] },
    { type: ['a.b', 'a.b', 'a b'] },
    { persist: true },
    { ids: [['a', 1, 20_000]] },
    { metadata: [{ deep: { er: 1 } }, null, null] },
  ]
  for (const one of wrong) expect(() => readColumns({ ...whole, ...one })).toThrow(Fault)
})

test('an error of a durable consumer, or of a request, was no record', () => {
  for (const stage of ['consume', 'request']) {
    const error = { is: 'error', at: 1, code: 'timeout', stage, message: 'late' }
    expect(readRecord(error)).toEqual(error)
  }
})

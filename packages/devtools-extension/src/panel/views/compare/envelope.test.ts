import { expect, it } from 'vitest'
import type { EventRow } from '../../model/model.ts'
import { envelopeDifference } from './envelope.ts'

function row(
  id: string,
  more: Partial<EventRow['event']> = {},
  facts: Partial<EventRow> = {},
): EventRow {
  const event = { id, type: 'order.placed', source: 'page', time: 1, bytes: 100, ...more }
  return {
    id,
    event,
    state: 'logged',
    delivered: 2,
    expected: 2,
    unknown: 0,
    failures: 0,
    drops: 0,
    ...facts,
  } as EventRow
}

it('says which fields of two events differ, and which do not', () => {
  const a = row('a-1', { stream: 'order-1', correlationId: 'c-1' }, { latency: 4 })
  const b = row('b-1', { correlationId: 'c-1', metadata: { userId: 'ada' } }, { delivered: 1 })
  const { fields, same } = envelopeDifference(a, b)
  expect(fields).toEqual([
    { name: 'stream', marked: 'order-1', other: 'none' },
    { name: 'metadata', marked: 'none', other: '{"userId":"ada"}' },
    { name: 'delivered', marked: '2 of 2', other: '1 of 2' },
    { name: 'latency', marked: '4.00 ms', other: 'none' },
  ])
  expect(same).toContain('type')
  expect(same).toContain('conversation')
  expect(same).not.toContain('cause')
})

it('takes two events that began conversations of their own for different ones', () => {
  expect(envelopeDifference(row('a-1'), row('b-1')).fields.map(({ name }) => name)).toEqual([
    'conversation',
  ])
})

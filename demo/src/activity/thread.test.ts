import { expect, test } from 'vitest'
import { spanOf, type ThreadNode, treeOf } from './thread.ts'

interface Event {
  id: string
  causationId?: string
}
const shape = ({ event, answers }: ThreadNode<Event>): unknown => [event.id, answers.map(shape)]

test('each event stands below its cause', () => {
  const events = [
    { id: 'a' },
    { id: 'b', causationId: 'a' },
    { id: 'c', causationId: 'a' },
    { id: 'd', causationId: 'b' },
  ]
  expect(treeOf<Event>(events).map(shape)).toEqual([
    [
      'a',
      [
        ['b', [['d', []]]],
        ['c', []],
      ],
    ],
  ])
})

test('an event whose cause is not there begins a tree, also before its cause is known', () => {
  expect(
    treeOf<Event>([
      { id: 'b', causationId: 'gone' },
      { id: 'c', causationId: 'b' },
    ]).map(shape),
  ).toEqual([['b', [['c', []]]]])
  expect(treeOf<Event>([])).toEqual([])
})

test('a conversation spans from its first to its last event', () => {
  expect(spanOf([{ time: 20 }, { time: 5 }, { time: 12 }])).toBe(15)
  expect(spanOf([])).toBe(0)
})

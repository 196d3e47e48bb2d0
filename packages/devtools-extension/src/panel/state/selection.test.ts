import { expect, test } from 'vitest'
import type { EventRow, NoteRow, Row } from '../model/model.ts'
import { createSelection } from './selection.ts'

function event(row: number): EventRow {
  const id = `a-${row}`
  return {
    row,
    kind: 'event',
    id,
    event: { id, type: 'a.b', source: 's', time: 0, bytes: 1 },
    ms: row,
    publisher: 'a',
    direction: 'out',
    delivered: 0,
    expected: 0,
    unknown: 0,
    state: 'logged',
    failures: 0,
    drops: 0,
  }
}

const note: NoteRow = { row: 3, kind: 'gap', ms: 3, text: 'a hole', severity: 'warning' }
const rows: readonly Row[] = [event(1), event(2), note, event(4), event(5)]
const list = {
  length: rows.length,
  at: (index: number) => rows[index],
  indexOf: (row: number) => rows.findIndex((each) => each.row === row),
}
const [one, two, , four, five] = rows as [EventRow, EventRow, NoteRow, EventRow, EventRow]

test('one row is selected at a time, until more are asked for', () => {
  const selection = createSelection()
  selection.select(one)
  selection.select(two)
  expect(selection.get()).toMatchObject({ current: 'a-2', row: 2, anchor: 2 })
  expect([...selection.get().ids]).toEqual(['a-2'])
  selection.toggle(five)
  expect([...selection.get().ids]).toEqual(['a-2', 'a-5'])
  selection.toggle(five)
  expect(selection.get().current).toBe('a-2')
})

test('a range goes from the anchor to the row, either way, and leaves notes out', () => {
  const selection = createSelection()
  selection.select(two)
  selection.extend(five, list)
  expect([...selection.get().ids]).toEqual(['a-2', 'a-4', 'a-5'])
  selection.extend(one, list)
  expect([...selection.get().ids]).toEqual(['a-1', 'a-2'])
  expect(selection.get().anchor).toBe(2)
})

test('a range whose anchor the filter hides begins at the row itself', () => {
  const selection = createSelection()
  selection.select(event(99))
  selection.extend(four, list)
  expect([...selection.get().ids]).toEqual(['a-4'])
})

test('a note is current, and no event is', () => {
  const selection = createSelection()
  selection.select(one)
  selection.select(note)
  expect(selection.get()).toEqual({ ids: new Set(), row: 3, anchor: 3 })
})

test('the mark outlives the selection', () => {
  const selection = createSelection()
  selection.select(one)
  selection.mark('a-1')
  selection.select(two)
  selection.clear()
  expect(selection.get()).toEqual({ ids: new Set(), marked: 'a-1' })
  selection.mark(undefined)
  expect(selection.get()).toEqual({ ids: new Set() })
})

test('everything is selected, and what is current stays it', () => {
  const selection = createSelection()
  selection.select(two)
  selection.selectAll(list)
  expect(selection.get().ids.size).toBe(4)
  expect(selection.get().current).toBe('a-2')
})

import { expect, test } from 'vitest'
import type { NoteRow, Row } from '../../model/model.ts'
import { countBefore, findRow, isBad, type RowList } from './list.ts'

function note(row: number, severity: NoteRow['severity'] = 'info'): Row {
  return { row, kind: 'mark', ms: row, text: `note ${row}`, severity }
}

function listOf(...rows: readonly Row[]): RowList {
  return { length: rows.length, at: (index) => rows[index] }
}

test('where a row would stand is found among rows that have holes', () => {
  const list = listOf(note(3), note(7), note(8), note(20))
  expect([0, 3, 4, 7, 9, 20, 99].map((row) => countBefore(list, row))).toEqual([
    0, 0, 1, 1, 3, 3, 4,
  ])
  expect(countBefore(listOf(), 5)).toBe(0)
})

test('the next error is found in both directions, and none where there is none', () => {
  const list = listOf(note(1, 'error'), note(2), note(3, 'error'), note(4, 'warning'))
  expect(findRow(list, 0, 1, isBad)?.row.row).toBe(3)
  expect(findRow(list, 2, 1, isBad)).toBeUndefined()
  expect(findRow(list, 2, -1, isBad)?.index).toBe(0)
  expect(findRow(list, -1, 1, isBad)?.index).toBe(0)
})

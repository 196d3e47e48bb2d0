import { expect, test } from 'vitest'
import { DEFAULT_SETTINGS } from '../../state/settings.ts'
import { COLUMNS, columnsFor, restOf, template } from './columns.ts'

const ids = (width: number, settings = DEFAULT_SETTINGS) =>
  columnsFor(settings, width).map(({ id }) => id)

test('where it is narrow, columns go, and what still fits stays', () => {
  expect(ids(1400)).toEqual([
    'time',
    'direction',
    'type',
    'data',
    'from',
    'to',
    'delivered',
    'duration',
    'size',
  ])
  expect(ids(860)).not.toContain('data')
  expect(ids(320)).toEqual(['time', 'type', 'delivered'])
  expect(ids(120)).toEqual(['type'])
  expect(ids(0)).toEqual(['type'])
})

test('no width leaves columns that do not fit', () => {
  for (let width = 150; width < 1600; width += 7) {
    const least = columnsFor(DEFAULT_SETTINGS, width).reduce((sum, column) => sum + column.width, 0)
    expect(least, String(width)).toBeLessThanOrEqual(width)
  }
})

test('what is hidden stays hidden, and one column takes the rest', () => {
  const settings = { ...DEFAULT_SETTINGS, hidden: ['data' as const, 'time' as const] }
  const columns = columnsFor(settings, 1400)
  expect(columns.map(({ id }) => id)).not.toContain('time')
  expect(restOf(columns)).toBe('type')
  expect(template(columns, settings)).toContain('minmax(150px, 1fr)')
  expect(template(COLUMNS, settings).match(/1fr/g)).toHaveLength(1)
})

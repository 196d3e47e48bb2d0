/** Finding rows in a filtered list, whose row numbers ascend. */
import type { Filtered, Row } from '../../model/model.ts'

export type RowList = Pick<Filtered, 'at' | 'length'>

/** How many rows of the list have a number below `row`. */
export function countBefore(list: RowList, row: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = list.at(middle)
    if (at && at.row < row) low = middle + 1
    else high = middle
  }
  return low
}

/** The nearest row after or before position `from` that is as wanted. */
export function findRow(
  list: RowList,
  from: number,
  step: 1 | -1,
  wanted: (row: Row) => boolean,
): { readonly row: Row; readonly index: number } | undefined {
  for (let index = from + step; index >= 0 && index < list.length; index += step) {
    const row = list.at(index)
    if (row && wanted(row)) return { row, index }
  }
  return undefined
}

/** Whether something went wrong here. */
export function isBad(row: Row): boolean {
  return row.kind === 'event'
    ? row.failures > 0 || row.state === 'refused'
    : row.severity === 'error'
}

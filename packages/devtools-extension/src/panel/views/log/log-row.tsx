import { memo, type ReactNode } from 'react'
import type { NoteRow, Row } from '../../model/model.ts'
import { clockTime } from '../../ui/format.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import type { CellContext, Column } from './columns.tsx'

export type Light = 'self' | 'cause' | 'effect' | undefined

interface LogRowProps extends CellContext {
  readonly row: Row
  /** In the list, from 0. */
  readonly index: number
  /** px from the top of the list. */
  readonly top: number
  readonly columns: readonly Column[]
  readonly selected: boolean
  readonly active: boolean
  readonly marked: boolean
  readonly light: Light
}

const NOTE_ICONS: Readonly<Record<NoteRow['kind'], IconName>> = {
  gap: 'gap',
  lost: 'warning',
  error: 'error',
  leader: 'crown',
  connection: 'link',
  peer: 'person',
  life: 'life',
  mark: 'flag',
}

/** Id of the element of a row; the grid names the active one by it. */
export function rowElementId(row: number): string {
  return `row-${row}`
}

function LogRowShown(props: LogRowProps): ReactNode {
  const { row, index, top, columns, selected, active, marked, light } = props
  const shared = {
    id: rowElementId(row.row),
    role: 'row',
    'aria-rowindex': index + 2,
    'data-index': index,
    'data-active': active || undefined,
    style: { transform: `translateY(${top}px)` },
  }
  if (row.kind !== 'event')
    return (
      // biome-ignore lint/a11y/useAriaPropsSupportedByRole: its role is in `shared`, row
      <div {...shared} className={`log-row note note-${row.severity}`} aria-selected={active}>
        <div role="gridcell" className="note-cell" aria-colspan={columns.length}>
          <Icon name={NOTE_ICONS[row.kind]} label={row.kind} />
          <span className="note-time">{clockTime(row.ms)}</span>
          <span className="ellipsis" title={row.text}>
            {row.text}
          </span>
        </div>
      </div>
    )
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: its role is in `shared`, row
    <div
      {...shared}
      className={
        row.failures > 0 || row.state === 'refused' ? 'log-row event bad' : 'log-row event'
      }
      aria-selected={selected}
      data-light={light}
      data-odd={index % 2 === 1 || undefined}
    >
      {columns.map((column) => {
        const text = column.text(row, props)
        return (
          <div
            key={column.id}
            role="gridcell"
            data-column={column.id}
            className={column.numeric ? 'cell numeric' : 'cell'}
            title={column.cell ? undefined : text}
          >
            {column.id === 'type' && marked && <Icon name="flag" label="marked" />}
            {column.cell ? column.cell(row, props) : text}
          </div>
        )
      })}
    </div>
  )
}

/** A row object is made anew whenever it is asked for: what is in it decides. */
function same(before: LogRowProps, after: LogRowProps): boolean {
  for (const key of [
    'index',
    'top',
    'columns',
    'selected',
    'active',
    'marked',
    'light',
    'session',
    'time',
    'above',
    'start',
    'preview',
  ] as const)
    if (before[key] !== after[key]) return false
  const [a, b] = [before.row, after.row]
  if (a === b) return true
  if (a.row !== b.row || a.ms !== b.ms) return false
  if (a.kind !== 'event' || b.kind !== 'event')
    return a.kind !== 'event' && b.kind !== 'event' && a.text === b.text
  return (
    a.id === b.id &&
    a.state === b.state &&
    a.delivered === b.delivered &&
    a.expected === b.expected &&
    a.unknown === b.unknown &&
    a.duration === b.duration &&
    a.latency === b.latency &&
    a.failures === b.failures &&
    a.drops === b.drops &&
    a.publisher === b.publisher &&
    a.event.revision === b.event.revision
  )
}

export const LogRow: typeof LogRowShown = memo(LogRowShown, same) as never

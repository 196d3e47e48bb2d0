/** The headings: drag an edge to resize, click the time to change how it is told, menu for the rest. */
import { type PointerEvent, type ReactNode, useRef } from 'react'
import type { ColumnId, Settings, SettingsStore, TimeFormat } from '../../state/settings.ts'
import type { MenuAt, MenuItem } from '../../ui/menu.tsx'
import { COLUMNS, type Column, restOf, widthOf } from './columns.ts'

const NEXT_FORMAT: Readonly<Record<TimeFormat, TimeFormat>> = {
  clock: 'delta',
  delta: 'elapsed',
  elapsed: 'clock',
}
const FORMAT_LABELS: Readonly<Record<TimeFormat, string>> = {
  clock: 'Time of day',
  delta: 'Since the row above',
  elapsed: 'Since the first row',
}
const HEADINGS: Readonly<Record<TimeFormat, string>> = {
  clock: 'Time',
  delta: 'Δ ms',
  elapsed: 'Elapsed',
}
const LEAST_WIDTH = 32
const MOST_WIDTH = 600

interface LogHeadProps {
  readonly columns: readonly Column[]
  readonly settings: SettingsStore
  onMenu(at: MenuAt, items: readonly MenuItem[]): void
}

export function LogHead({ columns, settings, onMenu }: LogHeadProps): ReactNode {
  const drag = useRef<{ readonly column: Column; readonly from: number; readonly width: number }>(
    undefined,
  )

  function begin(event: PointerEvent<HTMLElement>, column: Column): void {
    event.preventDefault()
    event.stopPropagation()
    event.currentTarget.setPointerCapture(event.pointerId)
    drag.current = { column, from: event.clientX, width: widthOf(column, settings.get()) }
  }

  /** Columns after the wide one are held at their right edge, those before it at their left. */
  function move(event: PointerEvent<HTMLElement>, sign: 1 | -1): void {
    if (!drag.current) return
    const { column, from, width } = drag.current
    setWidth(settings, column.id, width + (event.clientX - from) * sign)
  }

  const rest = restOf(columns)
  const flexible = columns.findIndex(({ id }) => id === rest)
  const { time } = settings.get()
  return (
    <div role="rowgroup" className="log-head">
      <div
        role="row"
        aria-rowindex={1}
        className="log-row log-headings"
        onContextMenu={(event) => {
          event.preventDefault()
          event.stopPropagation()
          onMenu({ x: event.clientX, y: event.clientY }, columnItems(settings))
        }}
      >
        {columns.map((column, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the settings have it for the keyboard
          <div
            key={column.id}
            role="columnheader"
            className={column.numeric ? 'heading numeric' : 'heading'}
            title={column.id === 'time' ? `${FORMAT_LABELS[time]}: click to change` : column.title}
            onClick={() => {
              if (column.id === 'time')
                settings.update((now) => ({ ...now, time: NEXT_FORMAT[now.time] }))
            }}
          >
            <span className="ellipsis">{column.id === 'time' ? HEADINGS[time] : column.label}</span>
            {column.id !== rest && (
              // biome-ignore lint/a11y/noStaticElementInteractions: for the pointer; the settings have it for the keyboard
              // biome-ignore lint/a11y/useKeyWithClickEvents: its click is kept from the heading
              <span
                className={index > flexible ? 'resize resize-start' : 'resize'}
                onPointerDown={(event) => begin(event, column)}
                onPointerMove={(event) => move(event, index > flexible ? -1 : 1)}
                onPointerUp={() => {
                  drag.current = undefined
                }}
                onClick={(event) => event.stopPropagation()}
                onDoubleClick={(event) => {
                  event.stopPropagation()
                  setWidth(settings, column.id, undefined)
                }}
              />
            )}
          </div>
        ))}
      </div>
    </div>
  )
}

export function setWidth(
  settings: SettingsStore,
  column: ColumnId,
  width: number | undefined,
): void {
  settings.update((now) => {
    const { [column]: _, ...widths }: Settings['widths'] = now.widths
    const size = width && Math.round(Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, width)))
    return { ...now, widths: size === undefined ? widths : { ...widths, [column]: size } }
  })
}

export function columnItems(settings: SettingsStore): MenuItem[] {
  const { hidden, time } = settings.get()
  return [
    ...COLUMNS.filter((column) => column.leaves > 0).map(
      (column): MenuItem => ({
        label: column.label,
        checked: !hidden.includes(column.id),
        run: () => toggleColumn(settings, column.id),
      }),
    ),
    'line',
    ...(Object.keys(FORMAT_LABELS) as TimeFormat[]).map(
      (format): MenuItem => ({
        label: FORMAT_LABELS[format],
        checked: time === format,
        run: () => settings.update((now) => ({ ...now, time: format })),
      }),
    ),
    'line',
    { label: 'Widths as they were', run: () => settings.update((now) => ({ ...now, widths: {} })) },
  ]
}

export function toggleColumn(settings: SettingsStore, column: ColumnId): void {
  settings.update((now) => ({
    ...now,
    hidden: now.hidden.includes(column)
      ? now.hidden.filter((id) => id !== column)
      : [...now.hidden, column],
  }))
}

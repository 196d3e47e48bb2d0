/**
 * A table of any length of which only what is seen is in the page: one tab stop, rows by keyboard,
 * the right numbers for screen readers.
 */
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef } from 'react'

export interface Column<Row> {
  readonly id: string
  readonly head: string
  /** A track of a CSS grid. */
  readonly width: string
  readonly numeric?: boolean
  cell(row: Row): ReactNode
  title?(row: Row): string | undefined
}

export const ROW_HEIGHT = 22
const PAGE = 10

export function VirtualTable<Row>({
  label,
  columns,
  length,
  at,
  active,
  onActive,
  onOpen,
  rowClass,
  onRange,
  minWidth,
}: {
  label: string
  columns: readonly Column<Row>[]
  length: number
  /** `undefined`: not there yet. */
  at(index: number): Row | undefined
  /** The row the keyboard is on; -1: none. */
  active: number
  onActive(index: number): void
  /** Enter, or a double click. */
  onOpen?(index: number): void
  rowClass?(row: Row): string | undefined
  /** Told which rows are seen. */
  onRange?(first: number, last: number): void
  minWidth?: number
}) {
  const id = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const rows = useVirtualizer({
    count: length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 6,
    scrollPaddingStart: ROW_HEIGHT,
    paddingStart: ROW_HEIGHT,
  })
  const seen = rows.getVirtualItems()
  const first = seen[0]?.index ?? -1
  const last = seen.at(-1)?.index ?? -1
  useEffect(() => {
    if (first >= 0) onRange?.(first, last)
  }, [first, last, onRange])
  useEffect(() => {
    if (active >= 0 && active < length) rows.scrollToIndex(active)
  }, [active, length, rows])
  const keys = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    if (event.key === 'Enter' && active >= 0) {
      onOpen?.(active)
      return
    }
    const to = destination(event.key, active, length)
    if (to === undefined || length === 0) return
    event.preventDefault()
    onActive(to)
  }
  const template = columns.map((column) => column.width).join(' ')
  const inPage = active >= first && active <= last
  return (
    <div className="focus-ring">
      <div
        className="vtable"
        ref={scroller}
        role="grid"
        aria-label={label}
        aria-rowcount={length + 1}
        aria-colcount={columns.length}
        aria-activedescendant={active >= 0 && inPage ? `${id}-${active}` : undefined}
        data-keys="grid"
        tabIndex={0}
        onKeyDown={keys}
      >
        <div
          className="vtable-body"
          role="rowgroup"
          style={{ blockSize: rows.getTotalSize(), minInlineSize: minWidth }}
        >
          <div
            className="vtable-head"
            role="row"
            aria-rowindex={1}
            style={{ gridTemplateColumns: template }}
          >
            {columns.map((column) => (
              <span
                key={column.id}
                role="columnheader"
                className={column.numeric ? 'numeric' : undefined}
              >
                {column.head}
              </span>
            ))}
          </div>
          {seen.map(({ index, start }) => {
            const row = at(index)
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the grid's, which has the focus
              <div
                key={index}
                id={`${id}-${index}`}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={index === active}
                className={`vtable-row ${index === active ? 'active ' : ''}${(row && rowClass?.(row)) ?? ''}`}
                style={{ insetBlockStart: start, gridTemplateColumns: template }}
                onClick={() => onActive(index)}
                onDoubleClick={() => onOpen?.(index)}
              >
                {columns.map((column) => (
                  <span
                    key={column.id}
                    role="gridcell"
                    className={column.numeric ? 'numeric' : undefined}
                    title={row && column.title?.(row)}
                  >
                    {row === undefined ? '…' : column.cell(row)}
                  </span>
                ))}
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

/** Where a key leads in a list; `undefined` where it is none of a list's. */
export function destination(key: string, at: number, length: number): number | undefined {
  const last = length - 1
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? last : at - 1,
    j: at + 1,
    k: at < 0 ? last : at - 1,
    PageDown: at + PAGE,
    PageUp: at - PAGE,
    Home: 0,
    End: last,
  }[key]
  return to === undefined ? undefined : Math.min(Math.max(to, 0), last)
}

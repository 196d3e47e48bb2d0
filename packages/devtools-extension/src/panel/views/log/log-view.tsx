/** The log: every event and everything else that happened, a row each, the newest at the end. */
import {
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import type { Row } from '../../model/model.ts'
import { type Command, commandOf } from '../../shell/keys.ts'
import { usePacedVersion, useStore } from '../../state/store.ts'
import { plural } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'
import { Menu, type MenuAt, type MenuItem } from '../../ui/menu.tsx'
import { useSize } from '../../ui/use-size.ts'
import type { ViewProps } from '../view.ts'
import { columnsFor, template } from './columns.ts'
import { copyItems } from './copy-items.ts'
import { LogEmpty } from './log-empty.tsx'
import { LogHead } from './log-head.tsx'
import './log.css'
import { hintAt } from './hint.ts'
import { countBefore, findRow, isBad } from './list.ts'
import { chainNeighbour } from './related.ts'
import { type Look, rowElementId, type ShownRow } from './row-element.ts'
import { rowMenu } from './row-menu.ts'
import { RowPool } from './row-pool.ts'
import { useLights } from './use-lights.ts'
import { usePreviews } from './use-previews.ts'
import { useWindow } from './use-window.ts'

const ROW_HEIGHT = 22

interface OpenMenu {
  readonly at: MenuAt
  readonly label: string
  readonly items: readonly MenuItem[]
}

export function LogView(props: ViewProps): ReactNode {
  const { hub, session, filtered, selection, panel } = props
  usePacedVersion(session, filtered)
  const selected = useStore(selection)
  const settings = useStore(panel.settings)
  const paused = useStore(panel.paused)
  const follows = useStore(panel.following)
  const [menu, setMenu] = useState<OpenMenu>()

  const grid = useRef<HTMLDivElement>(null)
  const { width, height } = useSize(grid)
  const pausedAt = useWhileTrue(paused, () => session.rows.next)
  const leftAt = useWhileTrue(!follows, () => session.rows.next)

  const length = pausedAt === undefined ? filtered.length : countBefore(filtered, pausedAt)
  const list = { length, at: filtered.at.bind(filtered), indexOf: filtered.indexOf.bind(filtered) }
  const added =
    leftAt === undefined ? 0 : Math.max(0, filtered.length - countBefore(filtered, leftAt))

  const columns = useMemo(() => columnsFor(settings, width), [settings, width])
  const shown = useWindow({
    grid,
    filtered,
    length,
    rowHeight: ROW_HEIGHT,
    height,
    following: panel.following,
    follows,
  })
  const lights = useLights(session)
  const start = session.rows.at(session.rows.first)?.ms ?? 0
  const { time } = settings
  // Of times told otherwise, nothing changes when the first row goes.
  const from = time === 'elapsed' ? start : 0
  const look = useMemo<Look>(
    () => ({ session, columns, time, start: from, rowHeight: ROW_HEIGHT }),
    [session, columns, time, from],
  )
  const previewed = columns.some(({ id }) => id === 'data')

  const activeIndex =
    selected.row === undefined ? -1 : Math.min(filtered.indexOf(selected.row), length - 1)
  const rows: { readonly row: Row; readonly index: number }[] = []
  for (let index = shown.first; index < shown.end; index++) {
    const row = filtered.at(index)
    if (row) rows.push({ row, index })
  }
  const previews = usePreviews(hub, previewed ? rows.map(({ row }) => row) : [], follows)
  const activeShown = rows.some(({ row }) => row.row === selected.row)

  const place = useRef<HTMLDivElement>(null)
  const pool = useRef<RowPool>(undefined)
  useLayoutEffect(() => {
    if (!place.current) return
    pool.current ??= new RowPool(place.current)
    pool.current.show(
      rows.map(({ row, index }): ShownRow => {
        const isEvent = row.kind === 'event'
        return {
          row,
          index,
          preview: isEvent ? previews.get(row.id) : undefined,
          above: time === 'delta' ? filtered.at(index - 1)?.ms : undefined,
          selected: isEvent && selected.ids.has(row.id),
          active: row.row === selected.row,
          marked: isEvent && row.id === selected.marked,
          light: isEvent ? lights.of(row.id) : undefined,
        }
      }),
      look,
    )
    // The page is laid out only once: when all rows are drawn.
    shown.settle()
  })
  useEffect(() => () => pool.current?.close(), [])

  // Selected elsewhere, by another view or a link: the list goes there.
  const shownRow = useRef<number>(undefined)
  const reveal = useEffectEvent((row: number) => {
    if (row === shownRow.current) return
    shownRow.current = row
    if (activeIndex < 0) return
    panel.following.set(false)
    shown.scrollTo(activeIndex)
  })
  useEffect(() => {
    if (selected.row !== undefined) reveal(selected.row)
  }, [selected.row])

  function goTo(index: number, extend = false): void {
    const row = filtered.at(Math.max(0, Math.min(length - 1, index)))
    if (!row) return
    if (extend) selection.extend(row, list)
    else selection.select(row)
    // Whoever reads a row does not want it to run away.
    panel.following.set(false)
    shownRow.current = row.row
    shown.scrollTo(filtered.indexOf(row.row))
  }

  function goToRow(row: Row | undefined, otherwise: string): void {
    const index = row ? filtered.indexOf(row.row) : -1
    if (index >= 0) goTo(index)
    else panel.say(row ? 'It is there, but the filter hides it' : otherwise)
  }

  function openRowMenu(row: Row, at: MenuAt, column?: string): void {
    setMenu({
      at,
      label: row.kind === 'event' ? row.event.type : row.text,
      items: rowMenu(props, row, column, start),
    })
  }

  function run(command: Command, press: KeyboardEvent): boolean {
    const current = activeIndex < 0 ? undefined : filtered.at(activeIndex)
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 2)
    const from = activeIndex < 0 && rows[0] ? rows[0].index - 1 : activeIndex
    if (command === 'down') goTo(from + 1, press.shiftKey)
    else if (command === 'up') goTo(activeIndex < 0 ? length - 1 : activeIndex - 1, press.shiftKey)
    else if (command === 'page-down') goTo(from + page, press.shiftKey)
    else if (command === 'page-up') goTo(from - page, press.shiftKey)
    else if (command === 'top') goTo(0, press.key === 'Home' && press.shiftKey)
    else if (command === 'tail') {
      goTo(length - 1, press.key === 'End' && press.shiftKey)
      panel.following.set(true)
    } else if (command === 'error-next')
      goToRow(findRow(list, activeIndex, 1, isBad)?.row, 'No error after this row')
    else if (command === 'error-back')
      goToRow(
        findRow(list, activeIndex < 0 ? length : activeIndex, -1, isBad)?.row,
        'No error before this row',
      )
    else if (command === 'select-all') selection.selectAll(list)
    else if (command === 'menu' || command === 'copy') {
      const element = current && document.getElementById(rowElementId(current.row))
      const box = (element ?? grid.current)?.getBoundingClientRect()
      const at = { x: (box?.left ?? 0) + 110, y: (box?.top ?? 0) + ROW_HEIGHT }
      if (!current) panel.say('Select an event first')
      else if (command === 'menu') openRowMenu(current, at)
      else if (current.kind === 'event')
        setMenu({ at, label: 'Copy as', items: copyItems(props, current) })
    } else if (current?.kind !== 'event') return false
    else if (command === 'chain-back')
      goToRow(chainNeighbour(session, current, 'back'), 'Its cause is not in this log')
    else if (command === 'chain-on')
      goToRow(chainNeighbour(session, current, 'on'), 'Nothing after it in its chain')
    else if (command === 'mark') {
      const unmark = selected.marked === current.id
      selection.mark(unmark ? undefined : current.id)
      panel.say(unmark ? 'Mark taken away' : `Marked ${current.event.type}`)
    } else return false
    return true
  }

  function onKeyDown(event: KeyboardEvent<HTMLDivElement>): void {
    // With Shift the arrows extend the selection: they are the same commands.
    const arrow = /^(Arrow|Page|Home|End)/.test(event.key)
    const command = commandOf(
      arrow && event.shiftKey
        ? { key: event.key, ctrlKey: event.ctrlKey, metaKey: event.metaKey }
        : event,
      'grid',
    )
    if (command === undefined || !run(command, event)) return
    event.preventDefault()
    event.stopPropagation()
  }

  /** The row and the column under the pointer. */
  function under(event: MouseEvent): { row: Row; column: string | undefined } | undefined {
    const target = event.target as Element
    const index = target.closest<HTMLElement>('[data-index]')?.dataset['index']
    const row = index === undefined ? undefined : filtered.at(Number(index))
    return row && { row, column: target.closest<HTMLElement>('[data-column]')?.dataset['column'] }
  }

  function onClick(event: MouseEvent): void {
    const found = under(event)
    if (!found) return
    panel.following.set(false)
    shownRow.current = found.row.row
    if (event.shiftKey) selection.extend(found.row, list)
    else if (event.ctrlKey || event.metaKey) selection.toggle(found.row)
    else selection.select(found.row)
  }

  function onContextMenu(event: MouseEvent): void {
    const found = under(event)
    if (!found) return
    event.preventDefault()
    if (found.row.kind !== 'event' || !selected.ids.has(found.row.id)) {
      shownRow.current = found.row.row
      selection.select(found.row)
    }
    openRowMenu(found.row, { x: event.clientX, y: event.clientY }, found.column)
  }

  return (
    <div className="log">
      <div
        ref={grid}
        className="log-grid"
        role="grid"
        data-keys="grid"
        data-lighting={lights.on || undefined}
        aria-label="Events"
        aria-rowcount={length + 1}
        aria-colcount={columns.length}
        aria-multiselectable="true"
        aria-activedescendant={
          activeShown && selected.row !== undefined ? rowElementId(selected.row) : undefined
        }
        tabIndex={0}
        style={{ '--columns': template(columns, settings) } as never}
        onKeyDown={onKeyDown}
        onClick={onClick}
        onDoubleClick={() => panel.detail()}
        onContextMenu={onContextMenu}
        onScroll={shown.onScroll}
        onPointerOver={(event) => {
          lights.hover(under(event)?.row)
          hintAt(event.target as Element)
        }}
        onPointerLeave={() => lights.hover(undefined)}
      >
        <LogHead
          columns={columns}
          settings={panel.settings}
          onMenu={(at, items) => setMenu({ at, label: 'Columns', items })}
        />
        <div
          ref={place}
          role="rowgroup"
          className="log-rows"
          style={{ height: length * ROW_HEIGHT }}
        />
      </div>
      {length === 0 && <LogEmpty {...props} />}
      {added > 0 && !follows && !shown.atEnd && (
        <button
          type="button"
          className="log-new"
          onClick={() => {
            panel.paused.set(false)
            panel.following.set(true)
            grid.current?.focus()
          }}
        >
          <Icon name="down" />
          {plural(added, 'new', 'new')}
        </button>
      )}
      {menu && <Menu {...menu} onClose={() => setMenu(undefined)} />}
    </div>
  )
}

/** What something was when `on` became true, as long as it is. */
function useWhileTrue<Value>(on: boolean, value: () => Value): Value | undefined {
  const [held, setHeld] = useState<{ readonly value: Value } | undefined>(
    on ? { value: value() } : undefined,
  )
  if (on && !held) setHeld({ value: value() })
  if (!on && held) setHeld(undefined)
  return on ? held?.value : undefined
}

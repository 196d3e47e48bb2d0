/** The element of a row, used for one row after the other. */
import type { EventRow, NoteRow, Row, Session } from '../../model/model.ts'
import type { TimeFormat } from '../../state/settings.ts'
import type { IconName } from '../../ui/icon.tsx'
import { iconElement } from '../../ui/icon-element.ts'
import { span, textIn } from './cells.ts'
import { type Column, timeText } from './columns.ts'

export type Light = 'self' | 'cause' | 'effect' | undefined

/** A row as it is to be seen. */
export interface ShownRow {
  readonly row: Row
  /** In the list, from 0. */
  readonly index: number
  readonly preview: string | undefined
  /** When the row above was, where that is told. */
  readonly above: number | undefined
  readonly selected: boolean
  readonly active: boolean
  readonly marked: boolean
  readonly light: Light
}

/** What all rows are drawn by; the same object as long as it is the same. */
export interface Look {
  readonly session: Session
  readonly columns: readonly Column[]
  readonly time: TimeFormat
  readonly start: number
  /** px. */
  readonly rowHeight: number
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

export class RowElement {
  readonly element: HTMLElement
  /** Whether it is made for events. */
  readonly isEvent: boolean
  readonly #draw: (shown: ShownRow, look: Look) => void
  #shown: ShownRow | undefined
  #look: Look | undefined

  constructor({ kind }: Row, { columns }: Look) {
    this.element = document.createElement('div')
    this.element.setAttribute('role', 'row')
    this.isEvent = kind === 'event'
    this.#draw = this.isEvent ? eventIn(this.element, columns) : noteIn(this.element, columns)
  }

  /** Number of the row it shows. */
  get row(): number {
    return this.#shown?.row.row ?? -1
  }

  show(shown: ShownRow, look: Look): void {
    const before = this.#shown
    const again = look !== this.#look
    this.#shown = shown
    this.#look = look
    const { element } = this
    const { row, index } = shown
    if (before?.row.row !== row.row) element.id = rowElementId(row.row)
    if (again || before?.index !== index) {
      element.setAttribute('aria-rowindex', String(index + 2))
      element.dataset['index'] = String(index)
      element.style.transform = `translateY(${index * look.rowHeight}px)`
      element.toggleAttribute('data-odd', this.isEvent && index % 2 === 1)
    }
    const selected = this.isEvent ? shown.selected : shown.active
    if (element.ariaSelected !== String(selected)) element.ariaSelected = String(selected)
    if (before?.active !== shown.active) element.toggleAttribute('data-active', shown.active)
    if (before?.light !== shown.light) {
      if (shown.light) element.dataset['light'] = shown.light
      else delete element.dataset['light']
    }
    // A row that changed is another object.
    const same =
      before?.row === row &&
      before.preview === shown.preview &&
      before.above === shown.above &&
      before.marked === shown.marked
    if (again || !same) this.#draw(shown, look)
  }
}

function eventIn(
  element: HTMLElement,
  columns: readonly Column[],
): (shown: ShownRow, look: Look) => void {
  const cells = columns.map(({ id, numeric, text, cell }) => {
    const place = cellOf(numeric ? 'cell numeric' : 'cell')
    place.dataset['column'] = id
    element.append(place)
    if (cell) return cell(place)
    const show = textIn(place)
    return (...given: Parameters<Column['text']>) => show(text(...given))
  })
  let shownAs = ''
  return ({ row, preview, above, marked }, { session, time, start }) => {
    const event = row as EventRow
    const bad = event.failures > 0 || event.state === 'refused'
    const className = bad ? 'log-row event bad' : 'log-row event'
    if (className !== shownAs) element.className = shownAs = className
    const context = { session, time, start, preview, above, marked }
    for (const draw of cells) draw(event, context)
  }
}

/** One text over all columns but that of the time, which is where and as it is of events. */
function noteIn(
  element: HTMLElement,
  columns: readonly Column[],
): (shown: ShownRow, look: Look) => void {
  const isTimed = columns[0]?.id === 'time'
  const place = cellOf('note-cell')
  place.classList.toggle('note-over-direction', isTimed && columns[1]?.id === 'direction')
  place.ariaColSpan = String(isTimed ? columns.length - 1 : columns.length)
  const time = isTimed ? cellOf('cell numeric') : span('note-time')
  if (isTimed) {
    time.dataset['column'] = 'time'
    element.append(time)
  }
  const text = span('ellipsis')
  const [showTime, showText] = [textIn(time), textIn(text)]
  element.append(place)
  return ({ row, above }, { time: format, start }) => {
    const note = row as NoteRow
    element.className = `log-row note note-${note.severity}`
    showTime(timeText(note, { time: format, above, start }))
    showText(note.text)
    text.title = note.text
    const icon = iconElement(NOTE_ICONS[note.kind], note.kind)
    place.replaceChildren(icon, ...(isTimed ? [] : [time]), text)
  }
}

function cellOf(className: string): HTMLElement {
  const cell = document.createElement('div')
  cell.setAttribute('role', 'gridcell')
  cell.className = className
  return cell
}

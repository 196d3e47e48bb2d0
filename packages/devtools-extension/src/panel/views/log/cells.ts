/**
 * Cells of the log. They are drawn without React: while somebody scrolls, hundreds of them change in a
 * frame, and most only in their text. What says more than a text does so with an icon and a word, never
 * by colour alone.
 */
import type { EventRow, Session } from '../../model/model.ts'
import type { TimeFormat } from '../../state/settings.ts'
import { plural } from '../../ui/format.ts'
import type { IconName } from '../../ui/icon.tsx'
import { iconElement } from '../../ui/icon-element.ts'

export interface CellContext {
  readonly session: Session
  readonly time: TimeFormat
  /** The data on one line, where it was asked for. */
  readonly preview: string | undefined
  /** When the row above was, and when the first one: where the time is told from. */
  readonly above: number | undefined
  readonly start: number
  /** To be compared with another one. */
  readonly marked: boolean
}

/** Makes what stands in a cell; what it gives back shows a row there, again and again. */
export type Cell = (place: HTMLElement) => (row: EventRow, context: CellContext) => void

/** A text, changed only where it is another one. */
export function textIn(place: Element): (text: string) => void {
  const node = document.createTextNode('')
  place.append(node)
  let shown = ''
  return (text) => {
    if (text === shown) return
    shown = text
    node.data = text
  }
}

export const directionCell: Cell = (place) => {
  let shown: EventRow['direction'] | undefined
  return ({ direction }) => {
    if (direction === shown) return
    shown = direction
    const icon = iconElement(direction, direction)
    icon.classList.add(`direction-${direction}`)
    place.replaceChildren(icon)
  }
}

export const typeCell: Cell = (place) => {
  const content = span('type-cell')
  const name = span('ellipsis')
  const familySpan = span('type-family')
  const family = textIn(familySpan)
  name.append(familySpan)
  const rest = textIn(name)
  content.append(name)
  place.append(content)
  let flag: readonly Element[] = []
  let badges: HTMLElement[] = []
  let said = ''
  return (row, { marked }) => {
    const { type } = row.event
    const dot = type.lastIndexOf('.') + 1
    family(type.slice(0, dot))
    rest(type.slice(dot))
    if (marked !== flag.length > 0) {
      for (const part of flag) part.remove()
      flag = marked ? [iconElement('flag'), span('unseen', 'marked')] : []
      place.prepend(...flag)
    }
    const says = `${row.failures} ${row.drops} ${row.state}`
    if (says === said) return
    said = says
    for (const badge of badges) badge.remove()
    badges = badgesOf(row)
    content.append(...badges)
  }
}

function badgesOf({ failures, drops, state }: EventRow): HTMLElement[] {
  const badges: HTMLElement[] = []
  if (failures > 0)
    badges.push(badge('error', failures === 1 ? 'failed' : `${failures} failed`, 'badge-error'))
  if (state === 'refused') badges.push(badge('cross', 'refused', 'badge-error'))
  if (drops > 0)
    badges.push(badge('warning', drops === 1 ? 'dropped' : `${drops} dropped`, 'badge-warning'))
  if (state === 'pending') badges.push(badge('clock', 'pending'))
  return badges
}

function badge(icon: IconName, text: string, kind?: string): HTMLElement {
  const element = span(kind === undefined ? 'badge' : `badge ${kind}`)
  element.append(iconElement(icon), text)
  return element
}

export const deliveredCell: Cell = (place) => {
  const content = span('')
  let shown: IconName | undefined
  let icon: SVGElement | undefined
  const show = textIn(content)
  place.append(content)
  return (row) => {
    const { delivered, expected, failures } = row
    const none = expected === 0
    const whole = delivered >= expected && failures === 0
    const name = none ? undefined : whole ? 'check' : failures > 0 ? 'cross' : 'partial'
    if (name !== shown) {
      shown = name
      icon?.remove()
      icon = name && iconElement(name)
      if (icon) content.prepend(icon)
    }
    content.className = none ? 'delivered-none' : whole ? 'delivered' : 'delivered delivered-part'
    content.title = gotInWords(row)
    show(gotText(row))
  }
}

/** `2/3`; with `?` where of some it is not known. */
export function gotText({ delivered, expected, unknown }: EventRow): string {
  if (unknown === 0) return `${delivered}/${expected}`
  return expected === 0 ? '?' : `${delivered}/${expected}?`
}

function gotInWords({ delivered, expected, failures, unknown }: EventRow): string {
  const contexts = plural(unknown, 'context')
  if (expected === 0)
    return unknown === 0
      ? 'Nobody subscribes to it'
      : `Whether it came to ${contexts} is not known: nobody captured them then`
  const failed = failures === 0 ? '' : `, ${failures} failed`
  const rest = unknown === 0 ? '' : `; of ${contexts} more it is not known`
  return `${delivered} of ${expected} deliveries made${failed}${rest}`
}

export function span(className: string, text = ''): HTMLElement {
  const element = document.createElement('span')
  element.className = className
  element.textContent = text
  return element
}

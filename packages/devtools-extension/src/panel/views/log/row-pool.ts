/**
 * The rows of the log that are in the page. Elements are used again for the rows that come into it,
 * and stay where they are in the document meanwhile: making elements, and moving them, is most of what
 * scrolling would cost. Once the list rests they are put into the order in which they are seen, which
 * is the one that they are read out in.
 */
import { type Look, RowElement, type ShownRow } from './row-element.ts'

/** ms without a change until the elements are put in order. */
const REST_MS = 100
/** So few are moved at once. */
const FEW = 8

export class RowPool {
  readonly #place: HTMLElement
  /** In the order of the document. */
  #elements: RowElement[] = []
  #columns: Look['columns'] | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(place: HTMLElement) {
    this.#place = place
  }

  /** @param rows in the order of the list */
  show(rows: readonly ShownRow[], look: Look): void {
    if (this.#columns !== look.columns) {
      this.#columns = look.columns
      this.#place.replaceChildren()
      this.#elements = []
    }
    const wanted = new Set(rows.map(({ row }) => row.row))
    const kept = new Map<number, RowElement>()
    const free: RowElement[] = []
    for (const element of this.#elements) {
      if (wanted.has(element.row)) kept.set(element.row, element)
      else free.push(element)
    }
    const shown = rows.map((row) => {
      const element = kept.get(row.row.row) ?? this.#take(free, row, look)
      element.show(row, look)
      return element
    })
    for (const { element } of free) element.remove()
    if (free.length > 0) {
      const gone = new Set(free)
      this.#elements = this.#elements.filter((element) => !gone.has(element))
    }
    this.#order(shown)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  /** One that no row needs any more, the first in the document; where there is none, a new one. */
  #take(free: RowElement[], { row }: ShownRow, look: Look): RowElement {
    const index = free.findIndex(({ isEvent }) => isEvent === (row.kind === 'event'))
    const [found] = index < 0 ? [] : free.splice(index, 1)
    if (found) return found
    const made = new RowElement(row, look)
    this.#elements.push(made)
    this.#place.append(made.element)
    return made
  }

  #order(shown: readonly RowElement[]): void {
    clearTimeout(this.#timer)
    const order = (): void => {
      this.#elements = [...shown]
      let next: Element | null = null
      for (const { element } of shown.toReversed()) {
        if (element.nextElementSibling !== next) this.#place.insertBefore(element, next)
        next = element
      }
    }
    const misplaced = shown.filter((element, index) => element !== this.#elements[index]).length
    if (misplaced === 0) return
    if (misplaced <= FEW) order()
    else this.#timer = setTimeout(order, REST_MS)
  }
}

/**
 * Which rows of the log are in the page, and where the list stands. Rows are of one height, so that
 * the place of each is known without measuring, and the page is drawn anew only where other rows come
 * into it. While the list follows, it stands at its newest row; else the rows that are looked at stay
 * where they are, whatever comes at the end and goes at the start.
 */
import { type RefObject, useRef, useState, useSyncExternalStore } from 'react'
import type { Filtered } from '../../model/model.ts'
import { createStore, type Store } from '../../state/store.ts'
import { type Range, rangeAt, rangeAtEnd, stepOf } from './range.ts'

/** px that count as "at the end". */
const CLOSE = 4

interface WindowOptions {
  readonly grid: RefObject<HTMLElement | null>
  readonly filtered: Filtered
  /** Rows in the list. */
  readonly length: number
  /** Of a row, and of the headings above the first, px. */
  readonly rowHeight: number
  /** Of the list, px. */
  readonly height: number
  readonly following: Store<boolean>
  readonly follows: boolean
}

interface RowWindow extends Range {
  /** Whether the last row is in sight. */
  readonly atEnd: boolean
  /** To be called after each rendering: the list may have become longer, shorter, or another one. */
  settle(): void
  onScroll(): void
  /** Brings a row into sight by the shortest way. */
  scrollTo(index: number): void
}

interface Place {
  readonly step: number
  readonly atEnd: boolean
}

export function useWindow(options: WindowOptions): RowWindow {
  const { grid, filtered, length, rowHeight, height, following, follows } = options
  // A store, because what it tells is drawn in the frame in which the list scrolls. Where it follows,
  // which rows are in the page is known without it.
  const [place] = useState(() => createStore<Place>({ step: 0, atEnd: true }))
  const step = useSyncExternalStore(place.subscribe, () => (follows ? 0 : place.get().step))
  const atEnd = useSyncExternalStore(place.subscribe, () => place.get().atEnd)
  const last = useRef(0)
  const anchor = useRef<{ readonly row: number; readonly index: number }>(undefined)

  function note({ scrollTop, scrollHeight, clientHeight }: HTMLElement): void {
    last.current = scrollTop
    const top = scrollTop / rowHeight
    const index = Math.ceil(top)
    const row = filtered.at(index)
    anchor.current = row && { row: row.row, index }
    const now = {
      step: stepOf(top),
      atEnd: scrollTop + clientHeight >= scrollHeight - CLOSE,
    }
    const before = place.get()
    if (before.step !== now.step || before.atEnd !== now.atEnd) place.set(now)
  }

  return {
    ...(follows
      ? rangeAtEnd(length, height / rowHeight)
      : rangeAt(step, length, height / rowHeight)),
    atEnd,
    settle() {
      const element = grid.current
      if (!element) return
      if (follows) {
        element.scrollTop = element.scrollHeight
      } else if (anchor.current) {
        const now = filtered.indexOf(anchor.current.row)
        if (now >= 0 && now !== anchor.current.index)
          element.scrollTop += (now - anchor.current.index) * rowHeight
      }
      note(element)
    },
    onScroll() {
      const element = grid.current
      if (!element) return
      const before = last.current
      note(element)
      if (last.current < before && !place.get().atEnd) following.set(false)
      else if (last.current > before && place.get().atEnd) following.set(true)
    },
    scrollTo(index) {
      const element = grid.current
      if (!element) return
      // The headings hide what is above the rows in sight.
      const top = index * rowHeight
      const lowest = top + 2 * rowHeight - element.clientHeight
      if (top < element.scrollTop) element.scrollTop = top
      else if (lowest > element.scrollTop) element.scrollTop = lowest
    },
  }
}

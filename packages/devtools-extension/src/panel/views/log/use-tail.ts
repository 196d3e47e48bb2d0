/**
 * Where the list stands. While it follows, at its newest row; else the rows that are looked at stay
 * where they are, whatever comes at the end and goes at the start.
 */
import { type RefObject, useLayoutEffect, useRef } from 'react'
import type { Filtered } from '../../model/model.ts'
import type { Store } from '../../state/store.ts'

/** px that count as "at the end". */
const CLOSE = 4

interface Tail {
  onScroll(): void
}

export function useTail(
  grid: RefObject<HTMLElement | null>,
  filtered: Filtered,
  rowHeight: number,
  following: Store<boolean>,
  follows: boolean,
): Tail {
  const last = useRef(0)
  const anchor = useRef<{ readonly row: number; readonly index: number }>(undefined)

  function noteAnchor(): void {
    const index = Math.ceil((grid.current?.scrollTop ?? 0) / rowHeight)
    const row = filtered.at(index)
    anchor.current = row && { row: row.row, index }
  }

  // After every render: the list may have become longer, shorter, or another one.
  useLayoutEffect(() => {
    const element = grid.current
    if (!element) return
    if (follows) {
      element.scrollTop = element.scrollHeight
    } else if (anchor.current) {
      const now = filtered.indexOf(anchor.current.row)
      if (now >= 0 && now !== anchor.current.index)
        element.scrollTop += (now - anchor.current.index) * rowHeight
    }
    last.current = element.scrollTop
    noteAnchor()
  })

  function onScroll(): void {
    const element = grid.current
    if (!element) return
    const { scrollTop, scrollHeight, clientHeight } = element
    const atEnd = scrollTop + clientHeight >= scrollHeight - CLOSE
    if (scrollTop < last.current && !atEnd) following.set(false)
    else if (scrollTop > last.current && atEnd) following.set(true)
    last.current = scrollTop
    noteAnchor()
  }

  return { onScroll }
}

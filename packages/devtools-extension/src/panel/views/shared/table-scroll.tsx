/** A table that may be wider than there is room: it scrolls, and where it does, keys reach it. */
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react'
import { useSize } from '../../ui/use-size.ts'

export function TableScroll({
  label,
  children,
}: {
  readonly label: string
  readonly children: ReactNode
}): ReactNode {
  const place = useRef<HTMLDivElement>(null)
  const { width } = useSize(place)
  const [scrolls, setScrolls] = useState(false)
  // Whatever is drawn anew may have another width.
  useLayoutEffect(() => {
    setScrolls(place.current !== null && place.current.scrollWidth > Math.ceil(width))
  })
  return (
    <div
      ref={place}
      className="table-scroll"
      {...(scrolls && { role: 'region', 'aria-label': label, tabIndex: 0 })}
    >
      {children}
    </div>
  )
}

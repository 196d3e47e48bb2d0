/** The edge between two panes: dragged, or moved with the arrows. */
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef } from 'react'

interface SplitterProps {
  readonly label: string
  /** Which way the edge itself runs. */
  readonly orientation: 'vertical' | 'horizontal'
  /** px of the pane after the edge. */
  readonly size: number
  readonly least: number
  readonly most: number
  onSize(size: number): void
}

const STEP = 16

export function Splitter(props: SplitterProps): ReactNode {
  const { label, orientation, size, least, most, onSize } = props
  const drag = useRef<{ readonly from: number; readonly size: number }>(undefined)
  const place = (event: PointerEvent): number =>
    orientation === 'vertical' ? event.clientX : event.clientY
  const set = (wanted: number): void =>
    onSize(Math.round(Math.max(least, Math.min(Math.max(least, most), wanted))))

  function onKeyDown(event: KeyboardEvent): void {
    const [more, less] =
      orientation === 'vertical' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowUp', 'ArrowDown']
    if (event.key === more) set(size + STEP)
    else if (event.key === less) set(size - STEP)
    else if (event.key === 'Home') set(most)
    else if (event.key === 'End') set(least)
    else return
    event.preventDefault()
  }

  return (
    <div
      role="separator"
      className={`splitter splitter-${orientation}`}
      aria-label={label}
      aria-orientation={orientation}
      aria-valuenow={size}
      aria-valuemin={least}
      aria-valuemax={Math.max(least, most)}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.preventDefault()
        event.currentTarget.setPointerCapture(event.pointerId)
        drag.current = { from: place(event), size }
      }}
      onPointerMove={(event) => {
        if (drag.current) set(drag.current.size - (place(event) - drag.current.from))
      }}
      onPointerUp={() => {
        drag.current = undefined
      }}
    />
  )
}

/**
 * The captured time in one strip: rate, what the filter lets through, errors, gaps. Dragging over it,
 * or moving its two handles, sets a time range in the filter.
 */
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import type { Minimap as MinimapData } from '../model/model.ts'
import { clockTime } from '../ui/format.ts'
import { useSize } from '../ui/use-size.ts'

export interface TimeRange {
  readonly from: number
  readonly to: number
}

interface MinimapProps {
  readonly data: MinimapData
  readonly range: TimeRange | undefined
  /** Changes with the theme, so that it is drawn again. */
  readonly theme: string
  onRange(range: TimeRange | undefined): void
}

/** px that a drag has to go to be none of a click. */
const LEAST_DRAG = 3

export function Minimap({ data, range, theme, onRange }: MinimapProps): ReactNode {
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const { width, height } = useSize(box)
  const [drag, setDrag] = useState<{ readonly from: number; readonly to: number }>()

  const span = Math.max(1, data.to - data.from)
  const timeAt = (x: number): number => data.from + (Math.max(0, Math.min(width, x)) / width) * span
  const placeOf = (ms: number): number => Math.max(0, Math.min(1, (ms - data.from) / span)) * 100

  const colours = useRef<{ readonly theme: string; readonly colours: Colours }>(undefined)
  useLayoutEffect(() => {
    if (!canvas.current || width === 0) return
    if (colours.current?.theme !== theme)
      colours.current = { theme, colours: coloursOf(canvas.current) }
    draw(canvas.current, colours.current.colours, data, width, height)
  }, [data, width, height, theme])

  function xOf(event: PointerEvent): number {
    return event.clientX - (box.current?.getBoundingClientRect().left ?? 0)
  }

  function release(): void {
    if (!drag) return
    setDrag(undefined)
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)]
    onRange(to - from < LEAST_DRAG ? undefined : { from: timeAt(from), to: timeAt(to) })
  }

  function onHandleKey(event: KeyboardEvent, which: 'from' | 'to'): void {
    const step = span / (event.shiftKey ? 10 : 100)
    const now = range ?? { from: data.from, to: data.to }
    const moved =
      event.key === 'ArrowLeft' || event.key === 'ArrowDown'
        ? now[which] - step
        : event.key === 'ArrowRight' || event.key === 'ArrowUp'
          ? now[which] + step
          : event.key === 'Home'
            ? data.from
            : event.key === 'End'
              ? data.to
              : undefined
    if (event.key === 'Delete' || event.key === 'Backspace') onRange(undefined)
    else if (moved === undefined) return
    else if (which === 'from')
      onRange({ ...now, from: Math.max(data.from, Math.min(moved, now.to)) })
    else onRange({ ...now, to: Math.min(data.to, Math.max(moved, now.from)) })
    event.preventDefault()
  }

  const shown = drag
    ? {
        from: (Math.min(drag.from, drag.to) / width) * 100,
        to: (Math.max(drag.from, drag.to) / width) * 100,
      }
    : range && { from: placeOf(range.from), to: placeOf(range.to) }

  return (
    <section className="minimap-frame" aria-label="Captured time, to filter by it">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: its handles are for the keyboard */}
      <div
        ref={box}
        className="minimap"
        onPointerDown={(event) => {
          if (event.button !== 0) return
          event.currentTarget.setPointerCapture(event.pointerId)
          const x = xOf(event)
          setDrag({ from: x, to: x })
        }}
        onPointerMove={(event) => {
          if (drag) setDrag({ ...drag, to: Math.max(0, Math.min(width, xOf(event))) })
        }}
        onPointerUp={release}
        onPointerCancel={() => setDrag(undefined)}
        onDoubleClick={() => onRange(undefined)}
        title={`${clockTime(data.from)} – ${clockTime(data.to)}: drag to filter by time, double-click for all`}
      >
        <canvas ref={canvas} className="minimap-canvas" />
        {shown && (
          <>
            <div className="minimap-out" style={{ left: 0, width: `${shown.from}%` }} />
            <div className="minimap-out" style={{ left: `${shown.to}%`, right: 0 }} />
          </>
        )}
        {(['from', 'to'] as const).map((which) => {
          const ms = range?.[which] ?? data[which]
          return (
            <div
              key={which}
              role="slider"
              className={range ? 'minimap-handle minimap-handle-set' : 'minimap-handle'}
              style={{ left: `${placeOf(ms)}%` }}
              aria-label={which === 'from' ? 'From' : 'To'}
              aria-valuemin={Math.round(data.from)}
              aria-valuemax={Math.round(data.to)}
              aria-valuenow={Math.round(ms)}
              aria-valuetext={clockTime(ms)}
              tabIndex={0}
              onKeyDown={(event) => onHandleKey(event, which)}
            />
          )
        })}
      </div>
    </section>
  )
}

interface Colours {
  readonly rate: string
  readonly match: string
  readonly error: string
  readonly gap: string
}

function draw(
  canvas: HTMLCanvasElement,
  { rate, match, error, gap }: Colours,
  data: MinimapData,
  width: number,
  height: number,
): void {
  const ratio = devicePixelRatio || 1
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  const context = canvas.getContext('2d')
  if (!context) return
  context.scale(ratio, ratio)
  const { buckets } = data
  const most = Math.max(1, ...buckets.map(({ events }) => events))
  const step = width / Math.max(1, buckets.length)
  // By its root: one event beside a burst is still seen.
  const tall = (events: number): number =>
    events === 0 ? 0 : Math.max(2, Math.sqrt(events / most) * (height - 5))
  buckets.forEach((bucket, index) => {
    const x = index * step
    const bar = Math.max(1, step - (step > 4 ? 1 : 0))
    const fill = (style: string, size: number): void => {
      context.fillStyle = style
      context.fillRect(x, height - size, bar, size)
    }
    fill(rate, tall(bucket.events))
    fill(match, tall(bucket.matching))
    if (bucket.gaps > 0) hatch(context, gap, x, bar, height)
    if (bucket.errors > 0) {
      context.fillStyle = error
      context.fillRect(x, 0, Math.max(2, bar), 4)
    }
  })
}

function hatch(
  context: CanvasRenderingContext2D,
  colour: string,
  x: number,
  width: number,
  height: number,
): void {
  const wide = Math.max(6, width)
  context.save()
  context.beginPath()
  context.rect(x, 0, wide, height)
  context.clip()
  context.strokeStyle = colour
  context.lineWidth = 1
  context.beginPath()
  for (let at = -height; at < wide; at += 4) {
    context.moveTo(x + at, height)
    context.lineTo(x + at + height, 0)
  }
  context.stroke()
  context.restore()
}

/** A canvas knows no variables and no `light-dark()`: an element tells what they come to. */
function coloursOf(canvas: HTMLCanvasElement): Colours {
  const probe = document.createElement('span')
  canvas.parentElement?.append(probe)
  const colour = (name: string): string => {
    probe.style.color = `var(${name})`
    return getComputedStyle(probe).color
  }
  const colours = {
    rate: colour('--bar-rate'),
    match: colour('--bar-match'),
    error: colour('--bar-error'),
    gap: colour('--bar-gap'),
  }
  probe.remove()
  return colours
}

/** The parts of a sequence diagram, as SVG. */
import type { Sequence } from '../../model/model.ts'
import { duration } from '../shared/format.ts'
import { type Bar, GUTTER, type Place } from './layout.ts'
import { labelOf, sentence } from './words.ts'

/** Of the font of labels, px. */
const CHARACTER = 6.7
const LEAST_LABEL = 190

type Message = Sequence['messages'][number]

export function Arrow({
  id,
  sequence,
  message,
  at,
  start,
  right,
  pxPerMs,
  state,
  onPoint,
  onChoose,
}: {
  id: string
  sequence: Sequence
  message: Message
  at: Place
  start: number
  /** Where the diagram ends, px. */
  right: number
  /** Around where it arrives: for the bounds of what clocks allow. */
  pxPerMs: number
  state: { active: boolean; selected: boolean; kin: boolean }
  onPoint(index: number | undefined): void
  onChoose(index: number): void
}) {
  const { fromX, toX, top, bottom } = at
  const self = fromX === toX
  // Of what stays in its lane, the label stands where there is room.
  const crowded = right - fromX < LEAST_LABEL && fromX - GUTTER > right - fromX
  const way = toX < fromX || (self && crowded) ? -1 : 1
  // A label may go on past the lane it leads to: it has a line of its own.
  const edge = way < 0 ? fromX - GUTTER : right - fromX
  const room = Math.max(24, Math.min(edge - 12, Math.max(LEAST_LABEL, Math.abs(toX - fromX) - 16)))
  const [type, took] = labelOf(message, Math.floor(room / CHARACTER))
  const wide = (type.length + took.length + 1) * CHARACTER
  const textX = fromX + way * (self ? 12 : 8)
  // Ends where the head of the arrow begins to cover it.
  const [endX, endY] = message.failed
    ? [fromX + (toX - fromX) * 0.82, top + (bottom - top) * 0.82]
    : [toX, bottom]
  const spread = Math.min(24, message.plusMinus * pxPerMs)
  const classes = [
    'arrow',
    `via-${message.via}`,
    message.failed && 'failed',
    state.active && 'active',
    state.selected && 'selected',
    state.kin && 'kin',
  ]
  const text = sentence(sequence, message, start)
  const path =
    self && message.failed
      ? `M${fromX} ${top}h0`
      : self
        ? `M${fromX} ${top}h9v${Math.max(6, bottom - top)}h-5`
        : `M${fromX} ${top}L${endX} ${endY}`
  return (
    <g
      id={id}
      role="option"
      aria-selected={state.selected}
      className={classes.filter(Boolean).join(' ')}
      onPointerEnter={() => onPoint(at.index)}
      onPointerLeave={() => onPoint(undefined)}
      onClick={() => onChoose(at.index)}
    >
      <path className="arrow-hit" d={path} />
      {!self && (
        <rect
          className="arrow-hit-text"
          x={way < 0 ? textX - wide : textX}
          y={top - 15}
          width={wide}
          height={14}
        />
      )}
      <path className="arrow-line" d={path} />
      {!message.failed && <Head x={endX} y={endY} fromX={fromX} fromY={top} self={self} />}
      {message.failed && (
        <path className="arrow-cross" d={`M${endX - 4} ${endY - 4}l8 8m0 -8l-8 8`} />
      )}
      {spread >= 2 && !message.failed && (
        <path
          className="arrow-spread"
          d={`M${toX - way * 5} ${bottom - spread}h${way * 4}m${-way * 2} 0v${spread * 2}m${-way * 2} 0h${way * 4}`}
        />
      )}
      <text x={textX} y={top - 4} textAnchor={way < 0 ? 'end' : 'start'}>
        {type}
        {took && <tspan className="took"> {took}</tspan>}
      </text>
      <title>{text}</title>
    </g>
  )
}

function Head({
  x,
  y,
  fromX,
  fromY,
  self,
}: {
  x: number
  y: number
  fromX: number
  fromY: number
  self: boolean
}) {
  if (self) return null
  const angle = (Math.atan2(y - fromY, x - fromX) * 180) / Math.PI
  return (
    <path
      className="arrow-head"
      d="M0 0l-7 -3.5v7z"
      transform={`translate(${x} ${y}) rotate(${angle})`}
    />
  )
}

/** A handler that ran. */
export function HandlerBar({
  bar,
  ms,
  failed,
  selected,
  onChoose,
}: {
  bar: Bar
  ms: number
  failed: boolean
  selected: boolean
  onChoose(): void
}) {
  const { x, top, bottom } = bar
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a g has no focus
    <g
      aria-hidden="true"
      className={`bar ${failed ? 'failed' : ''} ${selected ? 'selected' : ''}`}
      onClick={onChoose}
    >
      <rect x={x - 4} y={top} width={8} height={bottom - top} rx={1.5} />
      {failed && <path className="arrow-cross" d={`M${x + 8} ${top}l6 6m0 -6l-6 6`} />}
      <title>{`handler ${failed ? 'failed after' : 'ran'} ${duration(ms)}`}</title>
    </g>
  )
}

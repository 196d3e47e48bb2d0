/** A sequence diagram: lanes that stay in sight, and of the rest what is scrolled to. */
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react'
import type { Peer, Sequence } from '../../model/model.ts'
import { useSize } from '../../ui/use-size.ts'
import { devicesOf } from '../peers/devices.ts'
import { clockInWords } from '../peers/words.ts'
import { duration, since } from '../shared/format.ts'
import { destination } from '../shared/virtual-table.tsx'
import { Arrow, HandlerBar } from './arrows.tsx'
import { GUTTER, place, windowOf } from './layout.ts'
import { sentence, summary } from './words.ts'

const LEAST_LANE = 124
const MOST_LANE = 280
const HEADER = 54
/** Where there is little room: without clocks. */
const SHORT_HEADER = 37
const SHORT = 220
const MARGIN = 240

export function Diagram({
  sequence,
  zoom,
  onZoom,
  selected,
  onSelect,
  peers,
}: {
  sequence: Sequence
  zoom: number
  onZoom(by: 1 | -1 | 0): void
  selected: ReadonlySet<string>
  onSelect(event: string): void
  peers: ReadonlyMap<string, Peer>
}): ReactNode {
  const id = useId()
  const ref = useRef<HTMLDivElement>(null)
  const { width, height } = useSize(ref)
  const [scroll, setScroll] = useState(0)
  const [active, setActive] = useState(-1)
  const [pointed, setPointed] = useState<number>()
  const laneWidth = useMemo(() => {
    const fit = (width - GUTTER - 2) / Math.max(1, sequence.lanes.length)
    return Math.max(LEAST_LANE, Math.min(MOST_LANE, fit)) * Math.max(0.75, Math.min(zoom, 1.5))
  }, [width, sequence.lanes.length, zoom])
  const placed = useMemo(() => place(sequence, { laneWidth, zoom }), [sequence, laneWidth, zoom])
  const start = sequence.messages[0]?.sent ?? 0
  const devices = useMemo(() => namesOfDevices(peers.values()), [peers])

  const header = height < SHORT ? SHORT_HEADER : HEADER
  const top = Math.max(0, scroll - MARGIN)
  const bottom = Math.min(placed.height, scroll + height + MARGIN)
  const [from, to] = windowOf(placed, top, bottom)
  const inSight = placed.messages.slice(from, to)
  const activeIn = active >= from && active < to

  const shownIndex = pointed ?? (active >= 0 ? placed.messages[active]?.index : undefined)
  const shown = shownIndex === undefined ? undefined : sequence.messages[shownIndex]

  useEffect(() => {
    const at = placed.messages[active]
    const box = ref.current
    if (!at || !box) return
    const view = box.clientHeight - header
    if (at.top - 24 < box.scrollTop) box.scrollTop = at.top - 24
    else if (at.top + 24 > box.scrollTop + view) box.scrollTop = at.top + 24 - view
    const left = Math.min(at.fromX, at.toX) - GUTTER
    const right = Math.max(at.fromX, at.toX) + 24
    if (left < box.scrollLeft) box.scrollLeft = left
    else if (right > box.scrollLeft + box.clientWidth) box.scrollLeft = right - box.clientWidth
  }, [active, placed, header])

  useEffect(() => {
    const box = ref.current
    if (!box) return
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return
      event.preventDefault()
      onZoom(event.deltaY < 0 ? 1 : -1)
    }
    // React's own listener is passive, and the page would zoom.
    box.addEventListener('wheel', wheel, { passive: false })
    return () => box.removeEventListener('wheel', wheel)
  }, [onZoom])

  const choose = (index: number) => {
    setActive(placed.messages.findIndex((at) => at.index === index))
    const message = sequence.messages[index]
    if (message) onSelect(message.event)
  }
  const keys = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const by = { '+': 1, '=': 1, '-': -1, '0': 0 }[event.key] as 1 | -1 | 0 | undefined
    const next = destination(event.key, active, placed.messages.length)
    const at = placed.messages[active]
    if (by !== undefined) onZoom(by)
    else if (next !== undefined) setActive(next)
    else if ((event.key === 'Enter' || event.key === ' ') && at) choose(at.index)
    else return
    event.preventDefault()
  }

  return (
    <div className="sequence-box">
      <div className="focus-ring">
        <div
          className="sequence-scroll"
          ref={ref}
          role="listbox"
          aria-label={`Sequence diagram. ${summary(sequence)}`}
          aria-activedescendant={activeIn ? `${id}-${active}` : undefined}
          data-keys="grid"
          tabIndex={0}
          onKeyDown={keys}
          onScroll={(event) => {
            const now = event.currentTarget.scrollTop
            // In steps: not every pixel is worth a render.
            setScroll((before) => (Math.abs(now - before) > MARGIN / 2 || now === 0 ? now : before))
          }}
        >
          <div
            className="sequence-lanes"
            aria-hidden="true"
            style={{ inlineSize: placed.width, blockSize: header }}
          >
            {placed.groups.map((group) => (
              <div
                key={`${group.name}-${group.x}`}
                className="sequence-group"
                style={{ insetInlineStart: group.x, inlineSize: group.width }}
                title={group.name}
              >
                {devices.get(group.name) ?? group.name}
              </div>
            ))}
            {sequence.lanes.map((lane, i) => (
              <div
                key={lane.peer}
                className="sequence-lane"
                style={{ insetInlineStart: GUTTER + i * laneWidth, inlineSize: laneWidth }}
                title={laneTitle(lane.name, peers.get(lane.peer))}
              >
                <span>{lane.name}</span>
                {header === HEADER && <small>{skewText(peers.get(lane.peer))}</small>}
              </div>
            ))}
          </div>
          <div
            role="presentation"
            style={{ inlineSize: placed.width, blockSize: placed.height, position: 'relative' }}
          >
            <svg
              role="presentation"
              className="sequence-svg"
              width={placed.width}
              height={Math.max(0, bottom - top)}
              viewBox={`0 ${top} ${placed.width} ${Math.max(1, bottom - top)}`}
              style={{ insetBlockStart: top }}
            >
              {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a g has no focus */}
              <g aria-hidden="true">
                {placed.groups.map((group, i) => (
                  <rect
                    key={`${group.name}-${group.x}`}
                    className={i % 2 ? 'ground ground-odd' : 'ground'}
                    x={group.x}
                    y={top}
                    width={group.width}
                    height={Math.max(0, bottom - top)}
                  />
                ))}
                {placed.lanes.map(({ x }, i) => (
                  <line
                    key={sequence.lanes[i]?.peer}
                    className="lifeline"
                    x1={x}
                    x2={x}
                    y1={top}
                    y2={bottom}
                  />
                ))}
                {placed.ticks
                  .filter(({ y }) => y >= top && y <= bottom)
                  .map(({ y, ms, skipped }) => (
                    <g key={y} className="tick">
                      {skipped !== undefined && (
                        <>
                          <line
                            className="tick-break"
                            x1={0}
                            x2={placed.width}
                            y1={y - 24}
                            y2={y - 24}
                          />
                          <text
                            x={GUTTER - 10}
                            y={y - 27}
                            textAnchor="end"
                            className="tick-skipped"
                          >
                            ⋮ {duration(skipped)}
                          </text>
                        </>
                      )}
                      <text x={GUTTER - 10} y={y + 3} textAnchor="end">
                        {since(ms)}
                      </text>
                    </g>
                  ))}
              </g>
              {placed.bars
                .filter((bar) => bar.bottom >= top && bar.top <= bottom)
                .map((bar) => {
                  const of = sequence.bars[bar.index]
                  return (
                    of && (
                      <HandlerBar
                        key={bar.index}
                        bar={bar}
                        ms={of.to - of.from}
                        failed={of.failed}
                        selected={selected.has(of.event)}
                        onChoose={() => onSelect(of.event)}
                      />
                    )
                  )
                })}
              {inSight.map((at, i) => {
                const message = sequence.messages[at.index]
                return (
                  message && (
                    <Arrow
                      key={at.index}
                      id={`${id}-${from + i}`}
                      sequence={sequence}
                      message={message}
                      at={at}
                      start={start}
                      right={placed.width}
                      pxPerMs={(at.bottom - at.top) / Math.max(0.1, message.ms)}
                      state={{
                        active: from + i === active,
                        selected: selected.has(message.event),
                        kin: shown?.event === message.event,
                      }}
                      onPoint={setPointed}
                      onChoose={choose}
                    />
                  )
                )
              })}
            </svg>
          </div>
        </div>
      </div>
      <p className="sequence-readout" aria-hidden="true">
        {shown ? sentence(sequence, shown, start) : summary(sequence)}
      </p>
    </div>
  )
}

/** Names of devices by their ids. */
function namesOfDevices(peers: Iterable<Peer>): ReadonlyMap<string, string> {
  return new Map(devicesOf(peers).map(({ id, name }) => [id, name]))
}

function skewText(peer: Peer | undefined): string {
  return peer ? `clock ${clockInWords(peer)}` : ''
}

function laneTitle(name: string, peer: Peer | undefined): string {
  if (!peer) return name
  const { ms, uncertainty } = peer.skew
  const clock =
    Math.abs(ms) < 0.5 && uncertainty < 0.5
      ? 'its clock is this one'
      : `its clock is ${duration(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead'}, ± ${duration(uncertainty)}; times are shown as of one clock`
  return `${name}: ${clock}`
}

import { useEffect, useState } from 'react'
import type { Frame } from '../../activity/rewind.ts'
import { useFrames } from '../../activity/use-frames.ts'
import { pictureOf } from '../../art/pictures.ts'
import { type Cart, countOf, EMPTY_CART, totalOf } from '../../cart.ts'
import { ClockIcon, PauseIcon, PlayIcon } from '../../icons.tsx'
import { money, nameOf } from '../../products.ts'
import { hrefOf } from '../../route.ts'
import { putBack } from '../../shop.ts'
import { dateTime } from '../../times.ts'
import { Empty } from '../empty.tsx'
import { Progress } from './progress.tsx'

/** The cart as it was, at every moment there was. */
export function RewindView() {
  const { frames, state, progress, error, reload } = useFrames()
  // How many events back from the newest, so that what comes does not move what is looked at.
  const [at, setAt] = useState<number>()
  const place = Math.min(at ?? frames.length, frames.length)
  const frame = frames[place - 1]
  const lines = frame?.cart ?? EMPTY_CART

  if (state === 'failed') {
    return (
      <section className="panel" aria-label="Rewind">
        <p className="problem" role="alert">
          {error}
        </p>
        <button type="button" className="button" onClick={reload}>
          Try again
        </button>
      </section>
    )
  }
  if (state === 'done' && frames.length === 0) {
    return (
      <section className="panel" aria-label="Rewind">
        <Empty id="rewind-empty" icon={<ClockIcon />} title="Nothing to go back to">
          The cart has no past yet. <a href={hrefOf()}>Give it one</a>
        </Empty>
      </section>
    )
  }
  return (
    <section className="panel rewind" aria-label="Rewind" data-testid="rewind" data-state={state}>
      {state === 'reading' ? (
        <Progress value={progress} label="Replaying the log" />
      ) : (
        <Controls place={place} count={frames.length} frame={frame} move={setAt} />
      )}
      <PastCart lines={lines} past={place < frames.length} />
    </section>
  )
}

interface ControlsProps {
  place: number
  count: number
  frame: Frame | undefined
  /** `undefined`: to now, and along with what comes. */
  move: (place: number | undefined) => void
}

const STEP_MS = 500

function Controls({ place, count, frame, move }: ControlsProps) {
  const [playing, setPlaying] = useState(false)

  useEffect(() => {
    if (!playing) return
    if (place >= count) return setPlaying(false)
    const timer = setTimeout(() => move(place + 1), STEP_MS)
    return () => clearTimeout(timer)
  }, [playing, place, count, move])

  const words = frame ? wordsOf(frame) : 'Before anything happened'
  return (
    <div className="rewind-controls">
      <p className="rewind-when" data-testid="rewind-when">
        <strong>{words}</strong>
        <small>
          {frame ? `${dateTime(frame.event.time)}, by ${frame.event.source}` : 'An empty cart'}
        </small>
      </p>
      <div className="rewind-row">
        <button
          type="button"
          className="button round"
          aria-label={playing ? 'Pause' : 'Play from here'}
          onClick={() => {
            if (!playing && place >= count) move(0)
            setPlaying(!playing)
          }}
          data-testid="rewind-play"
        >
          {playing ? <PauseIcon /> : <PlayIcon />}
        </button>
        <input
          type="range"
          min={0}
          max={count}
          value={place}
          style={{ '--part': `${(100 * place) / Math.max(1, count)}%` } as React.CSSProperties}
          aria-label="Moment"
          aria-valuetext={`${place} of ${count}: ${words}`}
          onChange={(event) => {
            setPlaying(false)
            const to = Number(event.target.value)
            move(to === count ? undefined : to)
          }}
          data-testid="rewind-slider"
        />
        <span
          className="rewind-place"
          data-testid="rewind-place"
          data-place={place}
          data-count={count}
        >
          {place} / {count}
        </span>
        <button
          type="button"
          className="button"
          disabled={place === count}
          onClick={() => {
            setPlaying(false)
            move(undefined)
          }}
          data-testid="rewind-now"
        >
          Now
        </button>
      </div>
    </div>
  )
}

function wordsOf({ event }: Frame): string {
  switch (event.type) {
    case 'cart.item_added':
      return `${event.data.name} was added`
    case 'cart.item_removed':
      return `One ${nameOf(event.data.sku)} was taken out`
    case 'cart.cleared':
      return 'The cart was emptied'
  }
}

function PastCart({ lines, past }: { lines: Cart; past: boolean }) {
  const count = countOf(lines)
  return (
    <div className="past">
      <ul className="past-lines" aria-label="The cart at that moment">
        {lines.map(({ sku, name, quantity }) => (
          <li
            key={sku}
            className="past-line"
            data-sku={sku}
            data-testid="past-line"
            data-quantity={quantity}
          >
            <img src={pictureOf(sku)} alt="" width="88" height="88" />
            <span>
              {quantity} × {name}
            </span>
          </li>
        ))}
      </ul>
      {count === 0 && <p className="past-empty">The cart is empty at this moment.</p>}
      <div className="past-foot">
        <p>
          {count === 1 ? '1 item' : `${count} items`}, <strong>{money(totalOf(lines))}</strong>
        </p>
        {past && (
          <button
            type="button"
            className="button primary"
            onClick={() => putBack(lines)}
            data-testid="rewind-put-back"
          >
            Make this the cart again
          </button>
        )}
      </div>
    </div>
  )
}

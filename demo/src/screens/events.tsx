import { memo, useEffect, useRef, useState } from 'react'
import { clockTime } from '../clock-time.ts'
import { clearRows, type EventRow, eventRows, MAX_ROWS, matches } from '../event-rows.ts'
import { PulseIcon } from '../icons.tsx'
import { useStore } from '../store.ts'
import { Empty, Panel } from './panel.tsx'

const ORIGINS: Readonly<Record<EventRow['origin'], string>> = {
  self: 'this tab',
  device: 'this device',
  room: 'another device',
  log: 'from the log',
}

/** Every event as it arrives. */
export function EventsScreen() {
  const rows = useStore(eventRows)
  const [filter, setFilter] = useState('')
  const shown = filter.trim() === '' ? rows : rows.filter((row) => matches(row, filter.trim()))
  return (
    <Panel
      id="events"
      title="Events"
      aside={
        <div className="events-tools">
          <input
            type="search"
            className="input"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            placeholder="Filter"
            aria-label="Filter events by type, source or data"
            data-testid="events-filter"
          />
          <button
            type="button"
            className="button quiet"
            disabled={rows.length === 0}
            onClick={clearRows}
            data-testid="events-clear"
          >
            Clear
          </button>
        </div>
      }
    >
      {shown.length === 0 ? (
        <Empty id="events-empty" icon={<PulseIcon />}>
          {rows.length === 0
            ? 'No events yet. Whatever happens in this room shows up here.'
            : `None of the ${rows.length} events match “${filter.trim()}”.`}
        </Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it
        <section className="events-scroll" aria-label="Events, newest first" tabIndex={0}>
          <ol className="events">
            {shown.map((row) => (
              <Row key={row.id} row={row} />
            ))}
          </ol>
        </section>
      )}
      <p className="events-foot">
        <span data-testid="events-count" data-count={shown.length}>
          {shown.length === rows.length ? rows.length : `${shown.length} of ${rows.length}`}{' '}
          {rows.length === 1 ? 'event' : 'events'}
        </span>
        {rows.length === MAX_ROWS && <span>older ones are in the log</span>}
      </p>
      <Announcer rows={rows} />
    </Panel>
  )
}

const Row = memo(({ row }: { row: EventRow }) => (
  <li
    className="event"
    data-testid="event-row"
    data-type={row.type}
    data-origin={row.origin}
    data-source={row.source}
  >
    <span className="event-type">{row.type}</span>
    <span className="event-source">{row.source}</span>
    <span className="event-origin">{ORIGINS[row.origin]}</span>
    <span className="event-data" title={row.text}>
      {row.text || 'no data'}
    </span>
    <time dateTime={new Date(row.time).toISOString()}>{clockTime(row.time)}</time>
  </li>
))

const ANNOUNCE_EVERY_MS = 5_000

/** For screen readers: what came, at most every few seconds. */
function Announcer({ rows }: { rows: readonly EventRow[] }) {
  const [words, setWords] = useState('')
  const latest = useRef(rows)
  latest.current = rows

  useEffect(() => {
    let said = latest.current[0]
    const timer = setInterval(() => {
      const [newest] = latest.current
      if (!newest || newest === said) return
      const count = said ? latest.current.indexOf(said) : latest.current.length
      said = newest
      const many =
        count > 1
          ? `${count} new events, the last: `
          : count < 0
            ? 'Many new events, the last: '
            : ''
      setWords(`${many}${newest.type} from ${newest.source}, ${ORIGINS[newest.origin]}`)
    }, ANNOUNCE_EVERY_MS)
    return () => clearInterval(timer)
  }, [])

  return (
    <p className="visually-hidden" aria-live="polite">
      {words}
    </p>
  )
}

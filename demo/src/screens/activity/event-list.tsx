import { memo, useCallback, useState } from 'react'
import type { LogRow } from '../../activity/log-search.ts'
import { clockTime } from '../../times.ts'
import { EventDetails } from './event-details.tsx'
import { useRoving } from './roving.ts'

const ORIGINS: Readonly<Record<LogRow['origin'], string>> = {
  self: 'this tab',
  device: 'this device',
  room: 'another device',
  log: 'from the log',
}

/** Events, newest first. One stop for the keyboard: the arrows go from one to the next. */
export function EventList({ rows }: { rows: readonly LogRow[] }) {
  const [open, setOpen] = useState<string>()
  const roving = useRoving()
  const toggle = useCallback(
    (id: string) => setOpen((before) => (before === id ? undefined : id)),
    [],
  )
  return (
    <ol className="events" aria-label="Events, newest first" {...roving.list}>
      {rows.map((row, index) => (
        <Row
          key={row.event.id}
          row={row}
          open={row.event.id === open}
          stop={roving.current === undefined ? index === 0 : roving.current === row.event.id}
          toggle={toggle}
        />
      ))}
    </ol>
  )
}

interface RowProps {
  row: LogRow
  open: boolean
  /** Whether Tab stops here. */
  stop: boolean
  toggle: (id: string) => void
}

const Row = memo(({ row, open, stop, toggle }: RowProps) => {
  const { event, text, origin } = row
  return (
    <li
      className="event"
      data-testid="event-row"
      data-type={event.type}
      data-family={event.type.split('.')[0]}
      data-origin={origin}
      data-source={event.source}
    >
      <button
        type="button"
        className="event-line"
        aria-expanded={open}
        tabIndex={stop ? 0 : -1}
        data-roving={event.id}
        onClick={() => toggle(event.id)}
      >
        <span className="event-type">{event.type}</span>
        <span className="event-data">{text || 'no data'}</span>
        <span className="event-source">{event.source}</span>
        <span className="event-origin">{ORIGINS[origin]}</span>
        <time dateTime={new Date(event.time).toISOString()}>{clockTime(event.time)}</time>
      </button>
      {open && <EventDetails event={event} />}
    </li>
  )
})

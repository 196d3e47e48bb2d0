/** The events of a log, in its order. */
import type { Answers, StoreInfo } from '@crosstown/bus/inspect'
import { type FormEvent, useState } from 'react'
import { bytes, clockTime, count, plural } from '../shared/format.ts'
import { Empty, Notice } from '../shared/notice.tsx'
import { type Column, VirtualTable } from '../shared/virtual-table.tsx'
import type { LogEntry, LogPages } from './log-pages.ts'

/** Of one batch; a log's newest events are looked for so many batches back. */
const BATCH = 4096
const BATCHES_BACK = 64

const COLUMNS: readonly Column<LogEntry>[] = [
  {
    id: 'offset',
    head: 'Offset',
    width: '96px',
    numeric: true,
    cell: ({ offset }) => count(offset),
  },
  { id: 'time', head: 'Published', width: '104px', cell: ({ time }) => clockTime(time) },
  {
    id: 'type',
    head: 'Type',
    width: 'minmax(140px, 2fr)',
    cell: ({ type }) => type,
    title: ({ id }) => id,
  },
  { id: 'source', head: 'Source', width: 'minmax(70px, 1fr)', cell: ({ source }) => source },
  {
    id: 'stream',
    head: 'Stream',
    width: 'minmax(80px, 1fr)',
    cell: ({ stream, revision }) =>
      stream === undefined ? '' : revision === undefined ? stream : `${stream} @${revision}`,
  },
  { id: 'state', head: 'Room', width: '92px', cell: roomState },
  { id: 'bytes', head: 'Size', width: '72px', numeric: true, cell: (event) => bytes(event.bytes) },
]

/** Where the room has it. */
export function roomState({ position, scope }: Answers['log']['events'][number]): string {
  if (position !== undefined) return '✓ confirmed'
  return scope === 'device' ? 'device only' : 'pending'
}

export function LogTable({
  pages,
  store,
  active,
  onActive,
  onReveal,
  onReplay,
  onTravel,
}: {
  pages: LogPages
  store: StoreInfo | undefined
  active: number | undefined
  onActive(offset: number): void
  onReveal(id: string): void
  onReplay(bound: 'from' | 'to', offset: number): void
  onTravel(offset: number): void
}) {
  const [goTo, setGoTo] = useState('')
  const { entries, next, state, words } = pages
  const index = entries.findIndex(({ offset }) => offset === active)
  const entry = entries[index]
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const offset = Number(goTo)
    if (Number.isSafeInteger(offset) && offset >= 0) pages.restart(offset)
  }
  const newest = store && Math.max(store.first, store.head - BATCHES_BACK * BATCH)
  return (
    <>
      <div className="view-bar">
        <button type="button" className="tool" onClick={() => pages.restart(undefined)}>
          Oldest
        </button>
        <button
          type="button"
          className="tool"
          disabled={newest === undefined}
          onClick={() => pages.restart(newest)}
        >
          Newest
        </button>
        <form className="field field-inline" onSubmit={submit}>
          <label className="field field-inline">
            <span>From offset</span>
            <input
              className="input offset-input"
              inputMode="numeric"
              pattern="\d*"
              value={goTo}
              onChange={(event) => setGoTo(event.target.value)}
            />
          </label>
          <button type="submit" className="tool">
            Go
          </button>
        </form>
        <span className="quiet" role="status">
          {state === 'reading'
            ? 'reading…'
            : `${plural(entries.length, 'event')} read${next === undefined ? ', to the end' : ''}`}
        </span>
      </div>
      {words !== undefined && (
        <Notice severity="error" live>
          {words}
        </Notice>
      )}
      {entries.length === 0 && state === 'idle' ? (
        <Empty title="This log has no events here">
          <p>
            Events are kept as they are published, unless they have <code>persist: false</code> or
            scope <code>context</code>, until the log is over its limits.
          </p>
        </Empty>
      ) : (
        <VirtualTable
          label="Log"
          columns={COLUMNS}
          length={entries.length + (next === undefined ? 0 : 1)}
          at={(i) => entries[i]}
          active={index}
          onActive={(i) => {
            const at = entries[Math.min(i, entries.length - 1)]
            if (at) onActive(at.offset)
          }}
          onOpen={(i) => {
            const at = entries[i]
            if (at) onReveal(at.id)
          }}
          onRange={(_, last) => {
            if (last >= entries.length - 20) pages.more()
          }}
          minWidth={680}
        />
      )}
      <div className="view-bar store-actions">
        <span className="ellipsis">
          {entry
            ? `${entry.type}, offset ${count(entry.offset)}`
            : 'Choose an event for what can be done with it.'}
        </span>
        <button
          type="button"
          className="tool"
          disabled={!entry}
          onClick={() => entry && onReveal(entry.id)}
        >
          Show in the log view
        </button>
        <button
          type="button"
          className="tool"
          disabled={!entry}
          onClick={() => entry && onReplay('from', entry.offset)}
        >
          Replay from here
        </button>
        <button
          type="button"
          className="tool"
          disabled={!entry}
          onClick={() => entry && onReplay('to', entry.offset)}
        >
          Replay to here
        </button>
        <button
          type="button"
          className="tool"
          disabled={!entry}
          onClick={() => entry && onTravel(entry.offset)}
        >
          Projections as of here
        </button>
      </div>
    </>
  )
}

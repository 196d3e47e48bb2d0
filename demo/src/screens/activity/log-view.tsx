import { useEffect, useState } from 'react'
import {
  EVERYTHING,
  type LogFound,
  type LogQuery,
  MAX_ROWS,
  searchLog,
} from '../../activity/log-search.ts'
import { PulseIcon } from '../../icons.tsx'
import { route } from '../../route.ts'
import { useStore } from '../../store.ts'
import { Empty } from '../empty.tsx'
import { EventList } from './event-list.tsx'
import { Progress } from './progress.tsx'
import { QueryForm } from './query-form.tsx'

const NOTHING: LogFound = { state: 'reading', rows: [], progress: 0, error: '' }

/** The events of the log, as they were and as they come. */
export function LogView() {
  const asked = useStore(route).query
  const [query, setQuery] = useState<LogQuery>(() => queryFrom(asked))
  const [found, setFound] = useState(NOTHING)
  const { state, rows, progress, error } = found

  useEffect(() => setQuery(queryFrom(asked)), [asked])
  useEffect(() => {
    setFound(NOTHING)
    return searchLog(query, setFound)
  }, [query])

  return (
    <section className="panel log" aria-label="Log">
      <QueryForm query={query} change={setQuery} />
      {state === 'failed' ? (
        <p className="problem" role="alert" data-testid="log-error">
          {error}
        </p>
      ) : (
        <>
          {state === 'reading' && <Progress value={progress} label="Reading the log" />}
          {state === 'done' && rows.length === 0 ? (
            <Empty id="log-empty" icon={<PulseIcon />} title="Nothing found">
              {query === EVERYTHING
                ? 'Whatever happens in this room shows up here.'
                : 'No event of this log is like that. Fewer words find more.'}
            </Empty>
          ) : (
            <EventList rows={rows} />
          )}
          <p
            className="log-foot"
            data-testid="log-count"
            data-count={rows.length}
            data-state={state}
          >
            {rows.length === 1 ? '1 event' : `${rows.length} events`}
            {rows.length === MAX_ROWS && ', the newest: there may be more'}
          </p>
        </>
      )}
    </section>
  )
}

/** A link into the log says what to look for: `?stream=order-1`. */
function queryFrom(asked: string): LogQuery {
  if (asked === '') return EVERYTHING
  const given = new URLSearchParams(asked)
  return {
    types: given.get('types') ?? '',
    stream: given.get('stream') ?? '',
    correlationId: given.get('correlation') ?? '',
    text: given.get('text') ?? '',
  }
}

import { dataText } from '../../activity/data-text.ts'
import type { LogEvent } from '../../activity/log-search.ts'
import { hrefOf } from '../../route.ts'
import { dateTime } from '../../times.ts'

/** The envelope of an event, and all of its data. */
export function EventDetails({ event }: { event: LogEvent }) {
  const { id, time, scope, stream, correlationId, causationId, offset, position, data } = event
  const facts = [
    ['Time', dateTime(time)],
    ['Id', id],
    ['Caused by', causationId],
    ['Stream', stream],
    ['Scope', scope],
    ['Offset here', offset],
    ['Place in the room', position],
  ].filter(([, value]) => value !== undefined)
  return (
    <div className="event-details" data-testid="event-details">
      <pre>{dataText(data, 5_000) || 'no data'}</pre>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="event-links">
        <a href={hrefOf('activity', 'threads', correlationId)} data-testid="event-thread">
          Its thread
        </a>
        {stream && (
          <a href={`${hrefOf('activity', 'log')}?stream=${encodeURIComponent(stream)}`}>
            Its stream
          </a>
        )}
      </p>
    </div>
  )
}

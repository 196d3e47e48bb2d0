import type { ReactNode } from 'react'
import { bytes, clockTime } from '../../ui/format.ts'
import { peerName } from '../../ui/peer-name.ts'
import type { EventDetailProps } from './event-detail.ts'

export function Envelope({ session, panel, row }: EventDetailProps): ReactNode {
  const { event } = row
  const link = (id: string): ReactNode => (
    <button type="button" className="link mono" onClick={() => panel.reveal(id)}>
      {id}
    </button>
  )
  const lines: readonly (readonly [name: string, value: ReactNode])[] = [
    ['id', event.id],
    ['type', event.type],
    ['source', event.source],
    ['publisher', peerName(session, row.publisher)],
    ['time', <Time key="time" ms={event.time} />],
    ['scope', event.scope ?? 'room'],
    ['kept', event.persist === false ? 'no: best effort' : 'in the log'],
    ['stream', event.stream],
    ['revision', event.revision],
    ['expected', event.expected === undefined ? undefined : JSON.stringify(event.expected)],
    ['version', event.version ?? 1],
    [
      'correlationId',
      event.correlationId === undefined || event.correlationId === event.id
        ? 'its own: it began the conversation'
        : link(event.correlationId),
    ],
    ['causationId', event.causationId === undefined ? undefined : link(event.causationId)],
    ['traceparent', event.traceparent],
    ['offset', event.offset],
    ['position', event.position],
    ['encoding', event.encoding ?? 'JSON'],
    ['group', event.group],
    ['own id', event.ownId],
    ['size', bytes(event.bytes)],
    ...Object.entries(event.metadata ?? {}).map(
      ([key, value]) => [`metadata.${key}`, String(value)] as const,
    ),
  ]
  return (
    <dl className="envelope">
      {lines.map(([name, value]) =>
        value === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="mono">{value}</dd>
          </div>
        ),
      )}
    </dl>
  )
}

/** `event.time`, by the publisher's clock. */
function Time({ ms }: { readonly ms: number }): ReactNode {
  const date = new Date(ms)
  const iso = Number.isNaN(date.getTime()) ? undefined : date.toISOString()
  return (
    <span title="By the publisher’s clock">
      {clockTime(ms)} <span className="hint">{iso}</span>
    </span>
  )
}

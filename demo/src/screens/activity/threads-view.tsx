import { useProjection } from '@crosstown/bus/react'
import { useEffect, useMemo, useState } from 'react'
import { watchConversation } from '../../activity/conversations.ts'
import { dataText } from '../../activity/data-text.ts'
import type { LogEvent } from '../../activity/log-search.ts'
import { spanOf, type ThreadNode, treeOf } from '../../activity/thread.ts'
import { ReceiptIcon } from '../../icons.tsx'
import { type Order, stateOf } from '../../orders.ts'
import { hrefOf, route } from '../../route.ts'
import { useStore } from '../../store.ts'
import { clockTime, span } from '../../times.ts'
import { orders } from '../../views.ts'
import { Empty } from '../empty.tsx'

/** What an event caused, and what that caused: one tree for each conversation. */
export function ThreadsView() {
  const all = useProjection(orders)
  const asked = useStore(route).rest[1]
  const shown = asked ?? all[0]?.correlationId
  if (shown === undefined) {
    return (
      <section className="panel" aria-label="Threads">
        <Empty id="threads-empty" icon={<ReceiptIcon />} title="No conversations yet">
          An order starts one: each service answers the event before.{' '}
          <a href={hrefOf()}>To the shop</a>
        </Empty>
      </section>
    )
  }
  return (
    <div className="threads">
      <nav className="panel thread-list" aria-label="Conversations">
        <h2>Orders</h2>
        <ul>
          {all.map((order) => (
            <ThreadLink key={order.correlationId} order={order} shown={shown} />
          ))}
        </ul>
      </nav>
      <Thread
        key={shown}
        correlationId={shown}
        order={all.find(({ correlationId }) => correlationId === shown)}
      />
    </div>
  )
}

function ThreadLink({ order, shown }: { order: Order; shown: string }) {
  const { id, correlationId, steps } = order
  const state = stateOf(order)
  return (
    <li>
      <a
        href={hrefOf('activity', 'threads', correlationId)}
        aria-current={correlationId === shown ? 'true' : undefined}
      >
        <span className="state-dot" data-state={state} aria-hidden="true" />
        <span>{id}</span>
        <small>
          {steps.length} events, {state}
        </small>
      </a>
    </li>
  )
}

interface ThreadProps {
  correlationId: string
  order: Order | undefined
}

function Thread({ correlationId, order }: ThreadProps) {
  const [events, setEvents] = useState<readonly LogEvent[]>()
  const [error, setError] = useState('')
  const tree = useMemo(() => treeOf(events ?? []), [events])

  useEffect(
    () => watchConversation(correlationId, setEvents, ({ message }) => setError(message)),
    [correlationId],
  )

  const first = events?.[0]?.time ?? 0
  return (
    <section className="panel thread" aria-labelledby="thread-title">
      <header className="panel-head">
        <h2 id="thread-title">{order ? `Order ${order.id}` : 'A conversation'}</h2>
        <p className="soft" data-testid="thread-count" data-count={events?.length}>
          {events && `${events.length} events in ${span(spanOf(events))}`}
        </p>
      </header>
      <p className="mono soft">{correlationId}</p>
      {error && (
        <p className="problem" role="alert">
          {error}
        </p>
      )}
      {events?.length === 0 && <p className="soft">This log has no event of it.</p>}
      <Branch nodes={tree} first={first} />
    </section>
  )
}

function Branch({ nodes, first }: { nodes: readonly ThreadNode<LogEvent>[]; first: number }) {
  if (nodes.length === 0) return null
  return (
    <ul className="branch">
      {nodes.map(({ event, answers }) => (
        <li
          key={event.id}
          data-testid="thread-event"
          data-type={event.type}
          data-family={event.type.split('.')[0]}
        >
          <div className="node">
            <strong className="event-type">{event.type}</strong>
            <span className="soft">{event.source}</span>
            <span className="soft">
              {event.time === first
                ? clockTime(event.time)
                : `+${span(Math.max(0, event.time - first))}`}
            </span>
            <span className="node-data">{dataText(event.data)}</span>
          </div>
          <Branch nodes={answers} first={first} />
        </li>
      ))}
    </ul>
  )
}

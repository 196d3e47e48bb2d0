/** Who takes events in: durable consumers, groups, handlers with options, and what they gave up. */
import type { ReactNode } from 'react'
import { Icon } from '../../ui/icon.tsx'
import { Empty, Notice } from '../shared/notice.tsx'
import { askable } from '../shared/peer-select.tsx'
import type { ViewProps } from '../view.ts'
import './consumers.css'
import { DeadLetters } from './dead-letters.tsx'
import { gather } from './gathered.ts'
import { ConsumerTable, GroupTable, HandlerTable } from './tables.tsx'
import { useConsuming } from './use-consuming.ts'

export function ConsumersView({ hub, session, panel }: ViewProps): ReactNode {
  const peers = askable(session.peers.values())
  const { answers, asking, askAgain } = useConsuming(hub, session, peers)
  const { consumers, groups, handlers, letters, more, failures } = gather(peers, answers)
  const isEmpty = consumers.length + groups.length + handlers.length + letters.length === 0
  return (
    <div className="sheet consumers">
      <div className="view-bar">
        <button
          type="button"
          className="tool"
          onClick={() => {
            askAgain()
            panel.say('Asked again')
          }}
        >
          <Icon name="repeat" />
          Ask again
        </button>
        <span className="quiet" role="status">
          {asking && peers.length > 0 ? 'Asking…' : ''}
        </span>
      </div>
      <div className="view-scroll">
        {failures.map(({ peer, words, severity }) => (
          <Notice key={peer} severity={severity}>
            {words}
          </Notice>
        ))}
        {isEmpty && !asking ? (
          <Nothing peers={peers.length} />
        ) : (
          <>
            {consumers.length > 0 && <ConsumerTable rows={consumers} />}
            {groups.length > 0 && <GroupTable rows={groups} peers={session.peers} />}
            {(letters.length > 0 || consumers.length + groups.length > 0) && (
              <DeadLetters
                hub={hub}
                rows={letters}
                more={more}
                onEvent={(id) =>
                  session.event(id)
                    ? panel.reveal(id)
                    : panel.say(
                        'That event was not captured: it was published before the panel was there',
                      )
                }
                onDone={(said) => {
                  panel.say(said)
                  askAgain()
                }}
              />
            )}
            {handlers.length > 0 && <HandlerTable rows={handlers} />}
          </>
        )}
      </div>
    </div>
  )
}

function Nothing({ peers }: { peers: number }) {
  if (peers === 0)
    return (
      <Empty title="No context to ask">
        <p>
          Consumers are told by the contexts that have them, and groups by the relay. Open a page
          that uses Crosstown, or connect to a relay.
        </p>
      </Empty>
    )
  return (
    <Empty title="No consumers">
      <p>
        Here stand durable consumers (<code>subscribe(…, {'{ durable }'})</code>), groups (
        <code>{'{ group }'}</code>) with what each has leased, handlers with options such as{' '}
        <code>concurrency</code>, <code>retry</code> or a <code>policy</code>, and the events that
        consumers gave up.
      </p>
      <p>
        None of the contexts that answer has any. Plain handlers stand with their context, under
        Peers.
      </p>
    </Empty>
  )
}

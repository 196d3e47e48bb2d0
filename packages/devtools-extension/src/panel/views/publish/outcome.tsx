/** What became of what was published from here. */
import type { EventRow, Hub, Session } from '../../model/model.ts'
import { useVersion } from '../../state/store.ts'
import { clockTime, duration } from '../shared/format.ts'
import { nameOf } from '../shared/trouble.ts'
import type { Sent } from './draft.ts'

export function Outcomes({
  session,
  sent,
  onReveal,
  onCopy,
}: {
  hub: Hub
  session: Session
  sent: readonly Sent[]
  onReveal(id: string): void
  onCopy(id: string): void
}) {
  useVersion(session)
  if (sent.length === 0) return null
  return (
    <section className="part" aria-label="Published from here">
      <h2>Published from here</h2>
      <ol className="sent">
        {sent.map(({ id, type, peer, at }) => {
          const row = session.event(id)
          const { sign, text, level } = outcomeOf(row)
          return (
            <li key={id}>
              <span className="quiet mono">{clockTime(at)}</span>
              <span className="sent-type">
                <strong>{type}</strong> through {nameOf(session.peers, peer)}
              </span>
              <span className={`sent-result state-${level}`}>
                <span aria-hidden="true">{sign} </span>
                {text}
              </span>
              <span className="button-row">
                <button type="button" className="link" disabled={!row} onClick={() => onReveal(id)}>
                  Show<span className="unseen"> {type} in the log</span>
                </button>
                <button type="button" className="link" disabled={!row} onClick={() => onCopy(id)}>
                  Edit a copy<span className="unseen"> of {type}</span>
                </button>
              </span>
            </li>
          )
        })}
      </ol>
    </section>
  )
}

const STATES: { readonly [state in EventRow['state']]: string } = {
  unknown: 'published',
  pending: 'published',
  logged: 'in the log',
  relayed: 'confirmed by the room',
  refused: 'refused',
  failed: 'failed',
  cast: 'posted, not kept',
}

export function outcomeOf(row: EventRow | undefined): {
  sign: string
  text: string
  level: 'good' | 'warning' | 'error'
} {
  if (!row) return { sign: '…', text: 'published; its trace has not come yet', level: 'warning' }
  const { state, delivered, expected, failures, drops, latency } = row
  const parts = [STATES[state]]
  parts.push(
    expected === 0 ? 'nobody subscribes to it' : `handled in ${delivered} of ${expected} contexts`,
  )
  if (latency !== undefined && delivered > 0) parts.push(`within ${duration(latency)}`)
  if (failures > 0) parts.push(failures === 1 ? 'a handler failed' : `${failures} handlers failed`)
  if (drops > 0) parts.push(`${drops} not delivered`)
  const bad = state === 'refused' || state === 'failed' || failures > 0
  const short = delivered < expected || drops > 0 || expected === 0
  return {
    sign: bad ? '✕' : short ? '◐' : '✓',
    text: parts.join(', '),
    level: bad ? 'error' : short ? 'warning' : 'good',
  }
}

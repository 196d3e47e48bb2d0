/** Who should have got the event, who did, when, over which link; and who did not, and why. */
import type { ReactNode } from 'react'
import { explainEvent, ledgerOf } from '../../model/index.ts'
import type { LedgerEntry } from '../../model/model.ts'
import { duration, signedDuration } from '../../ui/format.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import type { EventDetailProps } from './event-detail.ts'

const OUTCOMES: Readonly<
  Record<
    LedgerEntry['outcome'],
    { readonly icon: IconName; readonly word: string; readonly bad?: true }
  >
> = {
  handled: { icon: 'check', word: 'handled' },
  received: { icon: 'in', word: 'received' },
  failed: { icon: 'error', word: 'failed', bad: true },
  filtered: { icon: 'filter', word: 'filtered' },
  dropped: { icon: 'warning', word: 'dropped', bad: true },
  late: { icon: 'clock', word: 'late' },
  duplicate: { icon: 'repeat', word: 'twice' },
  waiting: { icon: 'clock', word: 'waiting' },
  unknown: { icon: 'unknown', word: 'not known' },
  missing: { icon: 'cross', word: 'missing', bad: true },
  not_subscribed: { icon: 'partial', word: 'not subscribed' },
  offline: { icon: 'cross', word: 'offline', bad: true },
  no_right: { icon: 'lock', word: 'no right', bad: true },
  wrong_scope: { icon: 'partial', word: 'out of scope' },
  too_late: { icon: 'clock', word: 'subscribed too late', bad: true },
  refused: { icon: 'cross', word: 'refused', bad: true },
}

export function Delivery({ session, row }: EventDetailProps): ReactNode {
  const ledger = ledgerOf(session, row.id)
  const expected = ledger.filter((entry) => entry.expected)
  const others = ledger.filter((entry) => !entry.expected)
  return (
    <>
      <p className="detail-words">{explainEvent(session, row.id).headline}</p>
      <Entries title="Expected" entries={expected} />
      <Entries title="Others" entries={others} />
    </>
  )
}

function Entries({
  title,
  entries,
}: {
  readonly title: string
  readonly entries: readonly LedgerEntry[]
}): ReactNode {
  if (entries.length === 0) return null
  return (
    <>
      <h3 className="detail-title">{title}</h3>
      <ul className="ledger">
        {entries.map((entry, index) => {
          const { icon, word, bad } = OUTCOMES[entry.outcome]
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a peer can have several
            <li key={index} className={`ledger-line ledger-${bad ? 'bad' : entry.outcome}`}>
              <p className="ledger-head">
                <Icon name={icon} />
                <strong className="ellipsis">{entry.name}</strong>
                <span className="ledger-outcome">{word}</span>
                <span className="grow" />
                {entry.via !== undefined && <span className="hint">{entry.via}</span>}
                {entry.after !== undefined && (
                  <span className="mono">{signedDuration(entry.after)}</span>
                )}
                {entry.durationMs !== undefined && (
                  <span className="mono hint">{duration(entry.durationMs)}</span>
                )}
              </p>
              <p className="ledger-why">{entry.why}</p>
            </li>
          )
        })}
      </ul>
    </>
  )
}

/** The ledger of an event as its steps tell it: one entry for each peer that says anything of it. */
import type { EventRow, LedgerEntry, Session, Step } from '../../model/model.ts'
import { plural } from '../../ui/format.ts'
import { peerName } from '../../ui/peer-name.ts'
import { stepText } from './step-text.ts'

export function deliveriesOf(session: Session, row: EventRow): LedgerEntry[] {
  const byPeer = Map.groupBy(session.steps(row.id), ({ peer }) => peer)
  return [...byPeer].flatMap(([peer, steps]) => {
    const entry = entryOf(session, row, peer, steps)
    return entry ? [entry] : []
  })
}

function entryOf(
  session: Session,
  row: EventRow,
  peer: string,
  steps: readonly Step[],
): LedgerEntry | undefined {
  const of = (is: Step['is']): Step[] => steps.filter((step) => step.is === is)
  const handled = of('handled')
  const bad = [...of('failed'), ...of('refused'), ...of('dropped')]
  const received = of('received')[0]
  const deciding = bad[0] ?? handled[0] ?? of('filtered')[0] ?? received
  if (!deciding) return undefined
  const outcome = deciding.is as
    | 'handled'
    | 'failed'
    | 'refused'
    | 'dropped'
    | 'filtered'
    | 'received'
  const subs = new Set(steps.flatMap(({ sub }) => (sub === undefined ? [] : [sub])))
  const duration = handled.reduce((most, step) => Math.max(most, step.durationMs ?? 0), 0)
  return {
    peer,
    name: peerName(session, peer),
    outcome,
    why:
      bad.length > 0
        ? bad.map((step) => stepText(session, step)).join('; ')
        : words(outcome, handled.length),
    expected: outcome !== 'received',
    ...(received?.via !== undefined && { via: received.via }),
    after: (handled[0] ?? deciding).ms - row.ms,
    ...(handled.length > 0 && { durationMs: duration }),
    subs: [...subs],
  }
}

function words(outcome: LedgerEntry['outcome'], handlers: number): string {
  if (outcome === 'handled') return `${plural(handlers, 'handler')} ran`
  if (outcome === 'filtered') return 'a subscription matched, and did not want it'
  return 'it came here, and no subscription of this peer matches it'
}

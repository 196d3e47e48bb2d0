/** The delivery ledger of an event: what became of it at every peer it concerns, and why. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { LedgerEntry, Peer, Session } from '../model.ts'
import { absenceVerdict, stoppedAtPublisher } from './absent.ts'
import { arrivalVerdict } from './arrived.ts'
import { relayVerdict } from './at-relay.ts'
import { lateWords } from './late.ts'
import { type Subject, subjectOf } from './subject.ts'
import type { Verdict } from './verdict.ts'

/**
 * One entry for every peer that got the event, should have got it, or could have been meant: those
 * to which it went wrong first. Empty for an event nothing is known of.
 */
export function ledgerOf(session: Session, id: string): LedgerEntry[] {
  const subject = subjectOf(session, id)
  return subject ? ledger(subject) : []
}

export function ledger(subject: Subject): LedgerEntry[] {
  const entries: LedgerEntry[] = []
  for (const peer of subject.session.peers.values()) {
    const verdict = verdictOf(subject, peer)
    if (verdict) entries.push({ peer: peer.id, name: peer.name, ...verdict })
  }
  return late(subject, entries).sort(
    (a, b) => rankOf(a) - rankOf(b) || (a.after ?? 0) - (b.after ?? 0),
  )
}

/** What became of an event at one peer. */
export function entryOf(session: Session, id: string, peer: PeerId): LedgerEntry | undefined {
  const subject = subjectOf(session, id)
  const known = session.peers.get(peer)
  const verdict = subject && known && verdictOf(subject, known)
  return verdict && { peer, name: known.name, ...verdict }
}

function verdictOf(subject: Subject, peer: Peer): Verdict | undefined {
  const steps = subject.stepsAt(peer.id)
  if (peer.hello.kind === 'relay') return relayVerdict(subject, peer, steps)
  return (
    arrivalVerdict(subject, peer, steps) ??
    absenceVerdict(subject, peer) ??
    (peer.id === subject.row.publisher ? stoppedVerdict(subject, peer) : undefined)
  )
}

/** Nobody in its publisher waits for it: that it never left is told all the same. */
function stoppedVerdict(subject: Subject, peer: Peer): Verdict | undefined {
  const stopped = stoppedAtPublisher(subject, peer)
  return stopped && { ...stopped, expected: false, subs: [] }
}

/** Against the others: one that had to wait much longer than they did. */
function late(subject: Subject, entries: readonly LedgerEntry[]): LedgerEntry[] {
  const delays = entries.flatMap(({ after, outcome, via }) =>
    after !== undefined && outcome !== 'waiting' && via !== undefined ? [after] : [],
  )
  return entries.map((entry) => {
    if (entry.outcome !== 'handled' && entry.outcome !== 'duplicate') return entry
    const words = lateWords(subject, entry, delays)
    return words === undefined ? entry : { ...entry, outcome: 'late', why: `${entry.why} ${words}` }
  })
}

const RANKS: { readonly [Outcome in LedgerEntry['outcome']]: number } = {
  failed: 0,
  refused: 1,
  dropped: 2,
  missing: 3,
  no_right: 4,
  unknown: 5,
  offline: 5,
  waiting: 6,
  late: 7,
  too_late: 8,
  wrong_scope: 9,
  filtered: 10,
  duplicate: 11,
  handled: 12,
  received: 13,
  not_subscribed: 14,
}

function rankOf({ outcome, expected }: LedgerEntry): number {
  return (expected ? 0 : 100) + RANKS[outcome]
}

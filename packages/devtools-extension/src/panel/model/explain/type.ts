/** "Why did nothing happen?", asked of an event type. */
import { isPattern } from '@crosstown/bus/protocol'
import type { EventRow, Explanation, LedgerEntry, Peer, Session } from '../model.ts'
import { bySeverity } from './event.ts'
import {
  eventLink,
  type Finding,
  finding,
  nearWordsOf,
  peerLink,
  severityOf,
  subscriptionLink,
  typeLink,
} from './findings.ts'
import { ledger } from './ledger.ts'
import { listenersOf, patternsOf, takes } from './matching.ts'
import { nearest } from './near.ts'
import { subjectOf } from './subject.ts'
import { clockTime, listed, plural, subscriptionWords } from './words.ts'

/** Events of the type that are looked at, the newest. */
const LOOKED_AT = 20
/** Types of a pattern that are looked at. */
const MAX_TYPES = 20

/** `type` may be a pattern: the events of all types it takes. */
export function explainType(session: Session, type: string): Explanation {
  if (!isPattern(type))
    return {
      headline: `‘${type}’ is not an event type: types are parts of letters, digits, _ and - with dots between them, as in cart.item_added.`,
      findings: nearFindings(session, type),
    }
  const peers = [...session.peers.values()]
  const listeners = peers.filter((peer) => hasListener(session, peer, type, false))
  const went = peers.filter(
    (peer) => !listeners.includes(peer) && hasListener(session, peer, type, true),
  )
  const rows = newestOf(session, type)
  const unclear = peers.filter(({ state }) => state === 'mismatch')
  const notes = unclear.map((peer) =>
    finding('hint', `${peer.name} cannot be looked into. ${peer.detail ?? ''}`.trim(), [
      peerLink(peer),
    ]),
  )
  if (rows.length === 0) {
    const findings = [
      ...neverPublished(session, type),
      ...listenerFindings(session, type, listeners, went),
      ...notes,
    ]
    return { headline: `${type} was not published while this panel listened.`, findings }
  }
  const newest = rows[0] as EventRow
  const count = countOf(session, type)
  const times = `${type} was published ${count === 1 ? 'once' : `${count} times`}, last at ${clockTime(newest.ms)}`
  const outcomes = outcomesOf(session, rows)
  const reached = outcomes.filter(({ entry }) => REACHED.has(entry.outcome))
  const headline =
    listeners.length === 0 && reached.length === 0
      ? `${times}, and nobody subscribes to it.`
      : reached.length === 0
        ? `${times}, and came to nobody.`
        : `${times}, and came to ${listed([...new Set(reached.map(({ entry }) => entry.name))])}.`
  return {
    headline,
    findings: bySeverity([
      ...(reached.length === 0 ? nearFindings(session, type) : []),
      ...groupedFindings(outcomes, rows.length),
      ...(listeners.length === 0 ? listenerFindings(session, type, listeners, went) : []),
      ...notes,
    ]),
  }
}

const REACHED: ReadonlySet<LedgerEntry['outcome']> = new Set([
  'handled',
  'failed',
  'late',
  'duplicate',
])

function hasListener(session: Session, peer: Peer, type: string, ended: boolean): boolean {
  if (!ended && peer.state === 'gone') return false
  return listenersOf(session, peer, type).some(({ to }) => ended || to === Number.POSITIVE_INFINITY)
}

/** The newest events of a type, or of the types a pattern takes. */
export function newestOf(session: Session, pattern: string, limit = LOOKED_AT): EventRow[] {
  const rows: EventRow[] = []
  for (const type of typesOf(session, [pattern])) {
    let taken = 0
    for (const row of session.ofType(type)) {
      rows.push(row)
      if (++taken >= limit) break
    }
  }
  return rows.sort((a, b) => b.ms - a.ms).slice(0, limit)
}

/** Published types that patterns take, those published most first. */
export function typesOf(session: Session, patterns: readonly string[]): readonly string[] {
  const [only] = patterns
  if (patterns.length === 1 && only !== undefined && !only.includes('*'))
    return session.types.has(only) ? [only] : []
  return [...session.types]
    .filter(([type]) => takes(patterns, type))
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_TYPES)
    .map(([type]) => type)
}

function countOf(session: Session, pattern: string): number {
  return typesOf(session, [pattern]).reduce((sum, type) => sum + (session.types.get(type) ?? 0), 0)
}

function neverPublished(session: Session, type: string): Finding[] {
  const near = nearest(type, session.types.keys())
  if (near.length === 0)
    return [
      finding(
        'problem',
        'Nothing like it was published either. Was the code that publishes it run, and does it await publish() or look at onError? An event that is refused before it is published rejects there.',
      ),
    ]
  return [
    finding(
      'problem',
      `Something like it was published: ${listed(near.map(nearWordsOf))}. Is one of them, or this one, a typo?`,
      near.map(({ text }) => typeLink(text)),
    ),
  ]
}

function listenerFindings(
  session: Session,
  type: string,
  listeners: readonly Peer[],
  went: readonly Peer[],
): Finding[] {
  if (listeners.length > 0) {
    const names = listed(listeners.map(({ name }) => name))
    const links = listeners.map((peer) => {
      const [first] = listenersOf(session, peer, type)
      return first
        ? subscriptionLink(peer.id, first.sub.sub, `${peer.name}: ${subscriptionWords(first.sub)}`)
        : peerLink(peer)
    })
    return [finding('ok', `It would be heard in ${names}.`, links)]
  }
  if (went.length === 0) return session.types.has(type) ? [] : nearFindings(session, type)
  const gone = went.filter(({ state }) => state === 'gone')
  const text =
    gone.length === went.length
      ? `Only ${listed(went.map(({ name }) => name))} subscribed to it, and ${went.length === 1 ? 'is' : 'are'} gone.`
      : `${listed(went.map(({ name }) => name))} subscribed to it before, and ${went.length === 1 ? 'does' : 'do'} not any more.`
  return [finding('problem', text, went.map(peerLink))]
}

/** Patterns that nearly take it. */
function nearFindings(session: Session, type: string): Finding[] {
  const holders = new Map<string, Peer[]>()
  for (const peer of session.peers.values()) {
    if (peer.state === 'gone') continue
    for (const pattern of patternsOf(peer))
      holders.set(pattern, [...(holders.get(pattern) ?? []), peer])
  }
  return nearest(type, holders.keys()).map((near) => {
    const peers = holders.get(near.text) ?? []
    return finding(
      'problem',
      `${listed(peers.map(({ name }) => name))} ${peers.length === 1 ? 'subscribes' : 'subscribe'} to ${nearWordsOf(near)}: is it meant to hear ${type}?`,
      [typeLink(near.text), ...peers.map(peerLink)],
    )
  })
}

interface Outcome {
  readonly row: EventRow
  readonly entry: LedgerEntry
}

function outcomesOf(session: Session, rows: readonly EventRow[]): Outcome[] {
  return rows.flatMap((row) => {
    const subject = subjectOf(session, row.id)
    if (!subject) return []
    return ledger(subject)
      .filter(({ peer }) => session.peers.get(peer)?.hello.kind !== 'relay')
      .map((entry) => ({ row, entry }))
  })
}

/** What happened at a peer again and again is one finding, with the newest event's words. */
function groupedFindings(outcomes: readonly Outcome[], looked: number): Finding[] {
  const groups = Map.groupBy(outcomes, ({ entry }) => `${entry.outcome} ${entry.peer}`)
  return [...groups.values()].map((group) => {
    const { row, entry } = group[0] as Outcome
    const often =
      looked === 1
        ? ''
        : group.length === looked
          ? ` So it was each time, with the last ${plural(looked, 'event')}.`
          : ` So it was with ${group.length} of the last ${plural(looked, 'event')}.`
    const [sub] = entry.subs
    return finding(severityOf(entry), `${entry.why}${often}`, [
      eventLink(row),
      peerLink({ id: entry.peer, name: entry.name }),
      ...(sub === undefined ? [] : [subscriptionLink(entry.peer, sub, `subscription ${sub}`)]),
    ])
  })
}

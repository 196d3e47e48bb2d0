/** "Why was it never called?", asked of a subscription. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { EventRow, Explanation, LedgerEntry, Peer, Session } from '../model.ts'
import { bySeverity } from './event.ts'
import {
  eventLink,
  type Finding,
  finding,
  nearWordsOf,
  peerLink,
  severityOf,
  typeLink,
} from './findings.ts'
import { entryOf } from './ledger.ts'
import { type Near, nearness } from './near.ts'
import { nowOf } from './subject.ts'
import { newestOf, typesOf } from './type.ts'
import { capital, clockTime, duration, listed, plural, subscriptionWords } from './words.ts'

const LOOKED_AT = 20
const MAX_TYPES = 5_000

type Subscription = NonNullable<ReturnType<Peer['subscriptions']['get']>>

/** What a subscription was called with, and what it was not called with, and why. */
export function explainSubscription(session: Session, peerId: PeerId, sub: number): Explanation {
  const peer = session.peers.get(peerId)
  const subscription = peer?.subscriptions.get(sub)
  if (!peer || !subscription)
    return {
      headline: peer
        ? `${peer.name} has no subscription ${sub} that this panel knows of.`
        : 'The context of this subscription is not known to this panel.',
      findings: [],
    }
  const { patterns, calls, failures, ended } = subscription
  const words = capital(subscriptionWords(subscription))
  const failed = failures === 0 ? '' : `, and failed ${plural(failures, 'time')}`
  const headline =
    calls === 0
      ? `${words} in ${peer.name} was never called.`
      : `${words} in ${peer.name} was called ${plural(calls, 'time')}${failed}.`
  const rows = patterns
    .flatMap((pattern) => newestOf(session, pattern, LOOKED_AT))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, LOOKED_AT)
  const findings = [
    ...stateFindings(session, peer, subscription, ended),
    ...(rows.length === 0
      ? nothingPublished(session, peer, patterns)
      : missedFindings(session, peer, subscription, rows)),
  ]
  return { headline, findings: bySeverity(findings) }
}

/** What concerns the subscription, and the context it is in. */
function stateFindings(
  session: Session,
  peer: Peer,
  { where, calls, kind }: Subscription,
  ended: number | undefined,
): Finding[] {
  const findings: Finding[] = []
  const link = [peerLink(peer)]
  if (ended !== undefined) {
    const at = clockTime(session.msOf(peer.id, ended))
    const why =
      kind === 'once' && calls > 0
        ? `It ended at ${at}, with the event it waited for.`
        : `It ended at ${at}: it is not called any more.`
    findings.push(finding(kind === 'once' && calls > 0 ? 'ok' : 'hint', why, link))
  } else if (peer.state === 'gone' && peer.goneAt !== undefined)
    findings.push(finding('problem', `${peer.name} is gone since ${clockTime(peer.goneAt)}.`, link))
  else if (peer.state === 'silent')
    findings.push(
      finding(
        'problem',
        `${peer.name} has said nothing since ${clockTime(peer.lastHeard)}: its page may be frozen, or blocked by a long task.`,
        link,
      ),
    )
  const frozen = peer.pauses.find(({ why, to }) => why === 'frozen' && to === undefined)
  if (frozen)
    findings.push(
      finding(
        'problem',
        `${peer.name} has been frozen by the browser since ${clockTime(frozen.from)}: its handlers run when it is shown again.`,
        link,
      ),
    )
  if (where && calls === 0)
    findings.push(
      finding('hint', 'It has a `where`: only events that this function lets through reach it.'),
    )
  return findings
}

function nothingPublished(session: Session, peer: Peer, patterns: readonly string[]): Finding[] {
  const listening = duration(Math.max(0, nowOf(session) - peer.since))
  const best = nearestTypes(session, patterns)
  const nothing = `Nothing that ${listed(patterns, 6)} takes was published in the ${listening} since this panel first heard ${peer.name}.`
  if (best.length === 0) return [finding('problem', nothing)]
  return [
    finding(
      'problem',
      `${nothing} Something like it was: ${listed(best.map(nearWordsOf))}. Is it a typo?`,
      best.map(({ text }) => typeLink(text)),
    ),
  ]
}

/** Published types that a pattern nearly takes. */
function nearestTypes(session: Session, patterns: readonly string[]): readonly Near[] {
  const near: Near[] = []
  let looked = 0
  for (const type of session.types.keys()) {
    if (++looked > MAX_TYPES) break
    const found = patterns
      .flatMap((pattern) => nearness(type, pattern) ?? [])
      .sort((a, b) => a.score - b.score)[0]
    if (found) near.push({ ...found, text: type })
  }
  return near.sort((a, b) => a.score - b.score).slice(0, 3)
}

interface Missed {
  readonly row: EventRow
  readonly entry: LedgerEntry | undefined
}

/** What its events came to here, the newest of each outcome in words. */
function missedFindings(
  session: Session,
  peer: Peer,
  { sub, patterns }: Subscription,
  rows: readonly EventRow[],
): Finding[] {
  const missed: Missed[] = rows.map((row) => ({ row, entry: entryOf(session, row.id, peer.id) }))
  const groups = Map.groupBy(missed, ({ entry }) => entry?.outcome ?? 'none')
  const types = listed(typesOf(session, patterns))
  return [...groups.values()].flatMap((group) => {
    const { row, entry } = group[0] as Missed
    if (!entry) return []
    const own = entry.subs.includes(sub) || entry.subs.length === 0
    const often =
      rows.length === 1
        ? ''
        : group.length === rows.length
          ? ` So it was with each of the last ${plural(rows.length, 'event')} of ${types}.`
          : ` So it was with ${group.length} of the last ${plural(rows.length, 'event')} of ${types}.`
    const text = `${entry.why}${often}`
    return [finding(own ? severityOf(entry) : 'hint', text, [eventLink(row)])]
  })
}

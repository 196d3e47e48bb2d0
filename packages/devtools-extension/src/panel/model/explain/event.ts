/** What became of one event, as a sentence and the reasons for it. */
import type { Explanation, LedgerEntry, Session } from '../model.ts'
import { outboxVerdict } from './absent.ts'
import { type Finding, finding, findingOf, peerLink, severityOf, typeLink } from './findings.ts'
import { ledger } from './ledger.ts'
import { patternsOf } from './matching.ts'
import { nearest } from './near.ts'
import { type Subject, subjectOf } from './subject.ts'
import { listed, plural, refusalWords } from './words.ts'

export function explainEvent(session: Session, id: string): Explanation {
  const subject = subjectOf(session, id)
  if (!subject)
    return {
      headline: `Nothing is known of the event ${id}: it was published before this panel listened, or was forgotten to stay within its limit.`,
      findings: [],
    }
  const entries = ledger(subject).filter(
    ({ peer }) => session.peers.get(peer)?.hello.kind !== 'relay',
  )
  const own = ownFindings(subject)
  const deliveries = entries.map(findingOf)
  const nobody = entries.some(({ expected, outcome }) => expected || outcome === 'unknown')
    ? []
    : nobodyFindings(subject, entries)
  return {
    headline: headlineOf(subject, entries),
    findings: [...own, ...nobody, ...bySeverity(deliveries)],
  }
}

function headlineOf(subject: Subject, entries: readonly LedgerEntry[]): string {
  const unknown = entries.filter(({ outcome }) => outcome === 'unknown')
  const known = knownHeadline(subject, entries, unknown)
  if (unknown.length === 0 || known === undefined) return known ?? unknownWords(subject, unknown)
  return `${known} ${unknownWords(subject, unknown)}`
}

/** Of those nobody captured at the time. */
function unknownWords({ type }: Subject, unknown: readonly LedgerEntry[]): string {
  return `Whether ${type} came to ${names(unknown)} is not known: nobody captured what happened there then.`
}

/** Of those who were captured; `undefined` where nobody was who could have got it. */
function knownHeadline(
  subject: Subject,
  entries: readonly LedgerEntry[],
  unknown: readonly LedgerEntry[],
): string | undefined {
  const { type, refused, publisherName } = subject
  const expected = entries.filter((entry) => entry.expected)
  const got = expected.filter(({ outcome }) => GOT.has(outcome))
  const waiting = expected.filter(({ outcome }) => outcome === 'waiting')
  if (refused) return `${type} of ${publisherName} was refused (${refused.code}).`
  if (expected.length === 0) {
    const problems = entries.filter((entry) => severityOf(entry) === 'problem')
    if (problems.length === 0 && unknown.length > 0) return undefined
    return problems.length === 0
      ? `Nobody known here listens to ${type}.`
      : `${type} was published, and nobody it could come to listened: ${reasonsOf(problems)}.`
  }
  const failed = expected.filter(({ outcome }) => outcome === 'failed')
  const came = [...got, ...failed]
  if (came.length === expected.length) {
    const not = entries.filter((entry) => !entry.expected && severityOf(entry) === 'problem')
    const but = not.length === 0 ? '' : `; ${reasonsOf(not)}`
    const [only] = came
    if (came.length === 1 && only)
      return `${type} came to ${only.name}${failed.length > 0 ? ', whose handler threw' : ''}${but}.`
    const threw = failed.length === 0 ? '' : `, and a handler threw in ${names(failed)}`
    return `${type} came to all ${came.length} that listen${threw}${but}.`
  }
  const bad = expected.filter(({ outcome }) => !GOT.has(outcome) && outcome !== 'waiting')
  if (bad.length === 0) return `${type} is on its way: ${names(waiting)} will get it.`
  return `${type} came to ${came.length} of ${expected.length} that listen: ${reasonsOf(bad)}.`
}

function reasonsOf(entries: readonly LedgerEntry[]): string {
  return listed(entries.map(({ name, outcome }) => `${name} ${OUTCOME_WORDS[outcome]}`))
}

function names(entries: readonly LedgerEntry[]): string {
  return listed(entries.map(({ name }) => name))
}

const GOT: ReadonlySet<LedgerEntry['outcome']> = new Set([
  'handled',
  'received',
  'late',
  'duplicate',
])

const OUTCOME_WORDS: { readonly [Outcome in LedgerEntry['outcome']]: string } = {
  handled: 'handled it',
  received: 'received it',
  failed: 'threw',
  filtered: 'filtered it out',
  dropped: 'lost it',
  late: 'had it late',
  duplicate: 'had it twice',
  waiting: 'waits for it',
  missing: 'was not heard to get it',
  not_subscribed: 'does not subscribe to it',
  offline: 'was not there',
  no_right: 'may not read it',
  wrong_scope: 'is out of its reach',
  too_late: 'subscribed too late',
  refused: 'could not get it, as it was refused',
  unknown: 'was not captured then',
}

/** What concerns the event itself, wherever it was to go. */
function ownFindings(subject: Subject): Finding[] {
  const { refused, publisher, publisherName, type, row } = subject
  const links = publisher ? [peerLink(publisher)] : []
  if (refused) {
    const text = `It was refused for good (${refused.code}), and is in no other log than that of ${publisherName}. ${refusalWords(refused.code, type)}`
    return [finding('problem', text, links)]
  }
  const inRoom = row.event.scope === undefined && row.event.persist !== false
  if (!inRoom || publisher?.hello.relay === undefined) return []
  const waiting = outboxVerdict(subject)
  return waiting ? [finding('hint', waiting.why, links)] : []
}

/** Nobody listens: whoever listens to something much like it. */
function nobodyFindings({ session, type }: Subject, entries: readonly LedgerEntry[]): Finding[] {
  if (entries.some((entry) => severityOf(entry) === 'problem')) return []
  const patterns = [...session.peers.values()].flatMap((peer) => patternsOf(peer))
  const near = nearest(type, patterns)
  if (near.length === 0)
    return [finding('problem', `No context known here subscribes to ${type} or anything like it.`)]
  return [
    finding(
      'problem',
      `No context subscribes to ${type}. ${plural(near.length, 'pattern is', 'patterns are')} nearly it: is one of them, or the type, a typo?`,
      near.map(({ text }) => typeLink(text)),
    ),
  ]
}

const ORDER = { problem: 0, hint: 1, ok: 2 }

export function bySeverity(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => ORDER[a.severity] - ORDER[b.severity])
}

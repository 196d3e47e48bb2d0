/** Findings, as explanations are made of them. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { EventRow, Explanation, LedgerEntry, Peer } from '../model.ts'
import type { Near } from './near.ts'
import { clockTime } from './words.ts'

export type Finding = Explanation['findings'][number]
export type FindingLink = Finding['links'][number]

export function finding(
  severity: Finding['severity'],
  text: string,
  links: readonly FindingLink[] = [],
): Finding {
  return { severity, text, links }
}

export function peerLink({ id, name }: Pick<Peer, 'id' | 'name'>): FindingLink {
  return { to: 'peer', id, label: name }
}

export function typeLink(type: string): FindingLink {
  return { to: 'type', id: type, label: type }
}

export function subscriptionLink(peer: PeerId, sub: number, label: string): FindingLink {
  return { to: 'subscription', id: `${peer}#${sub}`, label }
}

export function eventLink({ id, event, ms }: EventRow): FindingLink {
  return { to: 'event', id, label: `${event.type} at ${clockTime(ms)}` }
}

/** `cart.item_add (differs by two letters)`. */
export function nearWordsOf({ text, how }: Near): string {
  return `${text} (${how})`
}

const SEVERITIES: { readonly [Outcome in LedgerEntry['outcome']]: Finding['severity'] } = {
  handled: 'ok',
  received: 'ok',
  duplicate: 'ok',
  late: 'hint',
  filtered: 'hint',
  not_subscribed: 'hint',
  waiting: 'hint',
  unknown: 'hint',
  too_late: 'problem',
  wrong_scope: 'problem',
  offline: 'problem',
  failed: 'problem',
  dropped: 'problem',
  missing: 'problem',
  no_right: 'problem',
  refused: 'problem',
}

export function severityOf({ outcome }: Pick<LedgerEntry, 'outcome'>): Finding['severity'] {
  return SEVERITIES[outcome]
}

/** An entry of the ledger, with ways to go on from it. */
export function findingOf({ outcome, why, peer, name, subs }: LedgerEntry): Finding {
  const [sub] = subs
  return finding(severityOf({ outcome }), why, [
    peerLink({ id: peer, name }),
    ...(sub === undefined ? [] : [subscriptionLink(peer, sub, `subscription ${sub}`)]),
  ])
}

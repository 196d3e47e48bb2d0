/** What is concluded about one peer, before it is compared with the others. */
import type { SubscriptionInfo } from '@crosstown/bus/inspect'
import type { LedgerEntry, Peer } from '../model.ts'
import { patternsOf } from './matching.ts'
import { nearest } from './near.ts'
import { siteWords } from './words.ts'

export type Verdict = Omit<LedgerEntry, 'peer' | 'name'>

/** What it has that is nearly what was published, as a sentence; empty where there is nothing. */
export function nearWords(type: string, peer: Peer): string {
  const [near] = nearest(type, patternsOf(peer), 1)
  if (!near) return ''
  const sub = [...peer.subscriptions.values()].find(
    ({ patterns, ended }) => ended === undefined && patterns.includes(near.text),
  )
  return ` It subscribes to ${near.text}${siteWords(sub?.site)}, which ${near.how}: is it a typo?`
}

export function numbers(subs: Iterable<Pick<SubscriptionInfo, 'sub'>>): readonly number[] {
  return [...subs].map(({ sub }) => sub)
}

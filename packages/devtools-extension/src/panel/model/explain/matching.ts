/** Who listened to a type, and when. */
import type { SubscriptionInfo } from '@crosstown/bus/inspect'
import { typeMatcher } from '@crosstown/bus/protocol'
import type { Peer, Session } from '../model.ts'

const matchers = new WeakMap<readonly string[], (type: string) => boolean>()

/** Whether a type is one of those that patterns take. */
export function takes(patterns: readonly string[], type: string): boolean {
  let matcher = matchers.get(patterns)
  if (!matcher) {
    matcher = typeMatcher(patterns)
    matchers.set(patterns, matcher)
  }
  return matcher(type)
}

/** A subscription, and when it was there, ms. */
export interface Listener {
  readonly sub: SubscriptionInfo
  readonly from: number
  /** Infinity while it lasts. */
  readonly to: number
}

/** Subscriptions of a peer that take a type, in the order in which they were made. */
export function listenersOf(session: Session, peer: Peer, type: string): readonly Listener[] {
  const found: Listener[] = []
  for (const sub of peer.subscriptions.values()) {
    if (!takes(sub.patterns, type)) continue
    const { ended } = sub
    const to = ended === undefined ? Number.POSITIVE_INFINITY : session.msOf(peer.id, ended)
    found.push({ sub, from: session.msOf(peer.id, sub.at), to })
  }
  return found
}

export function isThere({ from, to }: Listener, ms: number): boolean {
  return !(from > ms) && ms < to
}

/** Patterns of a peer's subscriptions that last. */
export function patternsOf(peer: Peer): readonly string[] {
  const patterns = new Set<string>()
  for (const sub of peer.subscriptions.values()) {
    if (sub.ended === undefined) for (const pattern of sub.patterns) patterns.add(pattern)
  }
  return [...patterns]
}

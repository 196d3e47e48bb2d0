/** What a replay would do, said before it does it. */
import type { Ask } from '@crosstown/bus/inspect'
import { isPattern } from '@crosstown/bus/protocol'
import type { Peer } from '../../model/model.ts'
import { count, plural } from '../shared/format.ts'

export interface ReplayForm {
  readonly from: string
  readonly to: string
  /** Patterns, by commas or blanks. */
  readonly patterns: string
  /** Number of a subscription, or empty for all. */
  readonly sub: string
}

export type ReplayPlan =
  | { readonly ask: Extract<Ask, { what: 'replay' }>; readonly faults?: undefined }
  | { readonly ask?: undefined; readonly faults: { readonly [field in keyof ReplayForm]?: string } }

export function planOf(form: ReplayForm): ReplayPlan {
  const from = offsetIn(form.from)
  const to = offsetIn(form.to)
  const patterns = patternsIn(form.patterns)
  const bad = patterns.find((pattern) => !isPattern(pattern))
  const faults: { -readonly [field in keyof ReplayForm]?: string } = {}
  if (from === undefined) faults.from = 'Give an offset of the log: a whole number.'
  if (to === undefined) faults.to = 'Give an offset of the log: a whole number.'
  else if (from !== undefined && to < from) faults.to = 'The end is before the beginning.'
  if (bad !== undefined)
    faults.patterns = `“${bad}” is not a pattern. Use a type, cart.* for one segment, cart.** for more, or ** for everything.`
  if (from === undefined || to === undefined || Object.keys(faults).length > 0) return { faults }
  return {
    ask: {
      what: 'replay',
      from,
      to,
      ...(patterns.length > 0 && { patterns }),
      ...(form.sub !== '' && { sub: Number(form.sub) }),
    },
  }
}

export function patternsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean)
}

function offsetIn(text: string): number | undefined {
  const offset = /^\s*[\d,]+\s*$/.test(text) ? Number(text.replaceAll(',', '')) : undefined
  return offset !== undefined && Number.isSafeInteger(offset) ? offset : undefined
}

/** Who would be called: live subscriptions of the peer, that one only where the plan has one. */
export function calledBy(
  peer: Pick<Peer, 'subscriptions'>,
  { sub, patterns }: Extract<Ask, { what: 'replay' }>,
): number[] {
  return [...peer.subscriptions.values()]
    .filter(({ ended, kind }) => ended === undefined && kind !== 'view')
    .filter((one) => sub === undefined || one.sub === sub)
    .filter((one) => patterns === undefined || mayMeet(one.patterns, patterns))
    .map((one) => one.sub)
}

/** Whether some type matches one of each. */
function mayMeet(a: readonly string[], b: readonly string[]): boolean {
  return a.some((one) => b.some((other) => meet(one, other)))
}

function meet(a: string, b: string): boolean {
  const all = (pattern: string) => pattern === '*' || pattern === '**'
  if (all(a) || all(b)) return true
  const [left, right] = [a.split('.'), b.split('.')]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]]
    if (l === undefined || r === undefined) return false
    if (l === '**' || r === '**') return true
    if (l !== '*' && r !== '*' && l !== r) return false
  }
  return true
}

/** @param events how many there are in the range, `more` where that is not all */
export function planInWords(
  peer: Pick<Peer, 'name' | 'subscriptions'>,
  ask: Extract<Ask, { what: 'replay' }>,
  events: { readonly matching: number; readonly more: boolean } | undefined,
): string {
  const subs = calledBy(peer, ask)
  const which = ask.patterns ? ` that match ${ask.patterns.join(', ')}` : ''
  const range = `offsets ${count(ask.from)} to ${count(ask.to)}`
  const many = events
    ? `${events.more ? 'more than ' : ''}${plural(events.matching, 'event')}`
    : 'the events'
  const to =
    ask.sub === undefined
      ? `${plural(subs.length, 'live subscription')} of ${peer.name}`
      : `subscription ${ask.sub} of ${peer.name}`
  if (subs.length === 0)
    return `Nobody would hear it: ${peer.name} has no live subscription that it would reach.`
  return `Gives ${many}${which} of ${range} to ${to} once more. Handlers run again and may publish; they see ctx.replaying. Nothing is written to the log, and other contexts hear nothing.`
}

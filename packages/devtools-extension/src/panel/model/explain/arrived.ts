/** What became of an event at a peer that had it. */
import type { SubscriptionInfo, Via } from '@crosstown/bus/inspect'
import type { Peer, Step } from '../model.ts'
import { type Listener, listenersOf } from './matching.ts'
import { missedAt, type Subject } from './subject.ts'
import { nearWords, numbers, type Verdict } from './verdict.ts'
import {
  capital,
  clockTime,
  duration,
  listed,
  measured,
  plural,
  quoted,
  subscriptionWords,
  viaWords,
} from './words.ts'

/** What a peer says of an event, put together. */
interface Arrival {
  readonly subject: Subject
  readonly peer: Peer
  readonly steps: readonly Step[]
  readonly received: Step | undefined
  /** When it was there, ms. */
  readonly ms: number
  /** Subscriptions it was found to have here; `undefined` where that was not heard. */
  readonly matched: readonly number[] | undefined
  readonly base: { readonly via?: Via; readonly after?: number }
}

/** `undefined` where nothing was heard that tells of an arrival. */
export function arrivalVerdict(
  subject: Subject,
  peer: Peer,
  steps: readonly Step[],
): Verdict | undefined {
  const own = subject.row.publisher === peer.id
  const of = (is: Step['is']): Step[] => steps.filter((step) => step.is === is)
  const failed = of('failed').filter(({ sub }) => sub !== undefined)
  const handled = of('handled')
  const received = of('received')[0]
  const matches = of('matched')
  const duplicates = of('dropped').filter(({ why }) => why === 'duplicate')
  const overflows = of('dropped').filter(({ why }) => why === 'overflow')
  const filtered = of('filtered')
  const told = [failed, handled, matches, filtered, overflows, duplicates].some(
    (list) => list.length > 0,
  )
  if (!told && !received) return undefined
  const ms = steps.reduce((least, step) => Math.min(least, began(step)), Number.POSITIVE_INFINITY)
  const arrival: Arrival = {
    subject,
    peer,
    steps,
    received,
    ms,
    matched: matches.length === 0 ? undefined : matches.flatMap(({ subs }) => subs ?? []),
    base: {
      ...(received?.via !== undefined && !own ? { via: received.via } : {}),
      ...(subject.timed && { after: Math.max(0, ms - subject.row.ms) }),
    },
  }
  const lasting = failed.filter(
    (step) => !handled.some((other) => other.sub === step.sub && other.ms >= step.ms),
  )
  if (lasting.length > 0) return failedVerdict(arrival, lasting, handled)
  if (overflows.length > 0) return overflowVerdict(arrival, overflows, handled)
  if (handled.length > 0) return handledVerdict(arrival, handled, failed, filtered, duplicates)
  if (filtered.length > 0) return filteredVerdict(arrival, filtered)
  if (arrival.matched !== undefined && arrival.matched.length > 0) return runningVerdict(arrival)
  return unmatchedVerdict(arrival, duplicates)
}

function began({ ms, durationMs = 0 }: Step): number {
  return ms - durationMs
}

function infoOf(peer: Peer, sub: number | undefined): SubscriptionInfo | undefined {
  return sub === undefined ? undefined : peer.subscriptions.get(sub)
}

function nameOf(peer: Peer, sub: number | undefined): string {
  const info = infoOf(peer, sub)
  return info ? subscriptionWords(info) : sub === undefined ? 'a handler' : `subscription ${sub}`
}

function namesOf(peer: Peer, subs: Iterable<number | undefined>): string {
  return listed([...new Set(subs)].map((sub) => nameOf(peer, sub)))
}

function subsOf(steps: readonly Step[]): readonly number[] {
  return [...new Set(steps.flatMap(({ sub }) => (sub === undefined ? [] : [sub])))]
}

function longest(steps: readonly Step[]): { readonly durationMs?: number } {
  const all = steps.flatMap(({ durationMs }) => (durationMs === undefined ? [] : [durationMs]))
  return all.length === 0 ? {} : { durationMs: Math.max(...all) }
}

/** `12.1 ms after it was published, over the relay`. */
function afterWords({ subject, peer, ms, base, received }: Arrival): string {
  if (subject.row.publisher === peer.id) return 'where it was published'
  if (!subject.publisher || base.after === undefined)
    return `at ${clockTime(ms)}${viaWords(received?.via)}`
  const plusMinus = subject.session.uncertainty(subject.publisher.id, peer.id)
  return `${measured(base.after, plusMinus)} after it was published${viaWords(received?.via)}`
}

function failedVerdict(
  { peer, base }: Arrival,
  failed: readonly Step[],
  handled: readonly Step[],
): Verdict {
  const [first] = failed as [Step]
  const message =
    first.detail === undefined || first.detail === '' ? '' : `: ${quoted(first.detail)}`
  const took = first.durationMs === undefined ? '' : ` after ${duration(first.durationMs)}`
  const who = capital(nameOf(peer, first.sub))
  const more =
    failed.length > 1
      ? ` So did ${namesOf(
          peer,
          failed.slice(1).map(({ sub }) => sub),
        )}.`
      : ''
  const others = handled.length > 0 ? ` ${plural(handled.length, 'other handler')} ran.` : ''
  return {
    ...base,
    ...longest([...failed, ...handled]),
    outcome: 'failed',
    why: `${who} in ${peer.name} threw${took}${message}.${more}${others} The event came, and is not given to it again by itself: mend the handler, then replay the event from the log.`,
    expected: true,
    subs: subsOf([...failed, ...handled]),
  }
}

function overflowVerdict(
  { peer, base, matched = [] }: Arrival,
  overflows: readonly Step[],
  handled: readonly Step[],
): Verdict {
  // Of a loop it is not said whose buffer it was.
  const named = subsOf(overflows)
  const loops = matched.filter((sub) => infoOf(peer, sub)?.kind === 'loop')
  const losers = named.length > 0 ? named : loops
  const who = losers.length === 0 ? 'A loop' : capital(namesOf(peer, losers))
  const remedy =
    named.length > 0
      ? 'Give the subscription a larger buffer or more concurrency, or overflow: "block" to make publishers wait.'
      : 'Give bus.events() a larger buffer, or do less in the loop.'
  const others = handled.filter(({ sub }) => !losers.includes(sub ?? -1))
  const rest = others.length === 0 ? '' : ` ${plural(others.length, 'other handler')} ran.`
  return {
    ...base,
    outcome: 'dropped',
    why: `${who} in ${peer.name} dropped it: its buffer was full, events came faster than they were taken out. ${remedy}${rest}`,
    expected: true,
    subs: [...losers, ...subsOf(others)],
  }
}

function handledVerdict(
  arrival: Arrival,
  handled: readonly Step[],
  failed: readonly Step[],
  filtered: readonly Step[],
  duplicates: readonly Step[],
): Verdict {
  const { peer, base } = arrival
  const subs = subsOf(handled)
  const who = subs.length === 1 ? capital(nameOf(peer, subs[0])) : plural(subs.length, 'handler')
  const { durationMs } = longest(handled)
  const took =
    durationMs === undefined
      ? ''
      : subs.length === 1
        ? `, for ${duration(durationMs)}`
        : `, the longest for ${duration(durationMs)}`
  const again = failed.length > 0 ? ` It had failed ${plural(failed.length, 'time')} before.` : ''
  const others = filtered.filter(({ sub }) => sub === undefined || !subs.includes(sub))
  const not = others.length > 0 ? ` ${filterWords(peer, others)}` : ''
  const twice = duplicates.length > 0 ? ` ${duplicateWords(duplicates)}` : ''
  return {
    ...base,
    ...longest(handled),
    outcome: duplicates.length > 0 ? 'duplicate' : 'handled',
    why: `${who} ran in ${peer.name}, ${afterWords(arrival)}${took}.${again}${not}${twice}`,
    expected: true,
    subs,
  }
}

function duplicateWords(duplicates: readonly Step[]): string {
  return `It came ${duplicates.length === 1 ? 'once more' : `${duplicates.length} times more`}, and was recognised by its id: no handler ran twice.`
}

function filterWords(peer: Peer, filtered: readonly Step[]): string {
  const by = (why: string): readonly (number | undefined)[] =>
    filtered.filter((step) => step.why === why).map(({ sub }) => sub)
  const parts: string[] = []
  const where = by('where')
  const ended = by('ended')
  const known = by('known')
  if (where.length > 0)
    parts.push(
      `${capital(namesOf(peer, where))} in ${peer.name} did not run: the \`where\` it was given did not let the event through.`,
    )
  if (ended.length > 0)
    parts.push(`${capital(namesOf(peer, ended))} in ${peer.name} had just ended when it came.`)
  if (known.length > 0)
    parts.push(`${capital(namesOf(peer, known))} in ${peer.name} had it already, from its replay.`)
  return parts.join(' ')
}

function filteredVerdict({ peer, base }: Arrival, filtered: readonly Step[]): Verdict {
  return {
    ...base,
    outcome: 'filtered',
    why: filterWords(peer, filtered),
    expected: false,
    subs: subsOf(filtered),
  }
}

function runningVerdict(arrival: Arrival): Verdict {
  const { subject, peer, base, matched = [], ms } = arrival
  const who = namesOf(peer, matched)
  const { goneAt } = peer
  const why =
    peer.state === 'gone' && goneAt !== undefined
      ? `It came to ${peer.name}, ${afterWords(arrival)}, and ${peer.name} went ${duration(Math.max(0, goneAt - ms))} later, before ${who} ended.`
      : missedAt(subject, peer)
        ? `It came to ${peer.name}, ${afterWords(arrival)}. Whether ${who} ended is not known: records of ${peer.name} are lost.`
        : `It came to ${peer.name}, ${afterWords(arrival)}; ${who} has not ended since then, for ${duration(Math.max(0, subject.now - ms))}. ${stillWords(peer, matched)}`
  return { ...base, outcome: 'received', why, expected: true, subs: [...matched] }
}

/** What of it may be still: of a handler with a queue it is not told when an event gets its turn. */
function stillWords(peer: Peer, subs: readonly number[]): string {
  const limits = subs.flatMap((sub) => infoOf(peer, sub)?.concurrency ?? [])
  if (limits.length === 0) return 'Does it wait for something?'
  const most = Math.min(...limits)
  return `It runs, or waits for its turn: at most ${plural(most, 'call')} of it may run at once.`
}

/** It came, and nothing here was called with it. */
function unmatchedVerdict(arrival: Arrival, duplicates: readonly Step[]): Verdict {
  const { subject, peer, base, ms, matched, received } = arrival
  const listeners = listenersOf(subject.session, peer, subject.type)
  const past = received?.origin === 'past'
  const none = { ...base, expected: false, subs: numbers(listeners.map(({ sub }) => sub)) }
  if (matched === undefined && duplicates.length > 0 && !received)
    return {
      ...none,
      outcome: 'duplicate',
      why: `${peer.name} had it before it was inspected. ${duplicateWords(duplicates)}`,
    }
  if (past)
    return {
      ...none,
      outcome: listeners.length > 0 ? 'too_late' : 'not_subscribed',
      why: `It came to ${peer.name} with what its log had missed, ${afterWords(arrival)}: live subscriptions are not given the past.${listeners.length > 0 ? ` Subscribe with from: 'start', or replay it from the log.` : nearWords(subject.type, peer)}`,
    }
  if (matched === undefined && missedAt(subject, peer))
    return {
      ...none,
      outcome: 'received',
      why: `It came to ${peer.name}, ${afterWords(arrival)}. What became of it is not known: records of ${peer.name} are lost.`,
    }
  const late = tooLate(subject, peer, listeners, ms)
  if (late) return { ...base, ...late }
  const ended = listeners.findLast(({ to }) => to <= ms)
  if (ended)
    return {
      ...none,
      outcome: 'not_subscribed',
      why: `${capital(subscriptionWords(ended.sub))} in ${peer.name} had ended ${duration(ms - ended.to)} before it came.`,
      subs: [ended.sub.sub],
    }
  if (matched === undefined)
    return {
      ...none,
      outcome: 'received',
      why: `It came to ${peer.name}, ${afterWords(arrival)}. What became of it was not heard yet.`,
    }
  const own = subject.row.publisher === peer.id
  const came = own
    ? `${peer.name} published it, and`
    : `It came to ${peer.name}, ${afterWords(arrival)};`
  return {
    ...none,
    outcome: 'not_subscribed',
    why: `${came} nothing there subscribes to ${subject.type}.${nearWords(subject.type, peer)}`,
  }
}

/** Somebody began to listen after it. */
export function tooLate(
  subject: Subject,
  peer: Peer,
  listeners: readonly Listener[],
  ms: number,
): Verdict | undefined {
  // A record's time is that of its stage, some hundredths after it: who was not called came later.
  const later = listeners.find(({ from, to }) => to > ms && from > ms - 1)
  if (!later) return undefined
  const { sub, from } = later
  const delay = Math.max(0, from - subject.row.ms)
  return {
    outcome: 'too_late',
    why: `${peer.name} subscribed too late: ${subscriptionWords(sub)} began ${duration(delay)} after ${subject.type} was published (at ${clockTime(from)}), and live subscriptions hear only what comes after them. Subscribe earlier, or with from: 'start' to be given what is in the log.`,
    expected: false,
    subs: [sub.sub],
  }
}

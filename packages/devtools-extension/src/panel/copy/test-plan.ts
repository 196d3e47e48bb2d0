/**
 * What a test needs to make a delivery fail once more as it was captured: the contexts, what they
 * subscribe to, the events with their causes, and what is to be in the way.
 */
import type { PeerId } from '@crosstown/bus/inspect'
import { ledgerOf, nearest, patternsOf } from '../model/index.ts'
import type { EventRow, LedgerEntry, Peer, Session } from '../model/model.ts'
import { namesFor, type Place, placesOf } from './test-places.ts'

export interface TestPlan {
  readonly places: readonly Place[]
  /** Causes before effects. */
  readonly events: readonly PlannedEvent[]
  readonly misses: readonly Miss[]
}

export interface PlannedEvent {
  readonly row: EventRow
  readonly variable: string
  /** Where it is published. */
  readonly place: Place
  /** The variable of its cause, where that is published too. */
  readonly cause?: string
}

/** A delivery that failed, and how it can fail again. */
export interface Miss {
  readonly event: PlannedEvent
  readonly place: Place
  /** In words, as the ledger has it. */
  readonly why: string
  readonly how: How
  /** What is to take the event. */
  readonly patterns: readonly string[]
  readonly site?: string
  /** Of a handler that threw: what. */
  readonly message?: string
}

/** `plain`: it fails by itself, as types, scopes, names and rooms are what they were. */
export type How = 'plain' | 'late' | 'throws' | 'where' | 'overflow' | 'apart' | 'rights'

/** Events looked at, and causes of each. */
const MOST_EVENTS = 20
const MOST_CAUSES = 20

/** What to make again of the deliveries of some events; in words, why there is nothing. */
export function testPlan(session: Session, chosen: readonly EventRow[]): TestPlan | string {
  const rows = [...chosen].sort((a, b) => a.ms - b.ms).slice(0, MOST_EVENTS)
  const found = rows.flatMap((row) => missesOf(session, row))
  const failed = found.flatMap((miss) => ('how' in miss ? miss : []))
  if (failed.length === 0)
    return found.flatMap((miss) => ('not' in miss ? miss.not : []))[0] ?? NONE
  const told = new Set(failed.map(({ row }) => row.id))
  const all = withCauses(
    session,
    rows.filter(({ id }) => told.has(id)),
  )
  const places = placesOf(
    session,
    all,
    failed.map(({ peer }) => peer),
  )
  const variables = namesFor(
    all.map(({ event }) => event.type),
    places.values(),
  )
  const events = new Map<string, PlannedEvent>()
  for (const [index, row] of all.entries()) {
    const cause = events.get(row.event.causationId ?? '')
    events.set(row.id, {
      row,
      variable: variables[index] as string,
      place: places.get(row.publisher) as Place,
      ...(cause && { cause: cause.variable }),
    })
  }
  return {
    places: [...places.values()],
    events: [...events.values()],
    misses: failed.map(({ row, peer, ...miss }) => ({
      ...miss,
      event: events.get(row.id) as PlannedEvent,
      place: places.get(peer) as Place,
    })),
  }
}

const NONE = 'every delivery was made'

type Found =
  | (Omit<Miss, 'event' | 'place'> & { readonly row: EventRow; readonly peer: PeerId })
  | { readonly not: string }

function missesOf(session: Session, row: EventRow): Found[] {
  return ledgerOf(session, row.id).flatMap((entry): Found | readonly Found[] => {
    const peer = session.peers.get(entry.peer)
    if (!peer || peer.hello.kind === 'relay') return []
    const how = howOf(session, row, peer, entry)
    if (how === undefined || typeof how === 'object') return how ?? []
    const sub = entry.subs
      .map((number) => peer.subscriptions.get(number))
      .find((one) => one !== undefined && (how !== 'overflow' || one.kind === 'loop'))
    const near = nearest(row.event.type, patternsOf(peer), 1)[0]
    const patterns = sub?.patterns ?? (near && [near.text])
    if (!patterns) return { not: 'nothing there was to take it' }
    const message = messageOf(session, row, peer)
    return {
      row,
      peer: peer.id,
      why: entry.why,
      how,
      patterns,
      ...(sub?.site !== undefined && { site: sub.site }),
      ...(message !== undefined && { message }),
    }
  })
}

/** How it can fail again; why it cannot; `undefined` where it did not fail. */
function howOf(
  session: Session,
  row: EventRow,
  peer: Peer,
  { outcome, subs }: LedgerEntry,
): How | { readonly not: string } | undefined {
  const steps = session.steps(row.id)
  const here = steps.filter((step) => step.peer === peer.id)
  switch (outcome) {
    case 'failed':
      return 'throws'
    case 'wrong_scope':
      return 'plain'
    case 'not_subscribed':
      // Something that had ended is not what was meant.
      return subs.length === 0 && nearest(row.event.type, patternsOf(peer), 1).length > 0
        ? 'plain'
        : undefined
    case 'too_late':
      return 'late'
    case 'filtered':
      return here.some(({ why }) => why === 'where') ? 'where' : undefined
    case 'dropped':
      return here.some(({ why }) => why === 'overflow')
        ? 'overflow'
        : { not: 'it was dropped on its way' }
    case 'no_right':
      return 'rights'
    case 'refused':
      return steps.some(({ is, code }) => is === 'refused' && code === 'forbidden')
        ? 'rights'
        : { not: 'why it was refused is not captured' }
    case 'offline':
    case 'waiting':
      return session.peers.get(row.publisher)?.device !== peer.device && peer.hello.relay
        ? 'apart'
        : { not: outcome === 'offline' ? 'nobody was there' : 'it is on its way' }
    case 'missing':
      return { not: 'why it did not come is not captured' }
    case 'unknown':
      return { not: 'whether it came is not known' }
    default:
      return undefined
  }
}

function messageOf(session: Session, row: EventRow, peer: Peer): string | undefined {
  return session
    .steps(row.id)
    .find((step) => step.is === 'failed' && step.sub !== undefined && step.peer === peer.id)?.detail
}

/** Events with what caused them, causes first, each once. */
function withCauses(session: Session, rows: readonly EventRow[]): EventRow[] {
  const all = new Map<string, EventRow>()
  for (const row of rows) {
    const chain: EventRow[] = []
    let at: EventRow | undefined = row
    while (at && !all.has(at.id) && !chain.includes(at) && chain.length <= MOST_CAUSES) {
      chain.push(at)
      at = at.event.causationId === undefined ? undefined : session.event(at.event.causationId)
    }
    for (const one of chain.reverse()) all.set(one.id, one)
  }
  return [...all.values()]
}

/**
 * Who gets an event to a handler, and who should: counters for rows. Why, in words, is the ledger's
 * to say.
 */
import type { InspectedEvent } from '@crosstown/bus/inspect'
import type { PeerBook } from './peer-book.ts'
import type { KnownPeer } from './peers.ts'
import type { Skew } from './skew.ts'
import { type Entries, MANY } from './store/entries.ts'
import type { IdIndex } from './store/ids.ts'
import type { Spans } from './store/spans.ts'

export interface Known {
  readonly entries: Entries
  readonly spans: Spans
  readonly ids: IdIndex
  readonly skew: Skew
  readonly book: PeerBook
}

interface Marks {
  readonly handled: boolean
  readonly matched: boolean
  readonly unmatched: boolean
  readonly excluded: boolean
}

export interface Counted {
  delivered: number
  expected: number
  /** Of these it was not captured whether it came. */
  unknown: number
}

export function countDeliveries(known: Known, entry: number): Counted {
  const counted: Counted = { delivered: 0, expected: 0, unknown: 0 }
  const { entries, book } = known
  const type = entries.field(entry, 'type')
  if (type === undefined) return counted
  const scope = entries.field(entry, 'scope')
  const event = scope === undefined ? { type } : { type, scope }
  const publisher = publisherOf(known, entry)
  const ms = entries.ms[entry]!
  const far = (entries.flags[entry]! & MANY) === 0 ? undefined : marksOfMany(known, entry)
  for (const peer of book.all) {
    const marks =
      peer.index < 32 ? near(entries, entry, peer.index) : (far?.get(peer.index) ?? NONE)
    if (marks.handled) {
      counted.delivered++
      counted.expected++
    } else if (
      marks.matched
        ? !marks.excluded
        : !marks.unmatched && shouldHear(known, event, ms, publisher, peer)
    ) {
      if (peer.isCaptured(known.skew.atOf(peer.index, ms))) counted.expected++
      else counted.unknown++
    }
  }
  return counted
}

/** Who published it, as its id says where nobody captured that. */
export function publisherOf(
  { entries, book }: Pick<Known, 'entries' | 'book'>,
  entry: number,
): KnownPeer | undefined {
  const index = entries.publisher[entry]!
  return index > 0 ? book.at(index) : book.find(prefixOf(entries.ids[entry]!))
}

/** The peer that an id is of; of one that came by HTTP, the id itself. */
export function prefixOf(id: string): string {
  const dash = id.startsWith('h-') ? -1 : id.lastIndexOf('-')
  return dash < 0 ? id : id.slice(0, dash)
}

/** What of an envelope says whom it is for. */
type Addressed = Pick<InspectedEvent, 'type' | 'scope'>

/** Whether a peer, as far as it announced itself, was there for an event and within its reach. */
export function shouldHear(
  { skew }: Pick<Known, 'skew'>,
  event: Addressed,
  ms: number,
  publisher: KnownPeer | undefined,
  peer: KnownPeer,
): boolean {
  if (peer.subscriptions.size === 0 || peer.state === 'mismatch') return false
  const listening = peer.listening(event.type)
  if (listening.length === 0 || !reaches(event, publisher, peer) || !peer.wasThere(ms)) return false
  if (publisher?.device !== peer.device && !peer.mayRead(event.type)) return false
  const at = skew.atOf(peer.index, ms)
  return listening.some(({ from, to }) => from <= at && at < to)
}

/** Whether an event's scope, bus and room let it come to a peer. */
export function reaches(
  event: Addressed,
  publisher: KnownPeer | undefined,
  peer: KnownPeer,
): boolean {
  if (publisher === peer) return true
  if (event.scope === 'context') return false
  // Of a publisher that is not inspected, only that it is somewhere in the room is known.
  if (!publisher) return event.scope === undefined && peer.hello.relay !== undefined
  if (publisher.hello.bus !== peer.hello.bus && publisher.device === peer.device) return false
  if (publisher.device === peer.device) return true
  const room = publisher.hello.relay?.room
  return event.scope === undefined && room !== undefined && room === peer.hello.relay?.room
}

const NONE: Marks = { handled: false, matched: false, unmatched: false, excluded: false }

function near(entries: Entries, entry: number, index: number): Marks {
  const bit = (1 << index) >>> 0
  return {
    handled: (entries.handled[entry]! & bit) !== 0,
    matched: (entries.matched[entry]! & bit) !== 0,
    unmatched: (entries.unmatched[entry]! & bit) !== 0,
    excluded: (entries.excluded[entry]! & bit) !== 0,
  }
}

/** Of peers that the masks have no bit for, from the steps. */
function marksOfMany({ entries, ids, spans }: Known, entry: number): Map<number, Marks> {
  const marks = new Map<number, { -readonly [Key in keyof Marks]: boolean }>()
  const named = ids.spansOf(entries.ids[entry]!)
  for (let i = 0; i < named.length; i += 2) {
    const facet = spans.facet(named[i]!)
    if (facet.peer < 32) continue
    let mark = marks.get(facet.peer)
    if (!mark) {
      mark = { ...NONE }
      marks.set(facet.peer, mark)
    }
    if (facet.is === 'handled' || (facet.is === 'failed' && facet.sub !== undefined))
      mark.handled = true
    else if (facet.is === 'matched') {
      if (facet.subs!.length > 0) mark.matched = true
      else mark.unmatched = true
    } else if (facet.is === 'filtered' && facet.why === 'where') mark.excluded = true
  }
  return marks
}

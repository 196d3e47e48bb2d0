/** Finds messages between devices in the steps of events: they bound how far clocks are off. */
import type { Ids } from '@crosstown/bus/inspect'
import type { Known } from './expected.ts'
import type { EventRecord } from './facts.ts'
import type { KnownPeer } from './peers.ts'
import { idOf } from './store/ids.ts'

interface Moment {
  readonly peer: KnownPeer
  readonly at: number
  /** The device it was posted to, where it says. */
  readonly to?: string | undefined
}

/** Clocks do not run apart so fast that every message had to be looked at: at first more of them. */
const FIRST_MS = 250
const FIRST_LOOKS = 100
const EVERY_MS = 1_000

/** Looks at one event of a record, now and then. */
export function boundClocks(
  known: Known,
  teller: KnownPeer,
  record: EventRecord,
  now: number,
): void {
  if (record.is !== 'published' && record.is !== 'posted' && record.is !== 'received') return
  if (record.is !== 'published' && record.via !== 'relay') return
  if (record.at - teller.pairedAt < (teller.paired < FIRST_LOOKS ? FIRST_MS : EVERY_MS)) return
  teller.pairedAt = record.at
  teller.paired++
  const id =
    record.is !== 'published'
      ? firstOf(record.ids)
      : 'ids' in record.events
        ? firstOf(record.events.ids)
        : record.events[0]?.id
  if (id === undefined) return
  const { entries, ids, spans, book, skew } = known
  const entry = ids.find(id)
  if (entry < 0) return
  const publisher = book.at(entries.publisher[entry]!)
  let sent: Moment | undefined
  const relayed: Moment[] = []
  const received: Moment[] = []
  const named = ids.spansOf(id)
  for (let i = 0; i < named.length; i += 2) {
    const span = named[i]!
    const { peer: index, is, via, to } = spans.facet(span)
    const peer = book.at(index)
    if (!peer) continue
    const at = spans.at(span)
    if (
      is === 'published' ||
      (is === 'posted' && via === 'relay' && peer.device === publisher?.device)
    )
      sent = { peer, at }
    else if (is === 'posted' && peer.hello.kind === 'relay') relayed.push({ peer, at, to })
    else if (is === 'received' && via === 'relay') received.push({ peer, at })
  }
  for (const { peer, at } of received) {
    if (sent) skew.message(sent.peer.index, sent.at, peer.index, at, now)
    for (const hop of relayed) {
      if (hop.to !== undefined && hop.to !== peer.hello.device) continue
      skew.message(hop.peer.index, hop.at, peer.index, at, now)
    }
  }
}

function firstOf(ids: Ids): string | undefined {
  const [first] = ids
  if (first === undefined || typeof first === 'string') return first
  return idOf(first[0], first[1])
}

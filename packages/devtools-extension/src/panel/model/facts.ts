/** What each record says of the events it names: steps, and the few facts that rows show. */
import type { Ids, InspectedEvent, InspectRecord } from '@crosstown/bus/inspect'
import { offsetIn } from './offsets.ts'
import type { KnownPeer } from './peers.ts'
import {
  COMMITTED,
  CONFIRMED,
  type Entries,
  MANY,
  PUBLISHED,
  REFUSED,
  UNWRITTEN,
  VIA_BITS,
} from './store/entries.ts'
import { eachId } from './store/ids.ts'
import type { Facet, Steps } from './store/steps.ts'

/** Steps kept of one event; who sends more has no more to say. */
const MAX_STEPS = 2_000
const NO_VALUE = Number.NaN

/** The part of the session that facts are written to. */
export interface FactSink {
  readonly entries: Entries
  readonly pool: Steps
  /** The entry of an id, made where it is new; -1 where it was forgotten. */
  entryOf(prefix: string, counter: number): number
  /** The entry of an event that is told whole, made anew even where it was forgotten. */
  entryById(id: string): number
  /** Gives an entry its envelope, and with it a row. */
  describe(entry: number, event: InspectedEvent): void
  /** Something happened at a peer: the time of an event whose publisher is not heard. */
  happened(entry: number, peer: KnownPeer, at: number, published: boolean): void
  touch(entry: number): void
}

export type EventRecord = Extract<
  InspectRecord,
  { readonly ids: Ids } | { readonly is: 'published' }
>

export function isEventRecord(
  record: InspectRecord,
): record is Exclude<EventRecord, { is: 'found' }> {
  return record.is === 'published' || ('ids' in record && record.is !== 'found')
}

/** Writes a record down. */
export function writeFacts(
  sink: FactSink,
  peer: KnownPeer,
  record: Exclude<EventRecord, { is: 'found' }>,
): void {
  const { entries } = sink
  const facet = sink.pool.facetOf(facetOf(peer.index, record))
  const bit = peer.index < 32 ? (1 << peer.index) >>> 0 : 0
  if (record.is === 'published') {
    for (const event of record.events) {
      const entry = sink.entryById(event.id)
      entries.publisher[entry] = peer.index
      entries.flags[entry]! |= PUBLISHED
      sink.describe(entry, event)
      step(sink, entry, peer, record.at, facet, NO_VALUE, 0)
    }
    return
  }
  if (record.is === 'received' && record.events) {
    for (const event of record.events) sink.describe(sink.entryById(event.id), event)
  }
  const value = (index: number): number => {
    switch (record.is) {
      case 'handled':
        return record.ms[index] ?? NO_VALUE
      case 'committed':
      case 'failed':
        return record.ms ?? NO_VALUE
      default:
        return NO_VALUE
    }
  }
  const num = (index: number): number => numberOf(record, index)
  eachId(record.ids, (prefix, counter, index) => {
    const entry = sink.entryOf(prefix, counter)
    if (entry < 0) return
    const ms = value(index)
    fact(entries, entry, bit, record, ms)
    step(sink, entry, peer, record.at, facet, ms, num(index))
  })
}

function step(
  sink: FactSink,
  entry: number,
  peer: KnownPeer,
  at: number,
  facet: number,
  value: number,
  num: number,
): void {
  const { entries, pool } = sink
  if (entries.stepCount[entry]! < MAX_STEPS) {
    const made = pool.add(at, facet, value, num)
    if (entries.stepHead[entry]! < 0) entries.stepHead[entry] = made
    else pool.link(entries.stepTail[entry]!, made)
    entries.stepTail[entry] = made
    entries.stepCount[entry]!++
  }
  if (peer.index >= 32) entries.flags[entry]! |= MANY
  sink.happened(entry, peer, at, pool.kindOf(facet) === 'published')
  sink.touch(entry)
}

/** What the columns keep of a record, the same in whatever order records come. */
function fact(
  entries: Entries,
  entry: number,
  bit: number,
  record: Exclude<EventRecord, { is: 'found' | 'published' }>,
  ms: number,
): void {
  switch (record.is) {
    case 'committed':
      entries.flags[entry]! |= COMMITTED
      break
    case 'posted':
      entries.vias[entry]! |= VIA_BITS[record.via]
      break
    case 'confirmed':
      entries.flags[entry]! |= CONFIRMED
      break
    case 'received':
      entries.vias[entry]! |= VIA_BITS[record.via]
      entries.received[entry]! |= bit
      break
    case 'matched':
      if (record.subs.length > 0) entries.matched[entry]! |= bit
      else entries.unmatched[entry]! |= bit
      break
    case 'handled':
      entries.handled[entry]! |= bit
      if (!(entries.duration[entry]! >= ms)) entries.duration[entry] = ms
      break
    case 'failed':
      entries.failures[entry] = Math.min(entries.failures[entry]! + 1, 65_535)
      if (record.sub === undefined) entries.flags[entry]! |= UNWRITTEN
      else {
        entries.handled[entry]! |= bit
        if (!Number.isNaN(ms) && !(entries.duration[entry]! >= ms)) entries.duration[entry] = ms
      }
      break
    case 'refused':
      if (record.final) entries.flags[entry]! |= REFUSED
      break
    case 'dropped':
      if (record.why === 'duplicate') break
      entries.drops[entry] = Math.min(entries.drops[entry]! + 1, 65_535)
      if (record.why === 'withdrawn' || record.why === 'closed') entries.flags[entry]! |= UNWRITTEN
      break
    case 'filtered':
      if (record.why === 'known') break
      entries.drops[entry] = Math.min(entries.drops[entry]! + 1, 65_535)
      if (record.why === 'where') entries.excluded[entry]! |= bit
      break
    case 'retried':
      break
  }
}

function facetOf(peer: number, record: Exclude<EventRecord, { is: 'found' }>): Facet {
  switch (record.is) {
    case 'published':
    case 'committed':
      return { peer, is: record.is }
    case 'posted':
      return { peer, is: 'posted', via: record.via, ...some('to', record.to) }
    case 'confirmed':
      return { peer, is: 'confirmed', ...some('detail', record.epoch) }
    case 'received':
      return {
        peer,
        is: 'received',
        via: record.via,
        origin: record.origin,
        ...some('from', record.from),
      }
    case 'matched':
      return { peer, is: 'matched', subs: record.subs }
    case 'handled':
      return { peer, is: 'handled', sub: record.sub }
    case 'failed':
      return {
        peer,
        is: 'failed',
        stage: record.stage,
        code: record.code,
        detail: record.message,
        ...some('sub', record.sub),
      }
    case 'retried':
      return { peer, is: 'retried', ...some('sub', record.sub) }
    case 'refused':
      return { peer, is: 'refused', code: record.code, final: record.final }
    case 'dropped':
      return { peer, is: 'dropped', why: record.why, ...some('sub', record.sub) }
    case 'filtered':
      return { peer, is: 'filtered', why: record.why, sub: record.sub }
  }
}

function some<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value }
}

/** What a step has beside its time: where the event stands in a log or room, or how much it was. */
function numberOf(
  record: Exclude<EventRecord, { is: 'found' | 'published' }>,
  index: number,
): number {
  switch (record.is) {
    case 'committed':
      return offsetIn(record.batch, index)
    case 'posted':
      return record.bytes
    case 'confirmed':
      return record.place === undefined ? NO_VALUE : record.place + index
    case 'retried':
      return record.attempt
    case 'dropped':
      return record.count
    default:
      return NO_VALUE
  }
}

/** What each record says of the events it names: spans, and the few facts that rows show. */
import { type Ids, type InspectedEvent, type InspectRecord, packIds } from '@crosstown/bus/inspect'
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
import { eachRun, type IdIndex } from './store/ids.ts'
import { type Facet, type Spans, STEP_KINDS } from './store/spans.ts'

/** The part of the session that facts are written to. */
export interface FactSink {
  readonly entries: Entries
  readonly spans: Spans
  readonly ids: IdIndex
  readonly skew: { msOf(peer: number, at: number): number }
  /** A new entry for an id. */
  orphan(id: string): number
  /** Gives an entry its envelope, and with it a row. */
  describe(entry: number, event: InspectedEvent): void
  touch(entry: number): void
}

export type EventRecord = Exclude<
  Extract<InspectRecord, { readonly ids: Ids } | { readonly is: 'published' }>,
  { is: 'found' }
>
type NamingRecord = Exclude<EventRecord, { is: 'published' }>

export function isEventRecord(record: InspectRecord): record is EventRecord {
  return EVENT_RECORDS.has(record.is)
}

const EVENT_RECORDS: ReadonlySet<InspectRecord['is']> = new Set(STEP_KINDS)

/** Entries of the run that is being written. */
let scratch = new Int32Array(1_024)

/** Writes a record down. */
export function writeFacts(sink: FactSink, peer: KnownPeer, record: EventRecord): void {
  const facet = facetIndex(sink.spans, peer, record)
  const ms = sink.skew.msOf(peer.index, record.at)
  const make = (id: string) => sink.orphan(id)
  if (record.is === 'published') {
    publish(sink, peer, record.events, record.at, ms, facet)
    return
  }
  if (record.is === 'received' && record.events) {
    for (const event of record.events) {
      // Its offset is that of this log, not of its publisher's.
      const { offset: _, ...told } = event
      sink.describe(sink.ids.findOrMake(event.id, make), told)
    }
  }
  const num = numberOf(record)
  const value = record.is === 'handled' ? record.ms : 'ms' in record ? record.ms : undefined
  eachRun(record.ids, (prefix, first, count, from) => {
    if (count > scratch.length) scratch = new Int32Array(count)
    const span = sink.spans.add(record.at, facet, first, count, from, num, value)
    sink.ids.name(span, prefix, first, count, scratch, make)
    sink.spans.drop(span)
    writeRun(sink, peer, record, ms, count, from)
  })
}

function publish(
  sink: FactSink,
  peer: KnownPeer,
  events: readonly InspectedEvent[],
  at: number,
  ms: number,
  facet: number,
): void {
  const { entries, ids, spans } = sink
  for (const event of events) {
    const entry = ids.findOrMake(event.id, (id) => sink.orphan(id))
    entries.publisher[entry] = peer.index
    entries.flags[entry]! |= peer.index < 32 ? PUBLISHED : PUBLISHED | MANY
    setTime(entries, entry, peer, at, ms)
    sink.describe(entry, event)
    sink.touch(entry)
  }
  const make = (id: string) => ids.find(id)
  eachRun(packIds(events.map(({ id }) => id)), (prefix, first, count, from) => {
    if (count > scratch.length) scratch = new Int32Array(count)
    const span = spans.add(at, facet, first, count, from, undefined, undefined)
    ids.name(span, prefix, first, count, scratch, make)
    spans.drop(span)
  })
}

function setTime(entries: Entries, entry: number, peer: KnownPeer, at: number, ms: number): void {
  entries.ms[entry] = ms
  entries.rawAt[entry] = at
  entries.msPeer[entry] = peer.index
}

/** What the columns keep of a record, for the entries in `scratch`; the same in whatever order. */
function writeRun(
  sink: FactSink,
  peer: KnownPeer,
  record: NamingRecord,
  ms: number,
  count: number,
  from: number,
): void {
  const { entries } = sink
  const bit = peer.index < 32 ? (1 << peer.index) >>> 0 : 0
  const { flags } = entries
  for (let k = 0; k < count; k++) {
    const entry = scratch[k]!
    if (entry < 0) continue
    writeFact(entries, entry, record, peer, bit, ms, from + k)
    if (bit === 0) flags[entry]! |= MANY
    if ((flags[entry]! & PUBLISHED) === 0 && !(entries.ms[entry]! <= ms))
      setTime(entries, entry, peer, record.at, ms)
    sink.touch(entry)
  }
}

function writeFact(
  entries: Entries,
  entry: number,
  record: NamingRecord,
  peer: KnownPeer,
  bit: number,
  ms: number,
  index: number,
): void {
  switch (record.is) {
    case 'committed':
      entries.flags[entry]! |= COMMITTED
      return
    case 'posted':
      entries.vias[entry]! |= VIA_BITS[record.via]
      return
    case 'confirmed':
      entries.flags[entry]! |= CONFIRMED
      return
    case 'received':
      entries.vias[entry]! |= VIA_BITS[record.via]
      entries.received[entry]! |= bit
      // Nothing leaves a relay, or comes out of a log, before it is there.
      if (record.origin === 'room' && record.via !== 'link' && peer.hello.kind !== 'relay')
        entries.flags[entry]! |= CONFIRMED
      if (record.via === 'log') entries.flags[entry]! |= COMMITTED
      return
    case 'matched':
      if (record.subs.length > 0) entries.matched[entry]! |= bit
      else entries.unmatched[entry]! |= bit
      return
    case 'handled':
      handled(entries, entry, peer.index, record.at, bit, ms, record.ms[index])
      return
    case 'failed':
      entries.failures[entry] = Math.min(entries.failures[entry]! + 1, 65_535)
      if (record.sub === undefined) entries.flags[entry]! |= UNWRITTEN
      else handled(entries, entry, peer.index, record.at, bit, ms, record.ms)
      return
    case 'refused':
      if (record.final) entries.flags[entry]! |= REFUSED
      return
    case 'dropped':
      if (record.why === 'duplicate' || record.why === 'unwanted') return
      addDrop(entries, entry)
      if (record.why === 'withdrawn' || record.why === 'closed') entries.flags[entry]! |= UNWRITTEN
      return
    case 'filtered':
      if (record.why === 'known') return
      addDrop(entries, entry)
      if (record.why === 'where') entries.excluded[entry]! |= bit
      return
    case 'retried':
      return
  }
}

function addDrop(entries: Entries, entry: number): void {
  entries.drops[entry] = Math.min(entries.drops[entry]! + 1, 65_535)
}

/** A handler of a peer ended; `took` ms. */
function handled(
  entries: Entries,
  entry: number,
  peer: number,
  at: number,
  bit: number,
  ms: number,
  took: number | undefined,
): void {
  // Peers' records come in their order: the first one is the first.
  if (bit === 0 || (entries.handled[entry]! & bit) === 0) {
    const began = took === undefined ? ms : ms - took
    if (!(entries.lastFirst[entry]! >= began)) {
      entries.lastFirst[entry] = began
      entries.lastAt[entry] = took === undefined ? at : at - took
      entries.lastPeer[entry] = peer
    }
  }
  entries.handled[entry]! |= bit
  if (took !== undefined && !(entries.duration[entry]! >= took)) entries.duration[entry] = took
}

/** Mostly one of those that the peer's last records of the kind had. */
function facetIndex(spans: Spans, peer: KnownPeer, record: EventRecord): number {
  const key = shortKeyOf(record)
  if (key === undefined) return spans.facetOf(facetOf(peer.index, record))
  const known = peer.facets.get(key)
  if (known !== undefined && known.sweeps === spans.sweeps) return known.index
  const index = spans.facetOf(facetOf(peer.index, record))
  if (peer.facets.size >= MAX_SHORT_KEYS) peer.facets.clear()
  peer.facets.set(key, { index, sweeps: spans.sweeps })
  return index
}

const MAX_SHORT_KEYS = 1_000

/** Of kinds with little in them, what tells them apart within a peer. */
function shortKeyOf(record: EventRecord): string | number | undefined {
  switch (record.is) {
    case 'published':
    case 'committed':
      return record.is
    case 'posted':
      return record.to ?? (record.via === 'tabs' ? 'tabs' : undefined)
    case 'handled':
      return record.sub
    case 'received':
      return `${record.via} ${record.origin} ${record.from ?? ''}`
    case 'confirmed':
      return `place ${record.epoch ?? ''}`
    case 'matched':
      return record.subs.length === 0
        ? 'none'
        : record.subs.length === 1
          ? -1 - record.subs[0]!
          : undefined
    default:
      return undefined
  }
}

function facetOf(peer: number, record: EventRecord): Facet {
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
      return {
        peer,
        is: 'dropped',
        why: record.why,
        ...some('sub', record.sub),
        ...some('to', record.to),
      }
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

/** What a record has beside: which batch or place, or how much it was. */
function numberOf(record: NamingRecord): number | undefined {
  switch (record.is) {
    case 'committed':
      return record.batch
    case 'posted':
      return record.bytes
    case 'confirmed':
      return record.place
    case 'retried':
      return record.attempt
    case 'dropped':
      return record.count
    default:
      return undefined
  }
}

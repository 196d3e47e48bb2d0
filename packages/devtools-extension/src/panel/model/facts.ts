/** What each record says of the events it names: spans, and the few facts that rows show. */
import type { EventColumns, Ids, InspectedEvent, InspectRecord } from '@crosstown/bus/inspect'
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
import { eachRun, eachRunOf, type IdIndex, idOf } from './store/ids.ts'
import { type Facet, type Spans, STEP_KINDS } from './store/spans.ts'

/** The part of the session that facts are written to. */
export interface FactSink {
  readonly entries: Entries
  readonly spans: Spans
  readonly ids: IdIndex
  readonly skew: { msOf(peer: number, at: number): number }
  /** A new entry for an id, which no index has yet. */
  orphan(id: string): number
  /** The entry of an id, a new one where there is none. */
  entryOf(id: string): number
  /** Gives an entry its envelope, and with it a row. */
  describe(entry: number, envelopes: InspectedEvent | EventColumns, place: number): void
  touch(entry: number): void
  touchAll(entries: Int32Array, count: number): void
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
  if (record.is === 'published') {
    publish(sink, peer, record, ms, facet)
    return
  }
  if (record.is === 'received' && record.events) {
    for (const event of record.events) {
      // Its offset is that of this log, not of its publisher's.
      const { offset: _, ...told } = event
      sink.describe(sink.entryOf(event.id), told, 0)
    }
  }
  const num = numberOf(record)
  const value =
    record.is === 'handled' || record.is === 'committed' || record.is === 'failed'
      ? record.ms
      : undefined
  const make = (prefix: string, counter: number) => sink.orphan(idOf(prefix, counter))
  eachRun(record.ids, (prefix, first, count, from) => {
    if (count > scratch.length) scratch = new Int32Array(count)
    const span = sink.spans.add(record.at, facet, first, count, from, num, value)
    sink.ids.name(span, prefix, first, count, scratch, make)
    sink.spans.drop(span)
    writeRun(sink, peer, record, ms, count, from)
    sink.touchAll(scratch, count)
  })
}

function publish(
  sink: FactSink,
  peer: KnownPeer,
  { at, events }: Extract<EventRecord, { is: 'published' }>,
  ms: number,
  facet: number,
): void {
  const { entries, ids, spans } = sink
  const flags = peer.index < 32 ? PUBLISHED : PUBLISHED | MANY
  const make = (prefix: string, counter: number) => entries.add(idOf(prefix, counter))
  const write = (prefix: string, first: number, count: number, from: number) => {
    if (count > scratch.length) scratch = new Int32Array(count)
    const span = spans.add(at, facet, first, count, from, undefined, undefined)
    ids.name(span, prefix, first, count, scratch, make, true)
    spans.drop(span)
    for (let k = 0; k < count; k++) {
      const entry = scratch[k]!
      entries.publisher[entry] = peer.index
      entries.flags[entry]! |= flags
      setTime(entries, entry, peer, at, ms)
      if ('ids' in events) sink.describe(entry, events, from + k)
      else sink.describe(entry, events[from + k]!, 0)
    }
    sink.touchAll(scratch, count)
  }
  if ('ids' in events) eachRun(events.ids, write)
  else eachRunOf(events, write)
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
  writeColumns(entries, record, peer, bit, ms, count, from)
  if (bit === 0) mark(entries.flags, MANY, count)
  const { flags, ms: times } = entries
  for (let k = 0; k < count; k++) {
    const entry = scratch[k]!
    if (entry >= 0 && (flags[entry]! & PUBLISHED) === 0 && !(times[entry]! <= ms))
      setTime(entries, entry, peer, record.at, ms)
  }
}

/** Sets bits of a column. */
function mark(column: Uint8Array | Uint32Array, bits: number, count: number): void {
  if (column instanceof Uint8Array) markBytes(column, bits, count)
  else markWords(column, bits, count)
}

// One for each kind of column, so that each is compiled for its own.
function markBytes(column: Uint8Array, bits: number, count: number): void {
  for (let k = 0; k < count; k++) {
    const entry = scratch[k]!
    if (entry >= 0) column[entry]! |= bits
  }
}

function markWords(column: Uint32Array, bits: number, count: number): void {
  for (let k = 0; k < count; k++) {
    const entry = scratch[k]!
    if (entry >= 0) column[entry]! |= bits
  }
}

function writeColumns(
  entries: Entries,
  record: NamingRecord,
  peer: KnownPeer,
  bit: number,
  ms: number,
  count: number,
  from: number,
): void {
  switch (record.is) {
    case 'committed':
      mark(entries.flags, COMMITTED, count)
      return
    case 'posted':
      mark(entries.vias, VIA_BITS[record.via], count)
      return
    case 'confirmed':
      mark(entries.flags, CONFIRMED, count)
      return
    case 'received':
      mark(entries.vias, VIA_BITS[record.via], count)
      mark(entries.received, bit, count)
      // Nothing leaves a relay, or comes out of a log, before it is there.
      if (record.origin === 'room' && record.via !== 'link' && peer.hello.kind !== 'relay')
        mark(entries.flags, CONFIRMED, count)
      if (record.via === 'log') mark(entries.flags, COMMITTED, count)
      return
    case 'matched':
      mark(record.subs.length > 0 ? entries.matched : entries.unmatched, bit, count)
      return
    case 'handled':
      for (let k = 0; k < count; k++)
        handled(entries, scratch[k]!, peer.index, record.at, bit, ms, record.ms[from + k])
      return
    case 'failed':
      addUp(entries.failures, count)
      if (record.sub === undefined) mark(entries.flags, UNWRITTEN, count)
      else
        for (let k = 0; k < count; k++)
          handled(entries, scratch[k]!, peer.index, record.at, bit, ms, record.ms)
      return
    case 'refused':
      if (record.final) mark(entries.flags, REFUSED, count)
      return
    case 'dropped':
      if (record.why === 'duplicate' || record.why === 'unwanted') return
      addUp(entries.drops, count)
      if (record.why === 'withdrawn' || record.why === 'closed')
        mark(entries.flags, UNWRITTEN, count)
      return
    case 'filtered':
      if (record.why === 'known') return
      addUp(entries.drops, count)
      if (record.why === 'where') mark(entries.excluded, bit, count)
      return
    case 'retried':
      return
  }
}

function addUp(column: Uint16Array, count: number): void {
  for (let k = 0; k < count; k++) {
    const entry = scratch[k]!
    if (entry >= 0) column[entry] = Math.min(column[entry]! + 1, 65_535)
  }
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
  if (entry < 0) return
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
  const short = shortKeyOf(record)
  if (short === undefined) return spans.facetOf(facetOf(peer.index, record))
  const kind = kindOf(record)
  let facets = peer.facets[kind]
  if (facets === undefined) {
    facets = new Map()
    peer.facets[kind] = facets
  }
  const known = facets.get(short)
  if (known !== undefined && known.sweeps === spans.sweeps) return known.index
  const index = spans.facetOf(facetOf(peer.index, record))
  if (facets.size >= MAX_SHORT_KEYS) facets.clear()
  facets.set(short, { index, sweeps: spans.sweeps })
  return index
}

const MAX_SHORT_KEYS = 1_000

const KINDS: { readonly [Kind in EventRecord['is']]: number } = {
  published: 0,
  committed: 1,
  posted: 12,
  confirmed: 3,
  matched: 4,
  handled: 5,
  failed: 6,
  retried: 7,
  refused: 8,
  dropped: 9,
  filtered: 10,
  received: 24,
}
const ORIGINS = { device: 0, room: 1, past: 2 } as const

/** A number for its kind; for each way that an event took another one. */
function kindOf(record: EventRecord): number {
  const kind = KINDS[record.is]
  if (record.is === 'posted') return kind + VIA_BITS[record.via]
  return record.is === 'received' ? kind + VIA_BITS[record.via] * 3 + ORIGINS[record.origin] : kind
}

/** Of kinds with little in them, what tells them apart within a peer and kind. */
function shortKeyOf(record: EventRecord): string | number | undefined {
  switch (record.is) {
    case 'published':
    case 'committed':
      return 0
    case 'posted':
      return record.to ?? 0
    case 'handled':
      return record.sub
    case 'received':
      return record.from ?? 0
    case 'confirmed':
      return record.epoch ?? 0
    case 'matched':
      return record.subs.length === 0
        ? 0
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

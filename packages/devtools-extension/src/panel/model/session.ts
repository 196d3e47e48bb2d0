/** The session: what was captured, in a fixed number of rows, and what is known of the peers. */
import {
  type HelloFrame,
  type Ids,
  type InspectedEvent,
  type InspectRecord,
  type PeerId,
  packIds,
  unpackIds,
} from '@crosstown/bus/inspect'
import { Changes } from './changes.ts'
import { type Counted, countDeliveries } from './expected.ts'
import { type FactSink, isEventRecord, writeFacts } from './facts.ts'
import type { EventRow, NoteRow, Peer, Row, Rows, Session, SourceInfo, Step } from './model.ts'
import { type Note, noteOf } from './notes.ts'
import { offsetIn } from './offsets.ts'
import { boundClocks } from './pairs.ts'
import { PeerBook } from './peer-book.ts'
import type { KnownPeer } from './peers.ts'
import { Skew } from './skew.ts'
import { stepsOf } from './step-list.ts'
import { COMMITTED, CONFIRMED, Entries, Names, REFUSED, UNWRITTEN } from './store/entries.ts'
import { IdIndex } from './store/ids.ts'
import { NOTE, RowRing } from './store/rows.ts'
import { Spans } from './store/spans.ts'
import type { Timing } from './timing.ts'

export interface SessionOptions {
  readonly timing: Timing
  /** Rows at most. @default 100_000 */
  readonly limit?: number
  /** Spans of ids at most, of all records; the oldest rows make room. @default 2_500_000 */
  readonly maxSpans?: number
  /** Bytes of envelopes at most, about. @default 64 MiB */
  readonly maxBytes?: number
}

/** Events of which only the id is known, at most: their envelopes may be still on their way. */
const MAX_ORPHANS = 20_000
/** Types, and sources, told apart; more are no application's. */
const MAX_TYPES = 50_000
/** Between two looks at a session that takes in much, ms. */
const BUSY_MS = 100
const MAX_CACHED_ROWS = 4_096
const MAX_REASONS = 20

interface CachedRow {
  readonly stamp: number
  readonly epoch: number
  readonly row: EventRow
}

export class SessionStore implements Session, FactSink {
  readonly timing: Timing
  readonly limit: number
  readonly entries: Entries = new Entries()
  readonly spans: Spans = new Spans()
  readonly ids: IdIndex = new IdIndex(this.spans)
  readonly typeNames: Names = new Names()
  readonly sourceNames: Names = new Names()
  readonly skew: Skew = new Skew()
  readonly book: PeerBook
  readonly changes: Changes = new Changes()
  readonly ring: RowRing = new RowRing()
  readonly notes = new Map<number, NoteRow>()
  /** Grows when times of rows changed, so that whoever keeps some begins anew. */
  timesVersion = 0
  recording = true
  /** More waits to be taken in than one turn takes. */
  busy = false
  sources: readonly SourceInfo[] = []

  readonly #options: Required<Omit<SessionOptions, 'timing'>>
  readonly #listeners = new Set<() => void>()
  readonly #foundListeners = new Set<(ids: readonly string[]) => void>()
  readonly #cache = new Map<number, CachedRow>()
  readonly #typeCounts: number[] = []
  readonly #typeLast: number[] = []
  #orphans: number[] = []
  #orphanHead = 0
  #version = 0
  #pending = false
  #bytes = 0
  #forgotten = 0
  #cleared = 0
  #peers: ReadonlyMap<PeerId, Peer> = new Map()
  #skewVersion = 0
  #ticking = false
  #malformed: { count: number; reasons: string[] } = { count: 0, reasons: [] }

  constructor({
    timing,
    limit = 100_000,
    maxSpans = 2_500_000,
    maxBytes = 64 << 20,
  }: SessionOptions) {
    this.timing = timing
    this.limit = limit
    this.#options = { limit, maxSpans, maxBytes }
    this.book = new PeerBook(this.skew)
  }

  // ---- what views see

  get version(): number {
    return this.#version
  }

  subscribe(changed: () => void): () => void {
    // Wrapped, so that one function may listen twice.
    const listener = () => changed()
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly rows: Rows = ((session: SessionStore): Rows => ({
    get first() {
      return session.ring.first
    },
    get next() {
      return session.ring.next
    },
    at: (row) => session.rowAt(row),
  }))(this)

  get peers(): ReadonlyMap<PeerId, Peer> {
    return this.#peers
  }

  get captured(): number {
    return this.ring.next
  }

  get forgotten(): number {
    return this.#forgotten
  }

  get malformed(): { readonly count: number; readonly reasons: readonly string[] } {
    return this.#malformed
  }

  get types(): ReadonlyMap<string, number> {
    const types = new Map<string, number>()
    this.#typeCounts.forEach((count, type) => {
      if (count > 0) types.set(this.typeNames.texts[type]!, count)
    })
    return types
  }

  event(id: string): EventRow | undefined {
    const entry = this.ids.find(id)
    return entry < 0 ? undefined : this.eventRow(entry)
  }

  steps(id: string): readonly Step[] {
    const entry = this.ids.find(id)
    return entry < 0 ? [] : stepsOf(this, entry)
  }

  effects(id: string): readonly EventRow[] {
    return this.#inOrder(this.entries.effects.under(this.ids.find(id), id))
  }

  conversation(correlationId: string): readonly EventRow[] {
    const root = this.ids.find(correlationId)
    const others = this.entries.conversation.under(root, correlationId)
    const own = root >= 0 && this.#correlationOf(root) === correlationId ? [root] : []
    return this.#inOrder([...own, ...others])
  }

  *ofType(type: string): Generator<EventRow> {
    const number = this.typeNames.find(type)
    const { entries } = this
    let entry = number < 0 ? -1 : (this.#typeLast[number] ?? -1)
    let below = Number.POSITIVE_INFINITY
    // The list is not mended when rows are forgotten: their entries are others' by then.
    while (entry >= 0 && entries.type[entry] === number && entries.row[entry]! < below) {
      below = entries.row[entry]!
      const row = this.eventRow(entry)
      if (!row) return
      const before = entries.typePrev[entry]!
      yield row
      entry = before
    }
  }

  uncertainty(one: PeerId, other: PeerId): number {
    return this.skew.between(this.book.find(one)?.index ?? 0, this.book.find(other)?.index ?? 0)
  }

  msOf(peer: PeerId, at: number): number {
    return this.skew.msOf(this.book.find(peer)?.index ?? 0, at)
  }

  rowAt(row: number): Row | undefined {
    const entry = this.ring.at(row)
    if (entry === NOTE) return this.notes.get(row)
    return entry < 0 ? undefined : this.eventRow(entry)
  }

  // ---- rows of events

  eventRow(entry: number): EventRow | undefined {
    const { entries } = this
    const number = entries.row[entry]!
    const header = entries.headers[entry]
    if (number < 0 || !header) return undefined
    const epoch = this.book.version + this.timesVersion
    const stamp = entries.stamp[entry]!
    const cached = this.#cache.get(number)
    if (cached && cached.stamp === stamp && cached.epoch === epoch) return cached.row
    const { delivered, expected } = this.deliveries(entry)
    const publisher = this.publisherOf(entry)
    const duration = entries.duration[entry]!
    const latency = this.latencyOf(entry)
    const row: EventRow = {
      row: number,
      kind: 'event',
      id: header.id,
      event: this.#whole(entry, header),
      ms: entries.ms[entry]!,
      publisher,
      direction: this.isOut(entry) ? 'out' : 'in',
      delivered,
      expected,
      ...(Number.isNaN(duration) ? {} : { duration }),
      ...(Number.isNaN(latency) ? {} : { latency }),
      state: this.stateOf(entry),
      failures: entries.failures[entry]!,
      drops: entries.drops[entry]!,
    }
    if (this.#cache.size >= MAX_CACHED_ROWS) this.#cache.clear()
    this.#cache.set(number, { stamp, epoch, row })
    return row
  }

  deliveries(entry: number): Counted {
    return countDeliveries(this, entry)
  }

  stateOf(entry: number): EventRow['state'] {
    const flags = this.entries.flags[entry]!
    if ((flags & REFUSED) !== 0) return 'refused'
    if ((flags & CONFIRMED) !== 0) return 'relayed'
    if ((flags & COMMITTED) !== 0) return 'logged'
    if (this.entries.headers[entry]?.persist === false) return 'cast'
    return (flags & UNWRITTEN) !== 0 ? 'failed' : 'pending'
  }

  /** Whether a handler failed, or it did not get where it should. */
  isBad(entry: number): boolean {
    if (this.entries.failures[entry]! > 0) return true
    const state = this.stateOf(entry)
    return state === 'refused' || state === 'failed'
  }

  /** From publishing until the last peer began to handle it for the first time; NaN where none did. */
  latencyOf(entry: number): number {
    const { lastFirst, ms } = this.entries
    return Math.max(0, lastFirst[entry]! - ms[entry]!)
  }

  publisherOf(entry: number): PeerId {
    const index = this.entries.publisher[entry]!
    if (index > 0) return this.book.idOf(index)
    const id = this.entries.ids[entry]!
    const dash = id.startsWith('h-') ? -1 : id.lastIndexOf('-')
    return dash < 0 ? id : id.slice(0, dash)
  }

  isOut(entry: number): boolean {
    const publisher = this.book.at(this.entries.publisher[entry]!)
    if (!publisher) return false
    return this.book.local.size === 0 || this.book.local.has(publisher.device)
  }

  /** Its envelope, with where it stands in its publisher's log once that is known. */
  wholeEvent(entry: number): InspectedEvent | undefined {
    const header = this.entries.headers[entry]
    return header && this.#whole(entry, header)
  }

  #whole(entry: number, header: InspectedEvent): InspectedEvent {
    if (header.offset !== undefined) return header
    const { entries, ids, spans } = this
    const named = ids.spansOf(header.id)
    for (let i = 0; i < named.length; i += 2) {
      const span = named[i]!
      const { is, peer } = spans.facet(span)
      const batch = spans.num(span)
      if (is === 'committed' && peer === entries.publisher[entry] && batch !== undefined)
        return { ...header, offset: offsetIn(batch, spans.index(span, named[i + 1]!)) }
    }
    return header
  }

  #inOrder(entries: Iterable<number>): readonly EventRow[] {
    const rows: EventRow[] = []
    for (const entry of entries) {
      const row = this.eventRow(entry)
      if (row) rows.push(row)
    }
    return rows.sort((a, b) => a.ms - b.ms || a.row - b.row)
  }

  #correlationOf(entry: number): string | undefined {
    const header = this.entries.headers[entry]
    return header && (header.correlationId ?? header.id)
  }

  // ---- what the hub writes

  /** A peer said who it is; `local`: it is on the machine the panel is on. */
  hello(frame: HelloFrame, source: string, local: boolean, now: number, quiet: boolean): KnownPeer {
    const { peer, news } = this.book.hello(frame, source, local, now)
    if (news !== undefined && !quiet) {
      this.note({ kind: 'peer', severity: 'info', text: `${peer.name} ${news}` }, peer.id, now)
    }
    this.changed()
    return peer
  }

  gone(peer: KnownPeer, why: string, now: number, quiet: boolean, cut = false): void {
    if (!peer.gone(now, cut)) return
    this.book.changed()
    this.changed()
    if (!quiet)
      this.note({ kind: 'peer', severity: 'info', text: `${peer.name} ${why}` }, peer.id, now)
  }

  /** One record. `arrived`: when its frame was here, where it came live; `quiet`: without rows but events. */
  take(peer: KnownPeer, record: InspectRecord, arrived: number | undefined, quiet = false): void {
    if (arrived !== undefined) this.skew.arrived(peer.index, record.at, arrived)
    if (isEventRecord(record)) {
      writeFacts(this, peer, record)
      if (this.book.devices > 1) boundClocks(this, peer, record, arrived ?? record.at)
    }
    const note = quiet ? undefined : noteOf(record, peer)
    if (note) {
      this.note(note, peer.id, this.skew.msOf(peer.index, record.at))
    }
    this.book.take(peer, record, arrived ?? this.skew.msOf(peer.index, record.at))
    this.#makeRoom()
    this.changed()
  }

  /** One more row. */
  note(note: Note, peer: PeerId | undefined, ms: number): number {
    const row = this.ring.push(NOTE)
    this.notes.set(row, { ...note, row, ms, ...(peer === undefined ? {} : { peer }) })
    this.changes.add(row)
    this.#makeRoom()
    this.changed()
    return row
  }

  /** Says something else in a row of before. */
  renote(row: number, text: string): void {
    const note = this.notes.get(row)
    if (!note) return
    this.notes.set(row, { ...note, text })
    this.changes.add(row)
    this.changed()
  }

  addMalformed(reason: string, count = 1): void {
    this.#malformed = {
      count: this.#malformed.count + count,
      reasons:
        this.#malformed.reasons.length < MAX_REASONS
          ? [...this.#malformed.reasons, reason]
          : this.#malformed.reasons,
    }
    this.changed()
  }

  /** Forgets all rows, and peers that are gone. */
  clear(): void {
    for (let row = this.ring.first; row < this.ring.next; row++)
      this.#forget(this.ring.at(row), row)
    this.#cleared += this.ring.length
    for (let i = this.#orphanHead; i < this.#orphans.length; i++)
      this.#dropOrphan(this.#orphans[i]!)
    this.#orphans = []
    this.#orphanHead = 0
    this.ring.clear()
    this.#cache.clear()
    this.#malformed = { count: 0, reasons: [] }
    this.book.forgetGone()
    this.timesVersion++
    this.changed()
  }

  /**
   * Something changed: listeners hear of it once a frame; while much is being taken in, a few times a
   * second, as drawing all of it would take longer than taking it in.
   */
  changed(): void {
    if (this.#pending) return
    this.#pending = true
    if (!this.busy) {
      this.timing.frame(() => this.flush())
      return
    }
    const flush = () => {
      if (this.#pending) this.flush()
    }
    this.timing.later(BUSY_MS, () => this.timing.frame(flush))
  }

  /** What was taken in is all there is: it is shown in the next frame. */
  rest(): void {
    if (!this.busy) return
    this.busy = false
    this.#pending = false
    this.changed()
  }

  /** As `changed`, after a while. */
  later(ms: number): void {
    if (this.#ticking) return
    this.#ticking = true
    this.timing.later(ms, () => {
      this.#ticking = false
      this.changed()
    })
  }

  /** Tells listeners now. */
  flush(): void {
    this.#pending = false
    if (this.skew.version !== this.#skewVersion) {
      this.#skewVersion = this.skew.version
      this.#retime()
    }
    this.#peers = this.book.pictures(this.timing.now())
    this.#version++
    for (const listener of [...this.#listeners]) listener()
    this.#tick()
  }

  /** Rates fall while nothing is heard. */
  #tick(): void {
    if (
      ![...this.#peers.values()].some(
        ({ rate }) => rate.published + rate.received + rate.handled > 0,
      )
    )
      return
    this.later(1_000)
  }

  // ---- FactSink

  describe(entry: number, event: InspectedEvent): void {
    const { entries } = this
    if (entries.headers[entry]) return
    entries.headers[entry] = event
    this.#bytes += sizeOf(event)
    const type = this.typeNames.of(event.type, MAX_TYPES)
    entries.type[entry] = type
    entries.source[entry] = this.sourceNames.of(event.source, MAX_TYPES)
    entries.typePrev[entry] = this.#typeLast[type] ?? -1
    this.#typeLast[type] = entry
    this.#typeCounts[type] = (this.#typeCounts[type] ?? 0) + 1
    const { causationId, correlationId, id } = event
    if (causationId !== undefined)
      entries.effects.add(this.ids.find(causationId), causationId, entry)
    if (correlationId !== undefined && correlationId !== id)
      entries.conversation.add(this.ids.find(correlationId), correlationId, entry)
    entries.row[entry] = this.ring.push(entry)
    this.touch(entry)
  }

  touch(entry: number): void {
    const { entries, changes } = this
    entries.stamp[entry]!++
    const row = entries.row[entry]!
    if (row < 0 || changes.isFresh(entries.changedAt[entry]!)) return
    entries.changedAt[entry] = changes.add(row)
  }

  /** Ids of events without an envelope that have waited since before `count` more came. */
  orphans(limit: number): { readonly id: string; readonly entry: number }[] {
    const found: { id: string; entry: number }[] = []
    for (let i = this.#orphanHead; i < this.#orphans.length && found.length < limit; i++) {
      const entry = this.#orphans[i]!
      if (entry >= 0 && this.#isOrphan(entry)) found.push({ id: this.entries.ids[entry]!, entry })
    }
    return found
  }

  /** A peer that has seen an event, and could say what it is. */
  witnessOf(entry: number): PeerId | undefined {
    const { entries, ids, spans, book } = this
    const named = ids.spansOf(entries.ids[entry]!)
    for (let i = 0; i < named.length; i += 2) {
      const peer = book.at(spans.facet(named[i]!).peer)
      if (peer?.state === 'live') return peer.id
    }
    return undefined
  }

  /** Envelopes that were asked for. */
  describeAll(events: readonly InspectedEvent[], asked?: ReadonlySet<string>): void {
    for (const event of events) {
      const known = this.ids.find(event.id)
      if (known >= 0) this.describe(known, event)
      else if (!asked) this.describe(this.orphan(event.id), event)
    }
    this.#makeRoom()
    this.changed()
  }

  /** A record without the events that have a row before `row`; `undefined` where none is left. */
  withoutKnown(record: InspectRecord, row: number): InspectRecord | undefined {
    const isNew = (id: string) => {
      const entry = this.ids.find(id)
      return entry < 0 || this.entries.row[entry]! < 0 || this.entries.row[entry]! >= row
    }
    if (record.is === 'published') {
      const events = record.events.filter(({ id }) => isNew(id))
      return events.length > 0 ? { ...record, events } : undefined
    }
    if (!isEventRecord(record)) return record
    const ids = unpackIds(record.ids)
    return ids.every(isNew)
      ? record
      : ids.some(isNew)
        ? { ...record, ids: packIds(ids.filter(isNew)) }
        : undefined
  }

  /** Events whose data fulfil what is watched for. */
  found(ids: Ids): void {
    for (const listener of [...this.#foundListeners]) listener(unpackIds(ids))
  }

  onFound(listener: (ids: readonly string[]) => void): () => void {
    const own = (ids: readonly string[]) => listener(ids)
    this.#foundListeners.add(own)
    return () => this.#foundListeners.delete(own)
  }

  orphan(id: string): number {
    const entry = this.entries.add(id)
    this.ids.set(id, entry)
    this.#orphans.push(entry)
    if (this.#orphans.length - this.#orphanHead > MAX_ORPHANS) {
      this.#dropOrphan(this.#orphans[this.#orphanHead++]!)
      if (this.#orphanHead > MAX_ORPHANS) {
        this.#orphans = this.#orphans.slice(this.#orphanHead)
        this.#orphanHead = 0
      }
    }
    return entry
  }

  #isOrphan(entry: number): boolean {
    return this.entries.row[entry]! < 0 && this.entries.ids[entry] !== ''
  }

  #dropOrphan(entry: number): void {
    if (this.#isOrphan(entry)) this.#free(entry)
  }

  // ---- room

  #makeRoom(): void {
    const { limit, maxSpans, maxBytes } = this.#options
    while (
      this.ring.length > limit ||
      (this.ring.length > 0 && (this.spans.used > maxSpans || this.#bytes > maxBytes))
    ) {
      const row = this.ring.first
      this.#forget(this.ring.at(row), row)
      this.ring.shift()
      this.#forgotten++
    }
  }

  #forget(entry: number, row: number): void {
    this.#cache.delete(row)
    if (entry === NOTE) {
      this.notes.delete(row)
      return
    }
    const { entries } = this
    const { id, causationId, correlationId } = entries.headers[entry]!
    this.#bytes -= sizeOf(entries.headers[entry]!)
    this.#typeCounts[entries.type[entry]!]!--
    if (causationId !== undefined)
      entries.effects.remove(this.ids.find(causationId), causationId, entry)
    if (correlationId !== undefined && correlationId !== id)
      entries.conversation.remove(this.ids.find(correlationId), correlationId, entry)
    this.#free(entry)
  }

  #free(entry: number): void {
    const { entries } = this
    this.ids.delete(entries.ids[entry]!)
    entries.free(entry)
  }

  /** Clocks turned out to be otherwise: so are the times of what they told. */
  #retime(): void {
    const { entries, ring } = this
    for (let row = ring.first; row < ring.next; row++) {
      const entry = ring.at(row)
      if (entry < 0) continue
      entries.ms[entry] = this.skew.msOf(entries.msPeer[entry]!, entries.rawAt[entry]!)
      if (!Number.isNaN(entries.lastFirst[entry]!))
        entries.lastFirst[entry] = this.skew.msOf(entries.lastPeer[entry]!, entries.lastAt[entry]!)
    }
    this.timesVersion++
  }
}

/** Bytes that an envelope takes here, about. */
function sizeOf(event: InspectedEvent): number {
  let size = 160 + event.id.length
  if (event.correlationId !== undefined) size += event.correlationId.length
  if (event.causationId !== undefined) size += event.causationId.length
  if (event.metadata !== undefined) {
    for (const [key, value] of Object.entries(event.metadata)) {
      size += key.length + (typeof value === 'string' ? value.length : 8)
    }
  }
  return size
}

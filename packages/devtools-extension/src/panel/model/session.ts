/** The session: what was captured, in a fixed number of rows, and what is known of the peers. */
import {
  type EventColumns,
  eventsOf,
  type HelloFrame,
  type Ids,
  type InspectedEvent,
  type InspectRecord,
  type PeerId,
  packIds,
  unpackIds,
} from '@crosstown/bus/inspect'
import { Changes } from './changes.ts'
import { type FactSink, isEventRecord, writeFacts } from './facts.ts'
import type { Peer, Rows, Session, SourceInfo } from './model.ts'
import { type Note, noteOf } from './notes.ts'
import { boundClocks } from './pairs.ts'
import type { KnownPeer } from './peers.ts'
import { SessionRows } from './session-rows.ts'
import { fieldAt } from './store/entries.ts'
import { countOf } from './store/ids.ts'
import { NOTE } from './store/rows.ts'
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
/** Rows that are told in the next frame. */
const FEW = 4
/** Looks are so far apart for each row of more than that, ms: nobody reads faster. */
const ROW_MS = 10
/** Between two looks at a session into which more comes than anybody reads, ms. */
const MANY_MS = 200
/** The same while it cannot keep up, ms: each look costs as much as some thousand events. */
const BUSY_MS = 500
/** So long nothing waits, ms, until all was taken in: what was granted just now may be on its way. */
const REST_MS = 20
const MAX_REASONS = 20

/** What all of several envelopes say, so that it is looked up once. */
interface Told {
  readonly envelopes: InspectedEvent | EventColumns | undefined
  /** Bytes of each, about. */
  readonly size: number
  /** Numbers of the type and source that all have; undefined where they differ. */
  readonly type: number | undefined
  readonly source: number | undefined
  /** Whether some have a cause or are part of a conversation. */
  readonly effects: boolean
}
const NOTHING_TOLD: Told = {
  envelopes: undefined,
  size: 0,
  type: undefined,
  source: undefined,
  effects: false,
}

export class SessionStore extends SessionRows implements Session, FactSink {
  readonly timing: Timing
  readonly limit: number
  readonly changes: Changes = new Changes()
  /** Grows when times of rows changed, so that whoever keeps some begins anew. */
  timesVersion = 0
  recording = true
  /** More waits to be taken in than one turn takes. */
  busy = false
  #turns = 0
  #resting = false
  sources: readonly SourceInfo[] = []

  readonly #options: Required<Omit<SessionOptions, 'timing'>>
  readonly #listeners = new Set<() => void>()
  readonly #foundListeners = new Set<(ids: readonly string[]) => void>()
  #orphans: number[] = []
  #orphanHead = 0
  #version = 0
  #pending = false
  /** When listeners were told last, up to which row, and from when on they may be told again. */
  #toldAt = Number.NEGATIVE_INFINITY
  #toldRows = 0
  #rested = Number.NEGATIVE_INFINITY
  #bytes = 0
  #told: Told = NOTHING_TOLD
  #forgotten = 0
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
    super()
    this.timing = timing
    this.limit = limit
    this.#options = { limit, maxSpans, maxBytes }
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
    this.skew.written(peer.index, record.at)
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
    for (let i = this.#orphanHead; i < this.#orphans.length; i++)
      this.#dropOrphan(this.#orphans[i]!)
    this.#orphans = []
    this.#orphanHead = 0
    this.ring.clear()
    this.cache.clear()
    this.#malformed = { count: 0, reasons: [] }
    this.book.forgetGone()
    this.timesVersion++
    this.changed()
  }

  /**
   * Something changed: listeners hear of it once a frame; where more comes than anybody reads, some
   * times a second, and while it cannot all be taken in, less often still, as drawing takes longer.
   */
  changed(): void {
    if (this.#pending) return
    this.#pending = true
    const { timing } = this
    const flush = () => {
      if (this.#pending) this.flush()
    }
    const wait = this.#rested - timing.now()
    if (wait > 0) timing.later(wait, () => timing.frame(flush))
    else timing.frame(flush)
  }

  /** More waits than one turn takes. */
  work(): void {
    this.busy = true
    this.#turns++
  }

  /** What was taken in is all there is, it seems: soon it is shown, and at once where nothing more comes. */
  rest(): void {
    if (!this.busy) return
    this.#hurry(this.#toldAt + MANY_MS)
    if (this.#resting) return
    this.#resting = true
    const turns = this.#turns
    this.timing.later(REST_MS, () => {
      this.#resting = false
      if (turns !== this.#turns) {
        this.rest()
        return
      }
      this.busy = false
      // Not in the next frame: it would be drawn in the one after it.
      if (this.#pending) this.flush()
    })
  }

  /** Listeners need not be left alone for longer than until then. */
  #hurry(until: number): void {
    if (this.#rested <= until) return
    this.#rested = until
    if (!this.#pending) return
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
    const now = this.timing.now()
    this.#space(now)
    this.#peers = this.book.pictures(now)
    this.#version++
    for (const listener of [...this.#listeners]) listener()
    this.#tick()
  }

  /** How long listeners are left alone after they were told. */
  #space(now: number): void {
    const came = this.ring.next - this.#toldRows
    this.#toldAt = now
    this.#toldRows = this.ring.next
    const readable = came <= FEW ? 0 : Math.min(MANY_MS, came * ROW_MS)
    this.#rested = now + (this.busy ? BUSY_MS : readable)
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

  describe(entry: number, envelopes: InspectedEvent | EventColumns, place: number): void {
    const { entries } = this
    if (entries.isDescribed(entry)) return
    entries.describe(entry, envelopes, place)
    if (this.#told.envelopes !== envelopes) this.#told = this.#toldOf(envelopes)
    const { size, type: oneType, source, effects } = this.#told
    entries.size[entry] = size
    this.#bytes += size
    const type = oneType ?? this.#typeOf(fieldAt(envelopes, 'type', place)!)
    entries.type[entry] = type
    entries.source[entry] = source ?? this.#sourceOf(fieldAt(envelopes, 'source', place)!)
    entries.typePrev[entry] = this.typeLast[type] ?? -1
    this.typeLast[type] = entry
    this.typeCounts[type] = (this.typeCounts[type] ?? 0) + 1
    if (effects) {
      const causationId = fieldAt(envelopes, 'causationId', place)
      const correlationId = fieldAt(envelopes, 'correlationId', place)
      if (causationId !== undefined)
        entries.effects.add(this.ids.find(causationId), causationId, entry)
      if (correlationId !== undefined && correlationId !== entries.ids[entry])
        entries.conversation.add(this.ids.find(correlationId), correlationId, entry)
    }
    entries.row[entry] = this.ring.push(entry)
    this.touch(entry)
  }

  #typeOf(type: string): number {
    return this.typeNames.of(type, MAX_TYPES)
  }

  #sourceOf(source: string): number {
    return this.sourceNames.of(source, MAX_TYPES)
  }

  #toldOf(envelopes: InspectedEvent | EventColumns): Told {
    const { type, source, causationId, correlationId } = envelopes
    return {
      envelopes,
      size: sizeOf(envelopes),
      type: typeof type === 'string' ? this.#typeOf(type) : undefined,
      source: typeof source === 'string' ? this.#sourceOf(source) : undefined,
      effects: causationId !== undefined || correlationId !== undefined,
    }
  }

  touchAll(touched: Int32Array, count: number): void {
    const { changes } = this
    const { stamp, row: rows, changedAt } = this.entries
    for (let k = 0; k < count; k++) {
      const entry = touched[k]!
      if (entry < 0) continue
      stamp[entry]!++
      const row = rows[entry]!
      if (row >= 0 && !changes.isFresh(changedAt[entry]!)) changedAt[entry] = changes.add(row)
    }
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
      if (known >= 0) this.describe(known, event, 0)
      else if (!asked) this.describe(this.entryOf(event.id), event, 0)
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
      const events = eventsOf(record.events).filter(({ id }) => isNew(id))
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

  entryOf(id: string): number {
    const known = this.ids.find(id)
    if (known >= 0) return known
    const entry = this.orphan(id)
    this.ids.set(id, entry)
    return entry
  }

  orphan(id: string): number {
    const entry = this.entries.add(id)
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
    this.cache.delete(row)
    if (entry === NOTE) {
      this.notes.delete(row)
      return
    }
    const { entries } = this
    const id = entries.ids[entry]!
    const causationId = entries.field(entry, 'causationId')
    const correlationId = entries.field(entry, 'correlationId')
    this.#bytes -= entries.size[entry]!
    this.typeCounts[entries.type[entry]!]!--
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

/** Bytes that an envelope takes here, about; of several, each its share. */
function sizeOf(envelopes: InspectedEvent | EventColumns): number {
  let size = 160
  for (const column of Object.values(envelopes)) {
    for (const value of Array.isArray(column) ? column : [column]) size += sizeOfValue(value)
  }
  return 'ids' in envelopes ? 48 + size / Math.max(1, countOf(envelopes.ids)) : size
}

function sizeOfValue(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length
  if (typeof value !== 'object' || value === null) return 8
  return Object.entries(value).reduce((size, [key, one]) => size + key.length + sizeOfValue(one), 0)
}

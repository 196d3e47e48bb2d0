/** What there is in a session, as rows, steps and lists of events: made when they are asked for. */
import type { InspectedEvent, PeerId } from '@crosstown/bus/inspect'
import { type Counted, countDeliveries, prefixOf, publisherOf } from './expected.ts'
import type { EventRow, NoteRow, Row, Step } from './model.ts'
import { offsetIn } from './offsets.ts'
import { PeerBook } from './peer-book.ts'
import { Skew } from './skew.ts'
import { stepsOf } from './step-list.ts'
import {
  COMMITTED,
  CONFIRMED,
  Entries,
  Names,
  PUBLISHED,
  REFUSED,
  UNWRITTEN,
} from './store/entries.ts'
import { IdIndex } from './store/ids.ts'
import { NOTE, RowRing } from './store/rows.ts'
import { Spans } from './store/spans.ts'

const MAX_CACHED_ROWS = 4_096

interface CachedRow {
  readonly stamp: number
  readonly epoch: number
  readonly row: EventRow
}

export abstract class SessionRows {
  /** Grows when times of rows changed, so that whoever keeps some begins anew. */
  abstract readonly timesVersion: number
  readonly entries: Entries = new Entries()
  readonly spans: Spans = new Spans()
  readonly ids: IdIndex = new IdIndex(this.spans)
  readonly typeNames: Names = new Names()
  readonly sourceNames: Names = new Names()
  readonly skew: Skew = new Skew()
  readonly book: PeerBook = new PeerBook(this.skew)
  readonly ring: RowRing = new RowRing()
  readonly notes = new Map<number, NoteRow>()
  /** How many events of a type there are, and the newest of them, by the type's number. */
  protected readonly typeCounts: number[] = []
  protected readonly typeLast: number[] = []
  /** Rows that were asked for: they are the same objects until something of them changes. */
  protected readonly cache = new Map<number, CachedRow>()

  get types(): ReadonlyMap<string, number> {
    const types = new Map<string, number>()
    this.typeCounts.forEach((count, type) => {
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
    let entry = number < 0 ? -1 : (this.typeLast[number] ?? -1)
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
    if (number < 0) return undefined
    const epoch = this.book.version + this.timesVersion
    const stamp = entries.stamp[entry]!
    const cached = this.cache.get(number)
    if (cached && cached.stamp === stamp && cached.epoch === epoch) return cached.row
    const header = entries.header(entry)
    if (!header) return undefined
    const { delivered, expected, unknown } = this.deliveries(entry)
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
      unknown,
      ...(Number.isNaN(duration) ? {} : { duration }),
      ...(Number.isNaN(latency) ? {} : { latency }),
      state: this.stateOf(entry),
      failures: entries.failures[entry]!,
      drops: entries.drops[entry]!,
    }
    if (this.cache.size >= MAX_CACHED_ROWS) this.cache.clear()
    this.cache.set(number, { stamp, epoch, row })
    return row
  }

  deliveries(entry: number): Counted {
    return countDeliveries(this, entry)
  }

  stateOf(entry: number): EventRow['state'] {
    const { entries } = this
    const flags = entries.flags[entry]!
    if ((flags & REFUSED) !== 0) return 'refused'
    if (entries.field(entry, 'persist') === false) return 'cast'
    if ((flags & CONFIRMED) !== 0 || entries.field(entry, 'position') !== undefined)
      return 'relayed'
    if ((flags & COMMITTED) !== 0 || entries.field(entry, 'offset') !== undefined) return 'logged'
    if ((flags & UNWRITTEN) !== 0) return 'failed'
    const publisher = publisherOf(this, entry)
    const at = publisher && this.skew.atOf(publisher.index, this.entries.ms[entry]!)
    return at !== undefined && publisher?.isCaptured(at) ? 'pending' : 'unknown'
  }

  /** Whether a handler failed, or it did not get where it should. */
  isBad(entry: number): boolean {
    if (this.entries.failures[entry]! > 0) return true
    const state = this.stateOf(entry)
    return state === 'refused' || state === 'failed'
  }

  /**
   * From publishing until the last peer began to handle it for the first time; NaN where none did, or
   * nobody captured when it was published.
   */
  latencyOf(entry: number): number {
    const { lastFirst, ms, flags } = this.entries
    if ((flags[entry]! & PUBLISHED) === 0) return Number.NaN
    return Math.max(0, lastFirst[entry]! - ms[entry]!)
  }

  publisherOf(entry: number): PeerId {
    const index = this.entries.publisher[entry]!
    return index > 0 ? this.book.idOf(index) : prefixOf(this.entries.ids[entry]!)
  }

  isOut(entry: number): boolean {
    const publisher = publisherOf(this, entry)
    if (!publisher) return false
    return this.book.local.size === 0 || this.book.local.has(publisher.device)
  }

  /** Its envelope, with where it stands in its publisher's log once that is known. */
  wholeEvent(entry: number): InspectedEvent | undefined {
    const header = this.entries.header(entry)
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
    const { entries } = this
    if (!entries.isDescribed(entry)) return undefined
    return entries.field(entry, 'correlationId') ?? entries.ids[entry]
  }
}

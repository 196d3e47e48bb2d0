/** The rows that a query lets through, kept up with the session a slice at a time. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { Filtered, Hub, Query, Row, Session } from '../model.ts'
import { SessionStore } from '../session.ts'
import { type Compiled, compile } from './compile.ts'
import { dataTerms, parseQuery } from './parse.ts'
import { RowList } from './row-list.ts'

/** What one slice takes at most, ms. */
const SLICE_MS = 8
const STRIDE = 512
/** Peers may come and go, and subscribe, all the time. */
const SWEEP_MS = 500
/** Ids that a search in the pages may give, a peer. */
const SEARCH_LIMIT = 5_000

export class FilteredRows implements Filtered {
  readonly #session: SessionStore
  readonly #hub: Hub | undefined
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe: () => void
  readonly #unwatch: () => void
  readonly #found = new Set<string>()
  #searching: AbortController | undefined
  #searched = new Set<PeerId>()
  #compiled: Compiled
  readonly #list = new RowList()
  /** The next row that was not judged yet. */
  #next: number
  #changes: number
  /** What rows are judged by beside themselves, as it was: peers, and their clocks. */
  #world: string
  /** The next of the rows that are all judged anew; none is from `#next` on. */
  #again = Number.POSITIVE_INFINITY
  #sweptAt = Number.NEGATIVE_INFINITY
  #version = 0
  #scheduled = false
  #closed = false

  constructor(session: SessionStore, text: string, hub: Hub | undefined) {
    this.#session = session
    this.#hub = hub
    this.#next = session.ring.first
    this.#changes = session.changes.count
    this.#world = worldOf(session)
    this.#compiled = compile(parseQuery(''), session, this.#found)
    this.#unsubscribe = session.subscribe(() => this.#work())
    this.#unwatch = session.onFound((ids) => this.#hits(ids))
    this.setQuery(text)
  }

  get version(): number {
    return this.#version
  }

  subscribe(changed: () => void): () => void {
    const listener = () => changed()
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get query(): Query {
    return this.#compiled.query
  }

  get length(): number {
    const { ring } = this.#session
    return this.#compiled.all ? ring.length : this.#list.lengthFrom(ring.first)
  }

  /** The number of the row at a place in the list; -1 for none. */
  rowNumber(index: number): number {
    const { ring } = this.#session
    if (index < 0 || index >= this.length) return -1
    return this.#compiled.all ? ring.first + index : this.#list.at(ring.first, index)
  }

  at(index: number): Row | undefined {
    const row = this.rowNumber(index)
    return row < 0 ? undefined : this.#session.rowAt(row)
  }

  indexOf(row: number): number {
    const { ring } = this.#session
    if (row < ring.first || row >= ring.next) return -1
    return this.#compiled.all ? row - ring.first : this.#list.indexOf(ring.first, row)
  }

  get progress(): number {
    const { ring } = this.#session
    if (this.#compiled.all || ring.length === 0) return 1
    return Math.min(1, Math.max(0, (this.#next - ring.first) / ring.length))
  }

  /** Whether rows are let through by something. */
  get all(): boolean {
    return this.#compiled.all
  }

  setQuery(text: string): void {
    const parsed = parseQuery(text)
    const terms = JSON.stringify(dataTerms(parsed))
    if (terms !== JSON.stringify(this.#terms())) this.#stopSearch()
    this.#compiled = compile(parsed, this.#session, this.#found)
    this.#begin()
    this.#search()
    this.#work()
    this.#tell()
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe()
    this.#unwatch()
    this.#stopSearch()
    this.#listeners.clear()
  }

  #terms(): ReturnType<typeof dataTerms> {
    return dataTerms(this.#compiled.query as ReturnType<typeof parseQuery>)
  }

  #begin(): void {
    this.#list.clear()
    this.#next = this.#session.ring.first
    this.#changes = this.#session.changes.count
    this.#world = worldOf(this.#session)
    this.#again = Number.POSITIVE_INFINITY
  }

  /** Judges what is new and what changed; goes on later where that takes long. */
  #work(): void {
    if (this.#closed) return
    const session = this.#session
    const { timing, ring } = session
    this.#search()
    if (this.#compiled.all) {
      this.#tell()
      return
    }
    this.#rejudge()
    this.#next = Math.max(this.#next, ring.first)
    this.#list.trim(ring.first)
    const until = timing.now() + SLICE_MS
    this.#sweep(until)
    while (this.#next < ring.next) {
      const end = Math.min(this.#next + STRIDE, ring.next)
      for (; this.#next < end; this.#next++) {
        if (this.#compiled.test(this.#next)) this.#list.push(this.#next)
      }
      if (timing.now() >= until) break
    }
    if (this.#next < ring.next || this.#again < this.#next) this.#later()
    this.#tell()
  }

  #later(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#session.timing.soon(() => {
      this.#scheduled = false
      this.#work()
    })
  }

  /** Rows of before that may be judged otherwise by now. */
  #rejudge(): void {
    const { changes } = this.#session
    if (!this.#compiled.late) {
      this.#changes = changes.count
      return
    }
    const rows = changes.since(this.#changes)
    this.#changes = changes.count
    if (!rows) {
      this.#again = this.#session.ring.first
      return
    }
    const { first } = this.#session.ring
    const before: number[] = []
    for (const row of rows) if (row >= first && row < this.#next) before.push(row)
    if (before.length > 0) this.#list.rejudge(before, (row) => this.#compiled.test(row))
  }

  /**
   * Judges all rows anew, some at a time, when peers or clocks are not what they were: what is
   * expected, by whom, and when it was may be otherwise now.
   */
  #sweep(until: number): void {
    const session = this.#session
    const { timing, ring } = session
    if (this.#compiled.late && this.#world !== worldOf(session) && this.#again >= this.#next) {
      const rest = this.#sweptAt + SWEEP_MS - timing.now()
      if (rest > 0) session.later(rest)
      else {
        this.#world = worldOf(session)
        this.#sweptAt = timing.now()
        this.#again = ring.first
      }
    }
    this.#again = Math.max(this.#again, ring.first)
    while (this.#again < this.#next) {
      const end = Math.min(this.#again + STRIDE, this.#next)
      const rows = Array.from({ length: end - this.#again }, (_, k) => this.#again + k)
      this.#list.rejudge(rows, (row) => this.#compiled.test(row))
      this.#again = end
      if (timing.now() >= until) return
    }
    this.#again = Number.POSITIVE_INFINITY
  }

  #tell(): void {
    this.#version++
    for (const listener of [...this.#listeners]) listener()
  }

  // ---- what only the pages know

  /** Asks peers that were not asked yet. */
  #search(): void {
    const terms = this.#terms()
    if (terms.length === 0 || !this.#hub) return
    this.#searching ??= new AbortController()
    const { signal } = this.#searching
    for (const peer of this.#session.book.all) {
      if (peer.state !== 'live' || this.#searched.has(peer.id) || peer.hello.kind === 'relay')
        continue
      this.#searched.add(peer.id)
      const onPart = ({ ids }: { ids: readonly string[] }) => this.#hits(ids, signal)
      // A peer that cannot answer finds nothing; the others do.
      const search = { what: 'search', terms, limit: SEARCH_LIMIT } as const
      this.#hub.ask(peer.id, search, { signal, onPart }).catch(() => {})
      this.#hub.ask(peer.id, { what: 'watch', terms }, { signal }).catch(() => {})
    }
  }

  #stopSearch(): void {
    this.#searching?.abort()
    // Nobody looks at each event any more for what nobody wants to know.
    for (const peer of this.#searched)
      this.#hub?.ask(peer, { what: 'watch', terms: [] }).catch(() => {})
    this.#searching = undefined
    this.#searched = new Set()
    this.#found.clear()
  }

  #hits(ids: readonly string[], signal?: AbortSignal): void {
    if (signal?.aborted || this.#terms().length === 0) return
    const rows: number[] = []
    for (const id of ids) {
      if (this.#found.has(id)) continue
      this.#found.add(id)
      const entry = this.#session.ids.find(id)
      const row = entry < 0 ? -1 : this.#session.entries.row[entry]!
      if (row >= this.#session.ring.first && row < this.#next) rows.push(row)
    }
    if (rows.length === 0) return
    this.#list.rejudge(rows, (row) => this.#compiled.test(row))
    this.#tell()
  }
}

function worldOf({ timesVersion, book }: SessionStore): string {
  return `${timesVersion} ${book.version}`
}

/**
 * The rows of a session that a query lets through. With a hub, `data.` terms are asked of the peers.
 * @throws {TypeError} the session is not one of `createHub`
 */
export function createFiltered(session: Session, text = '', hub?: Hub): FilteredRows {
  if (!(session instanceof SessionStore)) throw new TypeError('not a session of createHub')
  return new FilteredRows(session, text, hub)
}

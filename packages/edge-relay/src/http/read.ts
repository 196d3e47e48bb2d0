/** `GET /rooms/:room/events` as JSON: a room's log for those who may read it, in pages. */
import type { Identity } from '../auth.ts'
import type { Platform } from '../platform.ts'
import type { Readers, Watch } from '../readers.ts'
import { cursorAt, headEvent, headPosition, markIn, type RoomRecord } from '../record.ts'
import type { Span } from '../resume.ts'
import type { Store } from '../stores/store.ts'
import { eventText } from './event-text.ts'
import { unchanged } from './headers.ts'
import { type EventQuery, NOW } from './query.ts'
import { beginningOf, goneBefore, matcherOf, select, unknownPosition } from './select.ts'

/** Events looked at for one page: a rare type must not make one request read a whole room. */
const SCAN_EVENTS = 20_000
/** Characters from which on a page is full, whatever limit it has: a chunk more may be in it. */
const PAGE_LENGTH = 4 * 1024 * 1024
const READ_CHUNK = { events: 1_000, bytes: 1024 * 1024 }

/** What a page is read with. */
export interface PageContext {
  readonly store: Store
  readonly platform: Platform
  readonly readers: Readers
}

/** How a page is written. */
export interface PageFormat {
  readonly name: string
  readonly one: (epoch: string, record: RoomRecord, index: number) => string
  readonly many: (events: readonly string[]) => string
}

/** One request for a page. */
export interface PageRequest {
  readonly room: string
  readonly identity: Identity
  readonly query: EventQuery
  /** One event, and many, as text. @default JSON of our own */
  readonly format?: PageFormat
  /** The tags of what the reader has: `If-None-Match`. */
  readonly known: string | undefined
  /** Ends the waiting: the reader is gone. */
  readonly signal: AbortSignal
}

/** A page: `{ events, first, head, next? }` as JSON text, absent where the reader has it, and its tag. */
export interface Page {
  readonly text?: string
  readonly tag: string
  /** Behind what the next page begins, where there is one. */
  readonly next?: string
}

/**
 * Reads one page. `next` is there as long as the room goes on behind it; a page may be empty and still
 * have one. With `waitMs`, a page that ends where the room does, and is empty or known to the reader,
 * waits for the next event that matches.
 *
 * @throws {BusError} not_found where the room does not know the position `after`; going_away
 * @throws {Gone} where what comes behind `after` was trimmed away
 */
export async function readPage(context: PageContext, request: PageRequest): Promise<Page> {
  const { waitMs } = request.query
  if (waitMs === 0) return new PageReader(context, request).read()
  const { platform, readers } = context
  const { room, signal } = request
  const { identity, query } = request
  const watch = readers.watch(room, identity, () => {})
  const leave = (): void => watch.stop()
  signal.addEventListener('abort', leave)
  try {
    const leftMs = (identity.expiresAt ?? Number.POSITIVE_INFINITY) - platform.now()
    const untilMs = platform.monotonic() + Math.max(0, Math.min(query.waitMs, leftMs))
    return await new PageReader(context, request).wait(watch, untilMs)
  } finally {
    signal.removeEventListener('abort', leave)
    watch.stop()
  }
}

class PageReader {
  readonly #context: PageContext
  readonly #request: PageRequest
  readonly #events: string[] = []
  #length = 0
  #span: Span | undefined
  /** What the page covers goes up to here. */
  #place = 0
  #newest: RoomRecord | undefined

  constructor(context: PageContext, request: PageRequest) {
    this.#context = context
    this.#request = request
  }

  async read(): Promise<Page> {
    await this.#begin()
    const tag = await this.#tag()
    if (unchanged(tag, this.#request.known)) return { tag }
    await this.#scan()
    return this.#page(tag)
  }

  async wait(watch: Watch, untilMs: number): Promise<Page> {
    const { platform, store } = this.#context
    await this.#begin()
    await this.#scan()
    while (!watch.over && this.#atHead && (await this.#isNothingNew())) {
      const leftMs = untilMs - platform.monotonic()
      if (leftMs <= 0 || !(await watch.grown(leftMs)) || watch.over) break
      const head = await store.head(this.#request.room)
      const before = this.#span
      if (head && before && (head.epoch !== before.head.epoch || head.place < this.#place)) {
        throw unknownPosition()
      }
      if (head && before) this.#span = { ...before, head }
      else await this.#begin()
      await this.#scan()
    }
    const tag = await this.#tag()
    return unchanged(tag, this.#request.known) ? { tag } : this.#page(tag)
  }

  async #isNothingNew(): Promise<boolean> {
    return this.#events.length === 0 || unchanged(await this.#tag(), this.#request.known)
  }

  get #atHead(): boolean {
    return this.#place >= (this.#span?.head.place ?? 0)
  }

  async #begin(): Promise<void> {
    const { store } = this.#context
    const { query, room } = this.#request
    const head = await store.head(room)
    if (!head) {
      if (query.after !== undefined && query.after !== NOW) throw unknownPosition()
      return
    }
    this.#span = { head, first: await store.first(room) }
    this.#place = await beginningOf(store, room, this.#span, query)
  }

  async #scan(): Promise<void> {
    if (!this.#span) return
    const { store } = this.#context
    const { format, identity, query, room } = this.#request
    const { head } = this.#span
    const matches = matcherOf(identity.rights, query)
    const end = Math.min(head.place, this.#place + SCAN_EVENTS)
    while (this.#place < end && this.#events.length < query.limit && this.#length < PAGE_LENGTH) {
      const records = await store.read(room, this.#place, READ_CHUNK)
      // What was committed after the head was read belongs to a later page.
      const known = records.filter((record) => record.place <= head.place)
      const [oldest] = known
      if (!oldest) return
      if (oldest.place > this.#place + 1 && (query.after !== undefined || this.#newest))
        throw goneBefore(cursorAt(head.epoch, await store.first(room)))
      const most = query.limit - this.#events.length
      const { found, place, record } = select(known, this.#place, matches, most)
      for (const { record, index } of found) {
        const text = (format?.one ?? eventText)(head.epoch, record, index)
        this.#length += text.length
        this.#events.push(text)
      }
      this.#place = place
      this.#newest = record
    }
  }

  /** Names all that a page is made of, but for the query, which is in the address. */
  async #tag(): Promise<string> {
    const { subscribe } = this.#request.identity.rights
    const ends = this.#span && [
      cursorAt(this.#span.head.epoch, this.#span.first),
      headPosition(this.#span.head),
    ]
    const { name } = this.#request.format ?? {}
    const named = JSON.stringify([ends, subscribe, ...(name === undefined ? [] : [name])])
    const hash = await this.#context.platform.sha256(named)
    return `W/"${hash.slice(0, 22)}"`
  }

  #page(tag: string): Page {
    const { format } = this.#request
    const next = this.#next()
    const text = format ? format.many(this.#events) : this.#text(next)
    return { tag, text, ...(next !== undefined && { next }) }
  }

  #next(): string | undefined {
    if (!this.#span || !this.#newest || this.#atHead) return undefined
    return cursorAt(this.#span.head.epoch, markIn(this.#newest, this.#place))
  }

  /** Whether this reader goes on only from where it proves that it was. */
  get #isProven(): boolean {
    return this.#request.identity.rights.history === false
  }

  #text(behind: string | undefined): string {
    if (!this.#span) return '{"events":[]}'
    const { first, head } = this.#span
    const next = behind === undefined ? '' : `,"next":${JSON.stringify(behind)}`
    return `{"events":[${this.#events.join(',')}],"first":${JSON.stringify(cursorAt(head.epoch, first))},"head":${JSON.stringify(this.#isProven ? headPosition(head) : headEvent(head))}${next}}`
  }
}

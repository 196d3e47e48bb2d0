/**
 * The other relays on one store. Each says every second that it is there, and in turn where it stands
 * in its rooms; one that is silent for a while counts as gone. There is no clock that they agree on and
 * nobody who leads: a word may be lost, come twice, or late, and the next one mends it.
 *
 * ```
 * silent --heard--> there --5 s of silence, or its last word--> gone --heard--> there
 * ```
 */
import type { Log } from '../log.ts'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'
import { ALL_ROOMS, isWant, type Row, type Signal, signalIn, signalText } from './signal.ts'

/** A room in this process, as the others hear of it. */
export interface SharedPlace {
  /** Where this relay stands in it; absent where it has not read it. */
  readonly row: Row | undefined
  /** Where another one stands. */
  stands(node: string, row: Row): void
  /** Another relay is no more; after this, nothing of what it told holds. */
  gone(node: string): void
}

export interface NodesContext {
  readonly store: Store
  readonly platform: Platform
  readonly log?: Log | undefined
  /** All rooms in memory. */
  readonly places: () => Iterable<SharedPlace>
  readonly place: (room: string) => SharedPlace | undefined
  /** Another relay is gone: of rooms that are not in memory there may be more, too. */
  readonly lost: () => void
}

const NAME_LENGTH = 12
/** Between two words that it is there. */
const BEAT_MS = 1_000
/** Five words that did not come. */
const SILENT_MS = 5_000
/** In so many words each room had its turn. */
const TURNS = 10
/** Characters of one signal, about: PostgreSQL takes 8,000 bytes. */
const MAX_LENGTH = 6_000
/** Those that are gone and whose names are kept. */
const MAX_GONE = 1_000

interface Other {
  heardMs: number
  gone: boolean
}

/** The relays on one store, as one of them knows them. */
export class Nodes {
  /** What the others know this relay by; a new one each time that it is started. */
  readonly name: string
  readonly #context: NodesContext
  readonly #others = new Map<string, Other>()
  readonly #startedMs: number
  readonly #stop: () => void
  /** Rooms that are to have their turn. */
  #turns: SharedPlace[] = []
  #each = 1
  /** All rooms are to be told of at once. */
  #hurries = false
  /** Answers the question what all of them know. */
  #asks = true
  #rev = 0

  constructor(context: NodesContext) {
    const { platform } = context
    this.#context = context
    this.name = platform.randomName(NAME_LENGTH)
    this.#startedMs = platform.monotonic()
    this.#stop = platform.every(BEAT_MS, () => this.#beat())
  }

  /** Those that are there. */
  *others(): Generator<string> {
    for (const [name, { gone }] of this.#others) if (!gone) yield name
  }

  /** Whether somebody is there to be told something. */
  get company(): boolean {
    for (const _ of this.others()) return true
    return false
  }

  /** Whether those who are there can be known by now: they had the time to say so. */
  get ready(): boolean {
    return this.#now - this.#startedMs >= 2 * BEAT_MS
  }

  isThere(node: string): boolean {
    return node === this.name || this.#others.get(node)?.gone === false
  }

  /** The number of what is told next of who is in a room: none is given twice under this name. */
  nextRev(): number {
    this.#rev += 1
    return this.#rev
  }

  /** When something was last heard of it, or could have been first. */
  heardMs(node: string): number {
    return this.#others.get(node)?.heardMs ?? this.#startedMs
  }

  /** What all relays are told. @throws {BusError} bad_frame */
  heard(text: string): void {
    const { envelope } = this.take(text)
    const { again, ends, node, rows = [] } = envelope
    if (ends) {
      this.#lost(node)
      return
    }
    if (again) this.#hurry()
    for (const row of rows) this.#context.place(row[0])?.stands(node, row)
  }

  /** Something is said of a room that is not in memory: who asks waits for the answer of all. */
  heardOfNone(room: string, text: string): void {
    if (!isWant(text)) return
    const { node: to } = this.take(text).envelope
    const claims = { rev: this.nextRev(), mark: 0, names: [] }
    this.#context.store.signal(room, signalText({ node: this.name, to, claims }))
  }

  /** Reads a signal, whose sender is there. @throws {BusError} bad_frame */
  take(text: string): Signal {
    const signal = signalIn(text)
    const { node } = signal.envelope
    const other = this.#others.get(node)
    if (other) other.heardMs = this.#now
    if (other?.gone !== false && node !== this.name) this.#came(node)
    return signal
  }

  /** What is heard through was away, or is there for the first time: it tells, and asks, anew. */
  back(): void {
    this.#asks = true
    this.#hurry()
  }

  /** Says that it goes. */
  end(): void {
    this.#stop()
    this.#context.store.signal(ALL_ROOMS, signalText({ node: this.name, ends: true }))
  }

  get #now(): number {
    return this.#context.platform.monotonic()
  }

  #came(node: string): void {
    const { log } = this.#context
    this.#others.delete(node)
    this.#others.set(node, { heardMs: this.#now, gone: false })
    log?.('node', { node, state: 'came' })
    // It knows nothing of the rooms of this one, or may have missed something.
    this.#hurry()
    this.#forget()
  }

  #lost(node: string): void {
    const other = this.#others.get(node)
    if (!other || other.gone) return
    other.gone = true
    this.#context.log?.('node', { node, state: 'gone' })
    for (const place of this.#context.places()) place.gone(node)
    this.#context.lost()
  }

  #forget(): void {
    for (const [name, { gone }] of this.#others) {
      if (this.#others.size <= MAX_GONE) return
      if (gone) this.#others.delete(name)
    }
  }

  #hurry(): void {
    if (this.#hurries) return
    this.#hurries = true
    this.#context.platform.soon(() => {
      if (this.#hurries) this.#tell()
    })
  }

  #beat(): void {
    const nowMs = this.#now
    for (const [name, { gone, heardMs }] of this.#others)
      if (!gone && nowMs - heardMs >= SILENT_MS) this.#lost(name)
    this.#tell()
  }

  #tell(): void {
    const { store } = this.#context
    const again = this.#asks ? ({ again: true } as const) : {}
    this.#asks = false
    let rows: Row[] = []
    let length = 0
    let told = false
    const tell = (): void => {
      const said = told ? {} : again
      store.signal(ALL_ROOMS, signalText({ node: this.name, rows, ...said }))
      told = true
      rows = []
      length = 0
    }
    for (const place of this.#next()) {
      const { row } = place
      if (!row) continue
      rows.push(row)
      length += JSON.stringify(row).length
      if (length >= MAX_LENGTH) tell()
    }
    if (rows.length > 0 || !told) tell()
  }

  /** The rooms whose turn it is. */
  #next(): SharedPlace[] {
    if (!this.company) {
      this.#hurries = false
      return []
    }
    if (this.#hurries || this.#turns.length === 0) {
      this.#turns = [...this.#context.places()]
      this.#each = this.#hurries ? this.#turns.length : Math.ceil(this.#turns.length / TURNS)
      this.#hurries = false
    }
    return this.#turns.splice(0, this.#each)
  }
}

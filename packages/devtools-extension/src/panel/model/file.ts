/**
 * Writes a session down: lines of a session file, from what is kept of it. Records are made anew of
 * what happened to the events that are written; read again, they give the same rows and steps.
 */
import {
  columnsOf,
  type EventsLine,
  eventsOf,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectRecord,
  type PayloadLine,
  type PeerId,
  sessionHead,
  type Tree,
} from '@crosstown/bus/inspect'
import type { NoteLine, PeerLine } from '../../frames/session-lines.ts'
import type { Hub, Session } from './model.ts'
import type { KnownPeer } from './peers.ts'
import { SessionStore } from './session.ts'
import { PUBLISHED } from './store/entries.ts'
import { prefixOf } from './store/ids.ts'
import { NOTE } from './store/rows.ts'
import { type Named, recordsOf } from './write-records.ts'

interface LineOptions {
  readonly label?: string
  /** Rows to write. @default all */
  readonly rows?: Iterable<number>
  /** Writes the data of events, too, as far as peers that are there give it. */
  readonly payloadsFrom?: Hub
  /** From 0 to 1. */
  readonly onProgress?: (share: number) => void
  readonly signal?: AbortSignal
}

export interface ExportOptions {
  /** Events to write, by id. @default all rows */
  readonly events?: readonly string[]
  /** Writes the data of the events, too, as far as peers that are there give it. @default false */
  readonly payloads?: boolean
  /** Shown where the file is opened. @default 'session' */
  readonly label?: string
  readonly onProgress?: (done: number, of: number) => void
  readonly signal?: AbortSignal
}

/** Characters of one part of a file that is being made. */
const PART = 1024 * 1024

/**
 * The session as a file.
 * @throws {TypeError} the session is not one of `createHub`
 * @throws what `signal` says when it is aborted
 */
export async function exportSession(
  hub: Hub,
  { events, payloads, label, onProgress, signal }: ExportOptions = {},
): Promise<Blob> {
  const { session } = hub
  const rows = events?.flatMap((id) => session.event(id)?.row ?? [])
  const parts: Blob[] = []
  let part = ''
  for await (const line of sessionLines(session, {
    ...(rows ? { rows } : {}),
    ...(label === undefined ? {} : { label }),
    ...(payloads ? { payloadsFrom: hub } : {}),
    ...(onProgress ? { onProgress: (share) => onProgress(Math.round(share * 100), 100) } : {}),
    ...(signal ? { signal } : {}),
  })) {
    part += line
    if (part.length < PART) continue
    parts.push(new Blob([part]))
    part = ''
  }
  return new Blob([...parts, part], { type: 'application/x-ndjson' })
}

/** Rows and records written before others have their turn. */
const TURN = 500
const RECORDS_IN_A_BATCH = 200
/** Levels of data that are written: deeper ones are shown as not there. */
const PAYLOAD_DEPTH = 12
const ASKED_AT_ONCE = 8

/** The lines of a session file, each with its line end. */
async function* sessionLines(
  session: Session,
  { label = 'session', rows, payloadsFrom, onProgress, signal }: LineOptions = {},
): AsyncGenerator<string> {
  if (!(session instanceof SessionStore)) throw new TypeError('not a session of createHub')
  const chosen = rowsOf(session, rows)
  yield line(sessionHead({ at: session.timing.now(), label, notes: true }))
  const batches = new Batches()
  for (const peer of session.book.all) {
    if (peer.state === 'mismatch') continue
    for (const hello of hellosOf(session, peer)) yield line(hello)
    yield line(peerLine(peer, session.book.local.has(peer.device)))
  }
  // What makes rows comes in the order of rows, so that it makes them in this order again.
  let done = 0
  const total = chosen.length * 2 + 1
  for (const row of chosen) {
    yield* rowLines(session, row, batches)
    if (++done % TURN !== 0) continue
    onProgress?.(done / total)
    await turn(signal)
  }
  yield* batches.end()
  const named = namedBy(session, chosen)
  let count = 0
  for (const one of named) {
    const peer = session.book.idOf(session.spans.facet(one.span).peer)
    for (const record of recordsOf(session.spans, one)) yield* batches.add(peer, record)
    if (++count % TURN !== 0) continue
    onProgress?.((1 + count / named.length) * (chosen.length / total))
    await turn(signal)
  }
  yield* batches.end()
  if (payloadsFrom) yield* payloads(session, chosen, payloadsFrom, signal)
  onProgress?.(1)
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise((resolve) => setTimeout(resolve))
}

function rowsOf({ ring }: SessionStore, rows: Iterable<number> | undefined): number[] {
  if (!rows) return Array.from({ length: ring.length }, (_, index) => ring.first + index)
  return [...new Set(rows)].filter((row) => ring.at(row) !== -1).sort((a, b) => a - b)
}

/** What a peer said of itself, once for each reading of its clocks. */
function hellosOf(session: SessionStore, peer: KnownPeer): HelloFrame[] {
  const readings = session.skew.readings(peer.index)
  const latest = Math.max(peer.lastAt, peer.hello.now[1])
  return readings.map(({ monotonic, offset }, index) => {
    // Of all records, the last hello is the newer: nothing of it is counted a second time.
    const at = index === readings.length - 1 ? Math.max(monotonic, latest) : monotonic
    return {
      ...peer.hello,
      now: [at + offset, at],
      next: 0,
      oldest: 0,
      status: peer.status,
      subscriptions: [...peer.subscriptions.values()].map(({ ended: _, ...info }) => info),
      views: [...peer.views.values()],
    }
  })
}

function peerLine(peer: KnownPeer, local: boolean): PeerLine {
  const { since, lastHeard, goneAt, away, lost, firstAt, missed, number, load } = peer
  const latest = Math.max(peer.lastAt, peer.hello.now[1])
  return {
    frame: 'peer',
    peer: peer.id,
    since,
    lastHeard,
    ...(goneAt === undefined ? {} : { goneAt }),
    away,
    lost,
    firstAt,
    missed: missed.map(({ from, to }) => ({ from, to: Math.min(to, latest) })),
    number,
    load,
    ...(local ? { local } : {}),
  }
}

/** Records of one peer after the other, as many in a frame as follow each other. */
class Batches {
  readonly #next = new Map<PeerId, number>()
  #peer: PeerId = ''
  #records: InspectRecord[] = []
  /** Envelopes of the last record, where it is of events that were published. */
  #published: InspectedEvent[] = []

  /** One more event of the same moment. */
  extend(peer: PeerId, at: number, event: InspectedEvent): boolean {
    const last = this.#records.at(-1)
    if (peer !== this.#peer || last?.is !== 'published' || last.at !== at) return false
    if (this.#published.length >= 1_000) return false
    this.#published.push(event)
    return true
  }

  *add(peer: PeerId, record: InspectRecord): Generator<string> {
    if (peer !== this.#peer || this.#records.length >= RECORDS_IN_A_BATCH) yield* this.end()
    this.#peer = peer
    this.#pack()
    this.#records.push(record)
    if (record.is === 'published') this.#published = [...eventsOf(record.events)]
  }

  /** Nothing more comes to the last record. */
  #pack(): void {
    const last = this.#records.at(-1)
    if (last?.is !== 'published') return
    const events = this.#published.length > 1 ? columnsOf(this.#published) : this.#published
    this.#records[this.#records.length - 1] = { ...last, events }
  }

  *end(): Generator<string> {
    this.#pack()
    const records = this.#records
    if (records.length === 0) return
    const peer = this.#peer
    const first = this.#next.get(peer) ?? 0
    this.#next.set(peer, first + records.length)
    this.#records = []
    yield line({ inspect: INSPECT_VERSION, frame: 'batch', peer, first, records })
  }
}

function* rowLines(session: SessionStore, row: number, batches: Batches): Generator<string> {
  const entry = session.ring.at(row)
  if (entry === NOTE) {
    const note = session.notes.get(row)
    if (!note) return
    yield* batches.end()
    const { ms, kind, severity, text, peer, event } = note
    const written: NoteLine = {
      frame: 'note',
      at: ms,
      kind,
      severity,
      text,
      ...(peer === undefined ? {} : { peer }),
      ...(event === undefined ? {} : { event }),
    }
    yield line(written)
    return
  }
  const { entries, book } = session
  const event = session.wholeEvent(entry)
  if (!event) return
  if ((entries.flags[entry]! & PUBLISHED) === 0) {
    yield* batches.end()
    const written: EventsLine = { frame: 'events', events: [event] }
    yield line(written)
    return
  }
  const peer = book.idOf(entries.publisher[entry]!)
  const at = entries.rawAt[entry]!
  if (!batches.extend(peer, at, event))
    yield* batches.add(peer, { at, is: 'published', events: [event] })
}

/** Spans that name the events of some rows: by peer and time. */
function namedBy(session: SessionStore, rows: readonly number[]): Named[] {
  const { ring, entries, ids, spans, book } = session
  const named = new Map<number, Named>()
  for (const row of rows) {
    const entry = ring.at(row)
    if (entry < 0) continue
    const id = entries.ids[entry]!
    const found = ids.spansOf(id)
    for (let i = 0; i < found.length; i += 2) {
      const span = found[i]!
      const { peer, is } = spans.facet(span)
      if (is === 'published' || !book.at(peer)) continue
      const known = named.get(span)
      if (known) known.places.push(found[i + 1]!)
      else named.set(span, { span, prefix: prefixOf(id), places: [found[i + 1]!] })
    }
  }
  for (const { places } of named.values()) places.sort((a, b) => a - b)
  const peerOf = ({ span }: Named) => spans.facet(span).peer
  return [...named.values()].sort(
    (a, b) => peerOf(a) - peerOf(b) || spans.at(a.span) - spans.at(b.span) || a.span - b.span,
  )
}

async function* payloads(
  session: SessionStore,
  rows: readonly number[],
  hub: Hub,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const waiting: { readonly peer: PeerId; readonly event: string }[] = []
  for (const row of rows) {
    const entry = session.ring.at(row)
    if (entry >= 0)
      waiting.push({ peer: session.publisherOf(entry), event: session.entries.ids[entry]! })
  }
  for (let from = 0; from < waiting.length; from += ASKED_AT_ONCE) {
    const some = waiting.slice(from, from + ASKED_AT_ONCE)
    const lines = await Promise.all(
      some.map(({ peer, event }) => payload(hub, peer, event, signal)),
    )
    for (const written of lines) if (written) yield line(written)
    await turn(signal)
  }
}

/** The data of an event; nothing where its publisher does not have it any more. */
async function payload(
  hub: Hub,
  peer: PeerId,
  event: string,
  signal: AbortSignal | undefined,
): Promise<PayloadLine | undefined> {
  const options = signal ? { signal } : {}
  try {
    const tree: Tree = await hub.ask(
      peer,
      { what: 'payload', event, depth: PAYLOAD_DEPTH },
      options,
    )
    const whole = await hub.ask(peer, { what: 'text', event }, options).catch(() => undefined)
    const { text, encoding } = whole ?? {}
    return {
      frame: 'payload',
      peer,
      event,
      tree,
      ...(text === undefined ? {} : { text }),
      ...(encoding === undefined ? {} : { encoding }),
    }
  } catch {
    signal?.throwIfAborted()
    return undefined
  }
}

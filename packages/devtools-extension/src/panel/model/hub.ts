/** Speaks with taps: attaches, grants, asks, and takes in what they send. */
import {
  type Answers,
  type Ask,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectorFrame,
  type InspectRecord,
  type MismatchFrame,
  type PeerId,
} from '@crosstown/bus/inspect'
import { Fault } from '../../frames/reader.ts'
import { readHead, readOwnLine } from '../../frames/session-lines.ts'
import type { UnreadBatch } from '../../frames/tap-frames.ts'
import type { InspectSource, SourceState } from '../../sources/source.ts'
import { Asks, InspectError } from './asks.ts'
import { Complaints } from './complaints.ts'
import { Headers } from './headers.ts'
import { Holes } from './holes.ts'
import { type Heard, Intake, mismatchWords, type Waiting } from './intake.ts'
import { Link } from './link.ts'
import type { Hub, Session } from './model.ts'
import type { KnownPeer } from './peers.ts'
import { type SessionOptions, SessionStore } from './session.ts'
import { pageTiming, type Timing } from './timing.ts'

export interface HubOptions extends Omit<SessionOptions, 'timing'> {
  readonly timing?: Timing
}

/** How long what a tap has more is waited for before it is taken for one that does not know this inspector. */
const DOUBT_MS = 1_000
/** How often a sign of life is given, ms; taps are idle again after 60 s without one. */
const BEAT_MS = 20_000
/** Every so many beats who is behind a relay is attached to anew. */
const ATTACH_BEATS = 2
/** Silence after which a peer is asked whether it is there. */
const QUIET_MS = 25_000
/** A beat that comes so late had a machine asleep before it. */
const SLEPT_MS = 50_000
/** Characters that may wait while more is granted. */
const GRANT_BELOW = 8 * 1024 * 1024

export class InspectorHub implements Hub {
  readonly #timing: Timing
  readonly #session: SessionStore
  readonly #intake: Intake
  readonly #asks: Asks
  readonly #headers: Headers
  readonly #links = new Map<string, Link>()
  /** Sources that were taken away: what waits of them still is dropped. */
  readonly #removed = new Set<string>()
  #lastLink = 0
  readonly #holes: Holes
  readonly #complaints: Complaints
  #cancelBeat = () => {}
  #lastBeat: number
  #beats = 0
  #closed = false

  constructor(
    sources: Iterable<InspectSource>,
    { timing = pageTiming(), ...options }: HubOptions = {},
  ) {
    this.#timing = timing
    this.#session = new SessionStore({ timing, ...options })
    this.#asks = new Asks(timing)
    this.#lastBeat = timing.now()
    this.#complaints = new Complaints(this.#session)
    this.#holes = new Holes(timing, {
      askAgain: (peer, { from }) => this.#attach(this.#links.get(from.source)!, peer.id),
      lost: (peer, { frame, from }) => {
        const { next } = this.#links.get(from.source)!.numbersOf(peer)
        if (frame.first > next) this.#lost(peer, frame.first, from)
      },
      again: (batches) => this.#intake.again(batches),
    })
    this.#intake = new Intake(timing, {
      frame: (frame, from) => !this.#isDropped(from) && this.#frame(frame, from),
      record: (frame, index, record, from) =>
        this.#isDropped(from) || this.#record(frame, index, record, from),
      done: (frame, from) => this.#isDropped(from) || this.#done(frame, from),
      other: (fields, from) => this.#isDropped(from) || this.#other(fields, from),
      malformed: (reason, from, peer) =>
        this.#isDropped(from) || this.#malformed(reason, from, peer),
      busy: () => this.#session.work(),
      idle: () => this.#idle(),
    })
    this.#headers = new Headers(timing, this.#session, (peer, ids) =>
      this.ask(peer, { what: 'headers', ids }),
    )
    this.#beatLater()
    for (const source of sources) this.add(source)
  }

  get session(): Session {
    return this.#session
  }

  add(source: InspectSource): void {
    const link = new Link(`${++this.#lastLink}`, source, this.#session.ring.next)
    this.#links.set(link.id, link)
    this.#session.book.labels.set(link.id, source.label)
    this.#sourcesChanged()
    source.start({
      frame: (text) => this.#closed || this.#intake.push(link.id, text),
      state: (state, detail) => this.#state(link, state, detail),
      gone: (peers) => this.#intake.afterwards(link.id, () => this.#gone(link, peers)),
    })
  }

  remove(source: InspectSource): void {
    const link = [...this.#links.values()].find((link) => link.source === source)
    if (!link) return
    this.#removed.add(link.id)
    this.#send(link, { inspect: INSPECT_VERSION, frame: 'detach', session: link.session })
    source.close()
    this.#gone(link, 'all')
    link.state = 'closed'
    this.#sourcesChanged()
  }

  ask<What extends Ask['what']>(
    peer: PeerId,
    ask: Extract<Ask, { what: What }>,
    options: { signal?: AbortSignal; onPart?: (part: Answers[What]) => void } = {},
  ): Promise<Answers[What]> {
    const known = this.#session.book.find(peer)
    const link = known && this.#linkOf(known)
    if (this.#closed) return Promise.reject(new InspectError('closed', 'the panel was closed'))
    if (!known || known.state === 'mismatch' || !link) {
      const who = known?.name ?? `peer ${peer}`
      return Promise.reject(new InspectError('unreachable', `there is no way to ${who} now`))
    }
    if (known.state === 'gone') {
      return Promise.reject(new InspectError('unreachable', `${known.name} is gone`))
    }
    const { signal, onPart } = options
    const asked = this.#asks.ask(
      peer,
      ask,
      {
        ...(signal ? { signal } : {}),
        ...(onPart ? { onPart: (part) => onPart(part as Answers[What]) } : {}),
      },
      (id) =>
        this.#send(link, {
          inspect: INSPECT_VERSION,
          frame: 'ask',
          session: link.session,
          to: peer,
          id,
          ask,
        }),
    )
    return asked as Promise<Answers[What]>
  }

  setRecording(on: boolean): void {
    if (this.#session.recording === on) return
    this.#session.recording = on
    this.#intake.pause(!on)
    this.mark(on ? 'Recording goes on' : 'Recording stopped')
    if (on) this.#idle()
  }

  clear(): void {
    this.#complaints.clear()
    this.#session.clear()
  }

  mark(text: string): void {
    this.#session.note({ kind: 'mark', severity: 'info', text }, undefined, this.#timing.now())
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelBeat()
    this.#headers.close()
    for (const link of this.#links.values()) {
      this.#send(link, { inspect: INSPECT_VERSION, frame: 'detach', session: link.session })
      link.source.close()
    }
    this.#asks.fail(undefined, 'closed', 'the panel was closed')
  }

  // ---- sources

  #state(link: Link, state: SourceState, detail: string | undefined): void {
    const opened = state === 'open'
    link.state = state
    link.detail = detail
    this.#sourcesChanged()
    if (opened) this.#attach(link)
    // Of a file that ended, nothing more comes that could be waited for.
    if (state === 'closed' || link.source.kind === 'file')
      this.#intake.afterwards(link.id, () => this.#holes.releaseAll())
  }

  #sourcesChanged(): void {
    this.#session.sources = [...this.#links.values()]
      .filter(({ id }) => !this.#removed.has(id))
      .map((link) => link.info)
    this.#session.changed()
  }

  /** Attaches to all, or to one, who goes on with what was not heard of it yet. */
  #attach(link: Link, to?: PeerId): void {
    const resume = new Map<PeerId, number>()
    for (const peer of this.#session.book.all) {
      if (peer.sources.has(link.id) && (to === undefined || peer.id === to))
        resume.set(peer.id, link.numbersOf(peer).next)
    }
    link.attached(to)
    this.#send(link, {
      inspect: INSPECT_VERSION,
      frame: 'attach',
      session: link.session,
      ...(to === undefined ? {} : { to }),
      credit: Link.CREDIT,
      ...(resume.size > 0 ? { resume: Object.fromEntries(resume) } : {}),
    })
  }

  #send(link: Link, frame: InspectorFrame): void {
    if (link.state === 'open') link.source.send(JSON.stringify(frame))
  }

  #linkOf(peer: KnownPeer): Link | undefined {
    for (const id of peer.sources) {
      const link = this.#links.get(id)
      if (link?.state === 'open') return link
    }
    return undefined
  }

  #gone(link: Link, peers: readonly string[] | 'all'): void {
    const now = this.#timing.now()
    for (const peer of this.#session.book.all) {
      if (!peer.sources.has(link.id) || (peers !== 'all' && !peers.includes(peer.id))) continue
      peer.sources.delete(link.id)
      link.forget(peer.id)
      if (peer.sources.size === 0)
        this.#leave(peer, 'is gone', now, false, link.source.kind === 'relay')
      else peer.changed()
    }
  }

  #leave(peer: KnownPeer, why: string, now: number, quiet: boolean, cut = false): void {
    this.#holes.release(peer)
    this.#session.gone(peer, why, now, quiet, cut)
    this.#asks.fail(peer.id, 'unreachable', `${peer.name} is gone`)
  }

  // ---- frames

  #isDropped({ source }: Waiting): boolean {
    return this.#removed.has(source)
  }

  /** Whether a batch's records are to be read. */
  #frame(frame: Heard, from: Waiting): boolean {
    const link = this.#links.get(from.source)!
    if (frame.frame === 'mismatch') {
      this.#mismatch(frame, from)
      return false
    }
    if (frame.frame === 'hello') {
      this.#hello(frame, link, from)
      return false
    }
    const peer = this.#session.book.find(frame.peer)
    if (!peer) {
      if (frame.frame === 'batch' && this.#holes.stranger({ frame, from }))
        this.#attach(link, frame.peer)
      return false
    }
    if (peer.state === 'mismatch') return false
    peer.heard(this.#when(link, peer, from), false)
    peer.sources.add(link.id)
    switch (frame.frame) {
      case 'batch':
        return this.#batch(frame, peer, link, from)
      case 'bye': {
        const why = frame.reason === 'pagehide' ? 'was left' : 'was closed'
        link.forget(peer.id)
        this.#leave(peer, why, this.#when(link, peer, from), link.hasNotes)
        return false
      }
      case 'answer':
        // Others ask on the same channel.
        if (frame.session === link.session) this.#asks.answer(frame)
        return false
    }
  }

  #hello(frame: HelloFrame, link: Link, from: Waiting): void {
    const isFile = link.source.kind === 'file'
    const isBrowser = frame.url !== undefined
    const { book } = this.#session
    // Of a recording, the pages it begins with are taken for those that were inspected.
    const begins = !link.hasNotes && book.local.size === 0 && isBrowser
    const local = isFile ? begins : link.source.kind !== 'relay'
    let peer: KnownPeer
    try {
      const now = isFile ? frame.now[0] : from.arrived
      peer = this.#session.hello(frame, link.id, local, now, link.hasNotes)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new Fault(error.message)
    }
    const numbers = link.numbersOf(peer, frame.oldest)
    // Numbers begin anew where a tap forgot everything; an old hello may have come a long way.
    if (frame.next < numbers.next && frame.now[1] > numbers.lastAt) numbers.next = frame.oldest
    if (frame.oldest > numbers.next)
      this.#lost(peer, frame.oldest, from, frame.oldest === frame.next)
    const answered = link.answered(peer.id)
    if (!link.isAttached(peer.id)) this.#attach(link, peer.id)
    else if (!answered && frame.next > numbers.next) this.#doubt(link, peer, frame.next)
    this.#holes.introduced(peer.id)
  }

  /**
   * It may have said hello because something of it changed, or to another inspector; or because it
   * does not know this one any more: then what it has does not come.
   */
  #doubt(link: Link, peer: KnownPeer, next: number): void {
    this.#timing.later(DOUBT_MS, () => {
      if (!this.#closed && link.numbersOf(peer).next < next && peer.state === 'live')
        this.#attach(link, peer.id)
    })
  }

  #batch(frame: UnreadBatch, peer: KnownPeer, link: Link, from: Waiting): boolean {
    const end = frame.first + frame.records.length
    const { next } = link.numbersOf(peer)
    if (frame.first > next) {
      if (frame.dropped) this.#lost(peer, frame.first, from)
      else {
        this.#holes.hold(peer, { frame, from }, link.source.kind !== 'file')
        return false
      }
    }
    if (end > next) return true
    // All of it was heard before.
    this.#granted(link, peer.id)
    return false
  }

  #record(frame: UnreadBatch, index: number, read: InspectRecord, from: Waiting): void {
    const peer = this.#session.book.find(frame.peer)
    const link = this.#links.get(from.source)!
    const number = frame.first + index
    if (!peer) return
    const numbers = link.numbersOf(peer)
    if (number < numbers.next) return
    numbers.next = number + 1
    numbers.lastAt = Math.max(numbers.lastAt, read.at)
    const live = link.source.kind !== 'file'
    // A file may be of the session that is here still.
    const record = live ? read : this.#session.withoutKnown(read, link.firstRow)
    if (!record) return
    if (record.is === 'found') {
      // Others watch for other things.
      if (link.isOwn(record.session)) this.#session.found(record.ids)
    } else this.#session.take(peer, record, live ? from.arrived : undefined, link.hasNotes)
  }

  #done(frame: UnreadBatch, from: Waiting): void {
    const peer = this.#session.book.find(frame.peer)
    if (!peer) return
    const link = this.#links.get(from.source)!
    const numbers = link.numbersOf(peer)
    numbers.next = Math.max(numbers.next, frame.first + frame.records.length)
    this.#granted(link, peer.id)
    this.#holes.filled(peer, numbers.next)
  }

  #granted(link: Link, peer: PeerId): void {
    if (link.took(peer) && this.#takesMore) this.#grant(link, peer)
  }

  get #takesMore(): boolean {
    return this.#session.recording && this.#intake.waiting < GRANT_BELOW
  }

  #grant(link: Link, peer: PeerId): void {
    const credit = link.owed(peer)
    if (credit === 0) return
    const { session } = link
    this.#send(link, { inspect: INSPECT_VERSION, frame: 'grant', session, to: peer, credit })
  }

  #idle(): void {
    if (this.#takesMore) {
      for (const link of this.#links.values()) {
        for (const peer of link.owing()) this.#grant(link, peer)
      }
    }
    this.#session.rest()
    this.#headers.look()
  }

  /** A time for what is not a record: of a file, that of the record before it. */
  #when(link: Link, peer: KnownPeer, from: Waiting): number {
    if (link.source.kind !== 'file') return from.arrived
    const last = this.#session.skew.msOf(
      peer.index,
      Math.max(link.numbersOf(peer).lastAt, peer.hello.now[1]),
    )
    return Number.isNaN(last) ? from.arrived : last
  }

  // ---- what is missing

  /** What comes next is number `next`; `forgot`: the tap kept nothing since. */
  #lost(peer: KnownPeer, next: number, from: Waiting, forgot = false): void {
    const link = this.#links.get(from.source)!
    const numbers = link.numbersOf(peer)
    const count = next - numbers.next
    // What came before the panel was there was not captured, but not lost either.
    const began = numbers.lastAt === Number.NEGATIVE_INFINITY
    numbers.next = next
    if (link.hasNotes) return
    if (!forgot) peer.lost += count
    peer.miss(forgot ? peer.hello.now[1] : undefined)
    this.#session.book.changed()
    const records = count === 1 ? '1 record' : `${count} records`
    const text = began
      ? `${peer.name}: ${records} of before are not there any more`
      : forgot
        ? `${peer.name} was not inspected for a while: what happened to it meanwhile is not known`
        : `${peer.name}: ${records} were lost, the panel did not keep up`
    const ms = this.#when(link, peer, from)
    this.#session.note({ kind: 'lost', severity: began ? 'info' : 'warning', text }, peer.id, ms)
  }

  // ---- trouble

  #mismatch(frame: MismatchFrame, from: Waiting): void {
    const link = this.#links.get(from.source)!
    const detail = mismatchWords(frame.inspect, frame.library)
    if (this.#session.book.find(frame.peer)?.state === 'mismatch') return
    let peer: KnownPeer
    try {
      peer = this.#session.book.mismatch(frame, link.id, detail, from.arrived)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new Fault(error.message)
    }
    this.#session.note({ kind: 'peer', severity: 'error', text: detail }, peer.id, from.arrived)
  }

  #malformed(reason: string, from: Waiting, peer: string | undefined): void {
    const link = this.#links.get(from.source)!
    const known = peer === undefined ? undefined : this.#session.book.find(peer)
    this.#complaints.add(known?.name ?? link.source.label, reason, known, from.arrived)
  }

  /** Lines of session files that no tap sends. */
  #other(fields: { readonly [key: string]: unknown }, from: Waiting): boolean {
    const link = this.#links.get(from.source)!
    if (link.source.kind !== 'file') return false
    if (fields['crosstown'] !== undefined) {
      link.hasNotes = readHead(fields).notes === true
      return true
    }
    const line = readOwnLine(fields)
    if (!line) return false
    switch (line.frame) {
      case 'mark':
        this.#session.note({ kind: 'mark', severity: 'info', text: line.text }, undefined, line.at)
        return true
      case 'note': {
        const { frame: _, at, peer, ...note } = line
        this.#session.note(note, peer, at)
        return true
      }
      case 'events':
        this.#session.describeAll(line.events)
        return true
      case 'peer':
        this.#session.book.restore(line)
        return true
    }
  }

  // ---- beats

  #beatLater(): void {
    this.#cancelBeat = this.#timing.later(BEAT_MS, () => this.#beat())
  }

  #beat(): void {
    const now = this.#timing.now()
    const slept = now - this.#lastBeat > SLEPT_MS
    this.#lastBeat = now
    const isDue = ++this.#beats % ATTACH_BEATS === 0 && this.#takesMore
    for (const link of this.#links.values()) {
      const { session } = link
      // A relay and its devices leave frames out where events need the way: a lost hello shows
      // nobody, and who sent all it was granted into the void sends no more, unless asked anew.
      if (slept || (isDue && link.source.kind === 'relay')) this.#attach(link)
      else this.#send(link, { inspect: INSPECT_VERSION, frame: 'grant', session, credit: 0 })
    }
    for (const peer of this.#session.book.all) {
      if (peer.state === 'live' && now - peer.lastHeard > QUIET_MS) this.#probe(peer)
    }
    this.#beatLater()
  }

  /** A tap that has nothing to tell says nothing: it is asked something small. */
  #probe(peer: KnownPeer): void {
    const link = this.#linkOf(peer)
    if (!link || link.source.kind === 'file') return
    const asked = this.#timing.now()
    void this.ask(peer.id, { what: 'fault' }).catch((error: unknown) => {
      if (!(error instanceof InspectError) || error.code !== 'timeout') return
      if (peer.state !== 'live' || peer.lastHeard > asked) return
      peer.state = 'silent'
      peer.changed()
      this.#session.changed()
    })
  }

  /** Takes in all that waits, at once. */
  drain(): void {
    this.#intake.drain()
    this.#session.flush()
  }
}

/** Attaches to all taps that can be heard through the sources, and captures what they tell. */
export function createHub(sources: Iterable<InspectSource>, options?: HubOptions): InspectorHub {
  return new InspectorHub(sources, options)
}

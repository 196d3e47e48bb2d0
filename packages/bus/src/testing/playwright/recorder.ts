/**
 * What the taps of one browser context tell: its events with their data, and what went wrong. In come
 * frames through the pipes of its pages, out go questions, through the pipe that is there.
 */
import { decodeValue } from '../../codec/codec.ts'
import { eventOf } from '../../dispatch/dispatcher.ts'
import { type BusEvent, type EventHeader, parseId } from '../../event.ts'
import {
  type Answers,
  type Ask,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectRecord,
  type PeerId,
  type PeerStatus,
  type TapFrame,
} from '../../inspect/frames.ts'
import { unpackIds } from '../../inspect/ids.ts'
import type { Platform } from '../../platform.ts'
import type { TestSession } from './session.ts'

/** A pipe: the frame of a page. */
export interface Carrier {
  /** Posts texts on the inspect channel. Whether that was done; never rejects. */
  send(texts: readonly string[]): Promise<boolean>
}

/** An event as it was recorded. */
export type RecordedEvent<Type extends string = string, Data = unknown> = BusEvent<Type, Data> & {
  /** Whether it was published on this device, or came from another one. */
  readonly origin: 'device' | 'room'
}

/** Something that went wrong in a bus: what its `onError` was told, and handlers that failed. */
export interface RecordedError {
  readonly code: string
  readonly message: string
  readonly stage: string
  /** Of the bus: its `source`. */
  readonly source: string
  readonly type?: string
}

export interface RecorderOptions {
  readonly session: string
  readonly clock: Pick<Platform, 'now' | 'timer'>
  readonly written: TestSession
}

interface Entry {
  readonly event: InspectedEvent
  readonly origin: 'device' | 'room'
  readonly peer: PeerId
  data: unknown
}

export interface HeardPeer {
  readonly id: PeerId
  hello: HelloFrame
  status: PeerStatus
  /** Number of the record that comes next. */
  next: number
  /** It said goodbye, or does not answer. */
  gone: boolean
  /** The pipes that it was heard through, the last one last. */
  readonly carriers: Set<Carrier>
}

interface Question {
  through: Carrier | undefined
  answered(frame: Extract<TapFrame, { frame: 'answer' }>): void
}

/** How long a peer may take to answer. */
const ANSWER_MS = 2_000
const CREDIT = 10_000
/** Events whose data is asked for at once. */
const ASKED_AT_ONCE = 64
/** Events of a log that are read in one answer. */
const LOG_PAGE = 1_000

export class Recorder {
  readonly peers: Map<PeerId, HeardPeer> = new Map()
  readonly errors: RecordedError[] = []
  /** Asked of each peer as soon as it is there. */
  standing: Ask | undefined
  readonly #options: RecorderOptions
  readonly #began: number
  readonly #entries = new Map<string, Entry>()
  /** Ids that somebody received without saying of what: who, and from where. */
  readonly #nameless = new Map<string, readonly [PeerId, Entry['origin']]>()
  /** By log: from where on it was not read. */
  readonly #read = new Map<string, number>()
  readonly #questions = new Map<number, Question>()
  readonly #outgoing = new Map<Carrier, string[]>()
  readonly #sending = new Map<Carrier, Promise<boolean>>()
  readonly #work = new Set<Promise<unknown>>()
  readonly #wanted: Entry[] = []
  #asking = 0
  #asked = 0
  readonly #changed = new Set<() => void>()

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#began = options.clock.now()
  }

  /** Where each peer goes on, for a pipe that is new. */
  get resume(): Record<PeerId, number> {
    return Object.fromEntries([...this.peers.values()].map(({ id, next }) => [id, next]))
  }

  get events(): RecordedEvent[] {
    return [...this.#entries.values()].map(({ event, data, origin }) => {
      const { offset, position, revision } = event
      const places = { offset, position, revision }
      return { ...eventOf(event as EventHeader, data, places as object), origin }
    })
  }

  /** Those that were there when they were heard last; pages first. */
  get living(): HeardPeer[] {
    const living = [...this.peers.values()].filter(({ gone }) => !gone)
    return living.sort((a, b) => Number(b.hello.kind === 'page') - Number(a.hello.kind === 'page'))
  }

  /** Resolves when something was heard, or after so many milliseconds. */
  change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        this.#changed.delete(end)
        resolve()
      }
      const cancel = this.#options.clock.timer(ms, end)
      this.#changed.add(end)
    })
  }

  hear(carrier: Carrier, text: string): void {
    const frame = JSON.parse(text) as TapFrame
    if (frame.inspect !== INSPECT_VERSION || frame.frame === 'mismatch') return
    const peer = frame.frame === 'hello' ? this.#greeted(frame) : this.peers.get(frame.peer)
    if (!peer) return
    peer.carriers.delete(carrier)
    peer.carriers.add(carrier)
    peer.gone = frame.frame === 'bye'
    switch (frame.frame) {
      case 'batch':
        this.#batch(peer, frame, text)
        break
      case 'answer':
        if (frame.session === this.#options.session) this.#answered(carrier, frame)
        return
      default:
        this.#options.written.frame(text)
    }
    for (const changed of [...this.#changed]) changed()
  }

  #greeted(hello: HelloFrame): HeardPeer {
    const { peer: id, status, oldest } = hello
    const known = this.peers.get(id)
    if (known) return Object.assign(known, { hello, status })
    const peer = { id, hello, status, next: oldest, gone: false, carriers: new Set<Carrier>() }
    this.peers.set(id, peer)
    // Once it has a pipe.
    queueMicrotask(() => this.#met(peer))
    return peer
  }

  #met(peer: HeardPeer): void {
    if (this.standing) void this.ask(peer, this.standing).catch(ignore)
    // What a worker publishes before it is told that it is recorded, and a page in the moment in which
    // it is left, is in the log.
    this.#during(this.#readLog(peer))
  }

  #batch(peer: HeardPeer, frame: Extract<TapFrame, { frame: 'batch' }>, text: string): void {
    const { first } = frame
    const records = frame.records.slice(Math.max(0, peer.next - first))
    if (records.length === 0) return
    const whole = records.length === frame.records.length
    peer.next = first + frame.records.length
    this.#options.written.frame(
      whole ? text : JSON.stringify({ ...frame, first: peer.next - records.length, records }),
    )
    for (const record of records) this.#take(peer, record)
  }

  #take(peer: HeardPeer, record: InspectRecord): void {
    switch (record.is) {
      case 'published':
        for (const event of record.events) this.#add(event, peer.id, 'device')
        return
      case 'received': {
        const origin = record.via === 'relay' || record.origin === 'room' ? 'room' : 'device'
        for (const event of record.events ?? []) this.#add(event, peer.id, origin)
        if (record.events) return
        for (const id of unpackIds(record.ids))
          if (!this.#entries.has(id)) this.#nameless.set(id, [peer.id, origin])
        return
      }
      case 'status':
        peer.status = record.status
        return
      case 'failed':
      case 'error': {
        const { code, message, stage } = record
        const [id = ''] = record.is === 'failed' ? unpackIds(record.ids) : []
        const type = record.is === 'error' ? record.type : this.#entries.get(id)?.event.type
        const { source } = peer.hello
        this.errors.push({ code, message, stage, source, ...(type !== undefined && { type }) })
      }
    }
  }

  #add(event: InspectedEvent, peer: PeerId, origin: 'device' | 'room'): void {
    this.#nameless.delete(event.id)
    if (this.#entries.has(event.id)) return
    const entry: Entry = { event, origin, peer, data: undefined }
    this.#entries.set(event.id, entry)
    this.#wanted.push(entry)
    if (this.#asking < ASKED_AT_ONCE) this.#during(this.#load())
  }

  /** Asks for the data of what waits, one event after the other. */
  async #load(): Promise<void> {
    this.#asking += 1
    for (let entry = this.#wanted.shift(); entry; entry = this.#wanted.shift())
      await this.#loadOne(entry)
    this.#asking -= 1
  }

  /** The data of an event, of whoever has it. */
  async #loadOne(entry: Entry): Promise<void> {
    const { id, type } = entry.event
    const told = this.peers.get(entry.peer)
    const others = this.living.filter(({ hello }) => hello.bus === told?.hello.bus)
    for (const peer of new Set([...(told ? [told] : []), ...others])) {
      try {
        const { text, encoding } = await this.ask(peer, { what: 'text', event: id })
        entry.data = text === undefined ? undefined : decodeValue(text, encoding, { type, id })
        const written = { ...(text !== undefined && { text }), ...(encoding && { encoding }) }
        this.#options.written.payload(peer.id, id, entry.data, written)
        return
      } catch {
        // The next one may have it.
      }
    }
  }

  /** What is in the log since the last one who has it was there. */
  async #readLog(peer: HeardPeer): Promise<void> {
    const { bus, url = '', relay } = peer.hello
    const log = JSON.stringify([new URL(url, 'x:').origin, bus, relay?.room])
    let from: number | undefined = this.#read.get(log) ?? 0
    while (from !== undefined) {
      const ask: Extract<Ask, { what: 'log' }> = { what: 'log', from, limit: LOG_PAGE }
      const page: Answers['log'] | undefined = await this.ask(peer, ask).catch(ignore)
      const events = page?.events ?? []
      this.#read.set(log, (events.at(-1)?.offset ?? from - 1) + 1)
      const found = events.filter(({ id, time }) => time >= this.#began && !this.#entries.has(id))
      if (found.length > 0) this.#options.written.envelopes(found)
      for (const event of found) {
        const [prefix] = parseId(event.id)
        const own = this.peers.has(prefix)
        this.#add(event, own ? prefix : peer.id, own || !relay ? 'device' : 'room')
      }
      from = page?.next
    }
  }

  async #name(): Promise<void> {
    const origins = new Map(this.#nameless)
    this.#nameless.clear()
    const byPeer = Map.groupBy(origins, ([, [peer]]) => peer)
    await Promise.all(
      [...byPeer].map(async ([id, nameless]) => {
        const ids = nameless.map(([event]) => event)
        const peer = this.peers.get(id) as HeardPeer
        const found = await this.ask(peer, { what: 'headers', ids }).catch(ignore)
        if (!found || found.events.length === 0) return
        this.#options.written.envelopes(found.events)
        for (const event of found.events)
          this.#add(event, id, origins.get(event.id)?.[1] ?? 'device')
      }),
    )
  }

  #during(work: Promise<unknown>): void {
    const done = work.finally(() => this.#work.delete(done))
    this.#work.add(done)
    done.catch(ignore)
  }

  /**
   * Resolves when all was heard that the taps knew when it was called, data included. A context that
   * does not answer for two seconds is gone.
   */
  async settle(): Promise<void> {
    await Promise.all(this.living.map((peer) => this.#hearAll(peer)))
    await this.#name()
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  /** Attached anew a tap sends at once what it has, and what it answers after that comes after that. */
  async #hearAll(peer: HeardPeer): Promise<void> {
    const { id: to, next } = peer
    try {
      await this.ask(
        peer,
        { what: 'fault' },
        { frame: 'attach', to, credit: CREDIT, resume: { [to]: next } },
      )
    } catch {
      peer.gone = true
    }
  }

  /**
   * Asks through the pipe that the peer was heard through last, or the one before.
   *
   * @param before a frame that goes ahead; then only an answer through the same pipe counts
   */
  async ask<What extends Ask['what']>(
    peer: HeardPeer,
    ask: Extract<Ask, { what: What }>,
    before?: object,
  ): Promise<Answers[What]> {
    const id = ++this.#asked
    const frame = { frame: 'ask', to: peer.id, id, ask }
    const texts = (before ? [before, frame] : [frame]).map((one) => this.#text(one))
    const { promise, resolve, reject } = Promise.withResolvers<Answers[What]>()
    const late = (): void => reject(new Error(`${ask.what}: no answer`))
    const cancel = this.#options.clock.timer(ANSWER_MS, late)
    const question: Question = {
      through: undefined,
      answered({ error, result }) {
        if (error) reject(new Error(`${error.code}: ${error.message}`))
        else resolve(result as Answers[What])
      },
    }
    this.#questions.set(id, question)
    try {
      for (const carrier of [...peer.carriers].reverse()) {
        if (before) question.through = carrier
        if (await this.#send(carrier, texts)) return await promise
        peer.carriers.delete(carrier)
      }
      throw new Error('nobody is there to be asked')
    } finally {
      cancel()
      this.#questions.delete(id)
    }
  }

  /** What is to be sent in one turn goes in one call. */
  #send(carrier: Carrier, texts: readonly string[]): Promise<boolean> {
    const waiting = this.#outgoing.get(carrier)
    waiting?.push(...texts)
    const sending = this.#sending.get(carrier)
    if (sending) return sending
    this.#outgoing.set(carrier, [...texts])
    const sent = Promise.resolve().then(() => {
      const all = this.#outgoing.get(carrier) ?? []
      this.#outgoing.delete(carrier)
      this.#sending.delete(carrier)
      return carrier.send(all)
    })
    this.#sending.set(carrier, sent)
    return sent
  }

  #text(frame: object): string {
    return JSON.stringify({ inspect: INSPECT_VERSION, session: this.#options.session, ...frame })
  }

  #answered(carrier: Carrier, frame: Extract<TapFrame, { frame: 'answer' }>): void {
    const question = this.#questions.get(frame.id)
    if (!question || (question.through && question.through !== carrier)) return
    question.answered(frame)
  }
}

function ignore(): undefined {}

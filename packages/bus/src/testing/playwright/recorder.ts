/**
 * What the taps of one browser context tell: its events with their data, and what went wrong. In come
 * frames through the pipes of its pages, out go questions, through the pipe that is there.
 */
import { eventOf } from '../../dispatch/dispatcher.ts'
import { type EventHeader, parseId } from '../../event.ts'
import { eventsOf } from '../../inspect/columns.ts'
import {
  type Answers,
  type Ask,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectRecord,
  type MismatchFrame,
  type PeerId,
  type PeerStatus,
  type TapFrame,
} from '../../inspect/frames.ts'
import { unpackIds } from '../../inspect/ids.ts'
import type { Platform } from '../../platform.ts'
import type { RecordedError, RecordedEvent } from './api.ts'
import { type Payload, Payloads } from './payloads.ts'
import { type Carrier, Questions } from './questions.ts'
import type { TestSession } from './session.ts'

export interface RecorderOptions {
  readonly session: string
  readonly clock: Pick<Platform, 'now' | 'timer'>
  readonly written: TestSession
}

interface Entry extends Payload {
  readonly origin: 'device' | 'room'
  readonly peer: PeerId
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

const CREDIT = 10_000
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
  readonly #questions: Questions
  readonly #payloads: Payloads<Entry>
  /** Peers that may have something in their log which their tap did not tell. */
  readonly #unread = new Set<HeardPeer>()
  #reading: Promise<void> = Promise.resolve()
  readonly #changed = new Set<() => void>()

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#began = options.clock.now()
    this.#questions = new Questions(options.session, options.clock)
    this.#payloads = new Payloads(this.#questions, options.written, ({ peer }) => {
      const told = this.peers.get(peer)
      const others = this.living.filter(({ hello }) => hello.bus === told?.hello.bus)
      return new Set([...(told ? [told] : []), ...others])
    })
  }

  /** Where each peer goes on, for a pipe that is new. */
  get resume(): Record<PeerId, number> {
    return Object.fromEntries([...this.peers.values()].map(({ id, next }) => [id, next]))
  }

  /** How many of each type were recorded. */
  get counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { event } of this.#entries.values())
      counts.set(event.type, (counts.get(event.type) ?? 0) + 1)
    return counts
  }

  /** What was recorded of some types, with its data. */
  async events(matches: (type: string) => boolean): Promise<RecordedEvent[]> {
    const found = [...this.#entries.values()].filter(({ event }) => matches(event.type))
    await this.#payloads.of(found)
    return found.map(({ event, data, origin }) => {
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

  /** A text of the inspect channel. What is no frame of a tap is passed over: anybody may post there. */
  hear(carrier: Carrier, text: string): void {
    try {
      const frame = JSON.parse(text) as TapFrame
      if (frame.inspect === INSPECT_VERSION && frame.frame !== 'mismatch')
        this.#hear(carrier, frame, text)
    } catch {
      return
    }
    for (const changed of [...this.#changed]) changed()
  }

  #hear(carrier: Carrier, frame: Exclude<TapFrame, MismatchFrame>, text: string): void {
    const known = this.peers.get(frame.peer)
    // It says hello whenever it is asked for what there is: only what is new in that is written.
    const again = frame.frame === 'hello' && known?.gone === false && known.hello.log === frame.log
    const peer = frame.frame === 'hello' ? this.#greeted(frame) : known
    if (!peer) return
    peer.carriers.delete(carrier)
    peer.carriers.add(carrier)
    peer.gone = frame.frame === 'bye'
    switch (frame.frame) {
      case 'batch':
        this.#batch(peer, frame, text)
        break
      case 'answer':
        this.#questions.answered(carrier, frame)
        return
      default:
        if (!again) this.#options.written.frame(text)
    }
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
    this.#missed(peer)
  }

  #missed(peer: HeardPeer): void {
    this.#unread.add(peer)
    void this.#readLogs()
  }

  #batch(peer: HeardPeer, frame: Extract<TapFrame, { frame: 'batch' }>, text: string): void {
    const { first } = frame
    const records = frame.records.slice(Math.max(0, peer.next - first))
    if (records.length === 0) return
    // The ring went over some, or nobody was there for a while.
    if (first > peer.next) this.#unread.add(peer)
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
        for (const event of eventsOf(record.events)) this.#add(event, peer.id, 'device')
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
    const entry: Entry = { event, origin, peer, data: undefined, failures: 0 }
    this.#entries.set(event.id, entry)
    this.#payloads.came(entry)
  }

  /** One after the other: of what the next one has in its log, most was read. */
  #readLogs(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      for (const peer of this.#unread) {
        this.#unread.delete(peer)
        await this.#readLog(peer)
      }
    })
    return this.#reading
  }

  /** What is in the log since the last one who has it was there. */
  async #readLog(peer: HeardPeer): Promise<void> {
    const { bus, url = '', relay } = peer.hello
    const origin = URL.canParse(url) ? new URL(url).origin : url
    const log = JSON.stringify([origin, bus, relay?.room])
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

  /** Asks a peer. @throws {Error} with its code where it refuses, or nobody answers */
  ask<What extends Ask['what']>(
    peer: HeardPeer,
    ask: Extract<Ask, { what: What }>,
    before?: object,
  ): Promise<Answers[What]> {
    return this.#questions.ask(peer, ask, before)
  }

  /**
   * Resolves when all was heard that the taps knew when it was called. A context that does not answer
   * for five seconds is gone.
   */
  async settle(): Promise<void> {
    await Promise.all(this.living.map((peer) => this.#hearAll(peer)))
    await this.#name()
    await this.#readLogs()
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
}

function ignore(): undefined {}

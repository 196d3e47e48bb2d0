/**
 * Those this context is linked with: behind the links a user gave, and contexts of the device that
 * have no log. What is heard anywhere is heard everywhere, once; what a context without a log
 * publishes is kept by one that has one. In come frames and own events, out go events and answers.
 */
import type { Entry } from '../batch/batch.ts'
import type { Dispatch, Incoming, Origin } from '../dispatch/dispatch.ts'
import { type BusError, toBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Link, LinkSource } from '../links/link.ts'
import type { Platform } from '../platform.ts'
import type {
  Guest,
  GuestOptions,
  Host,
  HostOptions,
  Keeper,
  LinkedEvents,
  LinkFrame,
  Links,
  PeerContexts,
  PresentFrame,
  RequestsFrame,
  Waiters,
  Way,
} from '../sync/sync.ts'
import { HostLog } from './host-log.ts'
import { Inquiry } from './inquiry.ts'

/** The stages it is made of, given by `bus.ts`. */
export interface LinkedStages {
  links(events: LinkedEvents): Links
  guest(options: GuestOptions): Guest
  host(options: HostOptions): Host
}

export interface LinkedOptions {
  readonly platform: Platform
  readonly taps: TapHolder
  /** This context among those of the device. */
  readonly prefix: string
  readonly name: string
  readonly sources: readonly (Link | LinkSource)[]
  /** Whether this bus was made with a log. */
  readonly hasLog: boolean
  readonly stages: LinkedStages
  readonly dispatcher: Dispatch
  readonly waiters: Waiters
  readonly peers: () => PeerContexts
  readonly keeper: () => Keeper | undefined
  readonly leads: () => boolean
  /** Whether what waits for the relay fills the log. */
  readonly outboxFull: () => boolean
  /** Own batches up to this one are in the room, or were, as the last welcome said. */
  readonly confirmed: () => number
  /** The log that keeps this context's events is another one now. */
  readonly moved: (log: string) => void
  /** Whether those who keep this context's events have not answered for a while. */
  readonly silent: (silent: boolean) => void
  /** Who is there, as another context says it; `byLink` over a link of the user's. */
  readonly present: (frame: PresentFrame, byLink: boolean) => void
  /** Another context says something about a request. */
  readonly asked: (frame: RequestsFrame, data: readonly string[]) => void
  /** Unpersisted events for the room, as texts. */
  readonly cast: (headers: string, data: readonly string[]) => void
  readonly report: (error: BusError) => void
}

/** What contexts without a log call theirs. */
export const NO_LOG = 'none'

export class Linked {
  /** What other stages hand events of others to: each goes to the links, too. */
  readonly dispatcher: Dispatch
  readonly #options: LinkedOptions
  readonly #links: Links
  readonly #host: Host
  readonly #inquiry: Inquiry
  readonly #hostLog: HostLog
  #guest: Guest | undefined
  #logId: string | undefined
  /** Somebody else of the device has links: events may come twice. */
  #others = false
  readonly #tabs: Way = {
    send: (frame, data) => this.#options.peers().postLinked(frame, data),
  }

  constructor(options: LinkedOptions) {
    const { stages, dispatcher, platform, prefix, sources, hasLog, keeper, report } = options
    this.#options = options
    this.#links = stages.links({
      heard: (headers, data, origin, from, casts) =>
        this.#heard(headers, data, origin, from, casts),
      frame: (frame, data, from) => this.#take(frame, data, from, true),
      report,
    })
    const tell = (text: string): void => options.peers().tell(text)
    const { outboxFull, confirmed, waiters } = options
    this.#host = stages.host({ platform, prefix, keeper, tell, outboxFull, confirmed })
    this.#inquiry = new Inquiry({
      platform,
      waiters,
      ask: (batches) => {
        const of = this.#hostLog.id
        if (of !== undefined) this.#tabs.send({ frame: 'where', log: NO_LOG, of, batches })
      },
    })
    const seek = (): void => this.#tabs.send({ frame: 'seek', log: NO_LOG })
    this.#hostLog = new HostLog({
      platform,
      seek,
      offered: (frame, way, moved) => {
        if (moved) options.moved(frame.log)
        const { silent } = options
        this.#guest ??= stages.guest({ platform, prefix, seek, silent, alone: () => false })
        this.#guest.hosted(frame, way, moved)
      },
    })
    if (!hasLog && sources.length > 0) {
      this.#guest = stages.guest({
        platform,
        prefix,
        seek: () => this.#links.send({ frame: 'seek', log: NO_LOG }),
        alone: () => this.#links.nobodyKeepsLog,
        silent: options.silent,
      })
    }
    this.dispatcher = {
      own: (event, waits) => dispatcher.own(event, waits),
      past: (incoming) => dispatcher.past(incoming),
      incoming: (incoming, origin) => {
        if (this.#active) {
          if (!this.#links.fresh(incoming.header.id)) {
            options.taps.tap?.dropped([incoming.header.id], 'duplicate')
            return
          }
          this.#links.tell(incoming, origin)
        }
        dispatcher.incoming(incoming, origin)
      },
    }
  }

  get #active(): boolean {
    return this.#others || this.#links.size > 0
  }

  /** Opens the links of the user. One that throws does not stop the others. */
  open(): void {
    const { sources, name, platform, report } = this.#options
    for (const source of sources) {
      try {
        const link = 'open' in source ? source.open(`crosstown:${name}`, platform) : source
        if (link) this.#links.add(link)
      } catch (error) {
        report(toBusError(error, 'unavailable', 'a link did not open', { stage: 'links' }))
      }
    }
  }

  /** The log that this context has from now on, or `none`. */
  named(logId: string): void {
    this.#logId = logId
    this.#links.named(logId)
    if (logId !== NO_LOG) this.#links.send(this.#asHost(logId))
  }

  /**
   * The log of the context that keeps this one's events, from now on: where its own does not open.
   * `undefined` where nobody does.
   */
  async probe(): Promise<string | undefined> {
    await this.#hostLog.find()
    return this.#hostLog.id
  }

  get hostLog(): string | undefined {
    return this.#hostLog.id
  }

  /** Another log than the host's has a leader. */
  seekAgain(): void {
    this.#hostLog.seekAgain()
  }

  /** Finds out in a while where the room has what this context waits for, where it is a guest. */
  inquire(): void {
    if (this.#hostLog.id !== undefined) this.#inquiry.soon()
  }

  /** Whether this context's persisted events are kept by another one. */
  get isGuest(): boolean {
    return this.#guest !== undefined
  }

  /** Tells who is there. */
  tellPresent(frame: PresentFrame, to: 'tabs' | 'links'): void {
    const way = to === 'tabs' ? this.#tabs : this.#links
    way.send(frame)
  }

  /** Whether it is known that nobody keeps them. */
  get isAlone(): boolean {
    const { hasLog } = this.#options
    return !hasLog && this.#guest?.host === undefined && this.#links.nobodyKeepsLog
  }

  /** Own events are committed, or, if they are not persisted, on their way. */
  told(entries: readonly Entry[]): void {
    if (this.#links.size > 0) for (const entry of entries) this.#links.tellOwn(entry)
  }

  /** Persisted events of this context, for the log of another. @throws as `Guest.submit` */
  async submit(entries: readonly Entry[]): Promise<number | undefined> {
    // The host tells all that it hears: what is this context's own must be known when it comes back.
    if (this.#active) for (const { event } of entries) this.#links.fresh(event.id)
    const number = await this.#guest?.submit(entries)
    this.told(entries)
    if (!this.#options.hasLog) {
      const headers = entries.map(({ headerText }) => JSON.parse(headerText) as EventHeader)
      this.#postHeard(
        headers,
        entries.map(({ dataText }) => dataText),
        'device',
      )
    }
    return number
  }

  /** A frame that another context of the device posted. */
  posted(frame: LinkFrame, data: readonly string[]): void {
    if (frame.frame !== 'heard') {
      this.#take(frame, data, this.#tabs, false)
      return
    }
    this.#others = true
    for (const incoming of incomingOf(frame.events, data)) {
      this.#options.taps.tap?.received('link', frame.room ? 'room' : 'device', incoming)
      this.dispatcher.incoming(incoming, frame.room ? 'room' : 'device')
    }
  }

  #heard(
    headers: readonly EventHeader[],
    data: readonly string[],
    origin: Origin,
    from: Way,
    casts: boolean,
  ): void {
    const { dispatcher, peers, cast } = this.#options
    const fresh = incomingOf(headers, data).filter(({ header }) => this.#links.fresh(header.id))
    if (fresh.length === 0) return
    for (const incoming of fresh) {
      this.#options.taps.tap?.received('link', origin, incoming)
      this.#links.tell(incoming, origin, from)
      dispatcher.incoming(incoming, origin)
    }
    const theirs = fresh.map(({ header }) => header)
    const texts = fresh.map(({ dataText }) => dataText)
    if (!casts) {
      this.#postHeard(theirs, texts, origin)
      return
    }
    // What a guest says to its room goes there as if it were said here.
    peers().postCast(theirs, texts)
    const forRoom = fresh.filter(({ header }) => header.scope !== 'device')
    if (forRoom.length === 0) return
    cast(
      JSON.stringify(forRoom.map(({ header }) => header)),
      forRoom.map(({ dataText }) => dataText),
    )
  }

  #postHeard(events: readonly EventHeader[], data: readonly string[], origin: Origin): void {
    const frame = { frame: 'heard', log: this.#logId ?? NO_LOG, events } as const
    this.#tabs.send(origin === 'room' ? { ...frame, room: true } : frame, data)
  }

  #take(
    frame: Exclude<LinkFrame, { frame: 'heard' }>,
    data: readonly string[],
    way: Way,
    byLink: boolean,
  ): void {
    switch (frame.frame) {
      case 'seek':
        this.#answer(way, byLink)
        return
      case 'host':
        // Behind a link is another device, where this one was made with a log.
        if (!this.#options.hasLog) this.#guest?.hosted(frame, way)
        else if (!byLink && frame.log !== NO_LOG) this.#hostLog.offered(frame, way)
        return
      case 'submit':
        this.#host.submitted(frame, data, way)
        return
      case 'taken':
        this.#guest?.taken(frame)
        return
      case 'declined':
        this.#guest?.declined(frame)
        return
      case 'present':
        this.#options.present(frame, byLink)
        return
      case 'request':
      case 'reply':
      case 'cancel':
        if (!this.#active || this.#pass(frame, data, byLink)) this.#options.asked(frame, data)
        return
      case 'where':
        if (this.#options.leads()) this.#host.asked(frame, way)
        return
      case 'placed':
        if (frame.log === this.#hostLog.id) this.#inquiry.answered(frame)
    }
  }

  /** Tells others about a request. */
  tellAsked(frame: RequestsFrame, data?: readonly string[]): void {
    if (this.#active) this.#links.fresh(nameOf(frame))
    this.#tabs.send(frame, data)
    this.#links.send(frame, data)
  }

  /** Passes on what it says to those behind the links, and to the device; false where it was here before. */
  #pass(frame: RequestsFrame, data: readonly string[], byLink: boolean): boolean {
    if (!this.#links.fresh(nameOf(frame))) return false
    if (byLink) this.#tabs.send(frame, data)
    this.#links.send(frame, data)
    return true
  }

  /** Of the contexts that share a log the leader answers; on a link, whoever is at its end. */
  #answer(way: Way, byLink: boolean): void {
    if (this.#logId === undefined) return
    if (byLink) way.send(this.#asHost(this.#logId))
    else if (this.#options.leads() && this.#options.keeper()) way.send(this.#asHost(this.#logId))
  }

  #asHost(log: string): LinkFrame {
    return { frame: 'host', log, prefix: this.#options.prefix }
  }

  async close(): Promise<void> {
    this.#guest?.close()
    this.#inquiry.stop()
    await this.#links.close()
  }
}

/** What it is known by where it comes again by another way. */
function nameOf(frame: RequestsFrame): string {
  // What is said again has less time left.
  const again = frame.frame === 'request' ? `${frame.to} ${frame.timeoutMs}` : ''
  return `${frame.frame} ${frame.key} ${frame.from} ${again}`
}

function incomingOf(headers: readonly EventHeader[], data: readonly string[]): Incoming[] {
  return headers.map((header, i) => {
    const { revision } = header
    const incoming = { header, dataText: data[i] as string }
    return revision === undefined ? incoming : { ...incoming, revision }
  })
}

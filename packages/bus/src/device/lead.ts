/**
 * What the context that leads does: it holds the session with the relay, hands the room's events
 * to the others, counts the outbox, and beats, so that the others know what it knows.
 */
import type { Dispatch } from '../dispatch/dispatch.ts'
import { BusError, toBusError } from '../errors.ts'
import { offsetOf } from '../event.ts'
import type { Inspection, TapHolder } from '../inspect/tap.ts'
import type { Log, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { Requests } from '../request/requests.ts'
import type {
  Asked,
  Confirmation,
  MemberFrame,
  PeerContexts,
  Presence,
  RelaySession,
  RelaySource,
  SessionEvents,
  Written,
} from '../sync/sync.ts'
import type { Gap, StatusSnapshot, SystemEvents } from '../types.ts'
import { Bridge } from './bridge.ts'
import type { GroupWay } from './group-way.ts'
import type { Store } from './status.ts'
import type { Upkeep } from './upkeep.ts'

/** Characters of headers and data that wait for the relay, as far as this context knows. */
export interface OutboxSize {
  bytes: number
}

export interface LeadOptions {
  readonly platform: Platform
  readonly taps: TapHolder
  readonly relay: RelaySource | undefined
  readonly status: Store<StatusSnapshot>
  readonly peers: PeerContexts
  readonly dispatcher: Dispatch
  readonly upkeep: Upkeep
  readonly presence: Presence
  readonly groups: GroupWay
  readonly outbox: OutboxSize
  readonly written: () => void
  /** Every own batch up to this one is in the room, or was before its history was trimmed. */
  readonly confirmThrough: (batch: number) => void
  /** The room's part of the log may be another than it was. */
  readonly changed: () => void
  /** Leadership was taken, or is over. */
  readonly leads: (self: boolean) => void
  readonly requests: () => Requests
  /** The way to the taps of the origin. */
  readonly inspection: () => Inspection
  readonly report: (error: BusError) => void
  readonly onGap: (gap: Gap) => void
  readonly publishSystem: <Type extends keyof SystemEvents>(
    type: Type,
    data: SystemEvents[Type],
  ) => void
}

/** Changes of the leader's state within this time go out as one beat. */
const BEAT_AFTER_MS = 20
/** Wait before leadership is tried again, doubled each time up to the longest. */
const MIN_RETRY_MS = 200
const MAX_RETRY_MS = 30_000
/** How long after the log grew the others hear of its head, who may have missed something. */
const HEAD_AFTER_MS = 1_000
/** How long after a confirmation the outbox is counted afresh, and events that let it wait on. */
const COUNT_AFTER_MS = 200
const COUNTED_PER_MS = 20

export class Lead {
  readonly #options: LeadOptions
  /** There once somebody inspects the room. */
  #bridge: Bridge | undefined
  #session: RelaySession | undefined
  #log: Log | undefined
  #term = 0
  #head = 0
  /** Own batches up to this one are in the room, as its last welcome said. */
  #confirmed = 0
  /** Own batches up to this one are in the count of the outbox. */
  #counted = 0
  /** Connections so far. */
  #rounds = 0
  /** The last record of the room written under this term. */
  #lastRoom = 0
  /** Who waits for a sign of life of the relay. */
  readonly #pings: [(ms: number) => void, (error: BusError) => void][] = []
  #cancelBeat: (() => void) | undefined
  #cancelHead: (() => void) | undefined
  #cancelCount: (() => void) | undefined
  #depose: () => void = () => {}
  #running: Promise<void> = Promise.resolve()

  constructor(options: LeadOptions) {
    this.#options = options
  }

  /**
   * Leads until `signal` ends it, or until another context turns out to lead since; resolves when
   * nothing of it goes on.
   */
  run(log: Log, writer: Writer, signal: AbortSignal): Promise<void> {
    // One that was left in a hurry may still be ending.
    this.#running = this.#running.then(() => this.#run(log, writer, signal))
    return this.#running
  }

  async #run(log: Log, writer: Writer, signal: AbortSignal): Promise<void> {
    const { platform, report } = this.#options
    const deposed = new AbortController()
    const depose = (): void => deposed.abort()
    const over = deposed.signal
    // Not AbortSignal.any: on Node what listens to one is kept for ever where nothing ends it.
    signal.addEventListener('abort', depose, { once: true })
    if (signal.aborted) depose()
    this.#log = log
    this.#head = 0
    this.#counted = 0
    this.#lastRoom = 0
    this.#confirmed = 0
    this.#depose = depose
    for (let failures = 0; !over.aborted; failures++) {
      try {
        await this.#begin(log, writer, over)
        break
      } catch (error) {
        if (over.aborted) break
        const what = 'leadership could not be taken'
        report(toBusError(error, 'log_failed', what, { stage: 'device' }))
        // The lock is held on: letting go would only pass the same failure round and round.
        await pause(platform, Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** failures), over)
      }
    }
    await ended(over)
    signal.removeEventListener('abort', depose)
    await this.#stop()
  }

  async #begin(log: Log, writer: Writer, signal: AbortSignal): Promise<void> {
    const { relay, platform, status, taps } = this.#options
    if (relay) {
      const term = await log.takeTerm(platform.randomText(8))
      this.#term = term[0]
      await this.#count()
      if (signal.aborted) return
      this.#session = relay.session({ log, writer, term, platform, taps, events: this.#events() })
    }
    if (signal.aborted) return
    status.update({ leader: true })
    this.#options.leads(true)
    this.#options.upkeep.start(log)
    this.tellPresent()
    this.#session?.start()
    // The one before may have died between a commit and the telling of it.
    void this.#options.peers.look()
    this.beatSoon()
  }

  async #stop(): Promise<void> {
    for (const cancel of [this.#cancelBeat, this.#cancelHead]) cancel?.()
    this.#cancelBeat = this.#cancelHead = undefined
    this.#cancelCount?.()
    this.#cancelCount = undefined
    this.#options.upkeep.stop()
    const session = this.#session
    this.#session = undefined
    this.#pong(offlineError())
    this.#bridge?.end()
    this.#bridge = undefined
    // Not known any more: the next leader tells.
    if (this.#options.status.get().leader) {
      this.#options.status.update({ leader: false })
      this.#options.groups.connected(undefined)
      this.#options.leads(false)
    }
    await session?.stop()
  }

  #events(): SessionEvents {
    const { status, peers, presence, dispatcher, written, confirmThrough, onGap, report, changed } =
      this.#options
    const { groups, relay } = this.#options
    return {
      state: (relay, error) => {
        status.update(error ? { relay, lastError: error } : { relay })
        changed()
        if (relay !== 'online') {
          presence.doubt()
          this.#bridge?.end()
          groups.connected(undefined)
          this.#pong(offlineError())
        }
        this.#options.requests().online(relay === 'online')
        this.beatSoon()
      },
      online: (epoch) => {
        this.#rounds += 1
        groups.connected({ term: this.#term, round: this.#rounds, epoch })
      },
      rtt: (rtt) => {
        status.update({ rtt })
        this.#pong(rtt)
        this.beatSoon()
      },
      committed: (number, record, runs, data, liveAfter) => {
        if (number === 0) return
        const prev = this.#lastRoom > 0 ? { prev: this.#lastRoom } : undefined
        const { time, epoch } = record
        peers.room({ batch: number, ...prev, time, epoch, liveAfter, runs }, data)
        this.#lastRoom = number
        this.#grewTo(number)
        written()
      },
      confirmedThrough: (batch) => {
        this.#confirmed = batch
        confirmThrough(batch)
        changed()
        this.beatSoon()
        // What the room trimmed away is confirmed by nothing else.
        this.#count().catch(report)
      },
      cast: (frame, data) => {
        peers.postRoomCast(frame.events, data)
        frame.events.forEach((header, i) => {
          const incoming = { header, dataText: data[i] as string }
          this.#options.taps.tap?.received('relay', 'room', incoming)
          dispatcher.incoming(incoming, 'room')
        })
      },
      asked: (...said) => this.#options.requests().told(...said),
      presence: (frame, own) => presence.room(frame, own),
      member: (frame, data) => groups.heard(frame, data),
      inspect: (text) => {
        if (relay?.inspect === false) return
        try {
          this.#bridge ??= this.#makeBridge()
          this.#bridge.receive(text)
        } catch (error) {
          report(toBusError(error, 'bad_frame', 'an inspector cannot be answered'))
        }
      },
      gap: (gap) => {
        peers.postGap(gap)
        changed()
        onGap(gap)
      },
      deposed: () => {
        const what = 'another context leads this device since'
        report(new BusError('stale_term', what, { stage: 'device' }))
        status.update({ relay: 'offline' })
        this.#depose()
      },
      report,
    }
  }

  /** Whether what is cast may get to the room from here. */
  get casts(): boolean {
    return this.#session !== undefined
  }

  /** Unpersisted events for the room; dropped where this context does not lead. */
  cast(headers: string, data: readonly string[]): void {
    this.#session?.cast(headers, data)
  }

  /** What a member of a group says; dropped where the relay is not there. */
  member(frame: MemberFrame): void {
    this.#session?.member(frame)
  }

  #makeBridge(): Bridge {
    const { inspection, platform, presence } = this.#options
    return new Bridge({
      platform,
      inspection: inspection(),
      members: () => presence.members,
      send: (text) => this.#session?.inspect(text),
    })
  }

  /** The room hears who of this device is there. */
  tellPresent(): void {
    const { presence } = this.#options
    if (this.#session) this.#session.presence(presence.members, typesOf(presence.contexts))
    this.#bridge?.changed()
  }

  /** About a request, to the relay; false where it cannot be reached just now. */
  ask(...said: Parameters<RelaySession['ask']>): boolean {
    return this.#session?.ask(...said) ?? false
  }

  /** Resolves with the milliseconds of a round trip to the relay. @throws {BusError} unavailable */
  ping(): Promise<number> {
    if (!this.#session?.ping()) return Promise.reject(offlineError())
    return new Promise((...settle) => this.#pings.push(settle))
  }

  #pong(answer: number | BusError): void {
    for (const [resolve, reject] of this.#pings.splice(0)) {
      if (typeof answer === 'number') resolve(answer)
      else reject(answer)
    }
  }

  /** An own batch is in the log, of whatever context; `written` where it is of this one. */
  grew(batch: number, roomEvents: number, bytes: number, prefix: string, written?: Written): void {
    this.#grewTo(batch)
    if (roomEvents === 0) return
    // What the log was asked for may have it already, before its writer says so.
    if (batch > this.#counted) this.#change(roomEvents, bytes, 0)
    this.#session?.outboxGrew(batch, prefix, written)
  }

  #grewTo(batch: number): void {
    if (batch <= this.#head) return
    this.#head = batch
    if (!this.#options.status.get().leader) return
    this.#cancelHead ??= this.#options.platform.timer(HEAD_AFTER_MS, () => this.beatNow())
  }

  /** Own batches up to this one are in the room, or were, as its last welcome said. */
  get confirmedThrough(): number {
    return this.#confirmed
  }

  /** The room placed an own batch. */
  confirmed(confirmation: Confirmation): void {
    if (!this.#session) return
    const { indexes, refused } = confirmation
    const { outbox, status } = this.#options
    const { pending } = status.get().outbox
    const settled = indexes.length + refused.length
    const share = pending === 0 ? 0 : Math.min(1, settled / pending)
    this.#change(-settled, -Math.round(outbox.bytes * share), refused.length)
    // Counting reads what is pending: the more that is, the longer it can wait.
    const wait = COUNT_AFTER_MS + pending / COUNTED_PER_MS
    this.#cancelCount ??= this.#options.platform.timer(wait, () => {
      this.#cancelCount = undefined
      this.#count().catch(this.#options.report)
    })
    if (refused.length > 0) void this.#tellRefused(confirmation)
  }

  #change(pending: number, bytes: number, refused: number): void {
    const { outbox: size, relay, status } = this.#options
    if (!relay) return
    const { outbox } = status.get()
    size.bytes = Math.max(0, size.bytes + bytes)
    status.update({
      outbox: {
        pending: Math.max(0, outbox.pending + pending),
        refused: outbox.refused + refused,
      },
    })
    this.beatSoon()
  }

  /**
   * The outbox as the log has it. Adding up alone would go wrong where a batch is sent and
   * confirmed before its writer's notice arrives.
   */
  async #count(): Promise<void> {
    const { relay, status } = this.#options
    const state = await this.#log?.state()
    if (!state) return
    this.#head = Math.max(this.#head, state.head.batch)
    this.#counted = Math.max(this.#counted, state.head.batch)
    if (!relay) return
    const { outbox } = status.get()
    const { pending, pendingBytes } = state.room
    this.#options.outbox.bytes = pendingBytes
    if (outbox.pending === pending) return
    status.update({ outbox: { ...outbox, pending } })
    this.beatSoon()
  }

  async #tellRefused({ batch, refused }: Confirmation): Promise<void> {
    const { report, publishSystem } = this.#options
    try {
      const [record] = (await this.#log?.read(batch, 1)) ?? []
      for (const [index, code, currentRevision] of refused) {
        const header = record?.batch === batch ? record.headers[index] : undefined
        if (!header) continue
        const data = { id: header.id, type: header.type, code, offset: offsetOf(batch, index) }
        const said = currentRevision === undefined ? undefined : { currentRevision }
        publishSystem('$event.refused', { ...data, ...said })
      }
    } catch (error) {
      const what = 'a refused event could not be read'
      report(toBusError(error, 'log_failed', what, { stage: 'sync' }))
    }
  }

  beatSoon(): void {
    if (!this.#options.status.get().leader || this.#cancelBeat) return
    this.#cancelBeat = this.#options.platform.timer(BEAT_AFTER_MS, () => this.beatNow())
  }

  beatNow(): void {
    for (const cancel of [this.#cancelBeat, this.#cancelHead]) cancel?.()
    this.#cancelBeat = this.#cancelHead = undefined
    const { leader, relay, rtt, outbox, lastError } = this.#options.status.get()
    if (!leader) return
    const { line } = this.#options.groups
    this.#options.peers.postBeat({
      term: this.#term,
      head: this.#head,
      relay,
      ...(rtt === undefined ? undefined : { rtt }),
      ...(relay === 'refused' && lastError ? { code: lastError.code } : undefined),
      ...outbox,
      bytes: this.#options.outbox.bytes,
      ...(this.#confirmed > 0 ? { confirmed: this.#confirmed } : undefined),
      ...(line && { line }),
    })
  }
}

/** What the contexts of this device respond to. */
function typesOf(contexts: readonly Asked[]): string[] {
  const own = contexts.filter(({ device }) => device === undefined)
  return [...new Set(own.flatMap(({ responds }) => responds))]
}

function offlineError(): BusError {
  return new BusError('unavailable', 'the relay cannot be reached just now', { stage: 'links' })
}

/** Waits so long, or until it is over. */
async function pause(platform: Platform, ms: number, over: AbortSignal): Promise<void> {
  let cancel = (): void => {}
  const passed = new Promise<void>((resolve) => {
    cancel = platform.timer(ms, resolve)
  })
  await Promise.race([passed, ended(over)])
  cancel()
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

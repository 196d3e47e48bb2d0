/**
 * The device as this context sees it: opens log and links when they are first needed, hands
 * batches to them, contends for leadership, and keeps the status. It knows the other stages by
 * their interfaces only; `bus.ts` gives it the real ones.
 */
import type { Batch, BatchSinks, Entry } from '../batch/batch.ts'
import type { Dispatch } from '../dispatch/dispatch.ts'
import { BusError, isBusError, toBusError } from '../errors.ts'
import { offsetOf } from '../event.ts'
import type { Link, LinkSource } from '../links/link.ts'
import type { Log, LogSource, LogState, OwnBatch, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type {
  Confirmation,
  PeerContexts,
  PeerEvents,
  RelaySession,
  RelaySource,
  SessionEvents,
  Waiters,
} from '../sync/sync.ts'
import type { Gap, StatusSnapshot, SystemEvents } from '../types.ts'
import type { Leadership, LeadershipOptions } from './leader.ts'
import { Store } from './status.ts'

/** The stages a device hands things to, made by `bus.ts`. */
export interface DeviceStages {
  readonly dispatcher: Dispatch
  readonly waiters: Waiters
  peers(events: PeerEvents): PeerContexts
  writer(log: Log): Writer
  contend(options: Omit<LeadershipOptions, 'platform'>): Leadership
  /** The log used where the one asked for does not open. */
  fallbackLog(): Log
  settleHandled(batch: Batch): void
}

export interface DeviceOptions {
  readonly name: string
  readonly platform: Platform
  readonly log: LogSource | undefined
  readonly tabs: LinkSource | undefined
  readonly relay: RelaySource | undefined
  readonly stages: DeviceStages
  readonly report: (error: BusError) => void
  readonly onGap: (gap: Gap) => void
  /** The gate opened: what was held can go. */
  readonly opened: () => void
  readonly publishSystem: <Type extends keyof SystemEvents>(
    type: Type,
    data: SystemEvents[Type],
  ) => void
}

/** A log that is not open after this long stops holding live delivery back. */
const LATE_MS = 1_000
/** Changes of the leader's state within this time go out as one beat. */
const BEAT_AFTER_MS = 20
/** How long a context without a relay waits before it tells where its batches stand. */
const TELL_AFTER_MS = 20
/** What buses without a log call theirs on a channel. */
const NO_LOG = 'none'

/** A batch and where it stands. */
interface Commit {
  readonly batch: Batch
  readonly number: number
  readonly record: OwnBatch
}

export class Device implements BatchSinks {
  gate: 'held' | 'late' | 'open' = 'held'
  readonly status: Store<StatusSnapshot>
  readonly #options: DeviceOptions
  readonly #peers: PeerContexts
  #opening: Promise<Log | undefined> | undefined
  #log: Log | undefined
  #writer: Writer | undefined
  #logId = NO_LOG
  #link: Link | undefined
  #leadership: Leadership | undefined
  #session: RelaySession | undefined
  #term = 0
  #head = 0
  #closed = false
  /** Record of the batch that is being handed on, between `commit` and `committed`. */
  readonly #records = new Map<Batch, OwnBatch>()
  #cancelBeat: (() => void) | undefined
  readonly #untold: Commit[] = []
  #cancelTell: (() => void) | undefined

  constructor(options: DeviceOptions) {
    this.#options = options
    this.status = new Store<StatusSnapshot>(
      {
        relay: options.relay ? 'connecting' : 'off',
        rtt: undefined,
        leader: false,
        log: { kind: options.log?.kind ?? 'none', state: 'closed', bytes: 0 },
        outbox: { pending: 0, refused: 0 },
        lastError: undefined,
      },
      (cause) =>
        options.report(
          new BusError('handler_failed', 'a subscriber of the status threw', {
            stage: 'device',
            cause,
          }),
        ),
    )
    this.#peers = options.stages.peers({
      deliver: (incoming, origin) => options.stages.dispatcher.incoming(incoming, origin),
      committed: (batch, roomEvents) => this.#grew(batch, roomEvents),
      sawTime: (time) => this.#writer?.sawTime(time),
      confirmed: (confirmation) => this.#confirmed(confirmation),
      beat: (frame) => {
        if (this.status.get().leader) return
        const { relay, rtt, code, pending, refused } = frame
        this.status.update({ relay, rtt, outbox: { pending, refused } })
        if (code === undefined || this.status.get().lastError?.code === code) return
        const text = `the relay refuses this device: ${code}`
        this.status.update({ lastError: new BusError(code, text, { stage: 'links' }) })
      },
      joined: () => this.#beatNow(),
      cast: (headers, data) => {
        const forRoom = headers.map((header) => header.scope !== 'device')
        const sent = headers.filter((_, i) => forRoom[i])
        if (sent.length > 0)
          this.#session?.cast(
            JSON.stringify(sent),
            data.filter((_, i) => forRoom[i]),
          )
      },
      report: (error) => this.#report(error),
    })
  }

  /** Opens log and links on first use; the log, or `undefined` for a bus without one. */
  open(): Promise<Log | undefined> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  /** The same, for those who are told of a failure by other means. */
  opening(): void {
    if (!this.#opening) this.open().catch(() => {})
  }

  async #open(): Promise<Log | undefined> {
    const { log: source, tabs, platform, name, relay } = this.#options
    const channel = `crosstown:${name}:${relay?.room ?? ''}`
    try {
      this.#link = tabs?.open(channel, platform)
      this.#link?.receive((text) => this.#peers.receive(text))
    } catch (error) {
      this.#report(
        toBusError(error, 'unreachable', 'the tabs link did not open', { stage: 'links' }),
      )
    }
    const late = platform.timer(LATE_MS, () => this.#setGate('late'))
    try {
      if (source) await this.#openLog(source)
    } finally {
      late()
      // Also when there is no log to be had: what waits for it is then rejected, not held.
      this.#setGate('open')
    }
    return this.#log
  }

  async #openLog(source: LogSource): Promise<void> {
    const { name, relay, platform, stages } = this.#options
    this.#logStatus('opening')
    let log = source.create(name, relay?.room ?? '', platform)
    let state: LogState
    try {
      state = await log.open()
    } catch (error) {
      const reason = toBusError(error, 'log_unavailable', 'the log did not open', { stage: 'log' })
      this.#report(reason)
      if (source.required) {
        this.#logStatus('closed')
        throw reason
      }
      log = stages.fallbackLog()
      state = await log.open()
    }
    if (this.#closed) {
      await log.close()
      throw new BusError('closed', 'the bus was closed while its log opened')
    }
    this.#log = log
    this.#logId = state.logId
    this.#writer = stages.writer(log)
    this.#writer.sawTime(state.head.time)
    this.#head = state.head.batch
    this.#logStatus('open')
    if (relay) this.status.update({ outbox: { pending: state.room.pending, refused: 0 } })
    this.#contend(log, state)
  }

  #contend(log: Log, state: LogState): void {
    const { name, relay, platform, stages } = this.#options
    // The browser stops a service worker after half a minute, sockets or not.
    if (platform.kind === 'service-worker') return
    const lock = log.shared ? `crosstown:${name}:${relay?.room ?? ''}` : `crosstown:${state.logId}`
    this.#leadership = stages.contend({
      name: lock,
      shared: log.shared,
      lead: (signal) => this.#lead(log, signal),
    })
  }

  #setGate(gate: 'late' | 'open'): void {
    if (this.gate === 'open' || this.#closed) return
    this.gate = gate
    if (gate === 'open') this.#peers.attach(this.#link, this.#logId)
    this.#options.opened()
  }

  async #lead(log: Log, signal: AbortSignal): Promise<void> {
    const { relay, platform } = this.#options
    try {
      const term = await log.takeTerm(platform.randomText(8))
      const state = await log.state()
      if (signal.aborted) return
      this.#term = term[0]
      this.#head = state.head.batch
      this.status.update({ leader: true })
      if (relay) {
        this.status.update({ outbox: { ...this.status.get().outbox, pending: state.room.pending } })
        const events = this.#sessionEvents()
        const writer = this.#writer as Writer
        this.#session = relay.session({ log, writer, term, platform, events })
        this.#session.start()
      }
      this.#beatSoon()
      await ended(signal)
    } catch (error) {
      this.#report(
        toBusError(error, 'log_failed', 'leadership could not be taken', { stage: 'device' }),
      )
      // Held on: letting go would only pass the same failure round and round.
      await ended(signal)
    } finally {
      const session = this.#session
      this.#session = undefined
      await session?.stop()
      this.status.update({ leader: false })
    }
  }

  #sessionEvents(): SessionEvents {
    return {
      state: (relay, error) => {
        this.status.update(error ? { relay, lastError: error } : { relay })
        this.#beatSoon()
      },
      rtt: (rtt) => {
        this.status.update({ rtt })
        this.#beatSoon()
      },
      committed: (number, record, runs, data, liveAfter) => {
        if (number === 0) return
        const frame = { batch: number, time: record.time, epoch: record.epoch, liveAfter, runs }
        this.#peers.postRoom(frame, data)
        this.#peers.room(frame, data)
        this.#logStatus('open')
      },
      cast: (frame, data) => {
        this.#peers.postRoomCast(frame.events, data)
        frame.events.forEach((header, i) => {
          this.#options.stages.dispatcher.incoming({ header, dataText: data[i] as string }, 'room')
        })
      },
      gap: (gap) => this.#options.onGap(gap),
      deposed: () => {
        this.#report(
          new BusError('stale_term', 'another context leads this device since', {
            stage: 'device',
          }),
        )
        void this.#session?.stop()
        this.#session = undefined
        this.status.update({ relay: 'offline' })
      },
      report: (error) => this.#report(error),
    }
  }

  // ── the pipeline's sinks ──

  commit(batch: Batch): Promise<number> | undefined {
    if (!this.#options.log || batch.persisted.length === 0) {
      this.#post(batch, undefined)
      return undefined
    }
    if (this.gate === 'open') return this.#write(batch)
    // While the log is late, a batch is posted when its commit begins.
    return this.open().then(() => this.#write(batch))
  }

  #write(batch: Batch): Promise<number> {
    const writer = this.#writer
    // There is no log to be had: opening it says why.
    if (!writer) return this.#opening as Promise<never>
    try {
      const record = writer.record(batch.persisted)
      this.#records.set(batch, record)
      return writer.write(record, () => this.#post(batch, record))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #post(batch: Batch, record: OwnBatch | undefined): void {
    this.#peers.post(batch, record)
    const session = this.#session
    if (!session || batch.casts.length === 0) return
    const casts = batch.casts.filter((entry) => entry.event.scope === 'room')
    if (casts.length === 0) return
    session.cast(
      `[${casts.map((entry) => entry.headerText).join()}]`,
      casts.map((entry) => entry.dataText),
    )
  }

  deliver(batch: Batch): void {
    const { dispatcher } = this.#options.stages
    for (const entry of batch.entries) dispatcher.own(entry.event, entry.ticket.handled)
  }

  committed(batch: Batch, number: number | undefined): void {
    const { relay, stages } = this.#options
    const record = this.#records.get(batch)
    this.#records.delete(batch)
    if (number !== undefined && record) {
      for (let i = 0; i < batch.persisted.length; i++) {
        ;(batch.persisted[i] as Entry).event.offset = offsetOf(number, i)
      }
    }
    let waiting = false
    for (const { ticket } of batch.entries) {
      if (ticket.until === 'logged' || ticket.until === 'accepted') ticket.resolve()
      else waiting = true
    }
    if (waiting) stages.settleHandled(batch)
    if (number === undefined || !record) return
    if (relay && stages.waiters.add(number, batch.persisted)) void this.#lookUp(number)
    this.#tell({ batch, number, record })
    this.#grew(number, record.roomEvents)
    this.#logStatus('open')
  }

  /**
   * Tells the others where the batch stands: at once where a leader waits to send it on, else a
   * little later, out of the way of the events themselves.
   */
  #tell(commit: Commit): void {
    this.#untold.push(commit)
    if (this.#options.relay) this.#tellNow()
    else this.#cancelTell ??= this.#options.platform.timer(TELL_AFTER_MS, () => this.#tellNow())
  }

  #tellNow(): void {
    this.#cancelTell?.()
    this.#cancelTell = undefined
    for (const { batch, number, record } of this.#untold.splice(0)) {
      this.#peers.postCommitted(batch, number, record)
    }
  }

  failed(batch: Batch, error: unknown): void {
    const reason = toBusError(error, 'log_failed', 'the batch could not be written', {
      stage: 'log',
    })
    this.#records.delete(batch)
    this.#peers.postWithdrawn(batch, reason)
    this.status.update({ lastError: reason })
    // A `publishBatch` has one ticket, which fails with any of its events.
    const lost = new Set(batch.persisted.map((entry) => entry.ticket))
    for (const ticket of lost) {
      if (ticket.until === 'accepted') this.#options.report(reason)
      else ticket.reject(reason)
    }
    for (const { ticket } of batch.entries) {
      if (!lost.has(ticket) && !ticket.handled) ticket.resolve()
    }
    this.#options.stages.settleHandled(batch)
  }

  /** The confirmation may have been committed before this context heard of its own commit. */
  async #lookUp(batch: number): Promise<void> {
    try {
      const found = await this.#log?.placement(batch)
      if (found) this.#options.stages.waiters.confirm({ ...found, refused: found.refused ?? [] })
    } catch (error) {
      this.#report(
        toBusError(error, 'log_failed', 'a confirmation could not be looked up', { stage: 'sync' }),
      )
    }
  }

  #grew(batch: number, roomEvents: number): void {
    this.#head = Math.max(this.#head, batch)
    if (!this.#session || roomEvents === 0) return
    const { outbox } = this.status.get()
    this.status.update({ outbox: { ...outbox, pending: outbox.pending + roomEvents } })
    this.#session.outboxGrew(batch)
    this.#beatSoon()
  }

  #confirmed(confirmation: Confirmation): void {
    this.#options.stages.waiters.confirm(confirmation)
    if (!this.#session) return
    const { outbox } = this.status.get()
    const done = confirmation.indexes.length + confirmation.refused.length
    this.status.update({
      outbox: {
        pending: Math.max(0, outbox.pending - done),
        refused: outbox.refused + confirmation.refused.length,
      },
    })
    this.#beatSoon()
    if (confirmation.refused.length > 0) void this.#tellRefused(confirmation)
  }

  async #tellRefused({ batch, refused }: Confirmation): Promise<void> {
    try {
      const [record] = (await this.#log?.read(batch, 1)) ?? []
      for (const [index, code] of refused) {
        const header = record?.batch === batch ? record.headers[index] : undefined
        if (!header) continue
        const data = { id: header.id, type: header.type, code, offset: offsetOf(batch, index) }
        this.#options.publishSystem('$event.refused', data)
      }
    } catch (error) {
      this.#report(
        toBusError(error, 'log_failed', 'a refused event could not be read', { stage: 'sync' }),
      )
    }
  }

  #beatSoon(): void {
    if (!this.status.get().leader || this.#cancelBeat) return
    this.#cancelBeat = this.#options.platform.timer(BEAT_AFTER_MS, () => this.#beatNow())
  }

  #beatNow(): void {
    this.#cancelBeat?.()
    this.#cancelBeat = undefined
    const { leader, relay, rtt, outbox, lastError } = this.status.get()
    if (!leader || this.#closed) return
    this.#peers.postBeat({
      term: this.#term,
      head: this.#head,
      relay,
      ...(rtt === undefined ? undefined : { rtt }),
      ...(relay === 'refused' && lastError ? { code: lastError.code } : undefined),
      ...outbox,
    })
  }

  #logStatus(state: StatusSnapshot['log']['state']): void {
    const kind = this.#log?.kind ?? this.#options.log?.kind ?? 'none'
    this.status.update({ log: { kind, state, bytes: this.#writer?.bytes ?? 0 } })
  }

  #report(error: BusError): void {
    if (this.#closed && isBusError(error, 'closed')) return
    this.status.update({ lastError: error })
    this.#options.report(error)
  }

  /** Gives up leadership, then closes log and link. What was not committed must be settled before. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelBeat?.()
    await this.#opening?.catch(() => {})
    this.#tellNow()
    await this.#leadership?.release()
    await this.#log?.close()
    await this.#link?.close()
    if (this.#options.log) this.#logStatus('closed')
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

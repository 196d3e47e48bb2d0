/**
 * The device as this context sees it: opens log and links when they are first needed, contends
 * for leadership, and keeps the status. It knows the other stages by their interfaces only;
 * `bus.ts` gives it the real ones.
 */
import type { Batch, BatchSinks } from '../batch/batch.ts'
import type { Dispatch } from '../dispatch/dispatch.ts'
import { BusError, isBusError, toBusError } from '../errors.ts'
import type { Link, LinkSource } from '../links/link.ts'
import type { Log, LogSource, LogState, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { PeerContexts, PeerEvents, RelaySource, Waiters } from '../sync/sync.ts'
import type { Gap, StatusSnapshot, SystemEvents } from '../types.ts'
import { HandOver } from './hand-over.ts'
import { Lead } from './lead.ts'
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
/** What buses without a log call theirs on a channel. */
const NO_LOG = 'none'

export class Device {
  readonly status: Store<StatusSnapshot>
  readonly #options: DeviceOptions
  readonly #peers: PeerContexts
  readonly #lead: Lead
  readonly #handOver: HandOver
  #opening: Promise<Log | undefined> | undefined
  #log: Log | undefined
  #writer: Writer | undefined
  #logId = NO_LOG
  #link: Link | undefined
  #leadership: Leadership | undefined
  /** Term of the last beat: another leader may have died before it told what it knew. */
  #seenTerm = 0
  #closed = false

  constructor(options: DeviceOptions) {
    const { platform, log, relay, stages, publishSystem } = options
    this.#options = options
    this.status = new Store<StatusSnapshot>(
      {
        relay: relay ? 'connecting' : 'off',
        rtt: undefined,
        leader: false,
        log: { kind: log?.kind ?? 'none', state: 'closed', bytes: 0 },
        outbox: { pending: 0, refused: 0 },
        lastError: undefined,
      },
      (cause) => {
        const what = 'a subscriber of the status threw'
        options.report(new BusError('handler_failed', what, { stage: 'device', cause }))
      },
    )
    this.#peers = stages.peers(this.#peerEvents())
    const shared = {
      platform,
      dispatcher: stages.dispatcher,
      peers: this.#peers,
      written: () => this.#logStatus('open'),
      report: (error: BusError) => this.#report(error),
    }
    this.#lead = new Lead({
      ...shared,
      relay,
      status: this.status,
      confirmThrough: (batch) => this.#handOver.confirmThrough(batch),
      onGap: (gap) => this.#tellGap(gap),
      publishSystem,
    })
    this.#handOver = new HandOver({
      ...shared,
      waiters: stages.waiters,
      hasLog: log !== undefined,
      hasRelay: relay !== undefined,
      log: () => this.#log,
      writer: () => this.#writer,
      open: () => this.open(),
      cast: (headers, data) => this.#lead.cast(headers, data),
      grew: (batch, roomEvents) => this.#lead.grew(batch, roomEvents),
      failed: (lastError) => this.status.update({ lastError }),
      settleHandled: (batch) => stages.settleHandled(batch),
    })
  }

  /** Where the pipeline hands its batches. */
  get sinks(): BatchSinks {
    return this.#handOver
  }

  #peerEvents(): PeerEvents {
    const { dispatcher, waiters } = this.#options.stages
    return {
      deliver: (incoming, origin) => dispatcher.incoming(incoming, origin),
      past: (incoming) => dispatcher.past(incoming),
      committed: (batch, roomEvents) => this.#lead.grew(batch, roomEvents),
      sawTime: (time) => this.#writer?.sawTime(time),
      confirmed: (confirmation) => {
        waiters.confirm(confirmation)
        this.#lead.confirmed(confirmation)
      },
      beat: (frame) => {
        if (this.status.get().leader) return
        const { relay, rtt, code, pending, refused, term } = frame
        if (term !== this.#seenTerm) this.#handOver.lookUpAll()
        this.#seenTerm = term
        this.status.update({ relay, rtt, outbox: { pending, refused } })
        if (frame.confirmed !== undefined) this.#handOver.confirmThrough(frame.confirmed)
        if (code === undefined || this.status.get().lastError?.code === code) return
        const text = `the relay refuses this device: ${code}`
        this.status.update({ lastError: new BusError(code, text, { stage: 'links' }) })
      },
      gap: (gap) => this.#tellGap(gap),
      joined: () => this.#lead.beatNow(),
      cast: (headers, data) => {
        const forRoom = headers.map((header) => header.scope !== 'device')
        const sent = headers.filter((_, i) => forRoom[i])
        const texts = data.filter((_, i) => forRoom[i])
        if (sent.length > 0) this.#lead.cast(JSON.stringify(sent), texts)
      },
      report: (error) => this.#report(error),
    }
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
    const { log: source, tabs, platform } = this.#options
    try {
      this.#link = tabs?.open(this.#channel, platform)
      this.#link?.receive((text) => this.#peers.receive(text))
    } catch (error) {
      const what = 'the tabs link did not open'
      this.#report(toBusError(error, 'unreachable', what, { stage: 'links' }))
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

  /** Log, channel and lock of a device are named alike. */
  get #channel(): string {
    return `crosstown:${this.#options.name}:${this.#options.relay?.room ?? ''}`
  }

  async #openLog(source: LogSource): Promise<void> {
    const { name, relay, platform, stages } = this.#options
    this.#logStatus('opening')
    let log = source.create(name, relay?.room ?? '', platform)
    let state: LogState
    try {
      state = await log.open(relay !== undefined)
    } catch (error) {
      const reason = toBusError(error, 'log_unavailable', 'the log did not open', { stage: 'log' })
      this.#report(reason)
      if (source.required) {
        this.#logStatus('closed')
        throw reason
      }
      log = stages.fallbackLog()
      state = await log.open(relay !== undefined)
    }
    if (this.#closed) {
      await log.close()
      throw new BusError('closed', 'the bus was closed while its log opened')
    }
    this.#log = log
    this.#logId = state.logId
    this.#writer = stages.writer(log)
    this.#writer.sawTime(state.head.time)
    this.#logStatus('open')
    if (relay) this.status.update({ outbox: { pending: state.room.pending, refused: 0 } })
    this.#contend(log, this.#writer)
  }

  #contend(log: Log, writer: Writer): void {
    const { platform, stages } = this.#options
    // The browser stops a service worker after half a minute, sockets or not.
    if (platform.kind === 'service-worker') return
    this.#leadership = stages.contend({
      name: log.shared ? this.#channel : log.storage,
      shared: log.shared,
      lead: (signal) => this.#lead.run(log, writer, signal),
    })
  }

  #setGate(gate: 'late' | 'open'): void {
    if (this.#handOver.gate === 'open' || this.#closed) return
    this.#handOver.gate = gate
    if (gate === 'open') this.#peers.attach(this.#link, this.#logId)
    this.#options.opened()
  }

  #logStatus(state: StatusSnapshot['log']['state']): void {
    const kind = this.#log?.kind ?? this.#options.log?.kind ?? 'none'
    this.status.update({ log: { kind, state, bytes: this.#writer?.bytes ?? 0 } })
  }

  #tellGap(gap: Gap): void {
    try {
      this.#options.onGap(gap)
    } catch (cause) {
      this.#report(new BusError('handler_failed', 'onGap threw', { stage: 'sync', cause }))
    }
  }

  #report(error: BusError): void {
    if (this.#closed && isBusError(error, 'closed')) return
    this.status.update({ lastError: error })
    this.#options.report(error)
  }

  /** Gives up leadership, then closes log and link. What was not committed must be settled before. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#opening?.catch(() => {})
    this.#handOver.tellNow()
    await this.#leadership?.release()
    await this.#log?.close()
    await this.#link?.close()
    if (this.#options.log) this.#logStatus('closed')
  }
}

/**
 * The device as this context sees it: opens log and links when they are first needed, ties log,
 * leadership and the life of the page together, and keeps the status. It knows the other stages by
 * their interfaces only; `bus.ts` gives it the real ones.
 */
import type { BatchSinks } from '../batch/batch.ts'
import { BusError, isBusError, toBusError } from '../errors.ts'
import type { Link } from '../links/link.ts'
import type { Log, LogSource, LogState } from '../log/log.ts'
import type { Requests } from '../request/requests.ts'
import type { MemberFrame, PeerContexts, Presence } from '../sync/sync.ts'
import type { Gap, LeaderSnapshot, StatusSnapshot } from '../types.ts'
import { Alive } from './alive.ts'
import { Candidate } from './candidate.ts'
import { GroupWay } from './group-way.ts'
import { HandOver } from './hand-over.ts'
import { Lead, type OutboxSize } from './lead.ts'
import { followLifecycle } from './lifecycle.ts'
import { Linked, NO_LOG } from './linked.ts'
import { LogKeeper } from './log-keeper.ts'
import { News } from './news.ts'
import type { DeviceOptions } from './options.ts'
import { Store } from './status.ts'
import { Upkeep } from './upkeep.ts'

/** A log that is not open after this long stops holding live delivery back. */
const LATE_MS = 1_000
/** What a context without a log has of one. */
const GUEST = { log: undefined, past: 0, renewed: false } as const

export class Device {
  readonly status: Store<StatusSnapshot>
  readonly leader: Store<LeaderSnapshot>
  readonly presence: Presence
  readonly requests: Requests
  /** Of the log that is open, or was last. */
  identity: { readonly log: string; readonly device: string } | undefined
  readonly #options: DeviceOptions
  readonly #alive: Alive
  readonly #news: News
  readonly #peers: PeerContexts
  readonly #linked: Linked
  readonly #groups: GroupWay
  readonly #lead: Lead
  readonly #handOver: HandOver
  readonly #outbox: OutboxSize = { bytes: 0 }
  readonly #candidate: Candidate
  /** Absent for a bus without a log. */
  readonly #keeper: LogKeeper | undefined
  #used = false
  #link: Link | undefined
  #unfollow: (() => void) | undefined
  #cancelLate: (() => void) | undefined
  /** Lets the log go on after the page stood still. */
  #goOn: (() => void) | undefined
  #closed = false

  constructor(options: DeviceOptions) {
    const { platform, prefix, log, relay, stages, publishSystem } = options
    this.#options = options
    const threw = (what: string) => (cause: unknown) =>
      options.report(new BusError('handler_failed', `${what} threw`, { stage: 'device', cause }))
    this.status = new Store<StatusSnapshot>(
      {
        relay: relay ? 'connecting' : 'off',
        rtt: undefined,
        leader: false,
        log: { kind: log?.kind ?? 'none', state: 'closed', bytes: 0 },
        outbox: { pending: 0, refused: 0 },
        lastError: undefined,
      },
      threw('a subscriber of the status'),
    )
    this.leader = new Store<LeaderSnapshot>(
      { self: false, present: false },
      threw('a subscriber of leader'),
    )
    this.presence = stages.presence({
      post: (frame, to) =>
        this.#linked.tellPresent({ frame: 'present', log: this.#logId, ...frame }, to),
      changed: (contexts) => {
        this.#lead.tellPresent()
        this.#groups.present(contexts)
      },
      moved: () => {
        this.requests.review()
        this.#alive.review()
      },
      threw: threw('a subscriber of presence'),
    })
    this.#alive = new Alive({
      platform,
      prefix,
      presence: this.presence,
      leads: () => this.status.get().leader,
    })
    this.requests = stages.requests({
      contexts: () => this.presence.contexts,
      leads: () => this.status.get().leader,
      hasRelay: relay !== undefined,
      isGuest: log === undefined,
      refused: () => this.#refusal,
      responds: (types) => this.presence.responds(types),
      post: (frame, data) => this.#linked.tellAsked({ log: this.#logId, ...frame }, data),
      send: (...said) => this.#lead.ask(...said),
      ping: () => this.#lead.ping(),
    })
    this.#keeper = log && this.#makeKeeper(log)
    this.#linked = this.#makeLinked()
    this.#groups = new GroupWay({
      prefix,
      members: stages.members,
      peers: () => this.#peers,
      leads: () => this.status.get().leader,
      send: (frame) => this.#lead.member(frame),
    })
    this.#news = new News({
      taps: options.taps,
      status: this.status,
      outbox: this.#outbox,
      waiters: stages.waiters,
      linked: this.#linked,
      groups: this.#groups,
      members: stages.members,
      peers: () => this.#peers,
      lead: () => this.#lead,
      candidate: () => this.#candidate,
      handOver: () => this.#handOver,
      sawTime: (time) => this.#keeper?.writer?.sawTime(time),
      gap: (gap) => this.#tellGap(gap),
      changed: options.changed,
      report: (error) => this.#report(error),
    })
    this.#peers = stages.peers(this.#news)
    const shared = {
      platform,
      taps: options.taps,
      dispatcher: this.#linked.dispatcher,
      peers: this.#peers,
      written: () => this.#logStatus(this.status.get().log.state),
      report: (error: BusError) => this.#report(error),
    }
    this.#lead = new Lead({
      ...shared,
      relay,
      outbox: this.#outbox,
      upkeep: new Upkeep({
        platform,
        retention: options.retention,
        outbox: relay !== undefined,
        report: shared.report,
      }),
      status: this.status,
      presence: this.presence,
      groups: this.#groups,
      confirmThrough: (batch) => this.#handOver.confirmThrough(batch),
      requests: () => this.requests,
      leads: (self) => this.#candidate.leads(self),
      changed: options.changed,
      inspection: options.inspection,
      onGap: (gap) => this.#tellGap(gap),
      publishSystem,
    })
    this.#handOver = new HandOver({
      ...shared,
      waiters: stages.waiters,
      linked: this.#linked,
      hasLog: log !== undefined,
      hasRelay: relay !== undefined,
      log: () => this.#keeper?.log,
      writer: () => this.#keeper?.writer,
      logId: () => this.#keeper?.id,
      open: () => this.open(),
      casts: () => this.#lead.casts,
      cast: (headers, data) => this.#lead.cast(headers, data),
      logged: options.logged,
      grew: (...grown) => this.#lead.grew(...grown),
      failed: (lastError) => this.status.update({ lastError }),
      settleHandled: (batch) => stages.settleHandled(batch),
      withExpected: (...asked) => stages.withExpected(...asked),
    })
    this.#candidate = new Candidate({
      platform,
      prefix,
      peers: this.#peers,
      leader: this.leader,
      takeTurn: stages.takeTurn,
      lead: async (opened, signal) => {
        const writer = this.#keeper?.writer
        if (writer) await this.#lead.run(opened, writer, signal)
      },
      beat: () => this.#lead.beatNow(),
      // What the last leader said is true no longer.
      unled: () => relay && this.status.update({ relay: 'offline', rtt: undefined }),
      report: shared.report,
    })
    this.leader.subscribe(({ self }) => this.presence.leads(self))
  }

  /** Whether what waits for the relay alone fills the log. */
  get outboxFull(): boolean {
    const { pending } = this.status.get().outbox
    const { retention } = this.#options
    return pending >= retention.events || this.#outbox.bytes >= retention.bytes
  }

  /** Whether it is known that nobody keeps what this context publishes. */
  get nobodyKeepsLog(): boolean {
    return this.#linked.isAlone
  }

  /** What a member of a group in this context says to the relay. */
  member(frame: MemberFrame): void {
    this.#groups.say(frame)
  }

  /** Whether this context leads, or can speak to who does. */
  get hasWay(): boolean {
    return this.status.get().leader || this.#peers.linked
  }

  /** Why the relay will not have this device. */
  get #refusal(): BusError | undefined {
    const { relay, lastError } = this.status.get()
    return relay === 'refused' ? lastError : undefined
  }

  /** Where the pipeline hands its batches. */
  get sinks(): BatchSinks {
    return this.#handOver
  }

  /**
   * Opens log and links on first use; the log, or `undefined` for a bus without one.
   *
   * @throws {BusError} closed
   */
  async open(): Promise<Log | undefined> {
    if (!this.#used) {
      // What came late is not closed by anybody.
      if (this.#closed) throw new BusError('closed', 'the bus was closed')
      this.#used = true
      this.#openLink()
      this.#unfollow = followLifecycle(this.#options.platform.lifecycle, {
        settle: () => this.#settle(),
        handOver: () => this.#handLeadershipOver(),
        suspend: () => this.#suspend(),
        resume: () => this.#resume(),
        wake: () => this.#wake(),
        changed: () => this.#candidate.changed(),
      })
      this.#linked.open()
      if (!this.#keeper) {
        this.#attach(NO_LOG, 0, false)
        this.#attached(undefined)
      }
    }
    return this.#keeper?.open()
  }

  /** The same, for those who are told of a failure by other means. */
  opening(): void {
    if (!this.#used) this.open().catch(() => {})
  }

  #openLink(): void {
    const { tabs, platform } = this.#options
    try {
      this.#link = tabs?.open(this.#channel, platform)
      this.#link?.receive((text) => this.#peers.receive(text))
    } catch (error) {
      const what = 'the tabs link did not open'
      this.#report(toBusError(error, 'unreachable', what, { stage: 'links' }))
    }
  }

  #makeLinked(): Linked {
    const { platform, prefix, name, links, log, stages } = this.#options
    return new Linked({
      platform,
      taps: this.#options.taps,
      prefix,
      name,
      stages,
      sources: links,
      hasLog: log !== undefined,
      dispatcher: stages.dispatcher,
      waiters: stages.waiters,
      peers: () => this.#peers,
      // What stands in for a log is gone with its context: nobody else's events belong there.
      keeper: () => (this.#keeper?.standsIn ? undefined : this.#keeper?.opened),
      leads: () => this.status.get().leader,
      present: (frame, byLink) => {
        const way = frame.log === this.#logId ? 'log' : 'tabs'
        this.presence.heard(frame, byLink ? 'links' : way)
      },
      moved: (id) => this.#hostMoved(id),
      silent: (silent) => this.#hostSilent(silent),
      asked: (...said) => this.requests.heard(...said),
      outboxFull: () => this.#options.relay !== undefined && this.outboxFull,
      confirmed: () => this.#lead.confirmedThrough,
      cast: (headers, data) => this.#lead.cast(headers, data),
      report: (error) => this.#report(error),
    })
  }

  /** The log in which this context's events are. */
  get #logId(): string {
    return this.#keeper?.id ?? this.#linked.hostLog ?? NO_LOG
  }

  /** Log, channel and lock of a device are named alike. */
  get #channel(): string {
    return `crosstown:${this.#options.name}:${this.#options.relay?.room ?? ''}`
  }

  #makeKeeper(source: LogSource): LogKeeper {
    const { name, relay, platform, stages } = this.#options
    return new LogKeeper({
      source,
      platform,
      name,
      room: relay?.room ?? '',
      outbox: relay !== undefined,
      writer: (log) => stages.writer(log),
      hosted: () => this.#hosted(),
      fallback: () => stages.fallbackLog(),
      opened: (state, renewed) => this.#logOpened(state, renewed),
      left: (reason) => this.#logLeft(reason),
      state: (state) => this.#logState(state),
      report: (error) => this.#report(error),
    })
  }

  /** Commits wait while the log opens; live delivery does so for a moment only. */
  #logState(state: StatusSnapshot['log']['state']): void {
    this.#logStatus(state)
    if (this.#closed) return
    if (state === 'opening') {
      this.#handOver.gate = 'held'
      this.#cancelLate ??= this.#options.platform.timer(LATE_MS, () => this.#setGate('late'))
    } else if (state === 'closed') {
      // There is no log to be had: what waits for it is rejected, not held.
      this.#setGate('open')
    }
  }

  #logOpened(state: LogState, renewed: boolean): void {
    const { relay } = this.#options
    this.identity = { log: state.logId, device: state.device.id }
    if (renewed) this.#startAnew(clearedError())
    if (relay) {
      const { refused } = this.status.get().outbox
      const { pending, pendingBytes } = state.room
      this.#outbox.bytes = pendingBytes
      this.status.update({ outbox: { pending, refused } })
    }
    this.#attach(state.logId, state.head.batch, renewed)
    this.#options.changed()
    this.#attached(state.device.id)
    this.#takePart()
  }

  /** Whether the leader of the device keeps what this context persists. */
  async #hosted(): Promise<boolean> {
    if (!this.#link) return false
    this.#peers.attach(this.#link, { ...GUEST, id: NO_LOG, seeking: true })
    const id = await this.#linked.probe()
    if (id === undefined) return false
    this.#peers.attach(this.#link, { ...GUEST, id })
    this.#linked.named(NO_LOG)
    this.#attached(undefined)
    this.#takePart()
    return true
  }

  /** The log of the host was cleared. */
  #hostMoved(id: string): void {
    this.#startAnew(clearedError())
    this.#peers.attach(this.#link, { ...GUEST, id })
    this.#candidate.ask()
  }

  /** Commits wait for a host that is silent; live delivery does not. */
  #hostSilent(silent: boolean): void {
    if (this.#closed || this.#handOver.gate !== (silent ? 'open' : 'late')) return
    this.#handOver.gate = silent ? 'late' : 'open'
    this.#options.opened()
  }

  #attached(device: string | undefined): void {
    this.presence.attached(device)
    if (this.#link) this.#alive.begin()
    this.requests.attached(!this.#link && this.#options.links.length === 0)
  }

  /** `past` is the newest record that was there when the log was opened. */
  #attach(id: string, past: number, renewed: boolean): void {
    const log = this.#keeper?.log
    this.#linked.named(this.#linked.hostLog === undefined ? id : NO_LOG)
    this.#peers.attach(this.#link, { id, log, past: renewed ? 0 : past, renewed })
    this.#setGate('open')
  }

  #logLeft(reason: BusError | undefined): Promise<void> {
    this.#handOver.gate = 'held'
    this.#peers.detach()
    if (reason?.code === 'log_cleared') {
      this.#handOver.cleared()
      this.#options.cleared(reason)
      this.#startAnew(reason)
    }
    return this.#candidate.stop(reason === undefined)
  }

  /** The log is another one: what was known of the last one is true no longer. */
  #startAnew(reason: BusError): void {
    const { relay, stages, taps } = this.#options
    taps.tap?.life('cleared')
    stages.waiters.abandon(reason)
    this.#options.renewed()
    this.#news.startAnew()
    if (!relay) return
    this.status.update({ relay: 'connecting', outbox: { pending: 0, refused: 0 } })
  }

  #setGate(gate: 'late' | 'open'): void {
    if (gate === 'open') {
      this.#cancelLate?.()
      this.#cancelLate = undefined
    }
    if (this.#handOver.gate === 'open' || this.#closed) return
    this.#handOver.gate = gate
    this.#options.opened()
  }

  #logStatus(state: StatusSnapshot['log']['state']): void {
    const chosen = this.#linked?.isGuest ? undefined : this.#options.log?.kind
    const kind = this.#keeper?.log?.kind ?? chosen ?? 'none'
    this.status.update({ log: { kind, state, bytes: this.#keeper?.bytes ?? 0 } })
  }

  #settle(): void {
    this.#options.settle()
    this.#handOver.tellNow()
  }

  #handLeadershipOver(): void {
    this.#options.stages.members.leave()
    this.presence.leave()
    this.#alive.end()
    void this.#candidate.stop(true)
    this.#candidate.goodbye()
    this.#goOn = this.#keeper?.log?.halt?.()
  }

  #suspend(): void {
    this.#keeper?.suspend()
    void this.#link?.close()
    this.#link = undefined
  }

  #resume(): void {
    this.#openLink()
    if (this.#keeper?.suspended) {
      this.#keeper.resume()
      return
    }
    this.#attach(this.#logId, 0, false)
    this.#wake()
  }

  #wake(): void {
    this.#goOn?.()
    this.#goOn = undefined
    this.#takePart()
    this.#options.changed()
    this.presence.back()
    if (this.#link) this.#alive.begin()
    void this.#peers.look()
    this.#linked.inquire()
  }

  #takePart(): void {
    const log = this.#keeper?.log
    if (this.#closed) return
    this.#options.stages.members.back()
    if (log) this.#candidate.start(log, log.shared ? this.#channel : log.storage)
    else if (this.#linked.hostLog !== undefined) this.#candidate.follow()
  }

  #tellGap(gap: Gap): void {
    this.#options.taps.tap?.gap(gap)
    try {
      this.#options.onGap(gap)
    } catch (cause) {
      this.#report(new BusError('handler_failed', 'onGap threw', { stage: 'sync', cause }))
    }
  }

  #report(error: BusError): void {
    // It was closed here: for good, or because the page is put away.
    if (isBusError(error, 'closed')) return
    this.status.update({ lastError: error })
    this.#options.report(error)
  }

  /**
   * Deletes the log, for all its contexts; resolves when the next one is open here.
   *
   * @throws {BusError} log_unavailable, log_failed
   */
  async clear(): Promise<void> {
    if (!this.#used) await this.open()
    await this.#keeper?.clear()
  }

  /** Gives up leadership, then closes log and link. What was not committed must be settled before. */
  async close(): Promise<void> {
    this.#closed = true
    this.#unfollow?.()
    this.#cancelLate?.()
    this.#handOver.tellNow()
    this.requests.close()
    this.presence.close()
    this.#alive.end()
    await this.#candidate.stop()
    if (this.#used) this.#candidate.goodbye()
    await this.#keeper?.close()
    await this.#linked.close()
    await this.#link?.close()
    this.leader.update({ present: false })
    if (this.#options.log) this.#logStatus('closed')
  }
}

function clearedError(): BusError {
  return new BusError('log_cleared', 'the log was cleared', { stage: 'log' })
}

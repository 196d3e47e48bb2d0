/**
 * One room in this process. Commands queue; while an append is in flight the next ones gather, and
 * are decided together into the next append. Replies and records leave only when it is committed.
 *
 * ```
 * command -> queue -> decide (room.ts) -> store.append -> commit -> replies, then broadcast
 *                       ^------ head moved: read again ----'
 * ```
 */
import {
  BusError,
  deviceName,
  type EventHeader,
  type Present,
  typeMatcher,
} from '@crosstown/bus/protocol'
import type {
  AdmittedReply,
  Decision,
  DeviceRow,
  HelloCommand,
  PostCommand,
  PostedReply,
  PublishCommand,
  Reply,
  RoomState,
} from './commands.ts'
import { countDecision } from './counting.ts'
import { Delivery, type Member } from './delivery.ts'
import type { Ask } from './group/asks.ts'
import { Groups } from './group/groups.ts'
import { inspectedGroups } from './group/inspected.ts'
import { GroupOperator } from './group/operate.ts'
import { Bucket, costOf } from './guard/bucket.ts'
import { TooMuch } from './guard/too-much.ts'
import { loadHeads } from './heads.ts'
import { RoomInspection } from './inspect/room.ts'
import { completeAll, decidable, type Waiting } from './known.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import type { Meter } from './metrics.ts'
import type { Nodes } from './node/nodes.ts'
import { RoomNode, type RoomParts } from './node/room-node.ts'
import type { Platform } from './platform.ts'
import { Presence, type Viewer } from './presence.ts'
import { headPosition, type RoomHead, type RoomRecord, START } from './record.ts'
import { type Caller, Requests } from './requests.ts'
import { headText, STREAM_KEY } from './revisions.ts'
import { commit, countLog, decide, isWrite } from './room.ts'
import { DEVICE_KEY, type LoadedRoom, type StatePut, type Store } from './stores/store.ts'

/** What a room needs of its relay. */
export interface HostContext {
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  readonly meter: Meter
  readonly log?: Log
  /** The other relays on this store; absent where there can be none. */
  readonly nodes?: Nodes | undefined
  readonly report: (error: unknown, room: string) => void
  /** Hears of what was committed. */
  readonly grew?: (room: string, records: readonly RoomRecord[], head: RoomHead) => void
  /** Hears that a room is another one, or an older copy of what it was. */
  readonly restored?: (room: string) => void
}

interface Entry {
  readonly command: Waiting
  /** When it came, by the clock that nobody sets. */
  readonly cameMs: number
  readonly bytes: number
  readonly settles?: readonly number[]
  readonly done: (reply: Reply | BusError) => void
}

/** Lost races for one append before its senders are told to come again. */
const MAX_RACES = 20
/** When a sender may try again after the store failed. */
const RETRY_AFTER_MS = 1_000
const EPOCH_LENGTH = 12
const PREFIX_LENGTH = 12
/** Matchers kept for distinct publish rights. */
const PUBLISH_MEMO = 1_000

/** A room: its queue, its state, its connections. */
export class RoomHost implements RoomParts {
  readonly room: string
  readonly delivery: Delivery
  readonly presence: Presence
  readonly requests: Requests
  readonly inspection: RoomInspection
  readonly groups: Groups
  /** Absent where no other relay can serve it. */
  readonly node: RoomNode | undefined
  readonly #context: HostContext
  readonly #rate: Bucket
  /** Of its own, so that what nobody keeps takes nothing from what is to be kept. */
  readonly #castRate: Bucket
  readonly #publishRights = new Map<string, (type: string) => boolean>()
  #state: RoomState | undefined
  /** Where the room stood when its state was last known; kept while that is read again. */
  #head: RoomHead | undefined
  #queue: Entry[] = []
  #queuedBytes = 0
  #running = false
  #woken = false
  /** Whether there is more for sure. */
  #sure = false
  #doubted = false
  #closing = false
  #deleting: Promise<boolean> | undefined
  #users = 0
  #idle: (() => void)[] = []
  #stopReading: (() => void) | undefined

  constructor(room: string, context: HostContext) {
    this.room = room
    this.#context = context
    const { limits, nodes, platform, store } = context
    this.node = nodes && new RoomNode({ nodes, store, limits, platform }, this)
    const { shared } = this.node ?? {}
    this.presence = new Presence({ limits, platform, claims: shared?.claims })
    this.requests = new Requests({ limits, platform, others: shared })
    this.#rate = new Bucket(limits.roomRate, platform.monotonic())
    this.#castRate = new Bucket(limits.roomRate, platform.monotonic())
    const queued = (): number => this.#queue.length
    this.groups = new Groups({
      room,
      store,
      limits,
      platform,
      nodes,
      meter: context.meter,
      report: (error) => context.report(error, room),
      head: () => this.head,
      wake: () => {
        if (this.#isShut) return false
        this.#start()
        return true
      },
      reads: (patterns) => this.delivery.rights(patterns, undefined).mayRead,
      tap: () => this.inspection.tap,
      log: context.log,
    })
    const operator = new GroupOperator(this.groups, store, room)
    const groups = inspectedGroups(this.groups, operator, async () => {
      await this.open()
      return this.head.place
    })
    this.inspection = new RoomInspection({ room, limits, platform, store, queued, groups })
    this.delivery = new Delivery({
      room,
      store: context.store,
      limits: context.limits,
      platform: context.platform,
      report: (error) => context.report(error, room),
      head: () => this.head,
      inspection: this.inspection,
      meter: context.meter,
    })
  }

  /** The room's head, as far as this process knows; only after a command was answered. */
  get head(): RoomHead {
    if (!this.#head) throw new BusError('unavailable', 'the room was not read yet')
    return this.#head
  }

  /** The room's head, as far as this process knows; absent where it was not read yet. */
  get known(): RoomHead | undefined {
    return this.#head
  }

  /** The position of the head; absent where the room was not read yet. */
  get position(): string | undefined {
    return this.#head && headPosition(this.#head)
  }

  /** Bytes that wait for their commit. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Whether nobody needs this room in memory. */
  get idle(): boolean {
    const isTold = this.node?.shared.idle !== false
    return isTold && !this.#running && this.#users === 0 && this.delivery.size === 0
  }

  /** Until when nothing is to be done in this room, by `Platform.monotonic`, as far as is known now. */
  get dueMs(): number {
    if (this.#running || this.inspection.active) return Number.NEGATIVE_INFINITY
    const { delivery, groups, presence, requests } = this
    return Math.min(delivery.dueMs, presence.dueMs, requests.dueMs, groups.dueMs)
  }

  /** Reads the room where it was not, or where others have written to it since. */
  async open(): Promise<void> {
    if (!this.#state) return void (await this.#load())
    // What is being decided now is read anew by itself where that is another than it was.
    if (!this.#context.nodes || this.#running) return
    const head = await this.#context.store.head(this.room)
    if (isSame(head, this.#state?.head)) return
    this.wake()
    await this.#quiet()
  }

  /** Keeps the room in memory until the returned function is called. */
  retain(): () => void {
    this.#users += 1
    return () => {
      this.#users -= 1
    }
  }

  device(id: string): DeviceRow | undefined {
    return this.#state?.devices.get(id)
  }

  /** A test for types a token may publish; the same function for the same patterns. */
  publishRights(patterns: readonly string[]): (type: string) => boolean {
    const key = JSON.stringify(patterns)
    let matcher = this.#publishRights.get(key)
    if (!matcher) {
      if (this.#publishRights.size >= PUBLISH_MEMO) this.#publishRights.clear()
      matcher = typeMatcher(patterns)
      this.#publishRights.set(key, matcher)
    }
    return matcher
  }

  /** @throws {BusError} bad_device, subject_changed, unavailable */
  async hello(command: Omit<HelloCommand, 'kind' | 'time' | 'deleted'>): Promise<AdmittedReply> {
    const reply = await this.#ask({ kind: 'hello', ...command }, 0)
    return reply as AdmittedReply
  }

  /** Takes a batch; `send` gets the ack or reject. */
  publish(
    command: Omit<PublishCommand, 'kind' | 'time' | 'known' | 'nesting'>,
    bytes: number,
    send: (reply: Reply) => void,
  ): void {
    const { batch } = command.frame
    const later = (
      code: 'going_away' | 'unavailable' | 'rate_limited',
      retryAfterMs = RETRY_AFTER_MS,
    ): void => {
      const { log, meter } = this.#context
      const device = deviceName(command.device)
      meter.count('reply_errors_total', 1, code)
      if (code === 'rate_limited') log?.('limit', { room: this.room, device, code })
      this.inspection.tap?.rejected(device, command.frame, code)
      send({ frame: 'reject', batch, code, retryAfterMs })
    }
    const waitMs = this.#waitMs(command.data.length, bytes)
    if (this.#isShut) later('going_away')
    else if (waitMs > 0) later('rate_limited', waitMs)
    else {
      this.#enqueue({
        command: { kind: 'publish', nesting: this.#context.limits.nesting, ...command },
        bytes,
        done: (reply) => (reply instanceof BusError ? later('unavailable') : send(reply)),
      })
    }
  }

  /**
   * @param settles rows of the outbox that go with the append
   * @param paid whether the room's rate has counted these events already
   * @throws {BusError} forbidden, too_large, unavailable, rate_limited
   */
  async post(
    command: Omit<PostCommand, 'kind' | 'time' | 'known' | 'nesting'>,
    bytes: number,
    settles?: readonly number[],
    paid = false,
  ): Promise<PostedReply> {
    const { nesting } = this.#context.limits
    const reply = await this.#ask({ kind: 'post', nesting, ...command }, bytes, settles, paid)
    return reply as PostedReply
  }

  /** Hands on unpersisted events: no commit, no position. What is too much is left out. */
  cast(from: Member | undefined, headers: readonly EventHeader[], data: readonly string[]): void {
    const { log, platform } = this.#context
    const cost = costOf(
      headers.length,
      data.reduce((sum, { length }) => sum + length, 0),
    )
    if (this.#castRate.take(cost, platform.monotonic()) > 0) {
      log?.('limit', {
        room: this.room,
        ...(from && { device: from.name }),
        code: 'rate_limited',
      })
      return
    }
    this.delivery.cast(from, headers, data)
    this.node?.cast(headers, data)
  }

  /** A device says which of its contexts are there, and what they respond to. */
  said(device: Viewer & Caller, members: readonly Present[], responds: readonly string[]): void {
    this.node?.shared.begin()
    this.presence.said(device, members)
    const may = this.requests.said(device, responds)
    this.node?.shared.said(device, members, may)
  }

  /** The connection of a device ended. */
  left(device: Viewer & Caller): void {
    this.node?.shared.left(device)
    this.presence.left(device)
    this.requests.left(device)
  }

  /** Reads the room again, of which there is more than is known here; where that is not sure, if there is. */
  wake(sure = true): void {
    // What is being read for the first time may have been read before there was more.
    if (this.#isShut || !(this.#head || this.#running)) return
    this.#woken = true
    this.#sure ||= sure
    if (this.#running) return
    this.#running = true
    this.#context.platform.soon(() => void this.#run())
  }

  /** Due twice a second. */
  tick(nowMs: number): void {
    const { delivery, groups, inspection, node, presence, requests } = this
    delivery.tick(nowMs)
    presence.tick(nowMs)
    requests.tick(nowMs)
    inspection.tick(nowMs)
    groups.tick(nowMs)
    node?.shared.tick(nowMs, presence.watched || requests.active)
  }

  /** Takes no more commands; resolves when those it has are answered, and a deletion is done. */
  async drain(): Promise<void> {
    this.#closing = true
    this.#stopReading?.()
    await this.#quiet()
    // Whoever asked for it is told what became of it.
    await this.#deleting?.catch(() => {})
  }

  /**
   * Deletes the room: what waits is answered first, then everybody has to come anew, into another log.
   * Resolves whether there was something to delete.
   */
  delete(): Promise<boolean> {
    this.#deleting ??= this.#delete().finally(() => {
      this.#deleting = undefined
    })
    return this.#deleting
  }

  async #delete(): Promise<boolean> {
    const { meter, restored, store } = this.#context
    await this.#quiet()
    try {
      const deleted = await store.delete(this.room)
      if (deleted) meter.count('rooms_deleted_total')
      return deleted
    } finally {
      // Where it failed it is not known what became of it.
      this.#state = undefined
      this.#head = undefined
      this.delivery.failAll(new BusError('going_away', 'the room was deleted'))
      this.groups.reset()
      restored?.(this.room)
      this.node?.grew()
    }
  }

  get #isShut(): boolean {
    return this.#closing || this.#deleting !== undefined
  }

  async #quiet(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /**
   * When so much can be taken; 0 is now. A device cannot send less than its next batch: where nothing
   * waits to be written, whatever size is taken.
   */
  #waitMs(events: number, bytes: number): number {
    const { limits, platform } = this.#context
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > limits.queueBytes)
      return RETRY_AFTER_MS
    return this.#rate.take(costOf(events, bytes), platform.monotonic())
  }

  async #ask(
    command: Waiting,
    bytes: number,
    settles: readonly number[] = [],
    paid = false,
  ): Promise<Reply> {
    if (this.#closing) throw new BusError('going_away', 'the relay is closing')
    if (this.#isShut) throw new BusError('going_away', 'the room is being deleted')
    const isCounted = command.kind === 'post' && !paid
    const waitMs = isCounted ? this.#waitMs(command.events.length, bytes) : 0
    if (waitMs > 0) throw new TooMuch('rate_limited', 'too much is published in this room', waitMs)
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#enqueue({
        command,
        bytes,
        settles,
        done: (reply) => (reply instanceof BusError ? reject(reply) : resolve(reply)),
      })
    })
    if ('kind' in reply && reply.kind === 'refused')
      throw new BusError(reply.code, reply.message, { currentRevision: reply.revision })
    return reply
  }

  #enqueue(entry: Omit<Entry, 'cameMs'>): void {
    this.#queue.push({ ...entry, cameMs: this.#context.platform.monotonic() })
    this.#queuedBytes += entry.bytes
    this.#start()
  }

  #start(): void {
    if (this.#running) return
    this.#running = true
    // What other sockets brought in this turn belongs to the same append and the same broadcast.
    this.#context.platform.soon(() => void this.#run())
  }

  async #run(): Promise<void> {
    do {
      const group = this.#queue.splice(0, decidable(this.#queue))
      if (this.#sure) this.#state = undefined
      this.#doubted = this.#woken && !this.#sure
      this.#woken = false
      this.#sure = false
      const asks = this.groups.take()
      try {
        await this.#write(group, asks)
      } catch (error) {
        this.#state = undefined
        this.#readLater()
        this.#context.report(error, this.room)
        const failure = new BusError('unavailable', 'the room cannot be written now', {
          cause: error,
        })
        for (const entry of group) this.#answer(entry, failure)
        this.groups.failed(asks, failure)
      }
      for (const { bytes } of group) this.#queuedBytes -= bytes
    } while (this.#queue.length > 0 || this.groups.pending || this.#woken)
    this.#running = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /**
   * An append that failed may have been carried out all the same. Where nobody asks again, those who
   * listen would not hear of it before the next command.
   */
  #readLater(): void {
    if (this.#closing) return
    this.#stopReading ??= this.#context.platform.every(RETRY_AFTER_MS, () => {
      if (this.#running || this.#deleting) return
      if (this.#state) {
        this.#stopReading?.()
        this.#stopReading = undefined
        return
      }
      this.#running = true
      void this.#run()
    })
  }

  async #write(group: readonly Entry[], asks: readonly Ask[]): Promise<void> {
    const { meter, platform, store } = this.#context
    for (let race = 0; race < MAX_RACES; race++) {
      const state = await this.#current(group)
      const waiting = group.map(({ command }) => command)
      const loading = loadHeads(store, this.room, state, waiting)
      if (loading) await loading
      const decision = decide(
        state,
        await completeAll(store, this.room, state, platform.now(), waiting),
      )
      const { records, replies } = decision
      const grouped = this.groups.decide(asks, records, state.head)
      const isWritten = isWrite(decision)
      const head =
        isWritten || grouped.puts.length === 0
          ? decision.head
          : { ...decision.head, version: decision.head.version + 1 }
      if (isWritten || grouped.puts.length > 0) {
        const rows: StatePut[] = [...decision.devices].map(
          ([id, row]) => [DEVICE_KEY + id, JSON.stringify(row)] as const,
        )
        for (const [stream, head] of decision.streams)
          rows.push([STREAM_KEY + stream, headText(head)])
        rows.push(...grouped.puts)
        const beganMs = platform.monotonic()
        const settles = settledIn(group, replies)
        const append = {
          expected: state.head,
          head,
          records,
          state: rows,
          ...(settles.length > 0 && { settles }),
        }
        if (!(await store.append(this.room, append))) {
          this.#state = undefined
          continue
        }
        meter.took('publish_seconds', platform.monotonic() - beganMs, store.engine ?? 'other')
      } else if (!store.exclusive && isByState(replies, asks) && !(await this.#isNewest(state))) {
        // No append found out that this was decided on what the room had been.
        this.#state = undefined
        continue
      }
      this.#state = { ...commit(state, decision), head }
      this.#head = head
      if (this.inspection.tap) this.#inspect(group, decision)
      countDecision(meter, waiting, decision)
      const beganMs = platform.monotonic()
      const confirm =
        records.length > 0 && this.#deliver(() => this.delivery.broadcast(records, head))
      for (const [i, entry] of group.entries()) this.#answer(entry, replies[i] as Reply)
      if (confirm) this.#deliver(confirm)
      this.groups.commit(grouped, records)
      if (records.length > 0) {
        const endedMs = platform.monotonic()
        meter.took('broadcast_seconds', endedMs - beganMs)
        meter.took('pubsub_lag_seconds', endedMs - (group[0] as Entry).cameMs)
      }
      if (records.length > 0) {
        this.#context.grew?.(this.room, records, head)
        this.node?.grew()
      } else if (grouped.puts.length > 0 && this.groups.concernsOthers(grouped)) {
        this.node?.grew()
      }
      return
    }
    throw new BusError('unavailable', 'other processes wrote to this room first, again and again')
  }

  /** Tells inspectors what was committed, and what refused. */
  #inspect(group: readonly Entry[], { head, records, replies }: Decision): void {
    const { tap } = this.inspection
    for (const [i, { command }] of group.entries()) {
      const reply = replies[i] as Reply
      if (command.kind === 'publish')
        tap?.answered(deviceName(command.device), command.frame, reply)
      else if (command.kind === 'post' && 'code' in reply)
        tap?.postRefused(command.events, reply.code)
    }
    tap?.committed(records, head.epoch)
  }

  #deliver<T>(deliver: () => T): T | undefined {
    try {
      return deliver()
    } catch (error) {
      // It is committed; whoever did not get it reads it from the store.
      this.#context.report(error, this.room)
      this.delivery.pullAll()
      return undefined
    }
  }

  #answer(entry: Entry, reply: Reply | BusError): void {
    try {
      entry.done(reply)
    } catch (error) {
      this.#context.report(error, this.room)
    }
  }

  /** The state to decide on. An append checks it by itself; a hello may be answered without one. */
  async #current(group: readonly Entry[]): Promise<RoomState> {
    if (!this.#state) return this.#load()
    const asks = this.#doubted || group.some(({ command }) => command.kind === 'hello')
    if (!asks) return this.#state
    this.#doubted = false
    return (await this.#isNewest(this.#state)) ? this.#state : this.#load()
  }

  /** Whether nobody has written since this was the room. */
  async #isNewest({ head: known }: RoomState): Promise<boolean> {
    const head = await this.#context.store.head(this.room)
    return isSame(head, known) || (!head && known.version === 0)
  }

  async #load(): Promise<RoomState> {
    const { platform, store } = this.#context
    const loaded = await store.load(this.room)
    const head = loaded?.head ?? {
      epoch: platform.randomName(EPOCH_LENGTH),
      version: 0,
      ...START,
      time: 0,
    }
    const before = this.#head
    const devices = rowsOf(loaded)
    const logs: RoomState['logs'] = new Map()
    for (const row of devices.values()) countLog(logs, row)
    this.#state = {
      head,
      devices,
      logs,
      streams: new Map(),
      ids: { prefix: platform.randomName(PREFIX_LENGTH), counter: 0 },
    }
    this.#head = head
    this.groups.loaded(loaded?.state ?? [])
    if (before && (before.epoch !== head.epoch || before.place > head.place)) {
      // Another log, or an older copy of this one: every device must compare what it holds anew.
      this.delivery.failAll(new BusError('going_away', 'the room was restored'))
      this.#context.restored?.(this.room)
    } else if (before && before.place < head.place) {
      this.delivery.pullAll()
      this.#context.grew?.(this.room, [], head)
    }
    return this.#state
  }
}

/** Whether an answer for good follows from nothing but what the room is: it may be no more. */
function isByState(replies: readonly Reply[], asks: readonly Ask[]): boolean {
  return (
    asks.some(({ kind }) => kind === 'join' || kind === 'settle') ||
    replies.some(
      (reply) => 'kind' in reply && reply.kind === 'refused' && reply.code === 'conflict',
    )
  )
}

function isSame(one: RoomHead | undefined, other: RoomHead | undefined): boolean {
  return one?.epoch === other?.epoch && one?.version === other?.version
}

/** Rows of the outbox whose events are in the room after this. */
function settledIn(group: readonly Entry[], replies: readonly Reply[]): number[] {
  return group.flatMap(({ settles = [] }, i) => {
    const reply = replies[i] as Reply
    return 'kind' in reply && reply.kind === 'posted' ? settles : []
  })
}

function rowsOf(loaded: LoadedRoom | undefined): Map<string, DeviceRow> {
  const rows = new Map<string, DeviceRow>()
  for (const [key, value] of loaded?.state ?? []) {
    if (key.startsWith(DEVICE_KEY))
      rows.set(key.slice(DEVICE_KEY.length), JSON.parse(value) as DeviceRow)
  }
  return rows
}

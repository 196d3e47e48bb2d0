/**
 * The groups of one room in this process: what their members ask waits for the next append of the room,
 * is decided with it (`decide.ts`, `core.ts`), and what came of it is sent when that is committed.
 *
 * ```
 * join, settle, time -> asks -> decide -> append of the room -> answers, leases
 *                                  ^---------- records of the same append
 * ```
 */
import {
  BusError,
  encodeFrame,
  type GroupFrame,
  isRetryable,
  type SettleFrame,
} from '@crosstown/bus/protocol'
import type { RelayTap } from '../inspect/tap.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Meter } from '../metrics.ts'
import type { Nodes } from '../node/nodes.ts'
import type { Platform } from '../platform.ts'
import type { RoomHead, RoomRecord } from '../record.ts'
import type { ReadLimit, StatePut, Store } from '../stores/store.ts'
import type { Ask, JoinOptions } from './asks.ts'
import type { Granted } from './core.ts'
import { decideGroup, type GroupDecision } from './decide.ts'
import { Group, type GroupPeer, type Member, memberKey } from './group.ts'
import { beginning, Joining, type Membership, membershipsOf, rulesOf } from './joining.ts'
import { type LeasingContext, sendLeases, tellDeaths } from './leasing.ts'
import { type DeadLetter, GROUP_KEY, type GroupState, readState } from './state.ts'

/** What the groups need of their room. */
export interface GroupsContext {
  readonly room: string
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  /** The other relays on the store; absent where there can be none. */
  readonly nodes?: Pick<Nodes, 'heardMs' | 'isThere' | 'name'> | undefined
  readonly meter: Meter
  readonly report: (error: unknown) => void
  /** The room's head, as far as this process knows. */
  readonly head: () => RoomHead
  /** Has what is asked decided soon; `false` where nothing is taken any more. */
  readonly wake: () => boolean
  /** A test for what a token may read. */
  readonly reads: (patterns: readonly string[]) => (type: string) => boolean
  /** There while the room is inspected. */
  readonly tap: () => RelayTap | undefined
  readonly log?: Log | undefined
}

/** What is decided of all groups, to be written with the room's append. */
export interface GroupsDecision {
  readonly puts: readonly StatePut[]
  readonly groups: readonly GroupDecision[]
}

/** How long a member whose connection ended may take to come back. */
const GRACE_MS = 5_000
/** How long one may take whose relay ended: it has to find out first. */
const RESTART_GRACE_MS = 15_000
/** When a member may ask again that could not be answered. */
const RETRY_AFTER_MS = 1_000
/** When one may that was too much. */
const LIMIT_RETRY_MS = 30_000
/** Who is alone on its store needs no name. */
const ALONE = '-'
const NODE_LENGTH = 12
/** The time between two ticks. */
const SOON_MS = 500
/** More of the room, where a group is behind. */
const AHEAD: ReadLimit = { events: 1_000, bytes: 1024 * 1024 }

/** The groups of a room. */
export class Groups {
  readonly #context: GroupsContext
  readonly #node: string
  readonly #groups = new Map<string, Group>()
  /** Connections that wait for an answer, or for events, and for how many. */
  readonly #onTheWay = new Map<GroupPeer, number>()
  readonly #leasing: LeasingContext
  readonly #joining = new Joining()
  #asks: Ask[] = []

  constructor(context: GroupsContext) {
    this.#context = context
    const { nodes, platform, report, room, store } = context
    const alone = store.exclusive === true ? ALONE : platform.randomName(NODE_LENGTH)
    this.#node = nodes?.name ?? alone
    this.#leasing = {
      room,
      store,
      report,
      lost: (group, key, lease) => this.#ask({ kind: 'lost', group, key, lease }),
      busy: (peer, by) => this.#busy(peer, by),
      tap: context.tap,
    }
  }

  /** All groups, by name. */
  get all(): ReadonlyMap<string, Group> {
    return this.#groups
  }

  /** How many places of the room a group has not come to. */
  behind({ state }: Group): number {
    return state ? Math.max(0, this.#context.head().place + 1 - state.next) : 0
  }

  /** Has something decided that an operator asks. @throws {BusError} going_away, unavailable, not_found */
  request(ask: (done: (error?: BusError) => void) => Ask): Promise<void> {
    return new Promise((resolve, reject) => {
      const asked = ask((error) => (error ? reject(error) : resolve()))
      if (!this.#ask(asked)) reject(new BusError('going_away', 'the relay is closing'))
    })
  }

  /** Whether something waits to be decided. */
  get pending(): boolean {
    return this.#asks.length > 0
  }

  /** Until when nothing is to be done, by `Platform.monotonic`, as far as is known now. */
  get dueMs(): number {
    const { platform } = this.#context
    const ahead = platform.monotonic() - platform.now()
    let due = Number.POSITIVE_INFINITY
    for (const { dueAt, members, orphans, stalled } of this.#groups.values()) {
      // What nobody is there to take can wait until somebody is.
      if (members.size === 0) continue
      due = stalled ? Number.NEGATIVE_INFINITY : Math.min(due, dueAt + ahead)
      for (const { goneAtMs = due } of members.values()) due = Math.min(due, goneAtMs)
      for (const { goneAtMs } of orphans.values()) due = Math.min(due, goneAtMs)
    }
    return due
  }

  /** The state of the room was read: whatever was known of the groups before is not any more. */
  loaded(state: readonly StatePut[]): void {
    const { platform } = this.#context
    const texts = new Map(state.filter(([key]) => key.startsWith(GROUP_KEY)))
    for (const [key, text] of texts) {
      const group = this.#group(key.slice(GROUP_KEY.length))
      const before = group.state
      const read = readState(text)
      group.put(read, platform.now())
      if (before) this.#sendUnsent(group, read, before.generation)
      group.window.reset(read.next - 1)
      this.#findOrphans(group)
      if (group.members.size > 0) this.#ask({ kind: 'look', group: group.name })
    }
    for (const group of this.#groups.values())
      if (!texts.has(GROUP_KEY + group.name)) this.#forget(group)
  }

  /** Another relay is gone: what its members hold is nobody's after a while. */
  gone(): void {
    for (const group of this.#groups.values()) this.#findOrphans(group)
  }

  #findOrphans({ members, orphans, state }: Group): void {
    orphans.clear()
    for (const [member, node] of state?.nodes ?? []) {
      const goneAtMs = members.has(member) ? undefined : this.#goneAtMs(node)
      if (goneAtMs !== undefined) orphans.set(member, { node, goneAtMs })
    }
  }

  /** When a member counts as gone that is connected to this process or another, but not known here. */
  #goneAtMs(node: string): number | undefined {
    const { nodes, platform, store } = this.#context
    const isOwn = node === this.#node
    // With others on the store, of whom nothing is heard, it may be at one of them.
    if (!nodes && store.exclusive !== true) return undefined
    if (nodes && !isOwn)
      return nodes.isThere(node) ? undefined : nodes.heardMs(node) + RESTART_GRACE_MS
    return platform.monotonic() + RESTART_GRACE_MS
  }

  /** The room is another one: none of its records holds. */
  reset(): void {
    for (const group of this.#groups.values()) {
      group.window.reset(0)
      this.#forget(group)
    }
  }

  /** A member joins or leaves. */
  group(peer: GroupPeer, frame: GroupFrame): void {
    const { group, join, member } = frame
    if (!join) {
      const known = this.#groups.get(group)
      const key = memberKey(peer.device, member)
      if (known?.members.get(key)?.peer === peer) {
        // From now on, whatever becomes of this: it is leased nothing more.
        known.members.delete(key)
        this.#keep(peer)
      }
      // Behind the join, where that waits to be written.
      const asked = this.#joining.leave(group, key)
      if (known || asked) this.#ask({ kind: 'gone', group, key })
      return
    }
    const { limits } = this.#context
    const fault = this.#joining.fault(this.#groups, limits, peer, frame, join)
    if (fault) this.#refuse(peer, frame, fault)
    else void this.#join(peer, frame, join)
  }

  async #join(peer: GroupPeer, frame: GroupFrame, join: JoinOptions): Promise<void> {
    const { head, limits, reads, report, room, store } = this.#context
    const { group, member: name } = frame
    const key = memberKey(peer.device, name)
    this.#busy(peer, 1)
    const asked = this.#joining.begin(group, key, peer)
    try {
      const known = this.#groups.get(group)
      const after = known?.state ? 'now' : await beginning(store, room, head(), join)
      if (asked.left) return this.#joined(group, key, peer)
      const isHere = known?.members.get(key)?.peer === peer
      const holds = join.holds ?? (isHere ? undefined : [])
      const mayRead = reads(peer.identity?.rights.subscribe ?? [])
      const member: Member = { key, name, peer, credit: join.credit, mayRead }
      const rules = rulesOf(join, limits)
      if (this.#ask({ kind: 'join', group, member, rules, holds, after })) return
      this.#refuse(peer, frame, new BusError('going_away', 'the relay is closing'))
    } catch (error) {
      report(error)
      this.#refuse(peer, frame, new BusError('unavailable', 'the room cannot be read now'))
    }
    this.#joined(group, key, peer)
  }

  #joined(group: string, key: string, peer: GroupPeer): void {
    this.#joining.end(group, key, peer)
    this.#busy(peer, -1)
  }

  /** A member says what became of its leases. */
  settle(peer: GroupPeer, frame: SettleFrame): void {
    const key = memberKey(peer.device, frame.member)
    if (this.#ask({ kind: 'settle', group: frame.group, key, frame, peer })) this.#busy(peer, 1)
    else this.holdOff(peer, frame, 'going_away')
  }

  /** A settlement, or a join, is to come again. */
  holdOff(
    peer: GroupPeer,
    frame: GroupFrame | SettleFrame,
    code: 'going_away' | 'unavailable' | 'rate_limited',
    retryAfterMs: number = RETRY_AFTER_MS,
  ): void {
    const { group, member } = frame
    if (frame.frame === 'settle') {
      const { number } = frame
      peer.send(encodeFrame({ frame: 'settled', group, member, number, code, retryAfterMs }))
    } else if (frame.join)
      peer.send(encodeFrame({ frame: 'grouped', group, member, code, retryAfterMs }))
  }

  /** A connection ended: its members may come back over another one. */
  left(peer: GroupPeer): void {
    const goneAtMs = this.#context.platform.monotonic() + GRACE_MS
    for (const { members } of this.#groups.values())
      for (const member of members.values()) if (member.peer === peer) member.goneAtMs = goneAtMs
  }

  /** Whether something is on its way to a connection. */
  isBusy(peer: GroupPeer): boolean {
    return this.#onTheWay.has(peer)
  }

  /** Takes in the members of one who was there when this room went out of memory. */
  resume(peer: GroupPeer, memberships: readonly Membership[]): void {
    const mayRead = this.#context.reads(peer.identity?.rights.subscribe ?? [])
    for (const [name, member, credit] of memberships) {
      const group = this.#groups.get(name)
      const key = memberKey(peer.device, member)
      if (!group) continue
      group.orphans.delete(key)
      group.members.set(key, { key, name: member, peer, credit, mayRead })
      // What was being read for it was forgotten.
      if (this.behind(group) > 0) this.#ask({ kind: 'look', group: name })
    }
  }

  /** Due twice a second. */
  tick(nowMs: number): void {
    const now = this.#context.platform.now()
    for (const { dueAt, members, name: group, orphans, stalled } of this.#groups.values()) {
      if (dueAt <= now || stalled) this.#ask({ kind: 'look', group })
      for (const [key, { goneAtMs }] of members)
        if (goneAtMs !== undefined && goneAtMs <= nowMs)
          this.#ask({ kind: 'gone', group, key, node: this.#node })
      for (const [key, { goneAtMs, node }] of orphans) {
        if (this.#context.nodes?.isThere(node) && node !== this.#node) orphans.delete(key)
        if (goneAtMs > nowMs || !orphans.has(key)) continue
        orphans.delete(key)
        this.#ask({ kind: 'gone', group, key, node })
      }
    }
  }

  /** What waits to be decided; it is the caller's from now on. */
  take(): readonly Ask[] {
    return this.#asks.splice(0)
  }

  /** Decides what was asked, and what the records of the same append bring; changes nothing. */
  decide(asks: readonly Ask[], records: readonly RoomRecord[], before: RoomHead): GroupsDecision {
    if (asks.length === 0 && this.#groups.size === 0) return NOTHING
    const byGroup = new Map<string, Ask[]>()
    for (const ask of asks) {
      const own = byGroup.get(ask.group)
      if (own) own.push(ask)
      else byGroup.set(ask.group, [ask])
    }
    if (records.length > 0) {
      for (const { members, name } of this.#groups.values())
        if (members.size > 0 && !byGroup.has(name)) byGroup.set(name, [])
    }
    const { limits, platform } = this.#context
    const circumstances = {
      now: platform.now(),
      node: this.#node,
      maxDead: limits.groupDead,
      pauseBytes: limits.pauseBytes,
      records,
      end: before.place,
    }
    const groups = [...byGroup].map(([name, own]) =>
      decideGroup(this.#groups.get(name) ?? new Group(name), own, circumstances),
    )
    return { groups, puts: groups.flatMap(({ puts }) => puts) }
  }

  /** What was decided is committed. */
  commit({ groups }: GroupsDecision, records: readonly RoomRecord[]): void {
    for (const decision of groups) {
      try {
        this.#carryOut(decision, records)
      } catch (error) {
        this.#context.report(error)
      }
    }
  }

  /** Whether members that are connected elsewhere may have something to do by this. */
  concernsOthers({ groups }: GroupsDecision): boolean {
    if (this.#context.store.exclusive === true) return false
    return groups.some(({ state }) => {
      if (!state) return true
      if (state.next <= this.#context.head().place) return true
      for (const { member } of state.pending.values()) if (member === undefined) return true
      return false
    })
  }

  /** What was asked could not be written. */
  failed(asks: readonly Ask[], error: BusError): void {
    for (const ask of asks) {
      if (ask.kind === 'join') {
        const { key, name, peer } = ask.member
        this.#joined(ask.group, key, peer)
        this.#refuse(peer, { frame: 'group', group: ask.group, member: name }, error)
      } else if (ask.kind === 'settle') {
        this.#busy(ask.peer, -1)
        this.holdOff(ask.peer, ask.frame, 'unavailable')
      } else if ('done' in ask) ask.done(error)
      // Who left is gone all the same: the next tick, or the end of the lease, finds it again.
      else if (ask.kind === 'gone') this.#left(ask.group, ask.key)
    }
  }

  #carryOut(decision: GroupDecision, records: readonly RoomRecord[]): void {
    const { draft, group, left, now, state, turn } = decision
    const { platform } = this.#context
    this.#groups.set(group.name, group)
    group.put(state, now)
    for (const { ask } of decision.joined) {
      const { key, peer } = ask.member
      group.members.set(key, ask.member)
      group.orphans.delete(key)
      if (peer.closed) ask.member.goneAtMs ??= platform.monotonic() + GRACE_MS
    }
    for (const member of left) {
      if (group.members.get(member.key) === member) group.members.delete(member.key)
      this.#keep(member.peer)
    }
    group.turn = turn
    group.stalled = decision.stalled
    this.#answer(decision)
    if (!draft || !state) {
      if (decision.puts.length > 0) {
        const { log, room } = this.#context
        log?.('group', { room, group: group.name, state: 'deleted' })
      }
      this.#forget(group)
      return
    }
    this.#count(decision)
    if (draft.died.length > 0) void tellDeaths(this.#leasing, group.name, draft.died)
    if (decision.begins !== undefined) {
      const { log, room } = this.#context
      log?.('group', { room, group: group.name, state: 'made' })
    }
    if (decision.begins !== undefined) group.window.reset(decision.begins)
    sendLeases(this.#leasing, group, draft.granted, (place) => group.window.find(place, records))
    group.window.move(state.next, records, state.pending.keys())
    this.#readOn(group, state.next)
    this.#wakeAt(group)
  }

  /** What is due before the next tick need not wait for that. */
  #wakeAt(group: Group): void {
    const { platform } = this.#context
    const waitMs = Math.max(1, group.dueAt - platform.now())
    if (waitMs >= SOON_MS) return
    group.stopTimer?.()
    const stop = platform.every(waitMs, () => {
      stop()
      group.stopTimer = undefined
      this.#ask({ kind: 'look', group: group.name })
    })
    group.stopTimer = stop
  }

  /**
   * An append that failed may have been carried out all the same: what it leased to members that are
   * connected here was never sent.
   */
  #sendUnsent(group: Group, state: GroupState, sent: number): void {
    const now = this.#context.platform.now()
    const granted: Granted[] = []
    for (const { attempt, generation, member, place, until } of state.pending.values()) {
      if (member === undefined || generation <= sent || !group.members.has(member)) continue
      granted.push({ member, place, generation, attempt, waitMs: Math.max(0, until - now) })
    }
    if (granted.length > 0) sendLeases(this.#leasing, group, granted, () => undefined)
  }

  #answer({ answers, draft, group, joined, settled }: GroupDecision): void {
    for (const { ask, lapsed } of joined) {
      const { key, name: member, peer } = ask.member
      this.#joined(group.name, key, peer)
      if (!draft || peer.closed) continue
      this.#keep(peer)
      const ended = lapsed.length > 0 ? { lapsed } : {}
      const options = draft.rules
      peer.send(encodeFrame({ frame: 'grouped', group: group.name, member, options, ...ended }))
    }
    for (const { ask, late } of settled) {
      const { group: name, member, number } = ask.frame
      this.#busy(ask.peer, -1)
      const lapsed = late.length > 0 ? { lapsed: late } : {}
      ask.peer.send(encodeFrame({ frame: 'settled', group: name, member, number, ...lapsed }))
    }
    for (const answer of answers) answer()
  }

  #count({ draft, group }: GroupDecision): void {
    const { meter } = this.#context
    if (!draft) return
    const { died, granted, happened } = draft
    if (died.length > 0) this.#tellDead(group.name, died)
    meter.count('group_leased_total', granted.length)
    meter.count('group_acked_total', happened.acked)
    meter.count('group_redelivered_total', happened.redelivered)
    meter.count('group_lapsed_total', happened.lapsed)
    meter.count('group_dead_total', died.length)
    meter.count('group_trimmed_total', happened.trimmed)
  }

  #tellDead(group: string, died: readonly DeadLetter[]): void {
    const { log, room } = this.#context
    for (const { attempts, place, reason } of died)
      log?.('dead', { room, group, place, attempts, message: reason })
  }

  /** Reads on for a group that is behind, before it has nothing left to lease. */
  #readOn(group: Group, next: number): void {
    const { head, report, room, store } = this.#context
    const { window } = group
    if (group.reading || group.members.size === 0 || window.end >= head().place) return
    if (!window.isLow(next)) return
    group.reading = true
    const after = window.end
    const { epoch } = head()
    store
      .read(room, after, AHEAD)
      .then(async (records) => {
        const [oldest] = records
        if (!oldest || oldest.place <= after + 1) return { records, first: undefined }
        return { records, first: (await store.first(room)).place }
      })
      .then(
        ({ first, records }) => {
          group.reading = false
          if (group.state === undefined || records.length === 0) return
          // The room was read anew meanwhile, or is another one.
          if (window.end !== after || head().epoch !== epoch) {
            this.#readOn(group, group.state.next)
            return
          }
          if (first !== undefined && first > window.end) window.reset(first)
          window.move(group.state.next, records)
          const { name } = group
          this.#ask({ kind: 'look', group: name, ...(first !== undefined && { first }) })
        },
        (error: unknown) => {
          group.reading = false
          group.stalled = true
          report(error)
        },
      )
  }

  #refuse(peer: GroupPeer, { group, member }: GroupFrame, error: BusError): void {
    const { code, message } = error
    const again = code === 'rate_limited' ? LIMIT_RETRY_MS : RETRY_AFTER_MS
    const retry = isRetryable(code) ? { retryAfterMs: again } : {}
    if (!peer.closed)
      peer.send(encodeFrame({ frame: 'grouped', group, member, code, message, ...retry }))
  }

  #ask(ask: Ask): boolean {
    if (!this.#context.wake()) return false
    this.#asks.push(ask)
    return true
  }

  #busy(peer: GroupPeer, by: number): void {
    const count = (this.#onTheWay.get(peer) ?? 0) + by
    if (count > 0) this.#onTheWay.set(peer, count)
    else this.#onTheWay.delete(peer)
  }

  #keep(peer: GroupPeer): void {
    peer.keepGroups(membershipsOf(this.#groups, peer))
  }

  #left(group: string, key: string): void {
    const member = this.#groups.get(group)?.members.get(key)
    if (member) member.goneAtMs ??= this.#context.platform.monotonic()
  }

  /** The group is no more: its members are told so. */
  #forget(group: Group): void {
    group.put(undefined, 0)
    group.stopTimer?.()
    group.stopTimer = undefined
    group.orphans.clear()
    for (const member of group.members.values())
      this.#refuse(
        member.peer,
        { frame: 'group', group: group.name, member: member.name },
        new BusError('not_found', 'the group was deleted'),
      )
    group.members.clear()
    this.#groups.delete(group.name)
  }

  #group(name: string): Group {
    let group = this.#groups.get(name)
    if (!group) {
      group = new Group(name)
      this.#groups.set(name, group)
    }
    return group
  }
}

const NOTHING: GroupsDecision = { puts: [], groups: [] }

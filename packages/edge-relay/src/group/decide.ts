/** One decision over one group: what was asked of it, and what it can lease of what the room has now. */
import { BusError, type LeaseRef } from '@crosstown/bus/protocol'
import { lastPlace, type RoomRecord } from '../record.ts'
import { DEAD_KEY, type StatePut } from '../stores/store.ts'
import type { Ask, JoinAsk, SettleAsk } from './asks.ts'
import { GroupDraft, newGroup } from './core.ts'
import type { Group, Member } from './group.ts'
import { deadNumbers, GROUP_KEY, type GroupState, letterKey, stateText } from './state.ts'
import { eventsOf } from './window.ts'

/** What is decided of a group, to be written and then carried out. */
export interface GroupDecision {
  readonly group: Group
  readonly draft: GroupDraft | undefined
  /** Absent where the group is deleted, or does not exist. */
  readonly state: GroupState | undefined
  readonly puts: readonly StatePut[]
  /** Members that are none any more. */
  readonly left: readonly Member[]
  readonly joined: readonly { readonly ask: JoinAsk; readonly lapsed: readonly LeaseRef[] }[]
  readonly settled: readonly { readonly ask: SettleAsk; readonly late: readonly LeaseRef[] }[]
  readonly answers: readonly (() => void)[]
  readonly turn: number
  /** When it was made, in milliseconds since 1970: what became due since was not looked at. */
  readonly now: number
  readonly stalled: boolean
  /** Of a group that is new: the place behind which it begins. */
  readonly begins: number | undefined
}

/** What a decision is made on, beside the group. */
export interface Circumstances {
  /** Milliseconds since 1970. */
  readonly now: number
  /** This process. */
  readonly node: string
  readonly maxDead: number
  readonly pauseBytes: number
  /** What the same append writes, and where the room ends before it. */
  readonly records: readonly RoomRecord[]
  readonly end: number
}

/** Decides; changes nothing. */
export function decideGroup(
  group: Group,
  asks: readonly Ask[],
  { end, maxDead, node, now, pauseBytes, records }: Circumstances,
): GroupDecision {
  const members = new Map(group.members)
  const left = new Set<Member>()
  const joined: { ask: JoinAsk; lapsed: LeaseRef[] }[] = []
  const settled: { ask: SettleAsk; late: LeaseRef[] }[] = []
  const answers: (() => void)[] = []
  const missing = (): BusError => new BusError('not_found', 'there is no such group')
  const puts: StatePut[] = []
  const { state } = group
  let draft = state && new GroupDraft(state, undefined, { now, maxDead })
  let supply = group.window.with(records)
  let begins: number | undefined
  draft?.lapse()
  for (const ask of asks) {
    if (ask.kind === 'join') {
      if (!draft) {
        const after = ask.after === 'now' ? end : Math.min(ask.after, end)
        begins = after
        draft = new GroupDraft(undefined, newGroup(ask.rules, after), { now, maxDead })
        supply = after === end ? { records, end: endOf(records, end) } : { records: [], end: after }
      }
      const { key } = ask.member
      const isHere = members.get(key)?.peer === ask.member.peer
      members.set(key, ask.member)
      joined.push({ ask, lapsed: draft.join(key, node, ask.rules, ask.holds, isHere) })
    } else if (ask.kind === 'settle') {
      const { settlements } = ask.frame
      const late = draft
        ? draft.settle(ask.key, settlements)
        : settlements.map(([place, generation]): LeaseRef => [place, generation])
      settled.push({ ask, late })
    } else if (ask.kind === 'gone') {
      // It may have come back since that was found.
      if (ask.node === node && members.get(ask.key)?.goneAtMs === undefined && members.has(ask.key))
        continue
      const member = members.get(ask.key)
      if (member && (ask.node === undefined || ask.node === node)) {
        members.delete(ask.key)
        left.add(member)
      }
      draft?.gone(ask.key, ask.node)
    } else if (ask.kind === 'look') {
      if (ask.first !== undefined) draft?.trim(ask.first)
    } else if (ask.kind === 'lost') draft?.missing(ask.key, ask.lease)
    else if (ask.kind === 'delete') {
      if (!draft) answers.push(() => ask.done(missing()))
      else {
        answers.push(() => ask.done())
        puts.push([GROUP_KEY + group.name, ''], ...lettersGone(group.name, group.state))
      }
      draft = undefined
    } else {
      for (const [number, letter] of ask.letters) {
        if (ask.kind === 'drop') draft?.drop(number)
        else draft?.redrive(number, letter)
      }
      answers.push(() => ask.done(draft ? undefined : missing()))
    }
  }
  const base = { group, left: [...left], joined, settled, answers, begins, now }
  if (!draft) return { ...base, draft, state: undefined, puts, turn: 0, stalled: false }
  const all = [...members.values()].filter(
    ({ goneAtMs, peer }) => !peer.closed && goneAtMs === undefined,
  )
  const candidates = all.filter(({ peer }) => peer.bufferedAmount <= pauseBytes)
  const turn = draft.lease(
    candidates,
    eventsOf(supply.records, draft.next),
    supply.end,
    node,
    group.turn,
    group.matcher(draft.rules.types),
  )
  const done = draft.done()
  if (done.changed) puts.push([GROUP_KEY + group.name, stateText(done.state)])
  const died = done.state.dead.next - draft.died.length
  for (const [i, letter] of draft.died.entries())
    puts.push([letterKey(DEAD_KEY, group.name, died + i), JSON.stringify(letter)])
  for (const number of draft.dropped) puts.push([letterKey(DEAD_KEY, group.name, number), ''])
  const stalled = candidates.length < all.length
  return { ...base, draft, state: done.state, puts, turn, stalled }
}

function endOf(records: readonly RoomRecord[], before: number): number {
  const newest = records.at(-1)
  return newest ? lastPlace(newest) : before
}

function lettersGone(group: string, state: GroupState | undefined): StatePut[] {
  if (!state) return []
  return deadNumbers(state.dead).map((number) => [letterKey(DEAD_KEY, group, number), ''] as const)
}

/**
 * What a room knows of one group, and how that is kept: a value of the room's state, written in the same
 * append as all else. Of the room's events it names those only that are pending; what is before `next`
 * and not pending is done.
 */
import type { GroupOptions } from '@crosstown/bus/protocol'

/** Options of a group with nothing left out. */
export type GroupRules = Required<Omit<GroupOptions, 'backoff' | 'orderBy'>> &
  Pick<GroupOptions, 'backoff' | 'orderBy'>

/** An event that is leased, or waits to be. */
export interface Pending {
  readonly place: number
  readonly type: string
  readonly stream?: string | undefined
  /** How often it was leased, not counting what was given back. */
  readonly attempt: number
  /** Of its last lease; 0 before the first. */
  readonly generation: number
  /** Who holds it; absent where nobody does. */
  readonly member?: string | undefined
  /** When the lease lapses, or before when it is not leased again, in milliseconds since 1970. */
  readonly until: number
  /** What the last one who did not finish it said. */
  readonly reason?: string | undefined
}

/** Which letters there are: they are keys of their own, numbered in the order in which they came. */
export interface DeadRange {
  readonly first: number
  readonly next: number
  /** Numbers between of letters that were leased again, or dropped. */
  readonly gone: ReadonlySet<number>
}

/** Numbers of the letters that are there. */
export function deadNumbers({ first, next, gone }: DeadRange): number[] {
  const numbers: number[] = []
  for (let number = first; number < next; number++) if (!gone.has(number)) numbers.push(number)
  return numbers
}

/** The state of one group. */
export interface GroupState {
  readonly rules: GroupRules
  /** The next place that was not looked at yet. */
  readonly next: number
  /** Of the newest lease. */
  readonly generation: number
  /** By place. */
  readonly pending: ReadonlyMap<number, Pending>
  /** Which process the members are connected to that hold something. */
  readonly nodes: ReadonlyMap<string, string>
  readonly dead: DeadRange
  /** Leases of what had been leased before, so far. */
  readonly redelivered: number
}

/** An event that nobody finished. */
export interface DeadLetter {
  readonly place: number
  readonly type: string
  readonly stream?: string | undefined
  readonly reason: string
  readonly attempts: number
  /** Who had it last; absent where nobody had. */
  readonly member?: string | undefined
  /** When it was given up, in milliseconds since 1970. */
  readonly time: number
}

/** Key of a group's state in that of its room. */
export const GROUP_KEY = 'group/'

/** Key of one dead letter; a name ends at the last slash. */
export function letterKey(deadKey: string, group: string, number: number): string {
  return `${deadKey}${group}/${number}`
}

/** Pending events that differ in nothing but where they stand. */
type Rows = readonly [
  attempt: number,
  generation: number,
  until: number,
  member: number,
  reason: string,
  events: readonly (number | string)[],
]

interface Stored {
  readonly rules: GroupRules
  readonly next: number
  readonly generation: number
  readonly dead: readonly [first: number, next: number, ...gone: number[]]
  /** Members who hold something, and the process each is connected to. */
  readonly members: readonly (readonly [member: string, node: string])[]
  readonly types: readonly string[]
  readonly pending: readonly Rows[]
  readonly redelivered?: number
}

/** A state as text. */
export function stateText(state: GroupState): string {
  const { dead, generation, next, nodes, pending, redelivered, rules } = state
  const members = [...nodes]
  const memberIndex = new Map(members.map(([member], i) => [member, i]))
  const types = new Map<string, number>()
  const rows = new Map<string, (number | string)[]>()
  const heads: Rows[] = []
  for (const one of pending.values()) {
    const member = one.member === undefined ? -1 : (memberIndex.get(one.member) as number)
    const reason = one.reason ?? ''
    const key = `${one.attempt} ${one.generation} ${one.until} ${member} ${reason}`
    let events = rows.get(key)
    if (!events) {
      events = []
      rows.set(key, events)
      heads.push([one.attempt, one.generation, one.until, member, reason, events])
    }
    let type = types.get(one.type)
    if (type === undefined) {
      type = types.size
      types.set(one.type, type)
    }
    events.push(one.place, type, one.stream ?? '')
  }
  const stored: Stored = {
    rules,
    next,
    generation,
    dead: [dead.first, dead.next, ...dead.gone],
    members,
    types: [...types.keys()],
    pending: heads,
    ...(redelivered > 0 && { redelivered }),
  }
  return JSON.stringify(stored)
}

/** The state in a text. */
export function readState(text: string): GroupState {
  const stored = JSON.parse(text) as Stored
  const { dead, generation, members, next, pending, redelivered = 0, rules, types } = stored
  const all: Pending[] = []
  for (const [attempt, generation, until, member, reason, events] of pending) {
    for (let i = 0; i < events.length; i += 3) {
      const [place, type, stream] = events.slice(i, i + 3) as [number, number, string]
      all.push({
        place,
        type: types[type] as string,
        stream: stream === '' ? undefined : stream,
        attempt,
        generation,
        member: members[member]?.[0],
        until,
        reason: reason === '' ? undefined : reason,
      })
    }
  }
  all.sort((a, b) => a.place - b.place)
  const [first, nextDead, ...gone] = dead
  return {
    rules,
    next,
    generation,
    pending: new Map(all.map((one) => [one.place, one])),
    nodes: new Map(members),
    dead: { first, next: nextDead, gone: new Set(gone) },
    redelivered,
  }
}

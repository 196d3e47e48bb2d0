/** One group in this process: its state as it is committed, its members here, and what it looks at next. */
import { isHeaderText, typeMatcher } from '@crosstown/bus/protocol'
import type { Identity } from '../auth.ts'
import type { GroupState } from './state.ts'
import { Window } from './window.ts'

/** A connection, as one that has members of groups. */
export interface GroupPeer {
  readonly device: string
  /** What others know its device by. */
  readonly name: string
  readonly identity: Identity | undefined
  readonly closed: boolean
  readonly bufferedAmount: number
  send(text: string): void
  /** Keeps which members it has, for when the room goes out of memory. */
  keepGroups(memberships: readonly (readonly [string, string, number])[]): void
}

/** A member, as it is connected here. */
export interface Member {
  readonly key: string
  /** As its device names it. */
  readonly name: string
  readonly peer: GroupPeer
  readonly credit: number
  readonly mayRead: (type: string) => boolean
  /** When it counts as gone, once its connection ended. */
  goneAtMs?: number | undefined
}

/** Someone who held something of a process that is no more, and may come back. */
export interface Orphan {
  readonly node: string
  readonly goneAtMs: number
}

/** A member as a group knows it: its device, and the name that this one gave it. */
export function memberKey(device: string, member: string): string {
  return `${device} ${member}`
}

/** The parts of a key. */
export function memberOf(key: string): { readonly device: string; readonly member: string } {
  const at = key.lastIndexOf(' ')
  return { device: key.slice(0, at), member: key.slice(at + 1) }
}

/** Whether a text can name a group. */
export const isGroupName: (name: unknown) => name is string = isHeaderText

/** One group. */
export class Group {
  readonly name: string
  state: GroupState | undefined
  readonly members: Map<string, Member> = new Map()
  readonly orphans: Map<string, Orphan> = new Map()
  readonly window: Window = new Window(0)
  /** Which member is leased to first. */
  turn = 0
  /** When a lease lapses or a delay is over, in milliseconds since 1970. */
  dueAt: number = Number.POSITIVE_INFINITY
  /** Ends the wait for what is due soon. */
  stopTimer: (() => void) | undefined
  /** Whether more of the room is being read. */
  reading = false
  /** Whether somebody was passed over whose socket is full. */
  stalled = false
  #matcher: { readonly types: string; readonly matches: (type: string) => boolean } | undefined

  constructor(name: string) {
    this.name = name
  }

  /** The state as it is committed, or was read anew. What is due by now waits for who can take it. */
  put(state: GroupState | undefined, now: number): void {
    this.state = state
    this.dueAt = Number.POSITIVE_INFINITY
    for (const { member, until } of state?.pending.values() ?? [])
      if (member !== undefined || until > now) this.dueAt = Math.min(this.dueAt, until)
  }

  /** A test for the types that a group is for. */
  matcher(types: readonly string[]): (type: string) => boolean {
    const key = JSON.stringify(types)
    if (this.#matcher?.types !== key) this.#matcher = { types: key, matches: typeMatcher(types) }
    return this.#matcher.matches
  }

  /** Whether nothing of it has to be kept in mind here. */
  get idle(): boolean {
    return this.state === undefined && this.members.size === 0
  }
}

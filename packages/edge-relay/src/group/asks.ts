/** What the groups of a room are asked, until the next append of the room decides it. */
import type { BusError, GroupFrame, LeaseRef, SettleFrame } from '@crosstown/bus/protocol'
import type { GroupPeer, Member } from './group.ts'
import type { DeadLetter, GroupRules } from './state.ts'

/** A member joins, and begins the group behind a place where there is none. */
export interface JoinAsk {
  readonly kind: 'join'
  readonly group: string
  readonly member: Member
  readonly rules: GroupRules
  readonly holds: readonly LeaseRef[] | undefined
  readonly after: number | 'now'
}

/** A member says what became of its leases. */
export interface SettleAsk {
  readonly kind: 'settle'
  readonly group: string
  readonly key: string
  readonly frame: SettleFrame
  readonly peer: GroupPeer
}

/** A member left, or did not come back; then only as a member of that process. */
export interface GoneAsk {
  readonly kind: 'gone'
  readonly group: string
  readonly key: string
  readonly node?: string
}

/** Something is due, or more of the room was read; with `first`, it begins behind that place by now. */
export interface LookAsk {
  readonly kind: 'look'
  readonly group: string
  readonly first?: number
}

/** An event that was leased is not to be had. */
export interface LostAsk {
  readonly kind: 'lost'
  readonly group: string
  readonly key: string
  readonly lease: LeaseRef
}

/** An operator has dead letters leased once more, or drops them. */
export interface LettersAsk {
  readonly kind: 'redrive' | 'drop'
  readonly group: string
  readonly letters: readonly (readonly [number: number, letter: DeadLetter])[]
  readonly done: (error?: BusError) => void
}

/** An operator deletes the group. */
export interface DeleteAsk {
  readonly kind: 'delete'
  readonly group: string
  readonly done: (error?: BusError) => void
}

export type Ask = JoinAsk | SettleAsk | GoneAsk | LookAsk | LostAsk | LettersAsk | DeleteAsk

/** What the frame of a join says of the group. */
export type JoinOptions = NonNullable<GroupFrame['join']>

/**
 * Frames between the members of groups and the context that leads their device: what a member and a
 * relay say to each other, in the words of the wire.
 */
import { isAmount, isName, isObject } from './checks.ts'
import { GROUP_FAULTS } from './group-checks.ts'
import type {
  GroupedFrame,
  GroupFrame,
  LeaseFrame,
  SettledFrame,
  SettleFrame,
} from './group-frames.ts'

/** What a member of a group says to a relay. */
export type MemberFrame = GroupFrame | SettleFrame
/** What a relay says to a member. */
export type ToMemberFrame = GroupedFrame | LeaseFrame | SettledFrame

/** What a member says to the relay, or the relay to a member: the leader passes it on. */
export interface PassFrame {
  readonly frame: 'pass'
  readonly log: string
  /** The context that the member is in. */
  readonly prefix: string
  readonly say: MemberFrame | ToMemberFrame
  /** Of what the relay says: by which line it came. */
  readonly line?: Line
}

/**
 * A connection to a relay, as members know it: they join anew by each. `term` is the leader's, `round`
 * counts its connections, and `epoch` is that of the room.
 */
export interface Line {
  readonly term: number
  readonly round: number
  readonly epoch: string
}

export function isLine(line: unknown): boolean {
  return (
    isObject(line) && isAmount(line['term']) && isAmount(line['round']) && isName(line['epoch'])
  )
}

/** Whether the fields of a frame are what they must be. */
export function isPass({ prefix, say, line }: Record<string, unknown>): boolean {
  if (!isName(prefix) || !isObject(say) || typeof say['frame'] !== 'string') return false
  const name = say['frame']
  if (!Object.hasOwn(GROUP_FAULTS, name)) return false
  if (line !== undefined && !isLine(line)) return false
  return GROUP_FAULTS[name as PassFrame['say']['frame']](say) === undefined
}

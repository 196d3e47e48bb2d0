/** Who may be a member of a group, and what it becomes one with. */
import { BusError, type GroupFrame, isWithin } from '@crosstown/bus/protocol'
import type { Limits } from '../limits.ts'
import type { RoomHead } from '../record.ts'
import { placeFrom } from '../resume.ts'
import type { Store } from '../stores/store.ts'
import type { JoinOptions } from './asks.ts'
import { type Group, type GroupPeer, memberKey } from './group.ts'
import type { GroupRules } from './state.ts'

/** Members of one connection. */
const MAX_MEMBERSHIPS = 256
const ACK_WAIT_MS = 30_000
const MAX_DELIVER = 10

/** A join that is not decided yet. */
interface Asked {
  readonly peer: GroupPeer
  /** Whether its member left since. */
  left: boolean
}

/** Joins that are not decided yet: they count as if they were. */
export class Joining {
  /** By group and key, in the order in which they came: a device may ask again before it is answered. */
  readonly #asked = new Map<string, Map<string, Asked[]>>()

  begin(group: string, key: string, peer: GroupPeer): Asked {
    const asked = { peer, left: false }
    const own = this.#asked.get(group)
    const before = own?.get(key)
    if (before) before.push(asked)
    else if (own) own.set(key, [asked])
    else this.#asked.set(group, new Map([[key, [asked]]]))
    return asked
  }

  end(group: string, key: string, peer: GroupPeer): void {
    const own = this.#asked.get(group)
    const all = own?.get(key) ?? []
    const at = all.findIndex((asked) => asked.peer === peer)
    if (at >= 0) all.splice(at, 1)
    if (all.length === 0) own?.delete(key)
    if (own?.size === 0) this.#asked.delete(group)
  }

  /** A member leaves, whatever was asked for it until now; whether that was anything. */
  leave(group: string, key: string): boolean {
    const all = this.#asked.get(group)?.get(key) ?? []
    for (const asked of all) asked.left = true
    return all.length > 0
  }

  /** Why somebody cannot join; `undefined` where nothing is in the way. */
  fault(
    groups: ReadonlyMap<string, Group>,
    limits: Limits,
    peer: GroupPeer,
    { group, member }: GroupFrame,
    join: JoinOptions,
  ): BusError | undefined {
    const rights = peer.identity?.rights
    if (!rights || rights.history === false || !isWithin(join.types, rights.subscribe))
      return new BusError('forbidden', 'the token does not allow to read all that the group is for')
    const all = new Set([...groups.keys(), ...this.#asked.keys()])
    if (!all.has(group) && all.size >= limits.groups) return tooMany('the room has too many groups')
    const keys = new Set(groups.get(group)?.members.keys())
    for (const key of this.#asked.get(group)?.keys() ?? []) keys.add(key)
    if (keys.has(memberKey(peer.device, member))) return undefined
    if (keys.size >= limits.groupMembers) return tooMany('the group has too many members')
    let own = membershipsOf(groups, peer).length
    for (const asked of this.#asked.values())
      for (const all of asked.values()) if (all.some((one) => one.peer === peer)) own += 1
    if (own < MAX_MEMBERSHIPS) return undefined
    return tooMany('the device has too many members of groups')
  }
}

function tooMany(message: string): BusError {
  return new BusError('rate_limited', message)
}

/** A member of a connection, as it goes on where the object that had its room is out of memory. */
export type Membership = readonly [group: string, member: string, credit: number]

/** All members of a connection. */
export function membershipsOf(groups: ReadonlyMap<string, Group>, peer: GroupPeer): Membership[] {
  const own: Membership[] = []
  for (const { members, name } of groups.values())
    for (const one of members.values())
      if (one.peer === peer) own.push([name, one.name, one.credit])
  return own
}

/** The options of a join with nothing left out. */
export function rulesOf(join: JoinOptions, { groupPending }: Limits): GroupRules {
  const { ackWait = ACK_WAIT_MS, backoff, orderBy, types } = join
  const { maxAckPending = groupPending, maxDeliver = MAX_DELIVER } = join
  return {
    types,
    ackWait,
    ...(backoff && { backoff }),
    maxDeliver,
    maxAckPending: Math.min(maxAckPending, groupPending),
    ...(orderBy && { orderBy }),
  }
}

/** Behind which place a group begins, if it does not exist yet. */
export async function beginning(
  store: Store,
  room: string,
  head: RoomHead,
  { from = 'now' }: JoinOptions,
): Promise<number | 'now'> {
  return from === 'now' ? 'now' : placeFrom(store, room, head, from)
}

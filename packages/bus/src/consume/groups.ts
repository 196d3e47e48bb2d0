/** The members of groups that are in this context. */
import type { Given } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import { type Part, type Waiter, whenLoaded } from '../part.ts'
import type { From } from '../protocol/frames.ts'
import type { Line, Members, ToMemberFrame } from '../sync/sync.ts'
import type { Policy } from '../types.ts'
import type { GroupMember, GroupMemberOptions } from './group-member.ts'
import type { Settling } from './options.ts'
import type { GroupStats } from './types.ts'

export type GroupsOptions = Pick<
  GroupMemberOptions,
  'admits' | 'open' | 'platform' | 'positionOf' | 'prefix' | 'report' | 'say'
> &
  Waiter & {
    /** Whether this context leads its device, or has a link to who does. */
    readonly hasWay: () => boolean
    /** What a member is made of, once there is one. */
    readonly part: Part<{ readonly GroupMember: typeof GroupMember }>
  }

/** In which somebody leads, where anybody can. */
const WAY_MS = 10_000

/** What a subscription joins with. */
export interface Joining {
  readonly group: string
  readonly given: Given
  readonly settling: Settling
  readonly policy: Policy | undefined
  readonly from: From | undefined
}

export class Groups implements Members {
  readonly #options: GroupsOptions
  readonly #members = new Map<string, GroupMember>()
  #line: Line | undefined
  #made = 0
  /** The page stands still. */
  #away = false

  constructor(options: GroupsOptions) {
    this.#options = options
  }

  /** What ends the membership is returned. */
  join(joining: Joining): () => void {
    const { prefix, part } = this.#options
    this.#made += 1
    const name = `${prefix}-${this.#made}`
    let ended = false
    let member: GroupMember | undefined
    whenLoaded(part, this.#options, ({ GroupMember }) => {
      if (ended) return
      member = new GroupMember({ ...this.#options, ...joining, member: name })
      this.#members.set(name, member)
      if (!this.#away) member.connected(this.#line)
    })
    const cancel = this.#expectWay(joining.group)
    return () => {
      ended = true
      cancel()
      member?.end(new BusError('closed', 'the subscription ended', { stage: 'consume' }))
      this.#members.delete(name)
    }
  }

  /** Who leads holds the only connection: without a link to it nothing gets there. */
  #expectWay(group: string): () => void {
    const { hasWay, platform, report } = this.#options
    return platform.timer(WAY_MS, () => {
      if (this.#line || this.#away || hasWay()) return
      const what = `group ${group}: another context leads this device, and there is no tabs link to it: give this bus one, or subscribe there`
      report(new BusError('unreachable', what, { stage: 'consume' }))
    })
  }

  heard(frame: ToMemberFrame, data: readonly string[], line: Line): void {
    this.#members.get(frame.member)?.heard(frame, data, line)
  }

  connected(line: Line | undefined): void {
    this.#line = line
    if (!this.#away) for (const member of this.#members.values()) member.connected(line)
  }

  leave(): void {
    this.#away = true
    const reason = new BusError('aborted', 'the page stands still', { stage: 'consume' })
    for (const member of this.#members.values()) member.leave(reason)
  }

  back(): void {
    this.#away = false
    this.connected(this.#line)
  }

  get stats(): GroupStats[] {
    return [...this.#members.values()].map(({ stats }) => stats)
  }
}

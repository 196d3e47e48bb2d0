// Groups in a run: every context is a member of each, and what they did with what they were leased.
import type { BusEvent } from '@crosstown/bus'
import { typeMatcher } from '@crosstown/bus/protocol'
import { Random, type TestNetwork } from '@crosstown/bus/testing'
import { type Instance, isOver } from './ledger.ts'
import { type Place, ROOM } from './place.ts'

/** How often an event is tried in the group that gives up. */
const MAX_DELIVER = 3
export const ACK_WAIT_MS = 5_000
/** In which whatever was leased is settled or lapses, over and over. */
const PATIENCE_MS = 600_000
const SLICE_MS = 5_000

/** The groups of a run, and what each is for. */
export const GROUPS = [
  { group: 'each', types: ['fact.**'], orderBy: undefined, maxDeliver: Number.POSITIVE_INFINITY },
  { group: 'streams', types: ['fact.**'], orderBy: 'stream', maxDeliver: Number.POSITIVE_INFINITY },
  { group: 'few', types: ['fact.stated'], orderBy: undefined, maxDeliver: MAX_DELIVER },
] as const

/** One call of a handler of a member. */
export interface GroupCall {
  readonly group: string
  readonly id: string
  readonly attempt: number
  readonly by: Instance
  /** When, in virtual milliseconds. */
  readonly at: number
  readonly begun: number
  /** How often its context stood still, or was about to, before. */
  readonly disturbed: number
  readonly place: Place
  /** When it ended; absent while it runs, or where its context did before. */
  ended?: number
  outcome?: 'acked' | 'failed'
}

export class GroupWorkers {
  /** In the order in which they began; what ends counts the steps in between. */
  readonly calls: GroupCall[] = []
  readonly #network: TestNetwork
  readonly #random: Random
  #steps = 0

  constructor(network: TestNetwork, seed: number) {
    this.#network = network
    this.#random = new Random(seed)
  }

  /** The context becomes a member of all groups. */
  join(place: Place): void {
    const { bus, context, instance } = place
    for (const { group, types, orderBy, maxDeliver } of GROUPS) {
      bus.subscribe(
        types,
        async (event: BusEvent, { attempt, signal }) => {
          this.#steps += 1
          const { now: at } = this.#network
          const { disturbed } = place
          const call: GroupCall = {
            group,
            id: event.id,
            attempt,
            by: instance,
            at,
            begun: this.#steps,
            disturbed,
            place,
          }
          this.calls.push(call)
          const ended = (outcome: 'acked' | 'failed'): void => {
            this.#steps += 1
            call.ended = this.#steps
            call.outcome = outcome
          }
          try {
            const fate = this.#random.next()
            const ms = this.#random.chance(0.1)
              ? this.#random.between(500, 4_000)
              : this.#random.between(0, 40)
            await new Promise<void>((resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason))
              // One that hangs ends when its signal does.
              if (fate > 0.02) context.platform.timer(ms, resolve)
            })
            if (fate < 0.08) throw new Error('this time it fails')
            ended('acked')
          } catch (error) {
            ended('failed')
            throw error
          }
        },
        {
          group,
          orderBy,
          maxDeliver,
          ackWait: ACK_WAIT_MS,
          backoff: [ACK_WAIT_MS],
          concurrency: 3,
        },
      )
    }
  }

  /** Waits until every group is done with all that is in the room, where a member is left to do it. */
  async rest(members: readonly Place[]): Promise<void> {
    const end = this.#network.now + PATIENCE_MS
    while (this.#network.now < end && members.some(({ instance }) => !isOver(instance))) {
      const { events } = await this.#network.relay.room(ROOM)
      if (GROUPS.every((group) => this.left(group, events).length === 0)) return
      await this.#network.run(SLICE_MS)
    }
  }

  /** Whether an event was tried so often in some group that it was given up. */
  gaveUp(event: string): boolean {
    return this.calls.some(({ id, attempt, group }) => {
      const { maxDeliver } = GROUPS.find((one) => one.group === group) ?? {}
      return id === event && attempt === maxDeliver
    })
  }

  /** Events of the room that a group which never gives up is not done with. */
  left(
    { group, types, maxDeliver }: (typeof GROUPS)[number],
    events: readonly { readonly id: string; readonly type: string }[],
  ): string[] {
    if (maxDeliver < Number.POSITIVE_INFINITY) return []
    const done = new Set<string>()
    for (const call of this.calls)
      if (call.group === group && call.outcome === 'acked') done.add(call.id)
    const isFor = typeMatcher(types)
    return events.flatMap(({ id, type }) => (isFor(type) && !done.has(id) ? [id] : []))
  }
}

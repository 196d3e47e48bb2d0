import type {
  GroupedFrame,
  GroupFrame,
  SettledFrame,
  Settlement,
  SettleOutcome,
} from '@crosstown/bus/protocol'
import { headerOf, type Probe, publishOf } from './probe.ts'

type Join = NonNullable<GroupFrame['join']>

/** What a member was leased. */
export interface Leased {
  readonly member: string
  readonly place: number
  readonly generation: number
  readonly attempt: number
  readonly waitMs: number
  readonly id: string
  readonly data: string
}

/** A device that speaks the protocol, with members of one group. */
export class GroupDevice {
  readonly probe: Probe
  /** The socket it is connected with. */
  readonly socket: { drop(): void }
  readonly group: string
  #batch: number | undefined
  #number = 0

  /** @param batch the last one that was taken from it */
  constructor(
    probe: Probe,
    socket: { drop(): void },
    batch: number | undefined,
    group: string = 'mail',
  ) {
    this.probe = probe
    this.socket = socket
    this.group = group
    this.#batch = batch
  }

  async publish(ids: readonly string[], stream?: string, type?: string): Promise<void> {
    const batch = (this.#batch ?? 0) + 1
    const headers = ids.map((id) => headerOf(id, type, stream === undefined ? {} : { stream }))
    this.probe.send(
      publishOf(batch, this.#batch, headers),
      ids.map((id) => JSON.stringify(id)),
    )
    this.#batch = batch
    const ack = () => this.probe.unread.some(({ frame }) => frame.frame === 'ack')
    while (!ack()) await this.probe.more()
    const at = this.probe.unread.findIndex(({ frame }) => frame.frame === 'ack')
    this.probe.unread.splice(at, 1)
  }

  async join(member: string, join: Partial<Join> = {}): Promise<GroupedFrame> {
    this.probe.send({
      frame: 'group',
      group: this.group,
      member,
      join: { types: ['**'], credit: 10, ...join },
    })
    return (await this.probe.next('grouped')).frame
  }

  /** The next leases of a member, at least so many. */
  async leases(count = 1): Promise<Leased[]> {
    const leased: Leased[] = []
    while (leased.length < count) leased.push(...leasedIn(await this.probe.next('lease')))
    return leased
  }

  /** Leases that came and were not asked for yet. */
  unread(): Leased[] {
    return this.probe.unread.flatMap((one) =>
      one.frame.frame === 'lease' ? leasedIn({ frame: one.frame, data: one.data }) : [],
    )
  }

  async settle(member: string, settlements: readonly Settlement[]): Promise<SettledFrame> {
    this.#number += 1
    this.probe.send({
      frame: 'settle',
      group: this.group,
      member,
      number: this.#number,
      settlements,
    })
    const settled = (): SettledFrame | undefined => {
      const frames = this.probe.unread.map(({ frame }) => frame)
      const at = frames.findIndex(
        (frame) => frame.frame === 'settled' && frame.number === this.#number,
      )
      if (at < 0) return undefined
      this.probe.unread.splice(at, 1)
      return frames[at] as SettledFrame
    }
    let frame = settled()
    while (!frame) {
      await this.probe.more()
      frame = settled()
    }
    return frame
  }
}

function leasedIn({ frame, data }: Awaited<ReturnType<Probe['next']>>): Leased[] {
  if (frame.frame !== 'lease') return []
  return frame.leases.map(([place, generation, attempt, , waitMs], i) => ({
    member: frame.member,
    place,
    generation,
    attempt,
    waitMs,
    id: frame.events[i]?.id ?? '',
    data: data[i] ?? '',
  }))
}

/** A settlement of a lease. */
export function settled(outcome: SettleOutcome): (lease: Leased) => Settlement {
  return ({ generation, place }) => [place, generation, outcome]
}

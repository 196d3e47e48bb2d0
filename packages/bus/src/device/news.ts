/**
 * What the other contexts of the device have to say, handed to those it concerns: events to the
 * handlers, confirmations to who waits for them, the leader's state to the status.
 */
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type {
  BeatFrame,
  Confirmation,
  HereFrame,
  JoinFrame,
  Members,
  PassFrame,
  PeerContexts,
  PeerEvents,
  Waiters,
} from '../sync/sync.ts'
import type { Gap, StatusSnapshot } from '../types.ts'
import type { Candidate } from './candidate.ts'
import type { GroupWay } from './group-way.ts'
import type { HandOver } from './hand-over.ts'
import type { Lead, OutboxSize } from './lead.ts'
import type { Linked } from './linked.ts'
import type { Store } from './status.ts'

/** Those it concerns; some are made later than this. */
export interface NewsOptions {
  readonly taps: TapHolder
  readonly status: Store<StatusSnapshot>
  readonly outbox: OutboxSize
  readonly waiters: Waiters
  readonly linked: Linked
  readonly groups: GroupWay
  readonly members: Members
  readonly peers: () => PeerContexts
  readonly lead: () => Lead
  readonly candidate: () => Candidate
  readonly handOver: () => HandOver
  readonly sawTime: (time: number) => void
  readonly gap: (gap: Gap) => void
  readonly changed: (head?: number) => void
  readonly report: (error: BusError) => void
}

export class News implements PeerEvents {
  readonly #options: NewsOptions
  readonly sawTime: (time: number) => void
  readonly changed: (head?: number) => void
  readonly report: (error: BusError) => void
  /** Term of the last beat: another leader may have died before it told what it knew. */
  #seenTerm = 0

  constructor(options: NewsOptions) {
    this.#options = options
    this.sawTime = options.sawTime
    this.changed = options.changed
    this.report = options.report
  }

  /** The log is another one. */
  startAnew(): void {
    this.#seenTerm = 0
  }

  linked(...posted: Parameters<PeerEvents['linked']>): void {
    this.#options.linked.posted(...posted)
  }

  deliver(incoming: Incoming, origin: Origin): void {
    this.#options.linked.dispatcher.incoming(incoming, origin)
  }

  past(incoming: Incoming): void {
    this.#options.linked.dispatcher.past(incoming)
  }

  gap(gap: Gap): void {
    this.changed()
    this.#options.gap(gap)
  }

  committed(...grown: Parameters<PeerEvents['committed']>): void {
    this.#options.lead().grew(...grown)
  }

  confirmed(confirmation: Confirmation): void {
    this.#options.taps.tap?.confirmed(confirmation)
    this.#options.waiters.confirm(confirmation)
    this.#options.lead().confirmed(confirmation)
  }

  beat(frame: BeatFrame): void {
    const { candidate, handOver, linked, outbox: size, peers, status } = this.#options
    this.changed()
    const { prefix, relay, rtt, code, confirmed, line, pending, bytes, refused, term } = frame
    candidate().led(prefix)
    if (status.get().leader) return
    if (term !== this.#seenTerm) {
      handOver().lookUpAll()
      void peers().look()
    }
    this.#seenTerm = term
    status.update({ relay, rtt, outbox: { pending, refused } })
    size.bytes = bytes
    if (confirmed !== undefined) handOver().confirmThrough(confirmed)
    linked.inquire()
    this.#options.members.connected(line)
    if (code === undefined || status.get().lastError?.code === code) return
    const text = `the relay refuses this device: ${code}`
    status.update({ lastError: new BusError(code, text, { stage: 'links' }) })
  }

  ledElsewhere(): void {
    this.#options.linked.seekAgain()
  }

  joined(frame: JoinFrame): void {
    this.#options.lead().beatNow()
    this.#options.candidate().joined(frame)
  }

  passed(frame: PassFrame, data: readonly string[]): void {
    this.#options.groups.passed(frame, data)
  }

  here(frame: HereFrame): void {
    this.#options.candidate().here(frame)
  }

  /** Of unpersisted events the leader sends the room's on. */
  cast(headers: readonly EventHeader[], data: readonly string[]): void {
    const lead = this.#options.lead()
    if (!lead.casts) return
    const forRoom = headers.map((header) => header.scope !== 'device')
    const sent = headers.filter((_, i) => forRoom[i])
    const texts = data.filter((_, i) => forRoom[i])
    if (sent.length > 0) lead.cast(JSON.stringify(sent), texts)
  }
}

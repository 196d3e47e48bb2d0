/** Who was heard of: peers, what they told of themselves, and when they were there. */
import type {
  HelloFrame,
  PeerId,
  PeerStatus,
  SubscriptionInfo,
  ViewInfo,
} from '@crosstown/bus/inspect'
import { typeMatcher } from '@crosstown/bus/protocol'
import { type Capture, isCaptured, type Missed } from './captured.ts'
import type { Pause, Peer, PeerSubscription } from './model.ts'
import { type Numbered, nameOf } from './names.ts'
import { Rates } from './rates.ts'

/** Peers known at most; those that are gone longest make room. */
export const MAX_PEERS = 1_000
/** Matches no type. */
const NOTHING = ['-']
const MAX_ENDED_SUBSCRIPTIONS = 500
const MAX_PAUSES = 20
const MAX_MISSED = 100

export type KnownSubscription = {
  -readonly [Key in keyof PeerSubscription]: PeerSubscription[Key]
}

/** When a peer had a subscription that takes a type, ms; `to` Infinity while it lasts. */
export interface Interval {
  readonly sub: number
  readonly from: number
  readonly to: number
}

/** A peer as the model keeps it; `Peer` is the picture of it that views get. */
export class KnownPeer implements Numbered, Capture {
  readonly id: PeerId
  /** From 1; steps and entries name peers by it. */
  readonly index: number
  hello: HelloFrame
  status: PeerStatus
  readonly subscriptions = new Map<number, KnownSubscription>()
  readonly views = new Map<number, ViewInfo>()
  device = ''
  state: Peer['state'] = 'live'
  detail: string | undefined
  readonly sources = new Set<string>()
  since: number
  firstAt: number
  lastHeard: number
  goneAt: number | undefined
  /** Whether it went because its device lost the relay. */
  cut = false
  /** Times in which it was gone, and came back. */
  readonly away: { readonly from: number; readonly to: number }[] = []
  readonly pauses: Pause[] = []
  lost = 0
  readonly missed: Missed[] = []
  /** Number of the next record: those before were taken in, or are lost. */
  next: number
  /** When its newest record was written, by its own clock. */
  lastAt: number = Number.NEGATIVE_INFINITY
  /** The state of the relay and of leading that its records told last. */
  told: { relay?: PeerStatus['relay']; leads?: boolean } = {}
  /** Of a relay: devices it told of, and whether they are online. */
  readonly toldDevices = new Map<string, boolean>()
  readonly rates: Rates = new Rates()
  number = 0
  load = 1
  /** Facets of its last records, by kind and by what tells them apart within it. */
  readonly facets: Map<string | number, { readonly index: number; readonly sweeps: number }>[] = []
  /** When its messages were last looked at for what they say of clocks, and how often. */
  pairedAt: number = Number.NEGATIVE_INFINITY
  paired = 0
  #matching = new Map<string, readonly Interval[]>()
  #readable:
    | { readonly patterns: readonly string[]; readonly matches: (type: string) => boolean }
    | undefined
  #picture: Peer | undefined

  constructor(index: number, hello: HelloFrame, now: number) {
    this.id = hello.peer
    this.index = index
    this.hello = hello
    this.status = hello.status
    this.since = now
    this.firstAt = hello.now[1]
    this.lastHeard = now
    this.next = hello.oldest
  }

  get name(): string {
    return nameOf(this)
  }

  /** Must be called after a change, so that views get another picture. */
  changed(): void {
    this.#picture = undefined
  }

  subscribed(subscription: SubscriptionInfo): void {
    const known = this.subscriptions.get(subscription.sub)
    this.subscriptions.set(subscription.sub, {
      ...subscription,
      // Counted here meanwhile: what is told again may be older.
      calls: Math.max(subscription.calls, known?.calls ?? 0),
      failures: Math.max(subscription.failures, known?.failures ?? 0),
      ...(known?.ended === undefined ? {} : { ended: known.ended }),
      ...(known?.circuit === undefined ? {} : { circuit: known.circuit }),
    })
    this.#matching.clear()
    this.changed()
  }

  unsubscribed(sub: number, at: number): void {
    const known = this.subscriptions.get(sub)
    if (!known || known.ended !== undefined) return
    known.ended = at
    this.#matching.clear()
    this.changed()
    if (this.subscriptions.size <= MAX_ENDED_SUBSCRIPTIONS) return
    for (const [key, subscription] of this.subscriptions) {
      if (subscription.ended === undefined) continue
      this.subscriptions.delete(key)
      break
    }
  }

  /** When it listened to a type, by its own clock. */
  listening(type: string): readonly Interval[] {
    let intervals = this.#matching.get(type)
    if (!intervals) {
      intervals = [...this.subscriptions.values()]
        .filter(({ patterns }) => typeMatcher(patterns)(type))
        .map(({ sub, at, ended }) => ({ sub, from: at, to: ended ?? Number.POSITIVE_INFINITY }))
      if (this.#matching.size > 10_000) this.#matching.clear()
      this.#matching.set(type, intervals)
    }
    return intervals
  }

  /** Whether the room lets it read a type, as far as it was told. */
  mayRead(type: string): boolean {
    const { rights } = this.status
    if (!rights) return true
    if (this.#readable?.patterns !== rights.subscribe) {
      const { subscribe } = rights
      const matches = typeMatcher(subscribe.length > 0 ? subscribe : NOTHING)
      this.#readable = { patterns: subscribe, matches }
    }
    return this.#readable.matches(type)
  }

  /** Whether it was there at a time of the inspector's. */
  wasThere(ms: number): boolean {
    if (this.goneAt !== undefined && ms >= this.goneAt) return false
    return !this.away.some(({ from, to }) => ms >= from && ms < to)
  }

  /** Whether what became of something at that time, by its own clock, would have been told. */
  isCaptured(at: number): boolean {
    return isCaptured(this, at)
  }

  /** Its records since its newest one are lost, up to `to`, or to the next one that comes. */
  miss(to: number = Number.POSITIVE_INFINITY): void {
    const from = this.lastAt
    if (from === Number.NEGATIVE_INFINITY) return
    this.missed.push({ from, to })
    if (this.missed.length > MAX_MISSED) this.missed.shift()
    this.changed()
  }

  /** A record that it wrote came; whether that changes what of it was captured. */
  wrote(at: number): boolean {
    if (at > this.lastAt) this.lastAt = at
    const missed = this.missed.at(-1)
    const ends = missed?.to === Number.POSITIVE_INFINITY
    if (ends) this.missed[this.missed.length - 1] = { from: missed.from, to: at }
    const earlier = at < this.firstAt
    if (earlier) this.firstAt = at
    if (ends || earlier) this.changed()
    return ends || earlier
  }

  /** It begins to be without the relay, or frozen, or that ends. */
  pause(why: Pause['why'], paused: boolean, ms: number): void {
    const index = this.pauses.findLastIndex((pause) => pause.why === why && pause.to === undefined)
    const open = this.pauses[index]
    if (paused === (open !== undefined)) return
    if (open) this.pauses[index] = { ...open, to: Math.max(ms, open.from) }
    else this.pauses.push({ why, from: ms })
    if (this.pauses.length > MAX_PAUSES) this.pauses.shift()
    this.changed()
  }

  gone(now: number, cut = false): boolean {
    if (this.goneAt !== undefined) return false
    this.goneAt = now
    this.cut = cut
    this.state = 'gone'
    this.changed()
    return true
  }

  /** It said something; whether it is there again. Only with a hello does one who went come back. */
  heard(now: number, hello: boolean): boolean {
    this.lastHeard = Math.max(this.lastHeard, now)
    if (this.state === 'live' || this.state === 'mismatch') return false
    if (this.goneAt !== undefined) {
      if (!hello) return false
      this.away.push({ from: this.goneAt, to: now })
      if (this.away.length > 100) this.away.shift()
      this.goneAt = undefined
    }
    this.state = 'live'
    this.changed()
    return hello
  }

  /** The same object until something of it changes. */
  picture(
    now: number,
    skew: { readonly ms: number; readonly uncertainty: number },
    labels: ReadonlyMap<string, string>,
  ): Peer {
    const rate = this.rates.at(now)
    const before = this.#picture
    if (
      before &&
      before.rate.published === rate.published &&
      before.rate.received === rate.received &&
      before.rate.handled === rate.handled &&
      before.skew.ms === skew.ms &&
      before.skew.uncertainty === skew.uncertainty
    ) {
      return before
    }
    const picture: Peer = {
      id: this.id,
      hello: this.hello,
      name: this.name,
      status: this.status,
      subscriptions: new Map([...this.subscriptions].map(([sub, info]) => [sub, { ...info }])),
      views: new Map(this.views),
      device: this.device,
      state: this.state,
      sources: [...this.sources].map((source) => labels.get(source) ?? source),
      since: this.since,
      firstAt: this.firstAt,
      lastHeard: this.lastHeard,
      ...(this.goneAt === undefined ? {} : { goneAt: this.goneAt }),
      ...(this.goneAt !== undefined && this.cut ? { cut: true } : {}),
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      away: [...this.away],
      pauses: [...this.pauses],
      skew,
      rate,
      lost: this.lost,
      missed: [...this.missed],
    }
    this.#picture = picture
    return picture
  }
}

/**
 * Which peers are one device: those of one log; those that the room knows by one name; and, where one
 * has neither, those of one origin, bus and room that are heard through the same source.
 */
export function deviceOf(peer: KnownPeer, others: Iterable<KnownPeer>): string {
  const { hello } = peer
  if (hello.kind === 'relay') return peer.id
  if (hello.log !== undefined) return `log ${hello.log}`
  const place = placeOf(hello)
  for (const other of others) {
    if (other === peer || other.hello.log === undefined) continue
    const sameDevice = hello.device !== undefined && other.hello.device === hello.device
    const samePlace = place !== undefined && placeOf(other.hello) === place
    if (sameDevice || (samePlace && shareSource(peer, other))) return `log ${other.hello.log}`
  }
  if (hello.device !== undefined) return `device ${hello.device}`
  return place === undefined ? `peer ${peer.id}` : `place ${place}`
}

function placeOf(hello: HelloFrame): string | undefined {
  if (hello.url === undefined) return undefined
  const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(hello.url)?.[0]
  return origin === undefined ? undefined : `${origin} ${hello.bus} ${hello.relay?.room ?? ''}`
}

function shareSource(one: KnownPeer, other: KnownPeer): boolean {
  for (const source of one.sources) if (other.sources.has(source)) return true
  return false
}

/** All peers there are, by id and by index; their names, devices and subscriptions as records tell. */
import type {
  EventColumns,
  HelloFrame,
  InspectedEvent,
  InspectRecord,
  MismatchFrame,
  PeerId,
  PeerStatus,
} from '@crosstown/bus/inspect'
import type { PeerLine } from '../../frames/session-lines.ts'
import type { Peer } from './model.ts'
import { familyOf } from './names.ts'
import { deviceOf, KnownPeer, type KnownSubscription, MAX_PEERS } from './peers.ts'
import type { Skew } from './skew.ts'
import { countOf } from './store/ids.ts'

/** A page that says hello so soon after another of its place went is the same tab, reloaded. */
const RELOAD_MS = 15_000
/** Indexes of peers are 16 bits wide where events name them. */
const MAX_INDEX = 65_535

export class PeerBook {
  readonly #skew: Skew
  readonly #byId = new Map<PeerId, KnownPeer>()
  readonly #byIndex: (KnownPeer | undefined)[] = [undefined]
  readonly #ids: PeerId[] = ['']
  readonly #families = new Map<string, number>()
  #pictures: ReadonlyMap<PeerId, Peer> = new Map()
  #devices = new Set<string>()
  /** Grows when who was there, or listened to what, changed. */
  version = 0
  /** The devices on the machine the panel is on: one for each log of the inspected pages. */
  readonly local = new Set<string>()
  /** Labels of sources. */
  readonly labels = new Map<string, string>()

  constructor(skew: Skew) {
    this.#skew = skew
  }

  get all(): Iterable<KnownPeer> {
    return this.#byId.values()
  }

  get devices(): number {
    return this.#devices.size
  }

  find(id: PeerId): KnownPeer | undefined {
    return this.#byId.get(id)
  }

  at(index: number): KnownPeer | undefined {
    return this.#byIndex[index]
  }

  idOf(index: number): PeerId {
    return this.#ids[index] ?? ''
  }

  changed(): void {
    this.version++
  }

  /**
   * Takes in what a peer says of itself; `news` where that is worth a row.
   * @throws {RangeError} when there are more peers than can be told apart
   */
  hello(
    frame: HelloFrame,
    source: string,
    local: boolean,
    now: number,
  ): { readonly peer: KnownPeer; readonly news?: string } {
    const known = this.#byId.get(frame.peer)
    const peer = known ?? this.#add(frame, now)
    const cameBack = known?.heard(now, true) === true
    peer.sources.add(source)
    peer.hello = frame
    peer.status = frame.status
    for (const subscription of frame.subscriptions) peer.subscribed(subscription)
    if (known) this.#endMissing(peer, frame)
    for (const view of frame.views) peer.views.set(view.view, view)
    this.#settle(peer, local)
    peer.pause('relay', isApart(frame.status), this.#skew.msOf(peer.index, frame.now[1]))
    // What it gave itself as a log may be what another one's device was missing.
    for (const other of this.all) if (other !== peer) this.#settle(other, false)
    peer.changed()
    this.version++
    if (!known) return { peer, news: 'is here' }
    return cameBack ? { peer, news: 'is back' } : { peer }
  }

  /** A peer that speaks another version: all that is known is that it is there. */
  mismatch(frame: MismatchFrame, source: string, detail: string, now: number): KnownPeer {
    const peer = this.#byId.get(frame.peer) ?? this.#add(unknownHello(frame, now), now)
    peer.sources.add(source)
    peer.state = 'mismatch'
    peer.detail = detail
    peer.changed()
    this.version++
    return peer
  }

  /** What was known of a peer when a session was written down. */
  restore(line: PeerLine): void {
    const peer = this.#byId.get(line.peer)
    if (!peer || peer.sources.size > 1) return
    peer.since = line.since
    peer.lastHeard = line.lastHeard
    peer.away.splice(0, peer.away.length, ...line.away)
    peer.lost = line.lost
    peer.firstAt = line.firstAt ?? peer.firstAt
    peer.missed.splice(0, peer.missed.length, ...(line.missed ?? []))
    peer.number = line.number
    peer.load = line.load
    if (line.local) this.#settle(peer, true)
    if (line.goneAt !== undefined) peer.gone(line.goneAt)
    const family = familyOf(peer.hello)
    this.#families.set(family, Math.max(this.#families.get(family) ?? 0, line.number))
    peer.changed()
    this.version++
  }

  /** What a record says of the peer itself. */
  take(peer: KnownPeer, record: InspectRecord, now: number): void {
    // A hello has the state of its time; records of before it are history.
    const current = record.at >= peer.hello.now[1]
    const ms = () => this.#skew.msOf(peer.index, record.at)
    if (peer.wrote(record.at)) this.version++
    switch (record.is) {
      case 'published':
        peer.rates.count('published', countOfEvents(record.events), now)
        return
      case 'received':
      case 'handled':
        peer.rates.count(record.is, countOf(record.ids), now)
        if (current && record.is === 'handled')
          this.#called(peer, record.sub, countOf(record.ids), 0, 'closed')
        return
      case 'failed':
        if (current && record.sub !== undefined) {
          const open = record.code === 'circuit_open' ? 'open' : undefined
          this.#called(peer, record.sub, countOf(record.ids), countOf(record.ids), open)
        }
        return
      case 'subscribed':
        peer.subscribed(record.subscription)
        this.version++
        return
      case 'unsubscribed':
        peer.unsubscribed(record.sub, record.at)
        this.version++
        return
      case 'viewed':
        peer.views.set(record.view.view, record.view)
        peer.changed()
        return
      case 'status':
        peer.told.relay = record.status.relay
        peer.pause('relay', isApart(record.status), ms())
        if (current) peer.status = record.status
        peer.changed()
        return
      case 'life':
        if (record.state === 'frozen') peer.pause('frozen', true, ms())
        else if (record.state === 'resumed') peer.pause('frozen', false, ms())
        return
      case 'leader':
        peer.told.leads = record.lead.self
        if (current) peer.status = { ...peer.status, leader: record.lead.self, lead: record.lead }
        peer.changed()
        return
      case 'device':
        if (peer.toldDevices.size >= MAX_PEERS) peer.toldDevices.clear()
        peer.toldDevices.set(record.device, record.online)
        return
      default:
        return
    }
  }

  pictures(now: number): ReadonlyMap<PeerId, Peer> {
    let changed = this.#pictures.size !== this.#byId.size
    const pictures = new Map<PeerId, Peer>()
    for (const [id, peer] of this.#byId) {
      const picture = peer.picture(now, this.#skew.of(peer.index), this.labels)
      changed ||= this.#pictures.get(id) !== picture
      pictures.set(id, picture)
    }
    // The same map while nothing changed, so that views need not draw anew.
    if (changed) this.#pictures = pictures
    return this.#pictures
  }

  forgetGone(): void {
    for (const peer of [...this.all]) if (peer.state === 'gone') this.#remove(peer)
    this.version++
  }

  #add(frame: HelloFrame, now: number): KnownPeer {
    if (this.#byId.size >= MAX_PEERS) {
      const gone = [...this.all].filter(({ state }) => state === 'gone')
      const [longest] = gone.sort((a, b) => a.goneAt! - b.goneAt!)
      if (!longest) throw new RangeError(`more than ${MAX_PEERS} peers`)
      this.#remove(longest)
    }
    const index = this.#ids.length
    if (index > MAX_INDEX) throw new RangeError('more peers than can be told apart')
    const peer = new KnownPeer(index, frame, now)
    const before = this.#reloadOf(frame, now)
    if (before) {
      peer.number = before.number
      peer.load = before.load + 1
    } else {
      const family = familyOf(frame)
      peer.number = (this.#families.get(family) ?? 0) + 1
      this.#families.set(family, peer.number)
    }
    this.#ids.push(frame.peer)
    this.#byIndex[index] = peer
    this.#byId.set(frame.peer, peer)
    return peer
  }

  /** What went when this one came, at the same place: a tab that was loaded anew, a service restarted. */
  #reloadOf(frame: HelloFrame, now: number): KnownPeer | undefined {
    let latest: KnownPeer | undefined
    for (const peer of this.all) {
      const { hello, goneAt } = peer
      if (goneAt === undefined) continue
      // There is one service worker of a script, which the browser stops and starts as it likes.
      if (now - goneAt > RELOAD_MS && frame.kind !== 'service-worker') continue
      if (hello.kind !== frame.kind || hello.url !== frame.url || hello.bus !== frame.bus) continue
      if (hello.source !== frame.source) continue
      if (this.#wasReloaded(peer)) continue
      if (!latest || goneAt > latest.goneAt!) latest = peer
    }
    return latest
  }

  #wasReloaded({ hello, number, load }: KnownPeer): boolean {
    const family = familyOf(hello)
    for (const peer of this.all) {
      if (familyOf(peer.hello) === family && peer.number === number && peer.load > load) return true
    }
    return false
  }

  #remove(peer: KnownPeer): void {
    this.#byId.delete(peer.id)
    this.#byIndex[peer.index] = undefined
    this.version++
  }

  /** Its device and its clock. */
  #settle(peer: KnownPeer, local: boolean): void {
    const device = deviceOf(peer, this.all)
    if (device !== peer.device) peer.changed()
    peer.device = device
    if (local) this.local.add(device)
    this.#skew.hello(peer.index, device, peer.hello.now, this.local.has(device))
    this.#devices = new Set([...this.all].map(({ device }) => device))
  }

  /** Subscriptions that ended while nobody heard of it. */
  #endMissing(peer: KnownPeer, frame: HelloFrame): void {
    const there = new Set(frame.subscriptions.map(({ sub }) => sub))
    for (const [sub, { at }] of peer.subscriptions) {
      if (!there.has(sub) && at < frame.now[1]) peer.unsubscribed(sub, frame.now[1])
    }
  }

  #called(
    peer: KnownPeer,
    sub: number,
    calls: number,
    failures: number,
    circuit: KnownSubscription['circuit'],
  ): void {
    const known = peer.subscriptions.get(sub)
    if (!known) return
    // Where nothing was refused, nobody knows of a breaker.
    if (circuit === 'open' || (circuit === 'closed' && known.circuit)) known.circuit = circuit
    known.calls += calls
    known.failures += failures
    peer.changed()
  }
}

/** Whether a context that is to hold the connection to the relay is without it. */
function isApart({ leader, relay }: PeerStatus): boolean {
  return leader && relay !== 'online' && relay !== 'off'
}

function countOfEvents(events: readonly InspectedEvent[] | EventColumns): number {
  return 'ids' in events ? countOf(events.ids) : events.length
}

/** What stands in for the hello of a peer that cannot be understood. */
function unknownHello({ inspect, peer, library }: MismatchFrame, now: number): HelloFrame {
  return {
    inspect,
    frame: 'hello',
    peer,
    library,
    bus: '',
    source: 'unknown',
    kind: 'page',
    now: [now, 0],
    next: 0,
    oldest: 0,
    status: {
      relay: 'off',
      rtt: undefined,
      leader: false,
      log: { kind: 'none', state: 'closed', bytes: 0 },
      outbox: { pending: 0, refused: 0 },
      lead: { self: false, present: false },
      queued: 0,
    },
    subscriptions: [],
    views: [],
  }
}

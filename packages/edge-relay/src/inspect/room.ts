/**
 * Who inspects one room, and what goes between them, the relay's own tap and the taps behind its
 * devices. Nothing of this is in the way of events: it is best effort, and bounded.
 *
 * ```
 * inspector ─attach, grant, detach, ask─► own tap, and devices (by peer, or all)
 * inspector ◄─answer── the one who asked    ◄─hello, batch, bye, mismatch── all
 * ```
 */
import {
  type AttachFrame,
  INSPECT_VERSION,
  type InspectorFrame,
  Outlet,
  type PeerStatus,
  type RelayInspectFrame,
} from '@crosstown/bus/inspect'
import { encodeFrame, MAX_INSPECT_LENGTH } from '@crosstown/bus/protocol'
import type { InspectedGroups } from '../group/inspected.ts'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'
import { VERSION } from '../version.ts'
import { type AskRights, answer } from './asks.ts'
import { type InspectedDevice, RelayTap } from './tap.ts'

/** One who inspects a room. */
export interface RoomInspector {
  /** Whether its token may read events of a type. */
  mayRead(type: string): boolean
  /** Whether its token may do something to groups. */
  readonly mayOperate: boolean
  send(text: string): void
}

/** A device that is connected, and may have taps behind it. */
export interface TappedDevice extends InspectedDevice {
  send(text: string): void
}

export interface RoomInspectionOptions {
  readonly room: string
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  /** Commands that wait to be decided. */
  readonly queued: () => number
  readonly groups: InspectedGroups
}

interface Session {
  /** Absent once its connection ended, by an accident as far as is known. */
  inspector: RoomInspector | undefined
  /** Then: when it ends, unless taps ended it before. */
  endsMs: number
  /** What it is called by taps. */
  readonly name: string
  /** What its inspector calls it. */
  readonly own: string
  /** How it attached last, to all. */
  attach: AttachFrame
}

interface PeerSeen {
  /** The device it is behind, by name; absent devices may come back. */
  readonly name: string
  device: TappedDevice | undefined
  /** Number of the next record of it that is to come. */
  next: number
}

/** Tells this start of the relay from others. */
const NONCE_LENGTH = 8
/** How long taps go on gathering for an inspector whose connection ended. */
const GRACE_MS = 45_000
/** Sessions of one inspector at most. */
const MAX_SESSIONS = 8
const MAX_SESSION_LENGTH = 200
/** Peers remembered of one room. */
const MAX_PEERS = 2_000
const MAX_PEER_LENGTH = 128
/** Of who is not there any more. */
const NO_RIGHTS: AskRights = { mayRead: () => false, mayOperate: false }
const TAP_FRAMES: ReadonlySet<unknown> = new Set(['hello', 'batch', 'bye', 'answer', 'mismatch'])
/** What one device may send in this time. */
const DEVICE_LENGTH = 8 * 1024 * 1024
const DEVICE_WINDOW_MS = 1_000

export class RoomInspection {
  /** There while somebody inspects: what stages of the room look at. */
  tap: RelayTap | undefined
  readonly #options: RoomInspectionOptions
  readonly #peer: string
  readonly #devices = new Set<TappedDevice>()
  readonly #inspectors = new Map<RoomInspector, number>()
  readonly #sessions = new Map<string, Session>()
  readonly #peers = new Map<string, PeerSeen>()
  readonly #heard = new Map<TappedDevice, { since: number; length: number }>()
  #outlet: Outlet | undefined
  #count = 0

  constructor(options: RoomInspectionOptions) {
    this.#options = options
    this.#peer = `relay:${options.room}:${options.platform.randomName(NONCE_LENGTH)}`
  }

  /** Takes an inspector in; `false` where there are as many as there may be. */
  join(inspector: RoomInspector): boolean {
    if (this.#inspectors.size >= this.#options.limits.inspectors) return false
    this.#count += 1
    this.#inspectors.set(inspector, this.#count)
    return true
  }

  /** Whether somebody inspects, or may come back to it. */
  get active(): boolean {
    return this.#inspectors.size > 0 || this.#sessions.size > 0
  }

  /** Number of devices that are connected. */
  get devices(): number {
    return this.#devices.size
  }

  /**
   * An inspector's connection ended. Where it may come back, taps go on for a moment: what happens
   * meanwhile it gets then.
   */
  leave(inspector: RoomInspector, mayComeBack: boolean): void {
    if (!this.#inspectors.delete(inspector)) return
    const endsMs = this.#options.platform.monotonic() + GRACE_MS
    for (const session of [...this.#sessions.values()]) {
      if (session.inspector !== inspector) continue
      if (mayComeBack) Object.assign(session, { inspector: undefined, endsMs })
      else this.#detach(session)
    }
    const orphans = [...this.#sessions.values()].filter((session) => !session.inspector)
    for (const session of orphans.slice(0, -MAX_SESSIONS)) this.#detach(session)
  }

  /** Due twice a second. */
  tick(nowMs: number): void {
    this.tap?.tick(this.#status())
    if (this.#sessions.size === 0) return
    for (const session of [...this.#sessions.values()]) {
      if (!session.inspector && session.endsMs <= nowMs) this.#detach(session)
    }
  }

  /** The relay closes: its own tap says so, and ends. Those behind devices are its inspectors' again. */
  close(): void {
    this.#outlet?.close()
    this.#outlet = undefined
    this.#sessions.clear()
  }

  // From inspectors

  /** A frame of an inspector, checked. */
  take(inspector: RoomInspector, frame: InspectorFrame): void {
    const number = this.#inspectors.get(inspector)
    if (number === undefined || frame.session.length > MAX_SESSION_LENGTH) return
    const name = `${number}.${frame.session}`
    const session = this.#sessions.get(name)
    const renamed = { ...frame, session: name }
    if (frame.frame === 'attach') this.#attach(inspector, frame.session, renamed as AttachFrame)
    else if (frame.frame === 'detach') {
      if (session) this.#detach(session)
      return
    }
    this.#pass(renamed)
  }

  #attach(inspector: RoomInspector, own: string, attach: AttachFrame): void {
    const name = attach.session
    const session = this.#sessions.get(name)
    if (session) {
      if (attach.to === undefined) session.attach = attach
      return
    }
    const all = [...this.#sessions.values()].filter((other) => other.inspector === inspector)
    if (all.length >= MAX_SESSIONS) this.#detach(all[0] as Session)
    this.#sessions.set(name, { inspector, endsMs: 0, name, own, attach })
  }

  #detach({ name }: Session): void {
    this.#sessions.delete(name)
    this.#pass({ inspect: INSPECT_VERSION, frame: 'detach', session: name })
    if (this.#sessions.size > 0) return
    this.#peers.clear()
    this.#heard.clear()
  }

  /** To the relay's tap, and to the devices: the one of the peer it is for, or all. */
  #pass(frame: InspectorFrame): void {
    const to = frame.frame === 'detach' ? undefined : frame.to
    if (to === undefined || to === this.#peer) {
      if (frame.frame === 'attach') this.#outlet ??= this.#open()
      this.#outlet?.receive(frame)
      if (to !== undefined) return
    }
    if (to === undefined) {
      this.#send([...this.#devices], frame)
      return
    }
    const device = this.#peers.get(to)?.device
    if (device) this.#send([device], frame)
    else if (frame.frame === 'ask') {
      const error = { code: 'not_found', message: 'the peer is not connected to this room' }
      const answer = { inspect: INSPECT_VERSION, frame: 'answer', peer: to, session: frame.session }
      this.#answer({ ...answer, id: frame.id, error })
    }
  }

  #send(devices: readonly TappedDevice[], frame: InspectorFrame): void {
    const text = JSON.stringify(frame)
    // Renamed and written anew it may have grown: what is too long would end a device's connection.
    if (text.length > MAX_INSPECT_LENGTH) return
    const message = encodeFrame({ frame: 'inspect', text })
    for (const device of devices) {
      // Events go first: a socket with much to take gets no more of this.
      if (device.bufferedAmount <= this.#options.limits.pauseBytes) device.send(message)
    }
  }

  // The relay's own tap

  #open(): Outlet {
    const { groups, limits, platform, room, store } = this.#options
    const outlet: Outlet = new Outlet({
      peer: this.#peer,
      library: VERSION,
      clock: {
        monotonic: () => platform.monotonic(),
        timer(ms, run) {
          const stop = platform.every(ms, () => {
            stop()
            run()
          })
          return stop
        },
      },
      post: (text) => this.#tell(text),
      hello: () => ({
        bus: room,
        source: 'relay',
        kind: 'relay',
        now: [platform.now(), platform.monotonic()],
        status: this.#status(),
        subscriptions: [],
        views: [],
      }),
      active: (active) => {
        this.tap = active ? new RelayTap({ platform, add }) : undefined
        for (const device of this.#devices) this.tap?.device(device, true)
      },
      settle: () => {},
      answer: (ask, session) =>
        answer(
          { room, store, limits, groups },
          ask,
          this.#sessions.get(session)?.inspector ?? NO_RIGHTS,
        ),
    })
    const add = (text: string, events?: number): void => outlet.add(text, events)
    return outlet
  }

  #status(): PeerStatus {
    const { queued, store } = this.#options
    return {
      relay: 'online',
      rtt: undefined,
      leader: false,
      log: { kind: store.durability, state: 'open', bytes: 0 },
      outbox: { pending: 0, refused: 0 },
      lead: { self: false, present: false },
      queued: queued(),
    }
  }

  // From devices

  /** A device joined: those who inspect its room attach to it, from where they had heard it. */
  came(device: TappedDevice): void {
    this.#devices.add(device)
    this.tap?.device(device, true)
    if (this.#sessions.size === 0) return
    const resume: Record<string, number> = {}
    for (const [peer, { name, next }] of this.#peers) if (name === device.name) resume[peer] = next
    for (const { attach } of this.#sessions.values())
      this.#send([device], { ...attach, resume: { ...attach.resume, ...resume } })
  }

  left(device: TappedDevice): void {
    if (!this.#devices.delete(device)) return
    this.#heard.delete(device)
    this.tap?.device(device, false)
    const peers: string[] = []
    for (const [peer, seen] of this.#peers) {
      if (seen.device !== device) continue
      seen.device = undefined
      peers.push(peer)
    }
    if (peers.length > 0) this.#tell(controlText({ frame: 'left', peers }))
  }

  /** A frame that a device sent for inspectors. What is wrong with it is left out, and no more. */
  heard(device: TappedDevice, text: string): void {
    if (this.#sessions.size === 0 || !this.#devices.has(device)) return
    if (text.length > MAX_INSPECT_LENGTH || this.#isTooMuch(device, text.length)) return
    const frame = parse(text)
    if (!frame || !TAP_FRAMES.has(frame['frame']) || !this.#owns(device, frame)) return
    if (frame['frame'] === 'answer') this.#answer(frame)
    else this.#tell(text)
  }

  #isTooMuch(device: TappedDevice, length: number): boolean {
    const now = this.#options.platform.monotonic()
    let heard = this.#heard.get(device)
    if (!heard || now - heard.since >= DEVICE_WINDOW_MS) {
      heard = { since: now, length: 0 }
      this.#heard.set(device, heard)
    }
    heard.length += length
    return heard.length > DEVICE_LENGTH
  }

  /** Whether the peer that a frame names is behind this device; notes how far it was heard. */
  #owns(device: TappedDevice, frame: Fields): boolean {
    const { peer, first, records } = frame
    if (typeof peer !== 'string' || peer === '' || peer.length > MAX_PEER_LENGTH) return false
    if (peer.startsWith('relay:')) return false
    let seen = this.#peers.get(peer)
    if (seen && seen.device !== device && (seen.device || seen.name !== device.name)) return false
    if (frame['frame'] === 'bye') {
      this.#peers.delete(peer)
      return true
    }
    if (!seen) {
      if (this.#peers.size >= MAX_PEERS) this.#peers.delete(this.#peers.keys().next().value ?? '')
      seen = { name: device.name, device, next: 0 }
      this.#peers.set(peer, seen)
    }
    seen.device = device
    if (frame['frame'] === 'batch' && Number.isSafeInteger(first) && Array.isArray(records))
      seen.next = Math.max(seen.next, (first as number) + records.length)
    return true
  }

  // To inspectors

  #tell(text: string): void {
    if (text.startsWith(ANSWER)) {
      const frame = parse(text)
      if (frame) this.#answer(frame)
      return
    }
    for (const inspector of [...this.#inspectors.keys()]) inspector.send(text)
  }

  /** To the one who asked, in its own words. */
  #answer(frame: Fields): void {
    const { session: name } = frame
    const session = typeof name === 'string' ? this.#sessions.get(name) : undefined
    session?.inspector?.send(JSON.stringify({ ...frame, session: session.own }))
  }
}

type Fields = Record<string, unknown>

const ANSWER = `{"inspect":${INSPECT_VERSION},"frame":"answer"`

function parse(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined
  } catch {
    return undefined
  }
}

/** A frame of the relay's own on an inspector's socket. */
export function controlText(frame: RelayInspectFrame): string {
  return JSON.stringify(frame)
}

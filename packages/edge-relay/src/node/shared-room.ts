/**
 * A room that other relays serve, too: tells them which devices are here, knows which are there, and
 * carries requests and replies between them. Nothing is asked or kept of a room before somebody here
 * says who is there, or asks.
 *
 * ```
 * said here -> own -> signal -> copy of the other relay -> claims -> presence, requests
 *               ^------ want ------- its mark is another than that of the copy
 * ```
 */
import {
  type Decoded,
  encodeFrame,
  type Frame,
  type Present,
  type PresentDevice,
} from '@crosstown/bus/protocol'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'
import { type Claim, OtherDevices, OwnDevices } from './claims.ts'
import type { Nodes } from './nodes.ts'
import { type Claims, type Envelope, type Row, signalText } from './signal.ts'

/** A connection of a device here. */
export interface Speaker {
  readonly name: string
  readonly subject: string | undefined
}

export interface SharedRoomContext {
  readonly room: string
  readonly nodes: Nodes
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  /** A device of another relay came, changed, or, `undefined`, is gone. */
  readonly changed: (name: string, claim: Claim | undefined) => void
  /** Another relay sends something about a request. */
  readonly passed: (node: string, decoded: Decoded<Frame>) => void
  /** Devices of another relay respond to these types. */
  readonly responds: (node: string, types: readonly string[]) => void
  /** It is known by now what the others have. */
  readonly settled: () => void
  /** Another relay is gone. */
  readonly gone: (node: string) => void
}

/** How long a device whose connection ended may take to come back. */
const GRACE_MS = 5_000
/** The least time between two rounds of changes. */
const ROUND_MS = 500
/** How long the answers of the others are waited for. */
const ANSWER_MS = 1_000
/** Between two questions to the same relay. */
const ASK_MS = 1_000
/** A relay that has not said for so long where it stands in the room is asked. */
const CONFIRM_MS = 30_000
/** Characters of the devices in one signal, about: PostgreSQL takes 8,000 bytes. */
const MAX_LENGTH = 5_000

/** One room's part of what relays tell each other. */
export class SharedRoom {
  /** Devices of other relays, by name: of one that several have, what was told last. */
  readonly claims: Map<string, Claim> = new Map()
  readonly #context: SharedRoomContext
  readonly #own: OwnDevices
  /** Which connection spoke last for a device that is here. */
  readonly #speakers = new Map<string, Speaker>()
  readonly #others = new Map<string, OtherDevices>()
  #beganMs: number | undefined
  #complete = false
  #roundMs = Number.NEGATIVE_INFINITY
  #due = false

  constructor(context: SharedRoomContext) {
    this.#context = context
    const { limits, nodes } = context
    this.#own = new OwnDevices(limits.presenceDevices, () => nodes.nextRev())
  }

  get rev(): number {
    return this.#own.rev
  }

  get mark(): number {
    return this.#own.mark
  }

  /** Whether it is known what the other relays have in this room. */
  get complete(): boolean {
    return this.#complete
  }

  /** Whether the others know of all who are here, and who may come back. */
  get idle(): boolean {
    return this.#own.idle
  }

  /** Somebody here wants to know what the others have. */
  begin(): void {
    if (this.#beganMs !== undefined) return
    this.#beganMs = this.#now
    const { nodes } = this.#context
    if (nodes.company) this.#signal({ want: true, node: nodes.name })
    this.#settle()
  }

  /** A device here says who is there, and what it may be asked. */
  said(speaker: Speaker, members: readonly Present[], responds: readonly string[]): void {
    const { name, subject } = speaker
    this.#speakers.set(name, speaker)
    const device: PresentDevice = {
      device: name,
      ...(subject !== undefined && { subject }),
      members,
      ...(responds.length > 0 && { responds }),
    }
    const isThere = members.length + responds.length > 0
    if (isThere ? this.#own.put(name, device) : this.#own.remove(name)) this.#roundSoon()
  }

  /** The connection of a device here ended. */
  left(speaker: Speaker): void {
    const { name } = speaker
    if (this.#speakers.get(name) !== speaker) return
    this.#speakers.delete(name)
    if (this.#own.remove(name, this.#now + GRACE_MS)) this.#roundSoon()
  }

  /** Another relay said something of the room. */
  heard(envelope: Envelope, decoded: Decoded<Frame> | undefined): void {
    const { claims, node, to, want } = envelope
    if (to !== undefined && to !== this.#context.nodes.name) return
    if (want) this.#tellAll(node)
    if (claims) {
      const devices = decoded?.frame.frame === 'presence' ? decoded.frame.devices : []
      this.#told(node, claims, devices)
    } else if (decoded) this.#context.passed(node, decoded)
  }

  /** Another relay says where it stands. */
  stands(node: string, [, rev, mark]: Row): void {
    if (this.#beganMs === undefined) return
    // Where that is not what it told, it is asked at the next tick: what it says may be on its way.
    this.#other(node).stands(rev, mark, this.#now)
  }

  /** Another relay is gone. */
  gone(node: string): void {
    const other = this.#others.get(node)
    other?.gone(this.#now + GRACE_MS, (name, claim) => this.#changed(node, name, claim))
    this.#context.gone(node)
    this.#settle()
  }

  /** Sends a frame to one relay. */
  send(node: string, frame: Frame, data: readonly string[] = []): void {
    this.#signal({ node: this.#context.nodes.name, to: node }, encodeFrame(frame, data))
  }

  /** Relays that have somebody who responds. */
  *responding(type: string): Generator<string> {
    for (const [node, { claims }] of this.#others) {
      if (!this.#context.nodes.isThere(node)) continue
      for (const { device } of claims.values()) {
        if (!device.responds?.includes(type)) continue
        yield node
        break
      }
    }
  }

  /** Due twice a second. @param needed whether somebody here wants to know of the others */
  tick(nowMs: number, needed: boolean): void {
    this.#own.tick(nowMs)
    if (this.#own.changed) this.#round()
    if (this.#beganMs === undefined) return
    if (!needed) {
      this.#beganMs = undefined
      this.#complete = false
      this.#others.clear()
      this.claims.clear()
      return
    }
    for (const [node, other] of this.#others) {
      other.tick(nowMs, (name, claim) => this.#changed(node, name, claim))
      if (!this.#context.nodes.isThere(node)) {
        if (other.claims.size === 0) this.#others.delete(node)
      } else if (!other.holds || nowMs - other.confirmedMs >= CONFIRM_MS) this.#want(node, other)
    }
    this.#settle()
  }

  get #now(): number {
    return this.#context.platform.monotonic()
  }

  #other(node: string): OtherDevices {
    let other = this.#others.get(node)
    if (!other) {
      other = new OtherDevices(this.#now, this.#context.limits.presenceDevices)
      this.#others.set(node, other)
    }
    return other
  }

  #want(node: string, other: OtherDevices): void {
    if (this.#now - other.askedMs < ASK_MS) return
    other.askedMs = this.#now
    this.#signal({ want: true, node: this.#context.nodes.name, to: node })
  }

  #told(node: string, claims: Claims, devices: readonly PresentDevice[]): void {
    if (this.#beganMs === undefined) return
    const other = this.#other(node)
    const nowMs = this.#now
    const types = new Set<string>()
    other.told(claims, devices, nowMs, nowMs + GRACE_MS, (name, claim) => {
      this.#changed(node, name, claim)
      if (claim?.goneAtMs !== undefined) return
      for (const type of claim?.device.responds ?? []) types.add(type)
    })
    if (types.size > 0) this.#context.responds(node, [...types])
    this.#settle()
  }

  /** Of a device that several relays have, the one that told of it last is believed. */
  #changed(node: string, name: string, claim: Claim | undefined): void {
    const isThere = claim !== undefined && claim.goneAtMs === undefined
    const other = isThere ? undefined : this.#elsewhere(node, name)
    const held = isThere ? claim : (other ?? claim)
    if (held) this.claims.set(name, held)
    else this.claims.delete(name)
    this.#context.changed(name, held)
  }

  #elsewhere(node: string, name: string): Claim | undefined {
    for (const [other, { claims }] of this.#others) {
      const claim = other === node ? undefined : claims.get(name)
      if (claim && claim.goneAtMs === undefined) return claim
    }
    return undefined
  }

  #settle(): void {
    if (this.#complete || this.#beganMs === undefined) return
    const { nodes } = this.#context
    const waits = this.#now - this.#beganMs < ANSWER_MS
    if (waits && !nodes.ready) return
    for (const node of nodes.others()) if (waits && !this.#others.get(node)?.whole) return
    this.#complete = true
    this.#context.settled()
  }

  /** At once where it has been quiet, with what else comes in this turn; else at the next tick. */
  #roundSoon(): void {
    const { platform } = this.#context
    if (this.#due || this.#now - this.#roundMs < ROUND_MS) return
    this.#due = true
    platform.soon(() => {
      this.#due = false
      if (this.#own.changed) this.#round()
    })
  }

  #round(): void {
    this.#roundMs = this.#now
    const { claims, devices } = this.#own.take()
    // Where nobody hears it, whoever comes asks.
    if (this.#context.nodes.company) this.#tell(claims, devices)
  }

  #tellAll(node: string): void {
    const { claims, devices } = this.#own.all()
    this.#tell(claims, devices, node)
  }

  #tell(claims: Claims, devices: readonly PresentDevice[], to?: string): void {
    const { rev, mark } = claims
    const base = { node: this.#context.nodes.name, ...(to !== undefined && { to }) }
    let part: PresentDevice[] = []
    let length = 0
    let isFirst = true
    const send = (): void => {
      const said = isFirst ? claims : { rev, mark }
      const frame = encodeFrame({ frame: 'presence', devices: part })
      this.#signal({ ...base, claims: said }, part.length > 0 ? frame : undefined)
      isFirst = false
      part = []
      length = 0
    }
    for (const device of devices) {
      part.push(device)
      length += JSON.stringify(device).length
      if (length >= MAX_LENGTH) send()
    }
    if (isFirst || part.length > 0) send()
  }

  #signal(envelope: Envelope, frame?: string): void {
    const { room, store } = this.#context
    store.signal(room, signalText(envelope, frame))
  }
}

/**
 * The way between inspectors of the room, who come through the relay, and the taps of this device;
 * run by the context that leads. All contexts of an origin share one inspect channel: what comes from
 * the room reaches those of this device only, and only what they say goes there.
 */
import type { AttachFrame, InspectorFrame, PeerId, TapFrame } from '../inspect/frames.ts'
import type { Inspection } from '../inspect/tap.ts'
import type { Platform } from '../platform.ts'

export interface BridgeOptions {
  readonly platform: Platform
  readonly inspection: Inspection
  /** The contexts of this device. */
  readonly members: () => readonly { readonly id: PeerId }[]
  /** To the relay; best effort. */
  readonly send: (text: string) => void
}

/** Characters that go to the relay in this time; what is more is left out, and missed by its number. */
const MAX_LENGTH = 4 * 1024 * 1024
const WINDOW_MS = 1_000
const MAX_SESSIONS = 64

export class Bridge {
  readonly #options: BridgeOptions
  readonly #sessions = new Map<string, AttachFrame>()
  #members: ReadonlySet<PeerId>
  #stop: (() => void) | undefined
  #windowAt = 0
  #length = 0

  constructor(options: BridgeOptions) {
    this.#options = options
    this.#members = this.#present
  }

  get #present(): ReadonlySet<PeerId> {
    return new Set(this.#options.members().map(({ id }) => id))
  }

  /** A frame of an inspector. */
  receive(text: string): void {
    const frame = parse(text) as InspectorFrame | undefined
    if (typeof frame?.session !== 'string') return
    if (frame.frame === 'detach') {
      this.#options.inspection.receive(text)
      this.#sessions.delete(frame.session)
      if (this.#sessions.size === 0) this.end()
      return
    }
    if (frame.frame === 'attach' && !this.#attach(frame)) return
    for (const to of frame.to === undefined ? this.#members : [frame.to]) this.#hand(frame, to)
  }

  #attach(frame: AttachFrame): boolean {
    if (!this.#sessions.has(frame.session)) {
      if (this.#sessions.size >= MAX_SESSIONS) return false
      this.#stop ??= this.#options.inspection.onFrame((text) => this.#tell(text))
      this.#members = this.#present
      this.#sessions.set(frame.session, frame)
    } else if (frame.to === undefined) this.#sessions.set(frame.session, frame)
    return true
  }

  #hand(frame: Exclude<InspectorFrame, { frame: 'detach' }>, to: PeerId): void {
    if (this.#members.has(to)) this.#options.inspection.receive(JSON.stringify({ ...frame, to }))
  }

  /** The contexts of the device are others than before: those that came are attached to. */
  changed(): void {
    if (!this.#stop) return
    const before = this.#members
    this.#members = this.#present
    for (const to of this.#members) {
      if (before.has(to)) continue
      for (const frame of this.#sessions.values()) this.#hand(frame, to)
    }
  }

  /** A frame of some tap of the origin. */
  #tell(text: string): void {
    const frame = parse(text) as TapFrame | undefined
    if (!frame || !this.#members.has(frame.peer)) return
    if (frame.frame === 'answer' && !this.#sessions.has(frame.session)) return
    const now = this.#options.platform.monotonic()
    if (now - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = now
      this.#length = 0
    }
    this.#length += text.length
    if (this.#length <= MAX_LENGTH) this.#options.send(text)
  }

  /** The relay is not there: it attaches anew when it is. Taps that nobody hears rest by themselves. */
  end(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#sessions.clear()
  }
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * A bus as its inspectors see it: who it is, and that it is there. Made with the bus; it does nothing
 * before the bus is used, and loads what records and answers when an inspector comes.
 */
import { type BusError, toBusError } from '../errors.ts'
import type { Part } from '../part.ts'
import { ownPlace, type Platform, sessionText } from '../platform.ts'
import type { LeaderSnapshot, Observable, StatusSnapshot } from '../types.ts'
import { type Agent, agentOn, type Inspected, type Reading } from './agent.ts'
import type { AsksOptions } from './asks.ts'
import type { InspectorFrame, PeerStatus, SubscriptionInfo, ViewInfo } from './frames.ts'
import { INSPECT_VERSION, INSPECTED_KEY } from './frames.ts'
import type { OutletOptions } from './outlet.ts'
import type { Redactor } from './redactor.ts'
import type { Inspection, LifeState, Tap, TapHolder, TappedSubscription } from './tap.ts'

/** Version of the package. */
export const LIBRARY = '0.1.0'
/** Calls of the tap kept while what records them is loaded. */
const MAX_EARLY = 10_000

/** What of a bus is asked for by inspectors only. */
export interface AttachedOptions {
  /** The function of the bus that the application called. */
  readonly called: (kind: SubscriptionInfo['kind']) => unknown
  readonly asks: AsksOptions
}

/** The peer, as far as that needs it. */
export type AttendedPeer = Inspected &
  Pick<Peer, 'settings' | 'agent' | 'status' | 'about'> & {
    readonly options: Omit<PeerOptions, 'part' | 'attached'>
  }

/** A peer with all that inspectors may ask. */
export interface Attending {
  /** An inspector is about to come; it hears of what happened before this was here. */
  expect(early: readonly Early[]): void
  receive(frame: InspectorFrame): void
  mismatch(): void
  hello(): void
  /** The page is put away. */
  bye(): void
  life(state: LifeState): void
  close(): void
}

/** What is loaded when an inspector comes. */
export interface Inspecting extends Reading {
  readonly Attached: new (peer: AttendedPeer, options: AttachedOptions) => Attending
}

/** A call of the tap, and when it was. */
export type Early = readonly [at: number, name: keyof Tap, given: readonly unknown[]]

export interface PeerOptions<Module extends Inspecting = Inspecting> {
  readonly taps: TapHolder
  readonly prefix: string
  readonly name: string
  readonly source: string
  readonly platform: Platform
  readonly relay: { readonly url?: string | undefined; readonly room: string } | undefined
  readonly device: {
    readonly status: Observable<StatusSnapshot>
    readonly leader: Observable<LeaderSnapshot>
    /** Of the log that is open. */
    readonly identity: { readonly log: string; readonly device: string } | undefined
  }
  /** The name by which a room knows a device. */
  readonly nameOf: (device: string) => string
  readonly subscriptions: Iterable<TappedSubscription>
  /** Events that wait in the pipeline. */
  readonly queued: () => number
  readonly part: Part<Module>
  readonly attached: (part: Module) => AttachedOptions
  readonly report: (error: BusError) => void
}

/** What of a peer its owner may decide. */
export interface PeerSettings {
  readonly enabled?: boolean | undefined
  readonly redactor?: Redactor | undefined
  readonly ring?: OutletOptions['ring']
}

type About = ReturnType<OutletOptions['hello']>

export class Peer<Module extends Inspecting = Inspecting> implements Inspected {
  readonly options: PeerOptions<Module>
  settings: PeerSettings = {}
  #attached: Attending | undefined
  #used = false
  /** Whether inspectors are told that it is there. */
  #shown = false
  #closed = false

  constructor(options: PeerOptions<Module>) {
    this.options = options
  }

  get peer(): string {
    return this.options.prefix
  }

  get part(): Part<Reading> {
    return this.options.part
  }

  get agent(): Agent {
    return agentOn(this.options.platform)
  }

  /** The way to all taps of the origin. */
  get inspection(): Inspection {
    return this.agent
  }

  /** Called when the bus is used, each time: the first one begins. */
  use(): void {
    if (this.#used) return
    this.#used = true
    this.#start()
  }

  set(settings: PeerSettings): void {
    this.settings = settings
    if (!this.#used) return
    if (settings.enabled === false) this.#stop()
    else this.#start()
  }

  #start(): void {
    if (this.settings.enabled === false || this.#closed || this.#shown) return
    this.#shown = true
    if (sessionText(INSPECTED_KEY) === '1') this.#expect()
    this.agent.add(this)
  }

  /** An inspector is about to come: what happens until it can be recorded is kept. */
  #expect(): void {
    const { part, platform, taps } = this.options
    if (part.now) {
      this.#whole?.expect([])
      return
    }
    const early: Early[] = []
    const now = (): number => platform.monotonic()
    const tap = new Proxy({} as Tap, {
      get: (_, name) =>
        name === 'now'
          ? now
          : (...given: unknown[]) => {
              if (early.length < MAX_EARLY) early.push([now(), name as keyof Tap, given])
            },
    })
    taps.tap = tap
    const done = (): void => {
      if (taps.tap !== tap) return
      taps.tap = undefined
      this.#whole?.expect(early)
    }
    part.load().then(done, (error: unknown) => {
      done()
      this.failed(error)
    })
  }

  /** It with all that inspectors may ask, as soon as that is loaded. */
  get #whole(): Attending | undefined {
    const { part, attached } = this.options
    if (!this.#attached && this.#shown && part.now)
      this.#attached = new part.now.Attached(this, attached(part.now))
    return this.#attached
  }

  #stop(): void {
    if (!this.#shown) return
    if (this.#attached) this.#attached.close()
    else this.#bye('closed')
    this.#shown = false
    this.#attached = undefined
    this.agent.remove(this)
  }

  close(): void {
    this.#closed = true
    this.#stop()
  }

  receive(frame: InspectorFrame): void {
    this.#whole?.receive(frame)
  }

  mismatch(): void {
    this.#whole?.mismatch()
  }

  hello(): void {
    const whole = this.#whole
    // Whoever attaches hears the rest.
    if (whole) whole.hello()
    else this.#post('hello', { library: LIBRARY, ...this.about([], []), next: 1, oldest: 1 })
  }

  bye(): void {
    if (this.#attached) this.#attached.bye()
    else this.#bye('pagehide')
  }

  #bye(reason: 'closed' | 'pagehide'): void {
    this.#post('bye', { reason })
  }

  #post(frame: string, rest: object): void {
    this.agent.post(JSON.stringify({ inspect: INSPECT_VERSION, frame, peer: this.peer, ...rest }))
  }

  life(state: LifeState): void {
    this.#attached?.life(state)
  }

  failed(error: unknown): void {
    this.options.report(toBusError(error, 'unavailable', 'inspecting'))
  }

  get status(): PeerStatus {
    const { device, queued, taps } = this.options
    const { lastError, ...status } = device.status.get()
    const message = this.settings.redactor?.message
    return {
      ...status,
      lead: device.leader.get(),
      ...(lastError && {
        error: { code: lastError.code, message: message?.(lastError) ?? lastError.message },
      }),
      rights: taps.rights,
      queued: queued(),
    } as PeerStatus
  }

  /** What it says of itself. */
  about(subscriptions: SubscriptionInfo[], views: ViewInfo[]): About {
    const { name, source, platform, relay, device, nameOf } = this.options
    const { identity } = device
    return {
      bus: name,
      source,
      kind: platform.kind,
      ...ownPlace(),
      ...(identity && { log: identity.log, device: nameOf(identity.device) }),
      ...(relay && { relay: { url: relay.url ?? '', room: relay.room } }),
      now: [platform.now(), platform.monotonic()],
      status: this.status,
      subscriptions,
      views,
    }
  }
}

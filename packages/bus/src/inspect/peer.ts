/**
 * A bus as its inspectors see it: who it is, what it records while one is attached, and what it
 * answers. Made with the bus; it does nothing before the bus is used.
 */
import { ownPlace, type Platform, sessionText } from '../platform.ts'
import type { LeaderSnapshot, Observable, StatusSnapshot } from '../types.ts'
import { agentOn, type Inspected } from './agent.ts'
import { Asks, type AsksOptions } from './asks.ts'
import { Faults } from './fault.ts'
import type { InspectorFrame, PeerStatus, SubscriptionInfo } from './frames.ts'
import { INSPECTED_KEY } from './frames.ts'
import { packIds } from './ids.ts'
import { Outlet, type OutletOptions } from './outlet.ts'
import { guarded, Recorder, type Source, subscriptionInfo, viewInfo } from './recorder.ts'
import type { Redactor } from './redactor.ts'
import type { Inspection, LifeState, TapHolder, TappedSubscription } from './tap.ts'

/** Version of the package. */
export const LIBRARY = '0.1.0'
/** Changes of counts within this time are one record. */
const STATUS_MS = 500
/** Said of itself at once: a relay passes on no frame of any size. */
const MAX_SUBSCRIPTIONS = 1_000

export interface PeerOptions {
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
  /** The function of the bus that the application called. */
  readonly called: (kind: SubscriptionInfo['kind']) => unknown
  readonly asks: AsksOptions
}

/** What of a peer its owner may decide. */
export interface PeerSettings {
  readonly enabled?: boolean | undefined
  readonly redactor?: Redactor | undefined
  readonly ring?: OutletOptions['ring']
}

export class Peer implements Inspected {
  readonly peer: string
  readonly #options: PeerOptions
  #settings: PeerSettings = {}
  #outlet: Outlet<Source> | undefined
  #recorder: Recorder | undefined
  #asks: Asks | undefined
  /** Events that nobody looked at for those who watch. */
  #passed: Source[] = []
  #used = false
  #closed = false
  #unsubscribe: (() => void)[] = []
  /** The status that was told last, and when. */
  #told: StatusSnapshot | undefined
  #cancelTell: (() => void) | undefined

  constructor(options: PeerOptions) {
    this.#options = options
    this.peer = options.prefix
  }

  /** Called when the bus is used, each time: the first one begins. */
  use(): void {
    if (this.#used) return
    this.#used = true
    this.#start()
  }

  set(settings: PeerSettings): void {
    this.#settings = settings
    if (!this.#used) return
    if (settings.enabled === false) this.#stop()
    else this.#start()
  }

  /** The way to all taps of the origin. */
  get inspection(): Inspection {
    return agentOn(this.#options.platform)
  }

  #start(): void {
    const { platform, prefix } = this.#options
    if (this.#settings.enabled === false || this.#closed || this.#outlet) return
    const agent = agentOn(platform)
    const outlet = new Outlet<Source>({
      peer: prefix,
      library: LIBRARY,
      clock: platform,
      post: agent.post,
      ring: this.#settings.ring,
      hello: () => this.#hello(),
      active: (active) => {
        agent.keep(this, active)
        if (active) this.#record()
        else this.#rest()
      },
      settle: () => this.#settle(),
      answer: (...asked) => asks.answer(...asked),
      left: (session) => asks.left(session),
    })
    const asks = new Asks({
      ...this.#options.asks,
      ring: () => outlet.sources(),
      redactor: () => this.#settings.redactor,
      inspected: (event) => this.#recorder?.inspected(event) ?? '{}',
      attached: (session) => outlet.has(session),
      faults: new Faults(this.#options.taps, platform),
      pause: () => new Promise((resolve) => platform.timer(0, resolve)),
    })
    this.#asks = asks
    this.#outlet = outlet
    if (sessionText(INSPECTED_KEY) === '1') outlet.expect()
    agent.add(this)
  }

  #stop(): void {
    this.#outlet?.close()
    this.#outlet = undefined
    agentOn(this.#options.platform).remove(this)
  }

  close(): void {
    this.#closed = true
    this.#stop()
  }

  receive(frame: InspectorFrame): void {
    this.#outlet?.receive(frame)
  }

  mismatch(): void {
    this.#outlet?.mismatch()
  }

  hello(): void {
    this.#outlet?.hello()
  }

  bye(): void {
    this.#outlet?.bye('pagehide')
  }

  life(state: LifeState): void {
    this.#recorder?.life(state)
    // No timer runs from now on.
    if (state === 'frozen') this.#outlet?.flush()
  }

  #record(): void {
    const { taps, platform, device, asks, called } = this.#options
    const recorder = new Recorder({
      outlet: this.#outlet as Outlet<Source>,
      now: () => platform.monotonic(),
      redactor: () => this.#settings.redactor,
      encode: (event) => {
        try {
          return asks.encode(event.data, event.type)
        } catch {
          return undefined
        }
      },
      site: (kind) => callSite(called(kind)),
      passes: (events) => {
        if (this.#asks?.watches) this.#passed.push(events)
      },
    })
    this.#recorder = recorder
    taps.tap = guarded(recorder)
    let led = device.leader.get()
    this.#told = device.status.get()
    this.#unsubscribe = [
      device.status.subscribe((status) => this.#changed(status)),
      device.leader.subscribe((lead) => {
        if (lead !== led) recorder.record({ is: 'leader', lead })
        led = lead
      }),
    ]
  }

  #rest(): void {
    for (const end of this.#unsubscribe.splice(0)) end()
    this.#cancelTell?.()
    this.#cancelTell = undefined
    this.#options.taps.tap = undefined
    this.#recorder = undefined
    this.#passed = []
    this.#asks?.rest()
  }

  /** What changes the state is told at once; counts are gathered. */
  #changed(status: StatusSnapshot): void {
    const told = this.#told
    if (status === told) return
    const { platform } = this.#options
    const opened = status.log.state !== told?.log.state
    if (opened || status.relay !== told?.relay || status.leader !== told.leader) this.#tellStatus()
    else this.#cancelTell ??= platform.timer(STATUS_MS, () => this.#tellStatus())
    // It has another log, or knows now which: that is said a moment after it is open.
    if (opened && status.log.state === 'open') void Promise.resolve().then(() => this.hello())
  }

  #tellStatus(): void {
    this.#cancelTell?.()
    this.#cancelTell = undefined
    this.#told = this.#options.device.status.get()
    this.#recorder?.record({ is: 'status', status: this.#status() })
  }

  #settle(): void {
    this.#recorder?.settle()
    for (const [session, ids] of this.#asks?.found(this.#passed.splice(0).flat()) ?? []) {
      if (ids.length > 0) this.#recorder?.record({ is: 'found', session, ids: packIds(ids) })
    }
  }

  #status(): PeerStatus {
    const { device, queued, taps } = this.#options
    const { lastError, ...status } = device.status.get()
    const message = this.#settings.redactor?.message
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

  #hello(): ReturnType<ConstructorParameters<typeof Outlet>[0]['hello']> {
    const { name, source, platform, relay, device, nameOf, subscriptions, asks } = this.#options
    const { identity } = device
    return {
      bus: name,
      source,
      kind: platform.kind,
      ...ownPlace(),
      ...(identity && { log: identity.log, device: nameOf(identity.device) }),
      ...(relay && { relay: { url: relay.url ?? '', room: relay.room } }),
      now: [platform.now(), platform.monotonic()],
      status: this.#status(),
      subscriptions: [...subscriptions].slice(-MAX_SUBSCRIPTIONS).map(subscriptionInfo),
      views: [...asks.views].map(viewInfo),
    }
  }
}

/** `file:line:column` of the code that called a function, where the runtime says. */
function callSite(called: unknown): string | undefined {
  const target: { stack?: string } = {}
  const { captureStackTrace } = Error as {
    captureStackTrace?: (target: object, above: unknown) => void
  }
  captureStackTrace?.(target, called)
  return /(?:\(|at |@)([^\s()]+:\d+:\d+)\)?/.exec(target.stack ?? '')?.[1]
}

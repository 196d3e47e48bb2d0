/**
 * A bus as its inspectors see it once the first of them has come: what it records while one is
 * attached, and what it answers.
 */
import type { StatusSnapshot } from '../types.ts'
import { Asks } from './asks.ts'
import { Faults } from './fault.ts'
import type { InspectorFrame } from './frames.ts'
import { packIds } from './ids.ts'
import { Outlet } from './outlet.ts'
import {
  type AttachedOptions,
  type AttendedPeer,
  type Attending,
  type Early,
  LIBRARY,
} from './peer.ts'
import { guarded, Recorder, type Source, subscriptionInfo, viewInfo } from './recorder.ts'
import type { LifeState } from './tap.ts'

/** Changes of counts within this time are one record. */
const STATUS_MS = 500
/** Said of itself at once: a relay passes on no frame of any size. */
const MAX_SUBSCRIPTIONS = 1_000

export class Attached implements Attending {
  readonly #peer: AttendedPeer
  readonly #options: AttachedOptions
  readonly #outlet: Outlet<Source>
  readonly #asks: Asks
  #recorder: Recorder | undefined
  /** Events that nobody looked at for those who watch. */
  #passed: Source[] = []
  #unsubscribe: (() => void)[] = []
  /** The status that was told last, and when. */
  #told: StatusSnapshot | undefined
  #cancelTell: (() => void) | undefined
  /** When that was which is recorded after it. */
  #then: number | undefined

  constructor(peer: AttendedPeer, options: AttachedOptions) {
    const { taps, platform, prefix } = peer.options
    const { agent } = peer
    this.#peer = peer
    this.#options = options
    const outlet = new Outlet<Source>({
      peer: prefix,
      library: LIBRARY,
      clock: platform,
      post: agent.post,
      ring: peer.settings.ring,
      hello: () =>
        peer.about(
          [...peer.options.subscriptions].slice(-MAX_SUBSCRIPTIONS).map(subscriptionInfo),
          [...options.asks.views].map(viewInfo),
        ),
      active: (active) => {
        agent.keep(peer, active)
        if (active) this.#record()
        else this.#rest()
      },
      settle: () => this.#settle(),
      answer: (...asked) => asks.answer(...asked),
      left: (session) => asks.left(session),
    })
    const asks = new Asks({
      ...options.asks,
      ring: () => outlet.sources(),
      redactor: () => peer.settings.redactor,
      inspected: (event) => this.#recorder?.inspected(event) ?? '{}',
      attached: (session) => outlet.has(session),
      faults: new Faults(taps, platform),
      pause: () => new Promise((resolve) => platform.timer(0, resolve)),
    })
    this.#asks = asks
    this.#outlet = outlet
  }

  expect(early: readonly Early[]): void {
    this.#outlet.expect()
    const recorder = this.#recorder as Recorder
    for (const [at, name, given] of early) {
      this.#then = at
      try {
        ;(recorder[name] as (...given: readonly unknown[]) => void)(...given)
      } catch {}
    }
    this.#then = undefined
  }

  receive(frame: InspectorFrame): void {
    this.#outlet.receive(frame)
  }

  mismatch(): void {
    this.#outlet.mismatch()
  }

  hello(): void {
    this.#outlet.hello()
  }

  bye(): void {
    this.#outlet.bye('pagehide')
  }

  close(): void {
    this.#outlet.close()
  }

  life(state: LifeState): void {
    this.#recorder?.life(state)
    // No timer runs from now on.
    if (state === 'frozen') this.#outlet.flush()
  }

  #record(): void {
    const { taps, platform, device } = this.#peer.options
    const { asks, called } = this.#options
    const recorder = new Recorder({
      outlet: this.#outlet,
      now: () => this.#then ?? platform.monotonic(),
      redactor: () => this.#peer.settings.redactor,
      encode: (event) => {
        try {
          return asks.encode(event.data, event.type)
        } catch {
          return undefined
        }
      },
      site: (kind) => callSite(called(kind)),
      passes: (events) => {
        if (this.#asks.watches) this.#passed.push(events)
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
    this.#peer.options.taps.tap = undefined
    this.#recorder = undefined
    this.#passed = []
    this.#asks.rest()
  }

  /** What changes the state is told at once; counts are gathered. */
  #changed(status: StatusSnapshot): void {
    const told = this.#told
    if (status === told) return
    const { platform } = this.#peer.options
    const opened = status.log.state !== told?.log.state
    if (opened || status.relay !== told?.relay || status.leader !== told.leader) this.#tellStatus()
    else this.#cancelTell ??= platform.timer(STATUS_MS, () => this.#tellStatus())
    // It has another log, or knows now which: that is said a moment after it is open.
    if (opened && status.log.state === 'open') void Promise.resolve().then(() => this.hello())
  }

  #tellStatus(): void {
    this.#cancelTell?.()
    this.#cancelTell = undefined
    this.#told = this.#peer.options.device.status.get()
    this.#recorder?.record({ is: 'status', status: this.#peer.status })
  }

  #settle(): void {
    this.#recorder?.settle()
    for (const [session, ids] of this.#asks.found(this.#passed.splice(0).flat())) {
      if (ids.length > 0) this.#recorder?.record({ is: 'found', session, ids: packIds(ids) })
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

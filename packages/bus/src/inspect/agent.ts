/**
 * The inspectors' end of a context: one inspect channel for all buses in it, and the way in for who
 * brings inspectors from elsewhere. It is open while a bus is in use, and closed while the page is
 * put away: an open channel would keep it out of the back/forward cache.
 */
import type { Part } from '../part.ts'
import type { LifecycleChange, Platform } from '../platform.ts'
import { INSPECT_CHANNEL, type InspectorFrame, isTapFrame, type PeerId } from './frames.ts'
import type { Inspection, LifeState } from './tap.ts'

/** What reads frames of inspectors. */
export interface Reading {
  readonly readInspectorFrame: (text: unknown) => InspectorFrame | 'mismatch' | undefined
}

/** A bus, as the agent of its context sees it. */
export interface Inspected {
  readonly peer: PeerId
  /** What reads frames of inspectors, and answers them. */
  readonly part: Part<Reading>
  receive(frame: InspectorFrame): void
  mismatch(): void
  hello(): void
  bye(): void
  life(state: LifeState): void
  /** Inspectors came, and cannot be answered. */
  failed(error: unknown): void
}

const LIVES: { readonly [Change in LifecycleChange]?: LifeState } = {
  visible: 'visible',
  hidden: 'hidden',
  freeze: 'frozen',
  resume: 'resumed',
}

export class Agent implements Inspection {
  readonly #platform: Platform
  /** Held by the application alone, so that one that it drops without closing it can be collected. */
  readonly #buses = new Map<PeerId, WeakRef<Inspected>>()
  /** Those that somebody inspects stay. */
  readonly #kept = new Set<Inspected>()
  readonly #collected = new FinalizationRegistry<PeerId>((peer) => this.#forget(peer))
  readonly #listeners = new Set<(text: string) => void>()
  /** Frames of inspectors, and what follows when one is right, while what reads them is loaded. */
  readonly #unread: [text: string, read: (() => void) | undefined][] = []
  #channel: BroadcastChannel | undefined
  #unfollow: (() => void) | undefined

  constructor(platform: Platform) {
    this.#platform = platform
  }

  add(bus: Inspected): void {
    if (this.#buses.size === 0) this.#open()
    this.#buses.set(bus.peer, new WeakRef(bus))
    this.#collected.register(bus, bus.peer, bus)
    bus.hello()
    // After the bus, so that what it does in the last task of a page is told before the goodbye.
    queueMicrotask(() => this.#follow())
  }

  #follow(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
    if (this.#buses.size === 0) return
    this.#unfollow = this.#platform.lifecycle.on((...change) => this.#lives(...change))
  }

  /** Whether somebody inspects the bus. */
  keep(bus: Inspected, inspected: boolean): void {
    if (inspected) this.#kept.add(bus)
    else this.#kept.delete(bus)
  }

  /** The bus was closed, and has said so. */
  remove(bus: Inspected): void {
    this.#collected.unregister(bus)
    this.#forget(bus.peer)
  }

  #forget(peer: PeerId): void {
    if (!this.#buses.delete(peer) || this.#buses.size > 0) return
    this.#follow()
    this.#close()
  }

  #living(): Inspected[] {
    return [...this.#buses.values()].flatMap((ref) => ref.deref() ?? [])
  }

  #open(): void {
    const { BroadcastChannel: Native, kind } = this.#platform
    // An open one keeps a process of Deno alive; the relay's inspectors get there without it.
    if (!Native || this.#channel || kind === 'deno') return
    try {
      const channel: BroadcastChannel & { unref?(): void } = new Native(INSPECT_CHANNEL)
      channel.onmessage = ({ data }: MessageEvent) => this.#take(data)
      channel.unref?.()
      this.#channel = channel
    } catch {
      // Where storage is denied, so are channels: inspected or not, the bus works.
    }
  }

  #close(): void {
    this.#channel?.close()
    this.#channel = undefined
  }

  #lives(change: LifecycleChange, persisted: boolean): void {
    const state = LIVES[change]
    if (state) for (const bus of this.#living()) bus.life(state)
    if (change === 'pagehide') {
      for (const bus of this.#living()) bus.bye()
      if (persisted) this.#close()
    } else if (change === 'pageshow' && persisted) {
      this.#open()
      for (const bus of this.#living()) bus.hello()
    }
  }

  /** A frame of a tap of this context. */
  readonly post = (text: string): void => {
    attempt(() => this.#channel?.postMessage(text))
    this.#tell(text)
  }

  #tell(text: string): void {
    for (const listener of this.#listeners) attempt(() => listener(text))
  }

  #take(text: unknown): void {
    if (typeof text !== 'string') return
    if (isTapFrame(text)) this.#tell(text)
    else this.#hand(text)
  }

  /** What inspectors say is read one after the other, once what reads it is there. */
  #hand(text: string, read?: () => void): void {
    // Whatever else is said there loads nothing.
    if (!text.includes('"inspect":')) return
    const [bus] = this.#living()
    if (!bus) return
    const { part } = bus
    if (part.now) {
      if (this.#deliver(part.now.readInspectorFrame(text))) read?.()
    } else if (this.#unread.push([text, read]) === 1) {
      const done = (): void => {
        for (const one of this.#unread.splice(0)) if (part.now) this.#hand(...one)
      }
      part.load().then(done, (error: unknown) => {
        done()
        bus.failed(error)
      })
    }
  }

  #deliver(frame: InspectorFrame | 'mismatch' | undefined): boolean {
    if (frame === undefined) return false
    for (const bus of this.#living()) {
      if (frame === 'mismatch') bus.mismatch()
      else if (frame.frame === 'detach' || frame.to === undefined || frame.to === bus.peer)
        bus.receive(frame)
    }
    return true
  }

  receive(text: string): void {
    this.#hand(text, () => attempt(() => this.#channel?.postMessage(text)))
  }

  onFrame(listener: (text: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** Where somebody cannot be told, the application is not concerned. */
function attempt(tell: () => void): void {
  try {
    tell()
  } catch {}
}

/** By what is one in a context, and another in the next. */
const AGENTS = new WeakMap<object, Agent>()

/** The agent of the context that this platform is of. */
export function agentOn(platform: Platform): Agent {
  const context = platform.BroadcastChannel ?? platform
  let agent = AGENTS.get(context)
  if (!agent) {
    agent = new Agent(platform)
    AGENTS.set(context, agent)
  }
  return agent
}

/** The BroadcastChannels of one device, between its contexts. */
import { INSPECT_CHANNEL } from '../../inspect/frames.ts'
import type { Random } from './random.ts'

/** What goes wrong on a channel. Each is a probability from 0 to 1 for one message to one receiver. */
export interface ChannelFaults {
  readonly drop: number
  readonly duplicate: number
  /** The message is held back so long that others' overtake it; one sender's order stays. */
  readonly delay: number
}

/** What a channel needs of the context it was made in. */
export interface ChannelHost {
  /** Runs `run` in the context after `ms`, if it still lives then. */
  readonly enter: (ms: number, label: string, run: () => void, detail?: string) => void
}

const CALM: ChannelFaults = { drop: 0, duplicate: 0, delay: 0 }
/** Milliseconds from one context to another, and how long one that is held back takes. */
const LATENCY: readonly [number, number] = [0.05, 1]
const HELD_BACK: readonly [number, number] = [5, 400]

export class SimulatedChannels {
  #faults: ChannelFaults = CALM
  readonly #random: Random
  /** For what inspectors are told: it must not change what happens. */
  readonly #aside: Random
  readonly #now: () => number
  readonly #open = new Map<string, Set<SimulatedChannel>>()

  constructor(random: Random, aside: Random, now: () => number) {
    this.#random = random
    this.#aside = aside
    this.#now = now
  }

  get faults(): ChannelFaults {
    return this.#faults
  }

  /** What is not named does not go wrong. */
  set faults(faults: Partial<ChannelFaults>) {
    this.#faults = { ...CALM, ...faults }
  }

  /** Channels that are open. */
  get size(): number {
    let size = 0
    for (const channels of this.#open.values()) size += channels.size
    return size
  }

  calm(): void {
    this.#faults = CALM
  }

  /** The `BroadcastChannel` of one context. */
  constructorFor(host: ChannelHost): typeof BroadcastChannel {
    const channels = this
    const made = class extends SimulatedChannel {
      constructor(name: string) {
        super(name, host, channels)
      }
    }
    // Of the interface, a link uses what is there.
    return made as unknown as typeof BroadcastChannel
  }

  /** A context is gone with its channels. */
  drop(host: ChannelHost): void {
    for (const channels of this.#open.values()) {
      for (const channel of channels) if (channel.host === host) channels.delete(channel)
    }
  }

  add(channel: SimulatedChannel): void {
    const channels = this.#open.get(channel.name) ?? new Set()
    this.#open.set(channel.name, channels.add(channel))
  }

  remove(channel: SimulatedChannel): void {
    this.#open.get(channel.name)?.delete(channel)
  }

  post(from: SimulatedChannel, data: unknown): void {
    for (const to of this.#open.get(from.name) ?? []) {
      const random = from.name === INSPECT_CHANNEL ? this.#aside : this.#random
      if (to === from || random.chance(this.faults.drop)) continue
      this.#carry(from, to, data, random)
      if (random.chance(this.faults.duplicate)) this.#carry(from, to, data, random)
    }
  }

  #carry(from: SimulatedChannel, to: SimulatedChannel, data: unknown, random: Random): void {
    const [low, high] = random.chance(this.faults.delay) ? HELD_BACK : LATENCY
    const now = this.#now()
    const at = Math.max(now + random.between(low, high), from.lastAt.get(to) ?? 0)
    from.lastAt.set(to, at)
    to.host.enter(at - now, 'channel', () => to.receive(data), String(data))
  }
}

class SimulatedChannel {
  readonly name: string
  readonly host: ChannelHost
  onmessage: ((event: MessageEvent) => void) | null = null
  /** When the last message to a receiver arrives: none overtakes it. */
  readonly lastAt: WeakMap<SimulatedChannel, number> = new WeakMap()
  readonly #channels: SimulatedChannels
  #closed = false

  constructor(name: string, host: ChannelHost, channels: SimulatedChannels) {
    this.name = name
    this.host = host
    this.#channels = channels
    channels.add(this)
  }

  postMessage(data: unknown): void {
    if (this.#closed) throw new DOMException('the channel is closed', 'InvalidStateError')
    this.#channels.post(this, data)
  }

  receive(data: unknown): void {
    if (!this.#closed) this.onmessage?.({ data } as MessageEvent)
  }

  close(): void {
    this.#closed = true
    this.#channels.remove(this)
  }
}

/** What the processes on one simulated store are to each other: who is cut off, and who hears whom. */
import type { RelayHost, SignalFaults, StoreLink } from '@crosstown/bus/testing'
import type { StoreAccess } from './simulated-store.ts'

/** Milliseconds until a signal is heard, and until one who was away is told so. */
const SIGNAL_MS: readonly [number, number] = [0.1, 5]

interface Listener {
  readonly host: RelayHost
  readonly heard: (room: string | undefined, text: string) => void
}

export class SimulatedSignals {
  faults: SignalFaults | undefined
  readonly #links = new Map<number, StoreLink>()
  /** The newest process of each node: what an earlier one was to hear nobody does. */
  readonly #listeners = new Map<number, Listener>()

  /** How a node reaches the store from now on. Who was away may have missed something, and is told. */
  link(node: number, link: StoreLink): void {
    const before = this.#links.get(node) ?? 'open'
    this.#links.set(node, link)
    if (link === 'open' && before !== 'open') this.#tell(node, undefined, '', 0)
  }

  /** What a process of a node is connected by. */
  access(host: RelayHost): StoreAccess {
    const { node } = host
    return {
      link: () => this.#linkOf(node),
      listen: (heard) => void this.#listeners.set(node, { host, heard }),
      signal: (room, text) => {
        if (this.#linkOf(node) === 'open') this.#send(host, room, text)
      },
    }
  }

  #linkOf(node: number): StoreLink {
    return this.#links.get(node) ?? 'open'
  }

  #send({ node, random }: RelayHost, room: string, text: string): void {
    const { drop = 0, duplicate = 0, delay = 0 } = this.faults ?? {}
    for (const other of this.#listeners.keys()) {
      if (other === node) continue
      const copies = random() < duplicate ? 2 : 1
      for (let i = 0; i < copies; i++)
        if (random() >= drop) this.#tell(other, room, text, random() * delay)
    }
  }

  #tell(node: number, room: string | undefined, text: string, delay: number): void {
    const listener = this.#listeners.get(node)
    if (!listener) return
    const { heard, host } = listener
    const [low, high] = SIGNAL_MS
    host.timer(low + host.random() * (high - low) + delay, 'signal', () => {
      if (this.#linkOf(node) === 'open') heard(room, text)
    })
  }
}

/** A link within one process: for tests, and for several buses of one server process. */
import type { Link, LinkSource } from './link.ts'

/**
 * Peers that open it with the same channel name hear each other, each text in a microtask of its
 * own, so that no sender runs inside a receiver.
 *
 * @example
 * const tabs = memoryLink()
 * const a = createBus({ name: 'shop', tabs }), b = createBus({ name: 'shop', tabs })
 */
export function memoryLink(): LinkSource {
  const channels = new Map<string, Set<MemoryLink>>()
  return {
    open(name) {
      const peers = channels.get(name) ?? new Set()
      channels.set(name, peers)
      return new MemoryLink(peers)
    },
  }
}

class MemoryLink implements Link {
  readonly #peers: Set<MemoryLink>
  #receiver: ((text: string) => void) | undefined

  constructor(peers: Set<MemoryLink>) {
    this.#peers = peers
    peers.add(this)
  }

  send(text: string): void {
    if (!this.#peers.has(this)) return
    for (const peer of this.#peers) {
      if (peer !== this) queueMicrotask(() => peer.#peers.has(peer) && peer.#receiver?.(text))
    }
  }

  receive(receiver: (text: string) => void): void {
    this.#receiver = receiver
  }

  close(): void {
    this.#peers.delete(this)
  }
}

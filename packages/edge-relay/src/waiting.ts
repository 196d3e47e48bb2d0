/** Requests that were not replied to yet. */
import type { BusErrorCode, EventHeader } from '@crosstown/bus/protocol'

export interface Failure {
  readonly code: BusErrorCode
  readonly message: string
}

/** A request that waits for its reply. */
export interface Ask {
  /** What others know the device by that asks. */
  readonly device: string
  /** The relay that it is connected to; absent where that is this one. */
  from?: string | undefined
  readonly header: EventHeader
  readonly dataText: string
  endsMs: number
  /** Until when somebody who responds is waited for. */
  waitsMs: number
  /** Devices here that have not replied. */
  readonly asked: Set<string>
  /** Other relays that have not. */
  readonly nodes: Set<string>
  /** All who were ever asked. */
  readonly tried: Set<string>
  /** When other relays are asked again, and how long after that once more. */
  againMs: number
  pauseMs: number
  failure: Failure | undefined
}

/** What is waited for, also by type: whoever says what it responds to must not look through all. */
export class Waiting {
  readonly #asks = new Map<string, Ask>()
  readonly #byType = new Map<string, Set<Ask>>()

  get size(): number {
    return this.#asks.size
  }

  get(key: string): Ask | undefined {
    return this.#asks.get(key)
  }

  add(ask: Ask): void {
    const { type } = ask.header
    this.#asks.set(keyOf(ask.device, ask.header.id), ask)
    const own = this.#byType.get(type)
    if (own) own.add(ask)
    else this.#byType.set(type, new Set([ask]))
  }

  /** Whether it was there. */
  delete(ask: Ask): boolean {
    const { type, id } = ask.header
    const own = this.#byType.get(type)
    if (!own?.delete(ask)) return false
    if (own.size === 0) this.#byType.delete(type)
    this.#asks.delete(keyOf(ask.device, id))
    return true
  }

  /** As they are now: what is done with one may end others. */
  all(): readonly Ask[] {
    return [...this.#asks.values()]
  }

  /** All of these types, each once. */
  ofTypes(types: Iterable<string>): readonly Ask[] {
    return [...new Set(types)].flatMap((type) => [...(this.#byType.get(type) ?? [])])
  }
}

export function keyOf(device: string, id: string): string {
  return `${device} ${id}`
}

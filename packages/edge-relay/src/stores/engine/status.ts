/** How the connection to an engine is, for whoever wants to see it. */
import type { BusError } from '@crosstown/bus/protocol'
import type { Platform } from '../../platform.ts'
import type { ConnectionState, StoreConnection, StoreStatus } from '../store.ts'

/** A state, and those who hear of its changes. */
export class Status implements StoreConnection {
  readonly #platform: Platform
  readonly #heard = new Set<(status: StoreStatus) => void>()
  #status: StoreStatus

  constructor(kind: string, platform: Platform) {
    this.#platform = platform
    this.#status = { kind, state: 'connecting', since: platform.now(), reconnections: 0 }
  }

  get(): StoreStatus {
    return this.#status
  }

  subscribe(heard: (status: StoreStatus) => void): () => void {
    // Its own, so that one who subscribes twice is two.
    const own = (status: StoreStatus): void => heard(status)
    this.#heard.add(own)
    own(this.#status)
    return () => this.#heard.delete(own)
  }

  /** The same trouble again is no change. */
  set(state: ConnectionState, lastError?: BusError): void {
    const before = this.#status
    const same = before.state === state
    if (same && before.lastError?.message === lastError?.message) return
    const { kind, since } = before
    this.#status = {
      kind,
      state,
      since: same ? since : this.#platform.now(),
      reconnections:
        before.reconnections + (state === 'online' && before.state === 'offline' ? 1 : 0),
      ...(lastError && { lastError: { code: lastError.code, message: lastError.message } }),
    }
    for (const heard of this.#heard) heard(this.#status)
  }
}

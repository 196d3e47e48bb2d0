/** Tells operators how the connection of the store to its engine is. */
import { BusError, isBusError } from '@crosstown/bus/protocol'
import type { Reading } from './metrics.ts'
import type { Told } from './operators.ts'
import type { Store } from './stores/store.ts'

/** Follows a store, of which there is one in each relay, until that is closed. */
export class EngineWatch {
  readonly #store: Store
  #stop: () => void = () => {}
  #reconnections = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** Whether the store can be asked for anything. */
  get online(): boolean {
    const { connection } = this.#store
    return !connection || connection.get().state === 'online'
  }

  get gauge(): readonly Reading[] {
    const status = this.#store.connection?.get()
    return status ? [[status.state === 'online' ? 1 : 0, status.kind]] : []
  }

  /** Whether an error says nothing but that the engine is away. */
  explains(error: unknown): boolean {
    return !this.online && isBusError(error) && error.stage === 'log'
  }

  /** `toApplication` hears of what operators are told as an error. */
  follow({ meter, log }: Told, toApplication: (error: unknown) => void): void {
    const { connection } = this.#store
    let wasOnline = true
    this.#stop =
      connection?.subscribe(({ kind, lastError, reconnections, state }) => {
        const engine = kind
        meter.count('engine_reconnections_total', reconnections - this.#reconnections, engine)
        this.#reconnections = reconnections
        if (state !== 'online') {
          const message = lastError?.message ?? 'it is not connected yet'
          log('offline', { engine, message })
          toApplication(new BusError('unavailable', message, { stage: 'log' }))
        } else if (!wasOnline) log('online', { engine, durability: this.#store.durability })
        wasOnline = state === 'online'
      }) ?? (() => {})
  }

  stop(): void {
    this.#stop()
  }
}

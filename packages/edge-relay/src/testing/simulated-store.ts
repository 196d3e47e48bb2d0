/** A store that takes its time: between a commit and the answer the process may end. */
import { BusError, type Durability } from '@crosstown/bus/protocol'
import type { RelayHost } from '@crosstown/bus/testing'
import type { RoomHead, RoomRecord } from '../record.ts'
import type { Append, Found, LoadedRoom, ReadLimit, RoomStats, Store } from '../stores/store.ts'

/** Milliseconds until a read or write is done, and until its process hears of it. */
const WORK_MS: readonly [number, number] = [0.1, 3]
const ANSWER_MS: readonly [number, number] = [0.05, 2]

/** What goes wrong in a store. */
export interface StoreFaults {
  /** Probability that a write fails; what became of it is then not known. */
  failure: number
}

/** One process's connection to the store: it ends with its process. */
export class SimulatedStore implements Store {
  readonly durability: Durability
  readonly #store: Store
  readonly #host: RelayHost
  readonly #faults: StoreFaults
  readonly #committed: (room: string, append: Append) => void

  constructor(
    store: Store,
    host: RelayHost,
    faults: StoreFaults,
    committed: (room: string, append: Append) => void,
  ) {
    this.durability = store.durability
    this.#store = store
    this.#host = host
    this.#faults = faults
    this.#committed = committed
  }

  load(room: string): Promise<LoadedRoom | undefined> {
    return this.#later('store.load', () => this.#store.load(room))
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.#later('store.head', () => this.#store.head(room))
  }

  append(room: string, append: Append): Promise<boolean> {
    return this.#later('store.append', async () => {
      const fails = this.#host.random() < this.#faults.failure
      if (fails && this.#host.random() < 0.5) throw lost()
      const written = await this.#store.append(room, append)
      if (written) this.#committed(room, append)
      if (fails) throw lost()
      return written
    })
  }

  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.#later('store.read', () => this.#store.read(room, after, limit))
  }

  find(room: string, id: string): Promise<Found | undefined> {
    return this.#later('store.find', () => this.#store.find(room, id))
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#later('store.findByTime', () => this.#store.findByTime(room, time))
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.#later('store.stats', () => this.#store.stats(room))
  }

  signal(room: string, text: string): void {
    this.#store.signal(room, text)
  }

  /** The store outlives the process. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  #later<T>(label: string, run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answered = (settle: () => void): void =>
        void this.#host.timer(this.#between(ANSWER_MS), `${label} done`, settle)
      this.#host.timer(this.#between(WORK_MS), label, () => {
        run().then(
          (value) => answered(() => resolve(value)),
          (error: unknown) => answered(() => reject(error)),
        )
      })
    })
  }

  #between([low, high]: readonly [number, number]): number {
    return low + this.#host.random() * (high - low)
  }
}

function lost(): BusError {
  return new BusError('unavailable', 'the store did not answer', { stage: 'log' })
}

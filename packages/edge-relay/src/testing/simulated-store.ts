/** A store that takes its time: between a commit and the answer the process may end. */
import { BusError, type Durability } from '@crosstown/bus/protocol'
import type { RelayHost, StoreLink } from '@crosstown/bus/testing'
import type { Mark, RoomFirst, RoomHead, RoomRecord } from '../record.ts'
import type {
  Append,
  Found,
  Keep,
  LoadedRoom,
  ReadLimit,
  RoomStats,
  Store,
} from '../stores/store.ts'

/** Milliseconds until a read or write is done, and until its process hears of it. */
const WORK_MS: readonly [number, number] = [0.1, 3]
const ANSWER_MS: readonly [number, number] = [0.05, 2]

/** What goes wrong in a store. */
export interface StoreFaults {
  /** Probability that a write fails; what became of it is then not known. */
  failure: number
}

/** How long an answer is waited for that does not come. */
const TIMEOUT_MS = 5_000
/** Within what time something arrives after all that was on its way when nobody waited any more. */
const LATE_MS: readonly [number, number] = [1_000, 15_000]

/** A write, to be done again on another store. */
export interface Write {
  readonly room: string
  readonly append?: Append
  readonly to: (store: Store) => Promise<unknown>
}

/** What one of several processes on a store is connected by. */
export interface StoreAccess {
  readonly link: () => StoreLink
  readonly signal: Store['signal']
  readonly listen: NonNullable<Store['listen']>
}

/** One process's connection to the store: it ends with its process. */
export class SimulatedStore implements Store {
  readonly durability: Durability
  /** There where other processes have the store, too. */
  readonly listen?: NonNullable<Store['listen']>
  readonly #store: Store
  readonly #host: RelayHost
  readonly #faults: StoreFaults
  readonly #written: (write: Write) => void
  readonly #access: StoreAccess | undefined

  constructor(
    store: Store,
    host: RelayHost,
    faults: StoreFaults,
    written: (write: Write) => void,
    access?: StoreAccess,
  ) {
    this.#access = access
    if (access) this.listen = access.listen
    this.durability = store.durability
    this.#store = store
    this.#host = host
    this.#faults = faults
    this.#written = written
  }

  load(room: string): Promise<LoadedRoom | undefined> {
    return this.#later('store.load', () => this.#store.load(room))
  }

  state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#later('store.state', () => this.#store.state(room, keys))
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.#later('store.head', () => this.#store.head(room))
  }

  append(room: string, append: Append): Promise<boolean> {
    return this.#later('store.append', async () => {
      const fails = this.#host.random() < this.#faults.failure
      if (fails && this.#host.random() < 0.5) throw lost()
      const write = { append, to: (store: Store) => store.append(room, append), room }
      const did = await write.to(this.#store)
      if (did) this.#written(write)
      if (fails) throw lost()
      return did
    })
  }

  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.#later('store.read', () => this.#store.read(room, after, limit))
  }

  first(room: string): Promise<RoomFirst> {
    return this.#later('store.first', () => this.#store.first(room))
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.#later('store.trimmedAt', () => this.#store.trimmedAt(room, place))
  }

  trim(room: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    return this.#later('store.trim', () => {
      const write = { room, to: (store: Store) => store.trim(room, keep, step) }
      this.#written(write)
      return write.to(this.#store)
    })
  }

  delete(room: string): Promise<boolean> {
    return this.#later('store.delete', () => {
      const write = { room, to: (store: Store) => store.delete(room) }
      this.#written(write)
      return write.to(this.#store)
    })
  }

  wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.#later('store.wasDeleted', () => this.#store.wasDeleted(room, epoch))
  }

  purge(step: ReadLimit): Promise<boolean> {
    return this.#store.purge(step)
  }

  rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.#later('store.rooms', () => this.#store.rooms(after, limit))
  }

  find(room: string, id: string): Promise<Found | undefined> {
    return this.#later('store.find', () => this.#store.find(room, id))
  }

  wasTrimmed(room: string, id: string): Promise<boolean> {
    return this.#later('store.wasTrimmed', () => this.#store.wasTrimmed(room, id))
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#later('store.findByTime', () => this.#store.findByTime(room, time))
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.#later('store.stats', () => this.#store.stats(room))
  }

  signal(room: string, text: string): void {
    this.#access?.signal(room, text)
  }

  /** The store outlives the process. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  #later<T>(label: string, run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answered = (settle: () => void): void =>
        void this.#host.timer(this.#between(ANSWER_MS), `${label} done`, () => {
          if (this.#link === 'open') settle()
          else this.#unanswered(reject)
        })
      this.#host.timer(this.#between(WORK_MS), label, () => {
        if (this.#link !== 'open') {
          // What hangs on the way may arrive when nobody waits for it any more.
          if (this.#link === 'silent' && this.#host.random() < 0.5)
            this.#host.timer(
              this.#between(LATE_MS),
              `${label} late`,
              () => void run().catch(() => {}),
            )
          this.#unanswered(reject)
          return
        }
        run().then(
          (value) => answered(() => resolve(value)),
          (error: unknown) => answered(() => reject(error)),
        )
      })
    })
  }

  get #link(): StoreLink {
    return this.#access?.link() ?? 'open'
  }

  #unanswered(reject: (error: BusError) => void): void {
    if (this.#link === 'refused') reject(lost())
    else this.#host.timer(TIMEOUT_MS, 'store timeout', () => reject(lost()))
  }

  #between([low, high]: readonly [number, number]): number {
    return low + this.#host.random() * (high - low)
  }
}

function lost(): BusError {
  return new BusError('unavailable', 'the store did not answer', { stage: 'log' })
}

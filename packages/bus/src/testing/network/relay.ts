/** The relay of a test network: one process at a time, on a store that outlives it. */
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import { type DeviceEndEvents, type RelayEnd, type RelayEndEvents, Wire } from './wire.ts'

/** What the machine gives to a relay's process: time and chance, until the process ends. */
export interface RelayHost {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number
  randomText(length: number): string
  /** A number from 0 to 1. */
  random(): number
  /** Runs `run` after `ms`, if the process is still there; the returned function cancels. */
  timer(ms: number, label: string, run: () => void): () => void
}

/** A relay that was started. */
export interface RelayProcess {
  /** Takes an open socket. */
  accept(end: RelayEnd, room: string): RelayEndEvents
  /** Takes what is posted by HTTP: one event, or a list of them. */
  post(room: string, body: unknown): Promise<readonly PostedEvent[]>
  /** Sends everyone away in good order; resolves when nothing is left to do. */
  drain(): Promise<void>
}

/** An event as the room has it. */
export interface RoomEvent {
  readonly stream?: string
  /** Of an event with a stream. */
  readonly revision?: number
  readonly id: string
  readonly position: string
  readonly type: string
  readonly data: string
}

/** A device that joined, with the log it came with and the subject of its token. */
export interface Joined {
  readonly device: string
  readonly log: string
  readonly subject: string
  /** Whether the store lost that since. */
  lost: boolean
}

/** Where the room has an event that was posted. */
export interface PostedEvent {
  readonly id: string
  readonly position: string
}

/** What a room holds, as its store has it now. */
export interface RoomContents {
  /** Position of its newest place; `undefined` where there is no such room. */
  readonly head: string | undefined
  /** The newest place that was trimmed away; 0 where none was. */
  readonly trimmed: number
  /** In room order, as far as they are kept. */
  readonly events: readonly RoomEvent[]
  /** How often each event came into it, by id: what was trimmed away since, too, but not what it lost. */
  readonly came: ReadonlyMap<string, number>
  /** Ids of what it ever lost: some of that may have come again. */
  readonly lost: ReadonlySet<string>
  /** Ids of what it had trimmed away when it was restored from a copy that may have it. */
  readonly returned: ReadonlySet<string>
}

/**
 * The relay a network is made with: `simulatedRelay()` of `@crosstown/edge-relay/testing`. It owns
 * the store, which stays when its process ends.
 */
export interface RelayProgram {
  start(host: RelayHost): RelayProcess
  /** Puts back an earlier store: what was written after the first `writes` is gone. */
  restore(writes: number): Promise<void>
  /** Empties the store. */
  wipe(): void
  /** From now on each write of the store fails with this probability, 0 to 1. */
  fail(probability: number): void
  /** Writes that are in the store. */
  readonly writes: number
  room(name: string): Promise<RoomContents>
  /** Position of a room's newest place; `undefined` where there is no such room. */
  head(room: string): Promise<string | undefined>
  /** Devices that ever joined any room, whatever became of the store since. */
  readonly joined: readonly Joined[]
  /** Where it did what a relay must never do. */
  readonly violations: readonly string[]
}

/** Milliseconds of a request, and of its answer. */
const REQUEST_MS: readonly [number, number] = [2, 30]

/** A device's end of the network: what a partition cuts. */
export interface Dialer {
  /** Runs `run` in the context that dials, if it lives; later, if it is frozen. */
  readonly inContext: (run: () => void) => void
  readonly device: object
  /** Whether the context runs: a frozen one cannot close what it has open. */
  readonly runs: () => boolean
  /** Whether it ran again in this very moment: what happened meanwhile it has not heard yet. */
  readonly wakes: () => boolean
  /** Before the label of what happens on its sockets. */
  readonly name: string
  readonly random: Random
}

/** The relay, in the hands of a test. */
export class TestRelay {
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #requestRandom: Random
  readonly #program: RelayProgram
  readonly #wall: () => number
  /** Connections of whatever state. */
  readonly #wires = new Map<Wire, Dialer>()
  readonly #cut = new Set<object>()
  readonly #most = new WeakMap<object, number>()
  #process: RelayProcess | undefined
  /** Counts processes: what an earlier one had begun is not done. */
  #life = 0
  #timers = 0
  /** How to end the requests that wait for an answer of the process. */
  readonly #requests = new Set<() => void>()

  /** `randomOf`: chance of its own for each part. */
  constructor(
    program: RelayProgram,
    scheduler: Scheduler,
    randomOf: (part: string) => Random,
    wall: () => number,
  ) {
    this.#program = program
    this.#scheduler = scheduler
    this.#random = randomOf('relay')
    this.#requestRandom = randomOf('requests')
    this.#wall = wall
  }

  /** Whether its process runs. */
  get running(): boolean {
    return this.#process !== undefined
  }

  /** Timers of its process. */
  get timers(): number {
    return this.#timers
  }

  /** Sockets that are open at the relay's end. */
  get sockets(): number {
    return [...this.#wires.keys()].filter((wire) => wire.relayOpen).length
  }

  /** Writes that are in its store: an argument for `restore`. */
  get writes(): number {
    return this.#program.writes
  }

  /** Devices that ever joined any of its rooms. */
  get joined(): readonly Joined[] {
    return this.#program.joined
  }

  get violations(): readonly string[] {
    return this.#program.violations
  }

  /** Events of a room, in room order, as the store has them. */
  room(name: string): Promise<RoomContents> {
    return this.#program.room(name)
  }

  head(room: string): Promise<string | undefined> {
    return this.#program.head(room)
  }

  /** Starts its process; does nothing where it runs. */
  start(): void {
    if (this.#process) return
    this.#timers = 0
    this.#process = this.#program.start(this.#host())
  }

  /** Ends the process between any two steps of it. What was committed stays. */
  crash(): void {
    if (!this.#process) return
    this.#process = undefined
    this.#life += 1
    this.#timers = 0
    for (const wire of [...this.#wires.keys()]) wire.relayGone()
    for (const end of [...this.#requests]) end()
  }

  /** Ends the process in good order: no command is lost, every device is told to come back. */
  async drain(): Promise<void> {
    const process = this.#process
    const life = this.#life
    await process?.drain()
    if (life === this.#life) this.crash()
  }

  /** Puts back the store as it was after so many writes, as from a backup. */
  async restore(writes: number): Promise<void> {
    this.crash()
    await this.#program.restore(writes)
  }

  /** Loses the store: the room that is made next has another epoch. */
  wipe(): void {
    this.crash()
    this.#program.wipe()
  }

  /** From now on each write of its store fails with this probability, 0 to 1. */
  fail(probability: number): void {
    this.#program.fail(probability)
  }

  /** Cuts a device off. Its sockets break, or fall silent without a word. */
  cut(device: object, silently: boolean): void {
    this.#cut.add(device)
    for (const [wire, dialer] of this.#wires) {
      if (dialer.device !== device) continue
      if (silently) wire.halfOpen()
      else wire.drop()
    }
  }

  mend(device: object): void {
    this.#cut.delete(device)
  }

  /** Breaks the sockets of a device; it may come back at once. */
  drop(device: object): void {
    for (const [wire, dialer] of this.#wires) if (dialer.device === device) wire.drop()
  }

  /** Sockets a device takes for open. */
  socketsOf(device: object): number {
    let sockets = 0
    for (const [wire, dialer] of this.#wires) {
      if (dialer.device === device && wire.deviceOpen) sockets += 1
    }
    return sockets
  }

  /** The most sockets that running contexts of a device ever had open at once. */
  mostSocketsOf(device: object): number {
    return this.#most.get(device) ?? 0
  }

  /**
   * Posts to a room by HTTP, as a publisher without a device: `{ type, data, id, ... }`, or a list
   * of these, which is taken as a whole.
   *
   * @throws {Error} where no answer comes: whether the events are in the room is then not known
   * @throws {BusError} with which the relay answers
   */
  post(room: string, body: unknown): Promise<readonly PostedEvent[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly PostedEvent[]>()
    const end = (): void => reject(new Error('the relay did not answer'))
    this.#requests.add(end)
    promise.then(
      () => this.#requests.delete(end),
      () => this.#requests.delete(end),
    )
    const later = (label: string, run: () => void): void => {
      this.#scheduler.schedule(this.#requestRandom.between(...REQUEST_MS), label, run)
    }
    later('post', () => {
      if (!this.#process) end()
      // What was taken from a process that ended since is not told: the request was ended with it.
      else
        this.#process.post(room, body).then(
          (events) => later('post answered', () => resolve(events)),
          (error: unknown) => later('post refused', () => reject(error)),
        )
    })
    return promise
  }

  /** Opens a socket. */
  dial(room: string, dialer: Dialer, events: DeviceEndEvents): Wire {
    const life = this.#life
    const wire = new Wire(
      {
        scheduler: this.#scheduler,
        random: dialer.random,
        name: dialer.name,
        inContext: dialer.inContext,
        inRelay: (run) => {
          if (life === this.#life) run()
        },
        ended: (ended) => this.#wires.delete(ended),
      },
      events,
    )
    this.#wires.set(wire, dialer)
    // Who wakes may dial before it hears that it leads no more. Then it must hang up before that arrives.
    if (!dialer.wakes()) this.#countSockets(dialer.device)
    wire.connect((end) => {
      this.#countSockets(dialer.device)
      if (life !== this.#life || this.#cut.has(dialer.device)) return undefined
      return this.#process?.accept(end, room)
    })
    return wire
  }

  #countSockets(of: object): void {
    let open = 0
    for (const [wire, { device, runs }] of this.#wires) {
      if (device === of && wire.deviceOpen && runs()) open += 1
    }
    this.#most.set(of, Math.max(open, this.mostSocketsOf(of)))
  }

  #host(): RelayHost {
    const life = this.#life
    return {
      now: this.#wall,
      monotonic: () => this.#scheduler.now,
      random: () => this.#random.next(),
      randomText: (length) => this.#random.text(length),
      timer: (ms, label, run) => {
        this.#timers += 1
        let waits = true
        const cancel = this.#scheduler.schedule(ms, label, () => {
          if (life !== this.#life) return
          this.#timers -= 1
          waits = false
          run()
        })
        return () => {
          if (waits && life === this.#life) this.#timers -= 1
          waits = false
          cancel()
        }
      },
    }
  }
}

/** The relay of a test network: one process or several, on a store that outlives them. */
import type { Random } from './random.ts'
import { RelayNode } from './relay-node.ts'
import type {
  Joined,
  PostedEvent,
  ReadEvent,
  RelayProcess,
  RelayProgram,
  RoomContents,
  SignalFaults,
  StoreLink,
} from './relay-program.ts'
import type { Scheduler } from './scheduler.ts'
import { type DeviceEndEvents, Wire } from './wire.ts'

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

/** Which of several nodes: all where none is named. */
type Which = number | undefined

/** The relay, in the hands of a test. */
export class TestRelay {
  readonly #scheduler: Scheduler
  readonly #requestRandom: Random
  /** Which node a connection comes to. */
  readonly #balancer: Random
  readonly #program: RelayProgram
  readonly #nodes: readonly RelayNode[]
  /** Connections of whatever state. */
  readonly #wires = new Map<Wire, { readonly dialer: Dialer; readonly node: RelayNode }>()
  readonly #cut = new Set<object>()
  readonly #most = new WeakMap<object, number>()

  /** `randomOf`: chance of its own for each part. */
  constructor(
    program: RelayProgram,
    scheduler: Scheduler,
    randomOf: (part: string) => Random,
    wall: () => number,
    nodes: number,
  ) {
    this.#program = program
    this.#scheduler = scheduler
    this.#requestRandom = randomOf('requests')
    this.#balancer = randomOf('balancer')
    this.#nodes = Array.from({ length: nodes }, (_, number) => {
      const random = randomOf(number === 0 ? 'relay' : `relay ${number}`)
      return new RelayNode({ number, nodes, random, scheduler, wall })
    })
  }

  /** How many nodes it has. */
  get nodes(): number {
    return this.#nodes.length
  }

  /** Whether any process of it runs. */
  get running(): boolean {
    return this.#nodes.some(({ process }) => process)
  }

  /** Timers of its processes. */
  get timers(): number {
    return this.#nodes.reduce((sum, { timers }) => sum + timers, 0)
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
  start(which?: number): void {
    for (const node of this.#which(which)) node.start(this.#program)
  }

  /** Ends the process between any two steps of it. What was committed stays. */
  crash(which?: number): void {
    for (const node of this.#which(which)) {
      if (!node.crash()) continue
      for (const [wire, one] of [...this.#wires]) if (one.node === node) wire.relayGone()
    }
  }

  /** Ends the process in good order: no command is lost, every device is told to come back. */
  async drain(which?: number): Promise<void> {
    await Promise.all(
      this.#which(which).map(async (node) => {
        const { life, process } = node
        await process?.drain()
        if (life === node.life) this.crash(node.number)
      }),
    )
  }

  /** Has all processes end what they do, and leaves them there, with whatever they have not let go of. */
  async close(): Promise<void> {
    await Promise.all(this.#nodes.map(({ process }) => process?.drain()))
  }

  /** Cuts a node off from everyone who has or wants a connection; it goes on with the store. */
  isolate(which: number, silently: boolean): void {
    for (const node of this.#which(which)) {
      node.isolated = true
      for (const [wire, one] of this.#wires) if (one.node === node) sever(wire, silently)
    }
  }

  /** Ends `isolate`. */
  rejoin(which?: number): void {
    for (const node of this.#which(which)) node.isolated = false
  }

  /** How a node reaches the store from now on. */
  link(which: Which, link: StoreLink): void {
    for (const { number } of this.#which(which)) this.#program.link(number, link)
  }

  /** What becomes of signals between its nodes from now on; nothing untoward where it is left out. */
  signals(faults?: SignalFaults): void {
    this.#program.signals(faults)
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
    for (const [wire, { dialer }] of this.#wires)
      if (dialer.device === device) sever(wire, silently)
  }

  mend(device: object): void {
    this.#cut.delete(device)
  }

  /** Breaks the sockets of a device; it may come back at once. */
  drop(device: object): void {
    for (const [wire, { dialer }] of this.#wires) if (dialer.device === device) wire.drop()
  }

  /** Sockets a device takes for open. */
  socketsOf(device: object): number {
    let sockets = 0
    for (const [wire, { dialer }] of this.#wires) {
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
    return this.#ask('post', (process) => process.post(room, body))
  }

  /**
   * Reads events of a room by HTTP: `stream=s&limit=9` is a query.
   *
   * @throws {Error} where no answer comes
   * @throws {BusError} with which the relay answers
   */
  read(room: string, query: string): Promise<readonly ReadEvent[]> {
    return this.#ask('read', (process) => process.read(room, query))
  }

  #ask<T>(what: string, ask: (process: RelayProcess) => Promise<T>): Promise<T> {
    const node = this.#balance()
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const end = (): void => reject(new Error('the relay did not answer'))
    node.requests.add(end)
    promise.then(
      () => node.requests.delete(end),
      () => node.requests.delete(end),
    )
    const later = (label: string, run: () => void): void => {
      this.#scheduler.schedule(this.#requestRandom.between(...REQUEST_MS), label, () =>
        node.isolated ? end() : run(),
      )
    }
    later(what, () => {
      if (!node.process) end()
      // What was taken from a process that ended since is not told: the request was ended with it.
      else
        ask(node.process).then(
          (answer) => later(`${what} answered`, () => resolve(answer)),
          (error: unknown) => later(`${what} refused`, () => reject(error)),
        )
    })
    return promise
  }

  /** Opens a socket. */
  dial(room: string, dialer: Dialer, events: DeviceEndEvents): Wire {
    const node = this.#balance()
    const { life } = node
    const wire = new Wire(
      {
        scheduler: this.#scheduler,
        random: dialer.random,
        name: dialer.name,
        inContext: dialer.inContext,
        inRelay: (run) => {
          if (life === node.life) run()
        },
        ended: (ended) => this.#wires.delete(ended),
      },
      events,
    )
    this.#wires.set(wire, { dialer, node })
    // Who wakes may dial before it hears that it leads no more. Then it must hang up before that arrives.
    if (!dialer.wakes()) this.#countSockets(dialer.device)
    wire.connect((end) => {
      this.#countSockets(dialer.device)
      if (life !== node.life || node.isolated || this.#cut.has(dialer.device)) return undefined
      return node.process?.accept(end, room)
    })
    return wire
  }

  /** Nobody in front of it knows which of them are well. */
  #balance(): RelayNode {
    const [only] = this.#nodes as [RelayNode]
    return this.#nodes.length === 1 ? only : this.#balancer.pick(this.#nodes)
  }

  #which(which: Which): readonly RelayNode[] {
    return this.#nodes.filter(({ number }) => which === undefined || number === which)
  }

  #countSockets(of: object): void {
    let open = 0
    for (const [wire, { dialer }] of this.#wires) {
      if (dialer.device === of && wire.deviceOpen && dialer.runs()) open += 1
    }
    this.#most.set(of, Math.max(open, this.mostSocketsOf(of)))
  }
}

function sever(wire: Wire, silently: boolean): void {
  if (silently) wire.halfOpen()
  else wire.drop()
}

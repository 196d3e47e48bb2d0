/** One context of a device: a tab, a worker, a service worker, a server process. */

import type { ReadStart } from '../../links/link.ts'
import type { BusOptions, SchemaBusOptions, VersionedBusOptions } from '../../options.ts'
import type { ContextKind, LifecycleChange, Platform } from '../../platform.ts'
import type { EventSchemas, SchemaEvents, SchemaInput } from '../../schema/schema.ts'
import type { Bus, RelayState } from '../../types.ts'
import { VirtualLifecycle } from '../virtual-lifecycle.ts'
import { createBusOn } from '../whole-bus.ts'
import type { SimulatedChannels } from './channel.ts'
import type { SimulatedDisk } from './disk.ts'
import { diskLog } from './disk-log.ts'
import type { SimulatedLocks } from './locks.ts'
import { type Random, randomFor } from './random.ts'
import type { TestRelay } from './relay.ts'
import { type ResumableSource, relaySource } from './relay-source.ts'
import type { Scheduler } from './scheduler.ts'
import type { DeviceEndEvents, Wire } from './wire.ts'

/** Options of a bus in a context: those of `createBus`, with a room in place of links and log. */
export interface TestBusOptions extends Omit<BusOptions, 'log' | 'tabs' | 'relay'> {
  /** Joins this room of the network's relay. @default none: a bus of its device only */
  readonly room?: string
  /** Where a new device starts reading the room. @default 'start' */
  readonly from?: ReadStart
  /** Patterns of what this device reads of the room. @default everything */
  readonly types?: readonly string[]
  /** Of the user; a function is asked at each connection. @default none */
  readonly token?: string | (() => string)
}

/** How long a page has to let go of what keeps it out of the back/forward cache. */
const CACHE_MS = 50

/** What a context still holds: all zero after its buses were closed. */
export interface Holdings {
  readonly timers: number
  readonly holds: number
  readonly sockets: number
  readonly logs: number
  readonly listeners: number
}

/** What the devices of a network share. */
export interface World {
  readonly seed: number
  readonly scheduler: Scheduler
  readonly relay: TestRelay
}

/** The device of a context, as the context needs it. */
export interface ContextHost {
  readonly name: string
  readonly world: World
  readonly random: Random
  readonly channels: SimulatedChannels
  readonly locks: SimulatedLocks
  wall(): number
  disk(name: string, room?: string): SimulatedDisk
  forget(context: TestContext): void
}

export class TestContext {
  readonly kind: ContextKind
  /** Whether its device's logs open in it. */
  readonly hasDisk: boolean
  /** Before the label of what happens in it. */
  readonly name: string
  readonly platform: Platform
  /** @internal */
  readonly device: ContextHost
  readonly lifecycle: VirtualLifecycle
  /** What `createBus` made in it, in order. */
  readonly buses: Bus<Record<string, unknown>>[] = []
  #state: 'running' | 'frozen' | 'gone' = 'running'
  /** In the back/forward cache, or on the way there. */
  #cached = false
  #cancelCache: (() => void) | undefined
  #thawedAt: number | undefined
  readonly #sources: ResumableSource[] = []
  /** The room of each of its buses. */
  readonly #rooms: (string | undefined)[] = []
  /** What happens to a frozen context, for when it thaws. */
  #held: (() => void)[] = []
  readonly #wires = new Set<Wire>()
  #timers = 0
  #holds = 0
  #logs = 0

  /** @internal */
  constructor(device: ContextHost, name: string, kind: ContextKind, disk: boolean) {
    this.hasDisk = disk
    this.device = device
    this.name = `${device.name}/${name} `
    this.kind = kind
    this.lifecycle = new VirtualLifecycle(this.#isPage ? 'visible' : 'none')
    const { scheduler, seed } = device.world
    const random = randomFor(seed, `${device.name}/${name}`)
    this.platform = {
      kind,
      now: () => device.wall(),
      monotonic: () => scheduler.now,
      random: () => random.next(),
      randomText: (length) => random.text(length),
      timer: (ms, run) => this.#timer(ms, run),
      hold: () => {
        this.#holds += 1
        return () => {
          this.#holds -= 1
        }
      },
      lifecycle: this.lifecycle,
      locks: device.locks.managerFor(this),
      indexedDB: undefined,
      BroadcastChannel: device.channels.constructorFor(this),
      WebSocket: undefined,
    }
  }

  /** Whether it was neither closed nor crashed. */
  get alive(): boolean {
    return this.#state !== 'gone'
  }

  get frozen(): boolean {
    return this.#state === 'frozen'
  }

  get holdings(): Holdings {
    return {
      timers: this.#timers,
      holds: this.#holds,
      sockets: this.#openWires().length,
      logs: this.#logs,
      listeners: this.lifecycle.listeners,
    }
  }

  /**
   * The real bus, over this context's platform, its device's disk and the network's relay.
   *
   * @throws {BusError} invalid_options
   */
  createBus<const Schemas extends EventSchemas>(
    options: TestBusOptions & Pick<SchemaBusOptions<Schemas>, 'events' | 'unknown'>,
  ): Bus<SchemaEvents<Schemas>, SchemaInput<Schemas>>
  createBus<Events extends object = Record<string, unknown>>(
    options: TestBusOptions & Pick<VersionedBusOptions<Events>, 'events' | 'unknown'>,
  ): Bus<Events>
  createBus({
    room,
    from,
    token,
    types,
    ...options
  }: TestBusOptions): Bus<Record<string, unknown>> {
    const source =
      room === undefined
        ? undefined
        : relaySource(
            {
              room,
              ...(from === undefined ? undefined : { from }),
              ...(token === undefined ? undefined : { token }),
              ...(types === undefined ? undefined : { types }),
            },
            (name, events) => this.#dial(name, events),
          )
    const log = diskLog(
      this,
      this.hasDisk,
      (name, of) => this.device.disk(name, of),
      (change) => {
        this.#logs += change
      },
    )
    const bus = createBusOn({ ...options, log, tabs: true, relay: source }, this.platform)
    if (source) this.#sources.push(source)
    this.buses.push(bus)
    this.#rooms.push(room)
    return bus
  }

  /** Connects again where the relay refused it: what `resume()` of a relay link does. */
  resumeRelay(): void {
    for (const source of this.#sources) source.resume()
  }

  /** State of the relay in each bus of the room that leads here. */
  leading(room: string): RelayState[] {
    return this.buses.flatMap(({ status }, i) => {
      const { leader, relay } = status.get()
      return leader && this.#rooms[i] === room ? [relay] : []
    })
  }

  /** Whether the relay has all that is for it of what this context keeps in memory. */
  get isRelayed(): boolean {
    if (this.hasDisk || this.frozen) return true
    return this.buses.every(({ status }) => {
      const { leader, relay, outbox } = status.get()
      if (!leader || relay === 'off' || relay === 'refused') return true
      return relay === 'online' && outbox.pending === 0
    })
  }

  /** Runs `run` in this context after `ms`: not at all once it is gone, later where it is frozen. */
  enter(ms: number, label: string, run: () => void, detail?: string): () => void {
    const { scheduler } = this.device.world
    return scheduler.schedule(ms, this.name + label, () => this.now(run), detail)
  }

  /** The same, without a task of its own. */
  now(run: () => void): void {
    if (this.#state === 'running') run()
    else if (this.#state === 'frozen') this.#held.push(run)
  }

  /** Ends it without a word: its locks go to others, its sockets break. */
  crash(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#held = []
    this.device.channels.drop(this)
    this.device.locks.drop(this)
    for (const wire of this.#openWires()) wire.close()
    this.device.forget(this)
  }

  /** Closes its buses, then ends it. */
  async close(): Promise<void> {
    await Promise.all(this.buses.map((bus) => bus.close()))
    this.crash()
  }

  /** Shows or hides a page. */
  show(visible: boolean): void {
    this.#tell(visible ? 'visible' : 'hidden')
  }

  /** Stops it, as a browser does to a page nobody sees: no task of it runs until `thaw`. */
  freeze(): void {
    if (this.#state !== 'running' || this.#cached) return
    this.#tell('freeze')
    this.#state = 'frozen'
  }

  /** Ends `freeze` and `cache`. */
  thaw(): void {
    this.#cancelCache?.()
    this.#cancelCache = undefined
    const cached = this.#cached
    this.#cached = false
    if (this.#state === 'gone' || (this.#state === 'running' && !cached)) return
    if (this.#state === 'frozen') {
      this.#state = 'running'
      this.#thawedAt = this.device.world.scheduler.now
      for (const run of this.#held.splice(0)) this.enter(0, 'thawed', run)
    }
    if (cached) this.#tell('pageshow', true)
    else this.#tell('resume')
  }

  /**
   * Puts a page into the back/forward cache, from which `thaw` brings it back. One that still holds
   * a lock or a socket a moment later cannot be kept there, and is gone.
   */
  cache(): void {
    if (this.#state !== 'running' || this.#cached || !this.#isPage) return
    this.#cached = true
    this.#tell('pagehide', true)
    this.#cancelCache = this.device.world.scheduler.schedule(CACHE_MS, 'cached', () => {
      if (this.#state !== 'running') return
      if (this.device.locks.heldBy(this) || this.#openWires().length > 0) this.crash()
      else this.#state = 'frozen'
    })
  }

  get #isPage(): boolean {
    return this.kind === 'page' || this.kind === 'iframe'
  }

  /** Only pages hear of what is done to them. */
  #tell(change: LifecycleChange, persisted = false): void {
    if (this.#isPage && this.#state === 'running') this.lifecycle.change(change, persisted)
  }

  #timer(ms: number, run: () => void): () => void {
    this.#timers += 1
    let waits = true
    const cancel = this.enter(ms, 'timer', () => {
      if (!waits) return
      this.#timers -= 1
      waits = false
      run()
    })
    return () => {
      if (waits) this.#timers -= 1
      waits = false
      cancel()
    }
  }

  #dial(room: string, events: DeviceEndEvents): Wire {
    const { device } = this
    const wire = device.world.relay.dial(
      room,
      {
        device,
        runs: () => this.#state === 'running',
        wakes: () => this.#thawedAt === device.world.scheduler.now,
        name: this.name,
        random: device.random,
        inContext: (run) => this.now(run),
      },
      events,
    )
    this.#wires.add(wire)
    return wire
  }

  #openWires(): Wire[] {
    for (const wire of this.#wires) if (!wire.deviceOpen) this.#wires.delete(wire)
    return [...this.#wires]
  }
}

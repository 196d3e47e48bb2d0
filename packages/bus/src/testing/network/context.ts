/** One context of a device: a tab, a worker, a service worker, a server process. */
import { createBusOn } from '../../bus.ts'
import type { ReadStart } from '../../links/link.ts'
import type { AnyBusOptions } from '../../options.ts'
import type { ContextKind, Platform } from '../../platform.ts'
import type { Bus } from '../../types.ts'
import { VirtualLifecycle } from '../virtual-platform.ts'
import { diskLog } from './disk-log.ts'
import type { TestDevice } from './device.ts'
import { randomFor } from './random.ts'
import { relaySource } from './relay-source.ts'
import type { DeviceEndEvents, Wire } from './wire.ts'

/** Options of a bus in a context: those of `createBus`, with a room in place of links and log. */
export type TestBusOptions = Omit<AnyBusOptions, 'log' | 'tabs' | 'relay'> & {
  /** Joins this room of the network's relay. @default none: a bus of its device only */
  readonly room?: string
  /** Where a new device starts reading the room. @default 'start' */
  readonly from?: ReadStart
  readonly token?: string
}

/** What a context still holds: all zero after its buses were closed. */
export interface Holdings {
  readonly timers: number
  readonly holds: number
  readonly sockets: number
  readonly logs: number
  readonly listeners: number
}

export class TestContext {
  readonly kind: ContextKind
  readonly platform: Platform
  readonly device: TestDevice
  readonly lifecycle: VirtualLifecycle
  /** What `createBus` made in it, in order. */
  readonly buses: Bus<Record<string, unknown>>[] = []
  #state: 'running' | 'frozen' | 'gone' = 'running'
  /** What happens to a frozen context, for when it thaws. */
  #held: (() => void)[] = []
  readonly #wires = new Set<Wire>()
  #timers = 0
  #holds = 0
  #logs = 0

  /** @internal */
  constructor(device: TestDevice, name: string, kind: ContextKind) {
    this.device = device
    this.kind = kind
    const page = kind === 'page' || kind === 'iframe'
    this.lifecycle = new VirtualLifecycle(page ? 'visible' : 'none')
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

  /** The real bus, over this context's platform, its device's disk and the network's relay. */
  createBus<Events extends object = Record<string, unknown>>({
    room,
    from,
    token,
    ...options
  }: TestBusOptions): Bus<Events> {
    const relay =
      room === undefined
        ? undefined
        : relaySource(
            {
              room,
              ...(from === undefined ? undefined : { from }),
              ...(token === undefined ? undefined : { token }),
            },
            (name, events) => this.#dial(name, events),
          )
    const log = diskLog(
      this,
      (name, of) => this.device.disk(name, of),
      (change) => {
        this.#logs += change
      },
    )
    const bus = createBusOn({ ...options, log, tabs: true, relay }, this.platform)
    this.buses.push(bus)
    return bus as unknown as Bus<Events>
  }

  /** Runs `run` in this context after `ms`: not at all once it is gone, later where it is frozen. */
  enter(ms: number, label: string, run: () => void): () => void {
    return this.device.world.scheduler.schedule(ms, label, () => this.now(run))
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

  /** Stops it, as a browser does to a page nobody sees: no task of it runs until `thaw`. */
  freeze(): void {
    if (this.#state !== 'running') return
    this.lifecycle.change('freeze')
    this.#state = 'frozen'
  }

  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    this.lifecycle.change('resume')
    for (const run of this.#held.splice(0)) this.enter(0, 'thawed', run)
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
      { device, random: device.random, inContext: (run) => this.now(run) },
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

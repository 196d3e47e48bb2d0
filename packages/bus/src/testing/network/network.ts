/**
 * A whole network in one process: devices with their contexts, disks, channels and locks, and a
 * relay, on one virtual clock and one seed. Only platform, sockets and disks are simulated; the
 * buses and the relay are the real ones. The same seed and the same calls give the same run.
 */
import type { RelayState } from '../../types.ts'
import type { World } from './context.ts'
import { EPOCH_MS, TestDevice } from './device.ts'
import { randomFor } from './random.ts'
import { TestRelay } from './relay.ts'
import type { RelayProgram } from './relay-program.ts'
import { Scheduler, type Trace } from './scheduler.ts'

export interface TestNetworkOptions {
  /** Decides every delay and every chance. @default 1 */
  readonly seed?: number
  /** `simulatedRelay()` of `@crosstown/edge-relay/testing`. @default none */
  readonly relay?: RelayProgram
  /** Processes of the relay, on one store: a device comes to any of them. @default 1 */
  readonly nodes?: number
  /** Told of every task before it runs. */
  readonly trace?: Trace
}

/** How long `settle` and `until` go on at most, in virtual milliseconds. */
const PATIENCE_MS = 600_000
/** How long everything has to stay as it is for the network to have settled. */
const CALM_MS = 1_000

export class TestNetwork {
  readonly relay: TestRelay
  readonly #world: World
  readonly #hasRelay: boolean
  readonly #devices = new Map<string, TestDevice>()

  /** @internal */
  constructor({ seed = 1, relay = NO_RELAY, nodes = 1, trace }: TestNetworkOptions) {
    const scheduler = new Scheduler()
    scheduler.trace = trace
    const wall = (): number => EPOCH_MS + Math.floor(scheduler.now)
    this.relay = new TestRelay(relay, scheduler, (part) => randomFor(seed, part), wall, nodes)
    this.#world = { seed, scheduler, relay: this.relay }
    this.#hasRelay = relay !== NO_RELAY
    if (this.#hasRelay) this.relay.start()
  }

  /** Virtual milliseconds since the run began. */
  get now(): number {
    return this.#world.scheduler.now
  }

  /** Tasks that ran. */
  get steps(): number {
    return this.#world.scheduler.steps
  }

  /** A number that differs as soon as two runs differ in anything that happened. */
  get hash(): number {
    return this.#world.scheduler.hash
  }

  get devices(): readonly TestDevice[] {
    return [...this.#devices.values()]
  }

  /** The device of this name, made when it is first asked for. */
  device(name: string): TestDevice {
    let device = this.#devices.get(name)
    if (!device) {
      device = new TestDevice(this.#world, name)
      this.#devices.set(name, device)
    }
    return device
  }

  /** Runs `run` after `ms` of virtual time; the returned function cancels. */
  after(ms: number, run: () => void, label = 'script'): () => void {
    return this.#world.scheduler.schedule(ms, label, run)
  }

  /** Lets `ms` of virtual time pass. */
  async run(ms: number): Promise<void> {
    await this.#world.scheduler.until(() => false, ms)
  }

  /**
   * Lets time pass until the promise has settled, or the condition holds; its result.
   *
   * @throws {Error} where it does not within ten virtual minutes, or `ms`
   */
  async until<T>(what: Promise<T> | (() => T), ms: number = PATIENCE_MS): Promise<T> {
    const { scheduler } = this.#world
    if (typeof what === 'function') {
      if (!(await scheduler.until(() => Boolean(what()), ms)))
        throw new Error(`not within ${ms} ms`)
      return what()
    }
    let settled = false
    const done = what.finally(() => {
      settled = true
    })
    done.catch(() => {})
    if (!(await scheduler.until(() => settled, ms))) throw new Error(`not within ${ms} ms`)
    return done
  }

  /** Cuts a device off the relay, as `device.offline()` does. */
  partition(device: TestDevice, options?: { silently?: boolean }): void {
    device.offline(options)
  }

  /** Takes every fault away: relay up, devices connected, contexts thawed, disks and channels calm. */
  heal(): void {
    this.relay.fail(0)
    this.relay.link(undefined, 'open')
    this.relay.signals()
    this.relay.rejoin()
    if (this.#hasRelay) this.relay.start()
    for (const device of this.devices) {
      this.relay.mend(device)
      device.channels.calm()
      for (const disk of device.disks) disk.calm()
      for (const context of device.contexts) context.thaw()
    }
  }

  /**
   * Heals, and lets time pass until every device is online or refused, has what its room has, and
   * has nothing left to send.
   *
   * @returns whether it came to that within ten virtual minutes, or `ms`
   */
  async settle(ms: number = PATIENCE_MS): Promise<boolean> {
    this.heal()
    const end = this.now + ms
    while (this.now < end) {
      await this.run(CALM_MS)
      if (await this.#settled()) return true
    }
    return false
  }

  async #settled(): Promise<boolean> {
    for (const device of this.devices) {
      if (!device.contexts.every(({ isRelayed }) => isRelayed)) return false
      // What others have in memory is no log of the device.
      if (!device.contexts.some(({ hasDisk }) => hasDisk)) continue
      for (const [room, disk] of device.rooms) {
        const { room: state } = await disk.log.state()
        const head = await this.relay.head(room)
        const relay = relayOf(device, room)
        if (relay === 'refused') continue
        if (relay !== 'online' || state.cursor !== head || state.pending > 0) return false
      }
    }
    return true
  }
}

/** The relay's state where the device's log has a leader. */
function relayOf(device: TestDevice, room: string): RelayState | undefined {
  return device.contexts.flatMap((context) => (context.hasDisk ? context.leading(room) : []))[0]
}

/**
 * Makes a network of devices and a relay for tests, with faults in the hands of the test.
 *
 * @example
 * const network = createTestNetwork({ seed: 1, relay: simulatedRelay() })
 * const phone = network.device('phone').open().createBus({ name: 'shop', room: '42' })
 * const laptop = network.device('laptop').open().createBus({ name: 'shop', room: '42' })
 * network.device('phone').offline()
 * await network.until(phone.publish('cart.item_added', { sku: 'A1' }))
 * await network.settle()
 */
export function createTestNetwork(options: TestNetworkOptions = {}): TestNetwork {
  return new TestNetwork(options)
}

/** Nobody is there. */
const NO_RELAY: RelayProgram = {
  start() {
    throw new Error('this network was made without a relay')
  },
  restore: async () => {},
  wipe() {},
  fail() {},
  link() {},
  signals() {},
  writes: 0,
  room: async () => ({
    head: undefined,
    trimmed: 0,
    events: [],
    came: new Map(),
    lost: new Set(),
    returned: new Set(),
  }),
  head: async () => undefined,
  joined: [],
  violations: [],
}

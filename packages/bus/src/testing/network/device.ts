/** A device: the contexts that share a disk, channels and locks. */
import type { StoredBatch } from '../../log/log.ts'
import type { ContextKind } from '../../platform.ts'
import { SimulatedChannels } from './channel.ts'
import { type ContextHost, TestContext, type World } from './context.ts'
import { SimulatedDisk } from './disk.ts'
import { SimulatedLocks } from './locks.ts'
import { type Random, randomFor } from './random.ts'

/** When every run begins, in milliseconds since 1970. */
export const EPOCH_MS = 1_700_000_000_000

export class TestDevice implements ContextHost {
  readonly name: string
  readonly channels: SimulatedChannels
  readonly locks: SimulatedLocks
  /** How far its clock is off, in milliseconds; may be changed at any time, as users do. */
  clockOffset = 0
  /** The device whose disks this one's were copied from, or itself. */
  origin: TestDevice = this
  /** @internal */
  readonly world: World
  /** @internal */
  readonly random: Random
  readonly #disks = new Map<string, SimulatedDisk>()
  readonly #contexts = new Set<TestContext>()
  #opened = 0

  /** @internal */
  constructor(world: World, name: string) {
    this.world = world
    this.name = name
    this.random = randomFor(world.seed, name)
    this.channels = new SimulatedChannels(
      this.random,
      randomFor(world.seed, `${name}/inspect`),
      () => world.scheduler.now,
    )
    this.locks = new SimulatedLocks()
  }

  /** Those that were neither closed nor crashed. */
  get contexts(): readonly TestContext[] {
    return [...this.#contexts]
  }

  get disks(): readonly SimulatedDisk[] {
    return [...this.#disks.values()]
  }

  /** Its disks of logs that belong to a room, by room. */
  get rooms(): readonly (readonly [room: string, disk: SimulatedDisk])[] {
    return [...this.#disks].flatMap(([key, disk]) => {
      const room = key.slice(key.indexOf(':') + 1)
      return room === '' ? [] : [[room, disk] as const]
    })
  }

  /** What its clocks show. */
  wall(): number {
    return EPOCH_MS + Math.floor(this.world.scheduler.now) + this.clockOffset
  }

  /**
   * Opens a context: a page, unless `kind` says otherwise. One without `disk` gets no log open, as
   * a page does whose storage is blocked.
   */
  open(kind: ContextKind = 'page', { disk = true }: { disk?: boolean } = {}): TestContext {
    this.#opened += 1
    const context = new TestContext(this, String(this.#opened), kind, disk)
    this.#contexts.add(context)
    return context
  }

  /** Cuts it off the relay: its sockets break, or, `silently`, fall silent without a word. */
  offline({ silently = false }: { silently?: boolean } = {}): void {
    this.world.relay.cut(this, silently)
  }

  /** Ends `offline`: its buses connect again by themselves, after a while. */
  online(): void {
    this.world.relay.mend(this)
  }

  /** The disk of the log of one bus name and room. */
  disk(name: string, room = ''): SimulatedDisk {
    const key = diskKey(name, room)
    let disk = this.#disks.get(key)
    if (!disk) {
      disk = new SimulatedDisk({ scheduler: this.world.scheduler, random: this.random })
      this.#disks.set(key, disk)
    }
    return disk
  }

  /** What the log of a bus holds, as it stands on the disk. */
  records(name: string, room = ''): Promise<StoredBatch[]> {
    return this.disk(name, room).log.read(1, Number.MAX_SAFE_INTEGER)
  }

  /**
   * The power is cut: all contexts are gone, and of each log the last so many writes.
   *
   * @returns ids of the events that were lost
   */
  async cutPower(lostWrites: number): Promise<string[]> {
    for (const context of this.contexts) context.crash()
    const lost = await Promise.all(this.disks.map((disk) => disk.cut(lostWrites)))
    return lost.flat()
  }

  /** Takes over copies of all disks of `other`, as a copied browser profile does. */
  async copyFrom(other: TestDevice): Promise<void> {
    this.origin = other.origin
    for (const [key, disk] of other.#disks) {
      this.#disks.set(
        key,
        await disk.clone({ scheduler: this.world.scheduler, random: this.random }),
      )
    }
  }

  /** @internal */
  forget(context: TestContext): void {
    this.#contexts.delete(context)
  }
}

function diskKey(name: string, room: string): string {
  return `${name}:${room}`
}

/**
 * The disk of one log of a device: the log in memory, behind a queue in which every read and write
 * takes its time, one after the other as transactions do. It keeps a journal of what was written,
 * so that it can lose the newest of it, or be copied.
 */
import { BusError, type BusErrorCode } from '../../errors.ts'
import { MemoryLog } from '../../log/memory.ts'
import type { Platform } from '../../platform.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

/** What goes wrong on a disk. */
export interface DiskFaults {
  /** Reads and writes take so many times as long. */
  readonly slowness: number
  /** Probability that a write is rolled back. */
  readonly abort: number
  /** Probability that a write finds no room. */
  readonly quota: number
}

/** The context that reads or writes, as its disk knows it. */
export interface DiskUser {
  /** Runs `run` in the context after `ms`, if it still lives then. */
  readonly enter: (ms: number, label: string, run: () => void) => void
  readonly alive: boolean
  /** Before the label of what it does. */
  readonly name: string
}

/** A context's handle of the log, which hears when the log is gone under it. */
export interface DiskHandle {
  lose(error: BusError): void
}

interface Written {
  readonly write: (log: MemoryLog) => Promise<unknown>
  /** Headers of the own events in it, as text. */
  readonly headers: string | undefined
}

const CALM: DiskFaults = { slowness: 1, abort: 0, quota: 0 }
/** Milliseconds of one read or write, and until its context hears of it. */
const WORK_MS: readonly [number, number] = [0.2, 2]
const ANSWER_MS: readonly [number, number] = [0.05, 0.5]

/** What the disks of a network share. */
export interface DiskWorld {
  readonly scheduler: Scheduler
  readonly random: Random
}

export class SimulatedDisk {
  #faults: DiskFaults = CALM
  /** Ids of own events that were in the log, and went with a power cut or with the log. */
  readonly gone: string[] = []
  /** Whose its logs know that they are, or knew, by their ids; what went with a power cut they never knew. */
  readonly owners: Map<string, Set<string>> = new Map()
  /** Ids of all events of the logs it had before, with when each was cleared. */
  readonly former: { readonly at: number; readonly ids: ReadonlySet<string> }[] = []
  /** How often the connections to it ended, as it was cleared or by themselves. */
  lost = 0
  /** Of no other disk. */
  readonly name: string
  readonly #world: DiskWorld
  /** What the log drew when it was made, drawn again when it is made from its journal. */
  #identity: readonly string[]
  readonly #journal: Written[] = []
  #log: MemoryLog
  #freeAt = 0
  /** Transactions begun before the power was cut are gone. */
  #boot = 0
  readonly #handles = new Set<DiskHandle>()
  /** Contexts that died, and whether what they had begun is still carried out. */
  readonly #finishes = new WeakMap<DiskUser, boolean>()

  constructor(world: DiskWorld, identity?: readonly string[]) {
    this.#world = world
    this.name = `disk ${world.random.text(12)}`
    this.#identity = identity ?? newIdentity(world.random)
    this.#log = makeLog(this.#identity)
  }

  get faults(): DiskFaults {
    return this.#faults
  }

  /** What is not named does not go wrong. */
  set faults(faults: Partial<DiskFaults>) {
    this.#faults = { ...CALM, ...faults }
  }

  /** The log as it stands on the disk, for whoever looks from outside of the run. */
  get log(): MemoryLog {
    return this.#log
  }

  /** Writes that are on the disk. */
  get writes(): number {
    return this.#journal.length
  }

  calm(): void {
    this.#faults = CALM
  }

  get isCalm(): boolean {
    return this.#faults === CALM
  }

  add(handle: DiskHandle): void {
    this.#handles.add(handle)
  }

  remove(handle: DiskHandle): void {
    this.#handles.delete(handle)
  }

  /** Deletes the log, and makes an empty one with another id: what `clear` and a user do. */
  clear(by?: DiskHandle): void {
    this.#remember()
    this.#boot += 1
    this.#forget(this.#journal.splice(0))
    this.#identity = newIdentity(this.#world.random)
    this.#log = makeLog(this.#identity)
    this.#lose(failure('log_cleared', 'the log was cleared'), by)
  }

  /** The connections to the log end; what became of running writes nobody is told. */
  disconnect(): void {
    this.#lose(failure('log_lost', 'the connection to the log was lost'))
  }

  /** A log in memory reads at once, and tells it in a microtask. */
  #remember(): void {
    const ids = new Set<string>()
    this.former.push({ at: this.#world.scheduler.now, ids })
    void this.#log.read(1, Number.MAX_SAFE_INTEGER).then((records) => {
      for (const { headers } of records) for (const { id } of headers) ids.add(id)
    })
  }

  #lose(error: BusError, except?: DiskHandle): void {
    this.lost += 1
    for (const handle of [...this.#handles]) {
      this.#handles.delete(handle)
      if (handle !== except) handle.lose(error)
    }
  }

  read<T>(user: DiskUser, label: string, read: (log: MemoryLog) => Promise<T>): Promise<T> {
    return this.#transaction(user, label, () => read(this.#log))
  }

  /** `headers`: of the own events in it, to know what was lost with it. */
  write<T>(
    user: DiskUser,
    label: string,
    write: (log: MemoryLog) => Promise<T>,
    headers: () => string | undefined = () => undefined,
  ): Promise<T> {
    return this.#transaction(user, label, async () => {
      this.#mayFail()
      const result = await write(this.#log)
      this.#journal.push({ write, headers: headers() })
      if (label === 'log.welcomed') await this.#noteOwner()
      return result
    })
  }

  /**
   * The power is cut: what had not been written through is gone, as is what was under way.
   *
   * @returns ids of the own events that were lost
   */
  async cut(lost: number): Promise<string[]> {
    this.#boot += 1
    this.#handles.clear()
    const written = this.#journal.splice(Math.max(0, this.#journal.length - lost))
    if (written.length > 0) {
      const { logId, room } = await this.#log.state(false)
      this.#log = await this.#replayed()
      const left = await this.#log.state(false)
      if (room.subject !== undefined && room.subject !== left.room.subject)
        this.owners.get(logId)?.delete(room.subject)
    }
    return this.#forget(written)
  }

  async #noteOwner(): Promise<void> {
    const { logId, room } = await this.#log.state(false)
    if (room.subject === undefined) return
    const owners = this.owners.get(logId) ?? new Set()
    this.owners.set(logId, owners.add(room.subject))
  }

  #forget(written: readonly Written[]): string[] {
    const ids = written.flatMap(({ headers }) =>
      headers === undefined ? [] : (JSON.parse(headers) as { id: string }[]).map(({ id }) => id),
    )
    this.gone.push(...ids)
    return ids
  }

  /** A copy, identity included, as of a browser profile. */
  async clone(world: DiskWorld): Promise<SimulatedDisk> {
    const copy = new SimulatedDisk(world, this.#identity)
    copy.#journal.push(...this.#journal)
    copy.#log = await copy.#replayed()
    await copy.#noteOwner()
    return copy
  }

  async #replayed(): Promise<MemoryLog> {
    const log = makeLog(this.#identity)
    for (const { write } of this.#journal) await write(log)
    return log
  }

  #transaction<T>(user: DiskUser, label: string, run: () => Promise<T>): Promise<T> {
    const { scheduler, random } = this.#world
    const boot = this.#boot
    const work = random.between(...WORK_MS) * this.faults.slowness
    this.#freeAt = Math.max(this.#freeAt, scheduler.now) + work
    return new Promise((resolve, reject) => {
      scheduler.schedule(this.#freeAt - scheduler.now, user.name + label, () => {
        if (boot !== this.#boot || !this.#mayFinish(user)) return
        const ms = random.between(...ANSWER_MS)
        run().then(
          (value) => user.enter(ms, `${label} done`, () => resolve(value)),
          (error) => user.enter(ms, `${label} failed`, () => reject(error)),
        )
      })
    })
  }

  /** What a context began before it died is carried out or not, but never only its later part. */
  #mayFinish(user: DiskUser): boolean {
    if (user.alive) return true
    const finishes = (this.#finishes.get(user) ?? true) && this.#world.random.chance(0.5)
    this.#finishes.set(user, finishes)
    return finishes
  }

  #mayFail(): void {
    const { random } = this.#world
    if (random.chance(this.faults.abort)) throw failure('log_failed', 'the write was rolled back')
    if (random.chance(this.faults.quota)) throw failure('quota_exceeded', 'the disk is full')
  }
}

function failure(code: BusErrorCode, message: string): BusError {
  return new BusError(code, message, { stage: 'log' })
}

function newIdentity(random: Random): string[] {
  return [22, 22, 43].map((length) => random.text(length))
}

/** Of its platform, a log in memory uses chance only, and only when it is made. */
function makeLog(identity: readonly string[]): MemoryLog {
  const texts = [...identity]
  const platform: Pick<Platform, 'randomText'> = { randomText: () => texts.shift() ?? '' }
  return new MemoryLog(platform as Platform)
}
